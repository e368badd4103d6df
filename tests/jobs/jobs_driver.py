"""A process with an engine, for tests to kill: `jobs_driver.py FOLDER REQUEST [WORKERS]`.

Prints `ready` once the run is submitted, then the last status as JSON.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from thalweg.jobs.engine import open_engine
from thalweg.jobs.tasks import RunRequest


def main() -> None:
    folder, request = Path(sys.argv[1]), RunRequest.from_json(json.loads(sys.argv[2]))
    workers = int(sys.argv[3]) if len(sys.argv) > 3 else 2
    with open_engine(folder, workers=workers, memory=10**6) as engine:
        run = engine.submit(request)
        print("ready", flush=True)
        print(json.dumps(engine.wait(run).to_json()), flush=True)


if __name__ == "__main__":
    main()
