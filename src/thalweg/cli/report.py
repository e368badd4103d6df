"""What is printed of plans, runs and matrices."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from thalweg.cli.texts import Call, command, counted, printable

if TYPE_CHECKING:
    from thalweg.jobs.status import RunStatus
    from thalweg.pipelines.matrix import PipelineMatrix
    from thalweg.pipelines.plan import StepPlan

MOST_NAMED = 20
# What lists that which an operator makes.
_LISTS = (
    ("catalog", ("catalog", "list"), "what can be used now"),
    ("hexagons_vector", ("hexagons", "list"), "what there is by hexagon"),
    ("exposure", ("exposure", "list"), "what there is of buildings in the water"),
)
PIPED_WIDTH = 10_000


def console() -> Console:
    """Standard output; as wide as need be where it is piped, so that no name is cut."""
    width = None if sys.stdout.isatty() else PIPED_WIDTH
    return Console(highlight=False, markup=False, emoji=False, soft_wrap=True, width=width)


def table(*columns: str, numbers: Iterable[str] = ()) -> Table:
    """An empty table; the columns in `numbers` are aligned right."""
    made = Table(box=None, header_style="bold", pad_edge=False)
    right = set(numbers)
    for column in columns:
        made.add_column(column, justify="right" if column in right else "left", no_wrap=True)
    made.columns[-1].no_wrap = False
    made.columns[-1].overflow = "fold"
    return made


def print_table(rows: Table, out: Console | None = None) -> None:
    """A table without the blanks that would fill its lines."""
    out = out or console()
    for line in out.render_lines(rows, pad=False):
        text = Text.assemble(*((segment.text, segment.style or "") for segment in line))
        text.rstrip()
        out.print(text)


def print_named(lines: Sequence[str], out: Console, more: str = "") -> None:
    """The lines of a list; with `more` the first ones, how many there are, and where they are."""
    shown = lines[:MOST_NAMED] if more else lines
    for line in shown:
        out.print(f"  {printable(line)}")
    if len(lines) > len(shown):
        out.print(f"  … and {len(lines) - len(shown)} more: {more}")


def print_run(status: RunStatus, call: Call) -> None:
    """How a run ended: counts by step, what failed or is missing, where to look next."""
    out = console()
    _print_run(status, out, command("runs", "show", status.id, on=call.workspace))
    steps = _next_steps(status, call)
    width = max((len(line) for line, _ in steps), default=0)
    for line, what in steps:
        out.print(f"  {line:<{width}}  # {what}")


def print_whole_run(status: RunStatus) -> None:
    """A run as it stands, with everything that failed or is missing."""
    out = console()
    out.print(f"{status.id}: {status.name}, {status.state}")
    _print_run(status, out)


def _print_run(status: RunStatus, out: Console, more: str = "") -> None:
    counts = ("made", "done before", "failed", "missing")
    summary = table("step", *counts, numbers=counts)
    for stage in status.stages:
        numbers = (counted(stage, status)[0], stage.already, stage.failed, stage.missing)
        summary.add_row(stage.name, *(str(number) for number in numbers))
    out.print()
    print_table(summary, out)
    lines = _shortfalls(status)
    if lines:
        out.print("\nNot made:")
        print_named(lines, out, more)
    if status.warnings:
        out.print("\nWarnings:")
        print_named([f"{task}: {said}" for task, said in status.warnings], out, more)
    out.print(f"\n{_verdict(status)}")


def _shortfalls(status: RunStatus) -> list[str]:
    failures = [
        f"{failure.label or failure.stage}: {_said(failure.error)}" for failure in status.failures
    ]
    missing = [
        f"{stage} {lost.key}: {lost.reason}" + (f" ({lost.hint})" if lost.hint else "")
        for stage, lost in status.missing
    ]
    return failures + missing


def _said(error: dict[str, Any]) -> str:
    where = f"{error['where']}: " if error["where"] else ""
    hint = f" ({error['hint']})" if error["hint"] else ""
    return f"{error['code']}: {where}{error['message']}{hint}"


def _verdict(status: RunStatus) -> str:
    made = sum(stage.done for stage in status.stages)
    seconds = ""
    if status.started and status.finished:
        seconds = f" in {(status.finished - status.started).total_seconds():.1f} s"
    if status.state == "succeeded":
        return f"Succeeded{seconds}." if made else f"Nothing to do{seconds}: all is up to date."
    if status.state == "partial":
        return f"Partial{seconds}: what is named above is not made, the rest is."
    return f"{status.state.capitalize()}{seconds}."


def _next_steps(status: RunStatus, call: Call) -> list[tuple[str, str]]:
    """Commands to type next, each with what it is for."""
    retry = (call.run("--retry"), "once the causes are mended")
    if not any(stage.planned or stage.already or stage.missing for stage in status.stages):
        return [retry]
    pipeline = status.request.payload["pipeline"]
    operators = {step["operator"] for step in pipeline["steps"]}
    steps = []
    if pipeline["grammar"] is not None:
        steps.append((call.matrix(), "what is expected, made, missing"))
    for operator, words, what in _LISTS:
        if operator in operators:
            steps.append((command(*words, on=call.workspace), what))
    return [retry, *steps] if status.state in ("partial", "failed") else steps


def plan_as_json(plans: Sequence[StepPlan]) -> list[dict[str, Any]]:
    return [
        {
            "step": plan.step.name,
            "operator": plan.step.operator,
            "already": plan.already,
            "tasks": [{"key": task.key, "label": task.label} for task in plan.all_tasks()],
            "keys": [planned.key for planned in plan.planned if planned.to_make],
            "missing": [lost.to_json() for lost in plan.missing],
        }
        for plan in plans
    ]


def print_plan(plans: Sequence[StepPlan]) -> None:
    """What a run would do."""
    out = console()
    counts = ("to do", "done before", "missing")
    summary = table("step", *counts, "for example", numbers=counts)
    for plan in plans:
        tasks = list(plan.all_tasks())
        example = next((one.key for one in plan.planned if one.to_make), "")
        example = example or (tasks[0].label if tasks else "")
        numbers = (len(tasks), plan.already, len(list(plan.missing)))
        summary.add_row(plan.step.name, *(str(number) for number in numbers), example)
    print_table(summary, out)
    missing = [
        f"{plan.step.name} {lost.key}: {lost.reason}" for plan in plans for lost in plan.missing
    ]
    if missing:
        out.print("\nCannot be made:")
        print_named(missing, out, "use --json to see all")
    out.print("\nNothing was done: this is a dry run.")


def print_matrix(found: PipelineMatrix) -> None:
    """Rows of coordinates, a column a level; then what is missing and surplus, by name."""
    out = console()
    names = [level.name for level in found.matrix.levels]
    catalogued = [level.name for level in found.matrix.levels if level.catalogued is not None]
    columns = [*names, *(f"{name} items" for name in catalogued)]
    rows = table("", *columns, numbers=columns)
    for part, row in [*found.rows, (None, found.matrix)]:
        cells = [
            _share(len(level.present & level.expected), level.expected) for level in row.levels
        ]
        cells += [
            _share(len(level.catalogued & level.expected), level.expected)
            for level in row.levels
            if level.catalogued is not None
        ]
        style = "" if row.complete else "red"
        rows.add_row("all" if part is None else part.id, *cells, style=style)
    print_table(rows, out)
    _print_shortfalls(found, out)


def _share(present: int, expected: frozenset[Any]) -> str:
    return f"{present}/{len(expected)}" if expected else "-"


def _print_shortfalls(found: PipelineMatrix, out: Console) -> None:
    missing = [
        f"{level.name} {one.id}" + _because(found.reasons.get((level.name, one.id)))
        for level in found.matrix.levels
        for one in sorted(level.missing, key=str)
    ]
    surplus = [
        f"{level.name} {one.id}"
        for level in found.matrix.levels
        for one in sorted(level.surplus, key=str)
    ]
    unread = [f"{key}: {reason}" for key, reason in found.unread.items()]
    for title, lines in (("Missing", missing), ("Surplus", surplus), ("Unread names", unread)):
        if lines:
            out.print(f"\n{title}:")
            print_named(lines, out, "use --json to see all")


def _because(reason: str | None) -> str:
    return f": {reason}" if reason else ""
