from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from thalweg.domain.coordinates import Coordinates
from thalweg.pipelines.item_plans import at_resolution, item_id

values = st.from_regex(r"[a-z0-9_]+", fullmatch=True)
scenarios = st.tuples(values, values).map(
    lambda pair: Coordinates(tuple(zip(("year", "scenario"), pair, strict=True)))
)
tables = st.tuples(scenarios, st.integers(0, 15))


@given(tables, tables)
def test_no_two_tables_get_one_item(
    one: tuple[Coordinates, int], other: tuple[Coordinates, int]
) -> None:
    same = item_id(at_resolution(*one)) == item_id(at_resolution(*other))
    assert same == ((one[0].id, one[1]) == (other[0].id, other[1]))


def test_the_id_of_a_table_tells_its_resolution() -> None:
    place = Coordinates((("year", "2050"), ("scenario", "none")))
    assert item_id(place) == "2050"
    assert item_id(at_resolution(place, 7)) == "2050-r7"
    assert item_id(at_resolution(Coordinates(()), 7)) == "r7"
