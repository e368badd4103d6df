"""What is asked, as a query of tables of cells."""

from __future__ import annotations

from collections.abc import Sequence

from thalweg.api.tables.asked import Wanted
from thalweg.api.tables.held import HeldTables
from thalweg.hexagons.places import box
from thalweg.hexagons.queries import Key, Query, values_of
from thalweg.hexagons.tables import Described


def query_of_cells(
    held: HeldTables,
    tables: Sequence[Described],
    wanted: Wanted,
    statistics: Sequence[str],
    most: int,
    after: Key | None = None,
) -> Query:
    """The rows and columns that are asked for; `most` cells may be in a box."""
    chosen = with_periods(tables, wanted)
    return Query(
        chosen,
        values_of(chosen, statistics, wanted.periods),
        countries=wanted.countries,
        place=None if wanted.bbox is None else held.reached(box(wanted.bbox), chosen),
        most_cells=most,
        after=after,
    )


def with_periods(tables: Sequence[Described], wanted: Wanted) -> tuple[Described, ...]:
    """Those that have return periods, where some are asked for; all, where none has."""
    if not wanted.periods:
        return tuple(tables)
    return tuple(one for one in tables if one.series.return_periods) or tuple(tables)
