"""Running one method in its own process, and telling what it cost."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from rio_cogeo.cogeo import cog_validate

from thalweg.raster.structure import structure_faults


@dataclass(frozen=True)
class Cost:
    """Seconds of the first run and of the best after it, and peak memory in MB."""

    cold: float
    warm: float
    memory: int


def measure(program: Path, method: str, given: object, repeats: int) -> Cost:
    """Run `program --method METHOD GIVEN REPEATS` in a process of its own."""
    command = [sys.executable, str(program), "--method", method, str(given), str(repeats)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def report_cost(
    work: Callable[[], object], repeats: int, clock: Callable[[], float] = time.perf_counter
) -> None:
    """Do the work some times over and print its cost, as `measure` reads it."""
    seconds = []
    for _ in range(repeats):
        began = clock()
        work()
        seconds.append(clock() - began)
    # ru_maxrss would be the parent's, where that was larger.
    status = Path("/proc/self/status").read_text()
    memory = int(status.split("VmHWM:")[1].split()[0]) >> 10
    print(json.dumps({"cold": seconds[0], "warm": min(seconds[1:] or seconds), "memory": memory}))


def main(
    work: Callable[[str, str], object],
    compare: Callable[[], None],
    clock: Callable[[], float] = time.perf_counter,
) -> None:
    """What a benchmark does when called: one method, with what `measure` gave it, or all."""
    if "--method" in sys.argv:
        _, method, given, repeats = sys.argv[1:]
        report_cost(lambda: work(method, given), int(repeats), clock)
    else:
        compare()


def numbers(told: str | None, **defaults: int) -> list[int]:
    """The whole numbers a benchmark was called with, in their order; `told` is shown as help."""
    parser = argparse.ArgumentParser(
        description=told, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name, default in defaults.items():
        shown = {"nargs": "?", "type": int, "default": default}
        parser.add_argument(name.upper(), help=f"{default} unless given", **shown)
    return [*vars(parser.parse_args()).values()]


def verdict(path: Path) -> str:
    """What rio-cogeo says without a warning allowed, and the promises of GDAL's ghost area."""
    valid, errors, warnings = cog_validate(str(path), strict=True, quiet=True)
    faults = [*structure_faults(path)] if b"INTERLEAVE=BAND" in path.read_bytes()[:300] else []
    return "valid" if valid and not faults else "; ".join([*errors, *warnings, *faults])


def table(costs: dict[str, Cost], verdicts: dict[str, str]) -> str:
    """A Markdown table; ratios are to the first row."""
    ours = next(iter(costs.values()))
    lines = [
        "| | first run | warm | times ours | peak memory | times ours | COG |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, cost in costs.items():
        lines.append(
            f"| {name} | {cost.cold:.2f} s | {cost.warm:.2f} s | {cost.warm / ours.warm:.1f} "
            f"| {cost.memory} MB | {cost.memory / ours.memory:.1f} | {verdicts[name]} |"
        )
    return "\n".join(lines)
