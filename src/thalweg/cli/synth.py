"""`thalweg synth`: make synthetic deliveries to try, test and measure the chain with."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.errors import UsageError
from thalweg.synth.order import Order
from thalweg.synth.presets import DEFAULT_SEED, PRESETS, VARIANTS, Selection

if TYPE_CHECKING:
    from thalweg.synth.tiles import Record


class Shape(StrEnum):
    """What a building is drawn as."""

    FOOTPRINT = "footprint"
    POINT = "point"


app = typer.Typer(
    name="synth", help="Make synthetic deliveries with known answers.", no_args_is_help=True
)

FILES_WORTH_A_PROCESS = 500

EXAMPLES = """
Examples:

  thalweg synth flood --preset rwanda --tile-size 400 --out demo/rwanda

  thalweg synth flood --preset civ --tile-size 64 --out demo/civ --workers 4

  thalweg synth flood --preset rwanda --tile-size 64 --out demo/part --tiles s02e029,s02e030 \
--years 2020,2050 --return-periods 10,100

The same command again goes on where it was broken off, and does nothing where all is made.
"""

BUILDINGS_EXAMPLES = """
Examples:

  thalweg synth buildings --preset rwanda --count 100000 --out demo/buildings

  thalweg synth buildings --preset rwanda --count 5000000 --shape point --out demo/points
"""


@app.callback()
def _group() -> None:
    """Make synthetic deliveries with known answers."""


@app.command(epilog=EXAMPLES)
def flood(
    preset: Annotated[str, typer.Option(help=f"The region: {', '.join(PRESETS)}.")],
    tile_size: Annotated[
        int, typer.Option(help="Pixels along a one-degree tile: a multiple of 16, up to 3600.")
    ],
    out: Annotated[Path, typer.Option(help="Folder to write to: new, empty, or of this order.")],
    seed: Annotated[int, typer.Option(help="Another seed is another landscape.")] = DEFAULT_SEED,
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; by default one for each processor.")
    ] = None,
    variant: Annotated[
        str, typer.Option(help=f"How files are named: {', '.join(VARIANTS)}.")
    ] = "region",
    tiles: Annotated[str, typer.Option(help="Only these tiles, separated by commas.")] = "",
    hazards: Annotated[str, typer.Option(help="Only these hazards, e.g. PLUVIAL_DEFENDED.")] = "",
    years: Annotated[str, typer.Option(help="Only these years.")] = "",
    scenarios: Annotated[str, typer.Option(help="Only these scenarios, e.g. SSP2_4.5.")] = "",
    return_periods: Annotated[str, typer.Option(help="Only these return periods, in years.")] = "",
) -> None:
    """Make a delivery of flood depth rasters over fractal terrain with drainage.

    Real names, folders, types and special values; depths that deepen with return period, year and
    scenario. `manifest.json` tells counts and sums of every file, and what a pipeline must make.
    """
    selection = Selection(
        _words(tiles),
        _words(hazards),
        _numbers("--years", years),
        _words(scenarios),
        _numbers("--return-periods", return_periods),
    )
    order = Order(preset, tile_size, seed, variant, selection)
    from thalweg.synth.delivery import deliver

    with _progress(order.files) as advance:
        manifest = deliver(order, out, workers=workers or _processes(order.files), progress=advance)
    _report(manifest, out)


@app.command(epilog=BUILDINGS_EXAMPLES)
def buildings(
    preset: Annotated[str, typer.Option(help=f"The region: {', '.join(PRESETS)}.")],
    count: Annotated[int, typer.Option(min=1, help="How many buildings.")],
    out: Annotated[Path, typer.Option(help="Folder to write to: new, empty, or of this order.")],
    seed: Annotated[int, typer.Option(help="Another seed is another country.")] = DEFAULT_SEED,
    shape: Annotated[
        Shape, typer.Option(help="footprint: rectangles; point: their centres.")
    ] = Shape.FOOTPRINT,
) -> None:
    """Make buildings clustered in towns and along roads, as one GeoParquet file.

    `manifest.json` tells their number and area, all in all and by one-degree tile.
    """
    from thalweg.synth.buildings import BuildingOrder, deliver_buildings

    manifest = deliver_buildings(BuildingOrder(preset, count, seed, shape.value), out)
    typer.echo(
        f"{manifest['count']:,} buildings with {manifest['area_m2'] / 1e6:,.3f} km2 in {out}, in "
        f"{len(manifest['tiles'])} one-degree tiles; {out / 'manifest.json'} tells the rest."
    )


def _words(text: str) -> tuple[str, ...]:
    return tuple(word for word in text.replace(",", " ").split())


def _numbers(option: str, text: str) -> tuple[int, ...]:
    words = _words(text)
    for word in words:
        if not word.isdecimal():
            raise UsageError(f"{option}: '{word}' is not a whole number")
    return tuple(map(int, words))


def _processes(files: int) -> int:
    """One for each processor, but none that would have less to do than it takes to start."""
    has_affinity = hasattr(os, "sched_getaffinity")
    processors = len(os.sched_getaffinity(0)) if has_affinity else os.cpu_count() or 1
    return min(processors, 1 + files // FILES_WORTH_A_PROCESS)


@contextmanager
def _progress(total: int) -> Iterator[Callable[[int], None]]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    console = Console(stderr=True)
    columns = (
        TextColumn("[bold]synth[/]"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as bar:
        task = bar.add_task("files", total=total, rate="making the landscape")

        def advance(done: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, rate=f"{speed:.0f} files/s" if speed else "")

        yield advance


def _report(manifest: Record, out: Path) -> None:
    expected, totals = manifest["expected"], manifest["totals"]
    merged = expected["merged"]["4"]
    typer.echo(f"{expected['sources']:,} files, {totals['size'] / 1e6:,.1f} MB in {out}")
    typer.echo(
        f"A pipeline must make {expected['stacked']:,} stacked and {merged:,} merged rasters of "
        f"them (4-degree grid); {out / 'manifest.json'} tells the rest."
    )
