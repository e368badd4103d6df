"""Services that listen in processes of their own, and what a request costs them.

Processor time is the service's alone, as the kernel counts it: where other programs share the
machine it tells what the clock cannot. The clock's times are given beside it.
"""

from __future__ import annotations

import os
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import mkdtemp

import httpx

from thalweg.pipelines.workspace import Workspace
from thalweg.postgres.cluster import Cluster

_START_SECONDS = 180
_WARMING = 3


@dataclass(frozen=True)
class Server:
    """A service that answers at `url`, in the process of that id."""

    url: str
    process: int

    @property
    def processor_seconds(self) -> float:
        """What it and its threads have used of processors, to a hundredth of a second."""
        fields = Path(f"/proc/{self.process}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory_mb(self, kind: str = "VmRSS") -> int:
        """What it holds (`VmRSS`), or the most that it did (`VmHWM`)."""
        status = Path(f"/proc/{self.process}/status").read_text()
        return int(status.split(f"{kind}:")[1].split()[0]) >> 10


@contextmanager
def listening(
    *command: str, ready: str = "/openapi.json", cwd: Path | None = None, **env: str
) -> Iterator[Server]:
    """A Python program that takes its port last; given once it answers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", *command, str(port)],
        cwd=cwd, env={**os.environ, **env}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    ) as process:  # fmt: skip
        try:
            _await_answer(f"http://127.0.0.1:{port}{ready}", process)
            yield Server(f"http://127.0.0.1:{port}", process.pid)
        finally:
            process.terminate()


def thalweg(workspace: Path, **env: str):
    """Ours, as people start it."""
    command = ("-m", "thalweg.cli.main", "serve", str(workspace), "--port")
    return listening(*command, ready="/health", cwd=workspace, **env)


@contextmanager
def workspace_with_database() -> Iterator[tuple[Workspace, str]]:
    """A new workspace, and the address of a PostgreSQL beside it, of its own."""
    folder = Path(mkdtemp(prefix="thalweg-bench-"))
    # PostgreSQL does not run as root: its own user has to get there.
    folder.chmod(0o755)
    workspace, _ = Workspace.open(folder)
    workspace.catalog().close()
    cluster = Cluster.of(folder)
    cluster.start()
    try:
        yield workspace, cluster.url
    finally:
        cluster.stop()


def _await_answer(url: str, process: subprocess.Popen[bytes]) -> None:
    until, last = time.monotonic() + _START_SECONDS, ""
    while time.monotonic() < until and process.poll() is None:
        try:
            httpx.get(url, timeout=60).raise_for_status()
        except httpx.HTTPError as error:
            last = str(error)
            time.sleep(0.1)
        else:
            return
    raise SystemExit(f"{url} does not answer: {last or process.returncode}")


@dataclass
class Cost:
    """What each request took, in seconds of the clock, and all of them of a processor."""

    seconds: list[float] = field(default_factory=list)
    processor: float = 0

    @property
    def p50(self) -> float:
        """Milliseconds."""
        return 1e3 * statistics.median(self.seconds)

    @property
    def p95(self) -> float:
        """Milliseconds."""
        return 1e3 * statistics.quantiles(self.seconds, n=20, method="inclusive")[18]

    @property
    def processor_ms(self) -> float:
        """Milliseconds of a processor that the service took for one request."""
        return 1e3 * self.processor / len(self.seconds)


def by_turns(
    servers: Mapping[str, Server], asks: Mapping[str, Callable[[int], object]], rounds: int
) -> dict[str, Cost]:
    """What one request to each service cost; `asks` are told the number of the round.

    Asked by turns, a few at a time, so that what else the machine does falls on all of them.
    """
    costs = {name: Cost() for name in asks}
    for ask in asks.values():
        for number in range(_WARMING):
            ask(number)
    for start in range(0, rounds, _TOGETHER):
        for name, ask in asks.items():
            before = servers[name].processor_seconds
            for number in range(start, min(start + _TOGETHER, rounds)):
                began = time.perf_counter()
                ask(number)
                costs[name].seconds.append(time.perf_counter() - began)
            costs[name].processor += servers[name].processor_seconds - before
    return costs


def heading(base: str, names: Iterable[str]) -> str:
    """The head of a table of `row`s, whose ratios are to the first column."""
    told = f"p50 (times {base}), p95, and of a processor"
    names = list(names)
    return f"| {told} | {' | '.join(names)} |\n|---|{'---|' * len(names)}"


def row(name: str, costs: Mapping[str, Cost]) -> str:
    """A row of a Markdown table."""
    base = next(iter(costs.values()))
    cells = (
        f"{one.p50:.1f} ms ({one.p50 / base.p50:.2f}), {one.p95:.1f}, {one.processor_ms:.1f}"
        for one in costs.values()
    )
    return f"| {name} | {' | '.join(cells)} |"


# The kernel counts in hundredths of a second: turns of one request would be too short to tell.
_TOGETHER = 10
