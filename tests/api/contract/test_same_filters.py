"""Every CQL2 operator, in text and in JSON, answered alike by both backends."""

from __future__ import annotations

import json
import time
from typing import Any

import cql2
import pytest
from both_backends import Both
from test_same_answers import BODY, ids, same

from thalweg.catalog.cql2 import ARITHMETIC, ARRAYS, COMPARISONS, LOGICAL, SPATIAL, TEMPORAL, TEXT

SQUARE = "POLYGON((28 -3, 30 -3, 30 -1, 28 -1, 28 -3))"
FILTERS: dict[str, int] = {
    "\"thalweg:peril\" = 'fluvial'": 7,
    "\"thalweg:peril\" <> 'fluvial'": 13,
    "NOT \"thalweg:peril\" = 'fluvial'": 13,
    '"thalweg:year" < 2025': 5,
    '"thalweg:year" <= 2025': 6,
    '"thalweg:year" > 2035': 4,
    '"thalweg:year" >= 2035': 5,
    '"depth:max" = -4': 1,
    '"depth:max" > 20.25': 3,
    '"thalweg:year" BETWEEN 2021 AND 2023': 3,
    '"thalweg:year" NOT BETWEEN 2021 AND 2038': 2,
    "title IN ('Kigali', 'land', 'none')": 5,
    "title NOT IN ('Kigali', 'land')": 21,
    '"thalweg:year" IN (2020, 2030, 1)': 2,
    "title LIKE 'K%'": 3,
    "title LIKE 'k%'": 0,
    "title LIKE '_igali'": 3,
    "title LIKE '100\\%\\_s%'": 3,
    "title NOT LIKE '%a%'": 17,
    "id LIKE 'land-%'": 5,
    "collection = 'flood'": 20,
    "id = 'flood-00' AND collection = 'land-cover'": 1,
    "id IN ('flood-00','land-1')": 3,
    "note IS NULL": 22,
    "note IS NOT NULL": 4,
    "nothing IS NULL": 26,
    "nothing = 'a'": 0,
    "NOT (nothing = 'a')": 0,
    "nothing > 5": 0,
    "verified = TRUE": 10,
    "verified = FALSE": 10,
    "CASEI(title) = CASEI('ZURICH')": 4,
    "CASEI(title) LIKE CASEI('z%')": 8,
    "CASEI(title) IN (CASEI('LAND'), CASEI('KIGALI'))": 8,
    "ACCENTI(title) = ACCENTI('Zurich')": 4,
    "ACCENTI(CASEI(title)) = ACCENTI(CASEI('zürich'))": 8,
    "ACCENTI(title) = 'Lodz'": 3,
    "title = 'it''s'": 3,
    '"thalweg:year" = 2020 OR "thalweg:peril" = \'coastal\' AND "depth:max" > 0': 6,
    "(title = 'Kigali' OR title = 'land') AND NOT id = 'land-0'": 4,
    '"thalweg:year" + 1 = 2022': 1,
    '"thalweg:year" - 2000 > 35': 4,
    '"depth:max" * 2 = 10': 1,
    '"depth:max" / 2 < -1': 2,
    '"thalweg:year" > "depth:max"': 20,
    "\"thalweg:year\" = '2021'": 1,
    f"S_INTERSECTS(geometry, {SQUARE})": 10,
    f"S_WITHIN(geometry, {SQUARE})": 5,
    "S_WITHIN(geometry, POLYGON((27 -4, 31 -4, 31 0, 27 0, 27 -4)))": 10,
    "S_CONTAINS(geometry, POINT(28.3 -2.7))": 2,
    "S_DISJOINT(geometry, POLYGON((20 -10, 40 -10, 40 10, 20 10, 20 -10)))": 5,
    "S_EQUALS(geometry, POLYGON((28 -3, 29 -3, 29 -2, 28 -2, 28 -3)))": 1,
    "S_TOUCHES(geometry, POLYGON((29 -2, 30 -2, 30 -1, 29 -1, 29 -2)))": 8,
    "S_OVERLAPS(geometry, POLYGON((28.5 -2.5, 29.5 -2.5, 29.5 -1.5, 28.5 -1.5, 28.5 -2.5)))": 4,
    "S_CROSSES(geometry, LINESTRING(27 -2.5, 28.5 -2.5))": 1,
    "S_INTERSECTS(geometry, BBOX(170, -20, -170, 0))": 2,
    "S_INTERSECTS(geometry, BBOX(28, -3, 28.5, -2.5))": 2,
    "S_INTERSECTS(POINT(28.3 -2.7), geometry)": 2,
    "S_WITHIN(POINT(28.3 -2.7), geometry)": 2,
    "T_AFTER(datetime, TIMESTAMP('2030-01-01T00:00:00Z'))": 10,
    "T_BEFORE(datetime, TIMESTAMP('2020-06-01T00:00:00Z'))": 2,
    "T_BEFORE(end_datetime, DATE('2021-01-01'))": 6,
    "T_EQUALS(datetime, TIMESTAMP('2020-06-01T00:00:00Z'))": 3,
    "T_DISJOINT(datetime, INTERVAL('2020-01-01T00:00:00Z', '2049-01-01T00:00:00Z'))": 2,
    "T_INTERSECTS(datetime, INTERVAL('2020-06-01', '2020-06-01'))": 4,
    "T_INTERSECTS(datetime, INTERVAL('..', '2020-01-01T00:00:00Z'))": 2,
    "T_INTERSECTS(INTERVAL(start_datetime, end_datetime), DATE('2025-06-01'))": 1,
    "T_DURING(INTERVAL(start_datetime, end_datetime), INTERVAL('2024-06-01', '2028-06-01'))": 3,
    "T_CONTAINS(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2024-06-01T00:00:00Z', '2024-07-01T00:00:00Z'))": 1,
    "T_STARTS(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2024-01-01T00:00:00Z', '2026-01-01T00:00:00Z'))": 1,
    "T_STARTEDBY(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2024-01-01T00:00:00Z', '2024-02-01T00:00:00Z'))": 1,
    "T_FINISHES(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2020-01-01T00:00:00Z', '2024-12-31T23:59:59.5Z'))": 1,
    "T_FINISHEDBY(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2024-06-01T00:00:00Z', '2024-12-31T23:59:59.5Z'))": 1,
    "T_MEETS(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2024-12-31T23:59:59.5Z', '2025-06-01T00:00:00Z'))": 1,
    "T_METBY(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2020-01-01T00:00:00Z', '2025-01-01T00:00:00Z'))": 1,
    "T_OVERLAPS(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2024-06-01T00:00:00Z', '2025-06-01T00:00:00Z'))": 1,
    "T_OVERLAPPEDBY(INTERVAL(start_datetime, end_datetime), "
    "INTERVAL('2023-06-01T00:00:00Z', '2024-06-01T00:00:00Z'))": 1,
    "datetime > TIMESTAMP('2038-01-01T00:00:00Z')": 2,
    "datetime >= DATE('2038-01-01')": 3,
    "datetime = TIMESTAMP('2020-06-01T02:00:00+02:00')": 3,
    "datetime IS NULL": 0,
    "A_CONTAINS(keywords, ('flood', 'dry'))": 5,
    "A_CONTAINEDBY(keywords, ('flood', 'coastal', 'x'))": 5,
    "A_OVERLAPS(keywords, ('dry', 'coastal'))": 10,
    "A_EQUALS(keywords, ('flood', 'pluvial'))": 5,
    "A_CONTAINS(numbers, (3, 4))": 1,
    "TRUE": 26,
}


@pytest.mark.parametrize(("text", "count"), FILTERS.items())
def test_filters_find_the_same_in_text_and_in_json(both: Both, text: str, count: int) -> None:
    found = same(both.get("/stac/search", filter=text, limit=100))
    assert len(found["features"]) == count, ids(found)
    as_json = cql2.parse_text(text).to_json()
    if isinstance(as_json, dict):  # a body's filter is an object
        again = same(both.search(filter=as_json, limit=100))
        assert ids(again) == ids(found)


def test_filters_in_json_stand_in_parameters_too(both: Both) -> None:
    condition = {"op": "in", "args": [{"property": "id"}, ["flood-00", "land-1"]]}
    params = {"filter": json.dumps(condition), "filter-lang": "cql2-json"}
    assert len(same(both.get("/stac/search", **params))["features"]) == 3


def test_bounds_of_between_may_stand_in_a_list(both: Both) -> None:
    """As drafts of CQL2 had it, and stac-api-validator has."""
    between = {"op": "between", "args": [{"property": "thalweg:year"}, [2021, 2023]]}
    found = same(both.search(filter={"op": "not", "args": [between]}, limit=100))
    assert len(found["features"]) == 17


def test_every_operator_has_a_filter() -> None:
    whole = " ".join(FILTERS).lower()
    spelled = {one.replace("contained_by", "containedby") for one in ARRAYS}
    for op in {*LOGICAL, *COMPARISONS, *ARITHMETIC, *TEXT, *SPATIAL, *TEMPORAL, *spelled}:
        assert op in whole, op


def test_filters_hold_together_with_all_else(both: Both) -> None:
    found = same(
        both.get(
            "/stac/collections/flood/items",
            filter='"thalweg:year" > 2022',
            bbox="28,-3,31,0",
            datetime="../2030-01-01T00:00:00Z",
            sortby="-thalweg:year",
            limit=3,
        )
    )
    assert len(found["features"]) == 3


DEEP: dict[str, Any] = {"op": "=", "args": [{"property": "a"}, 1]}
for _ in range(200):
    DEEP = {"op": "not", "args": [DEEP]}

BAD_TEXTS = [
    "name < pg_read_file('/etc/hostname')",
    "pg_sleep(10) = 1",
    "a = pg_sleep(10)",
    "a = (select 1)",
    "a; DROP TABLE items",
    "a = 1 --",
    "a",
    "1",
    "'a'",
    "a =",
    "a LIKE b",
    "a LIKE 'x\\'",
    '"a\'b" = 1',
    '"a""b" = 1',
    '"" = 1',
    "properties = 1",
    "a IN ()",
    "1 = 1",
    "a ^ 2 = 4",
    "a % 2 = 1",
    "a DIV 2 = 1",
    "AVG(a) = 1",
    "S_INTERSECTS(a, POINT(1 2))",
    "S_INTERSECTS(geometry, geometry)",
    "S_INTERSECTS(geometry, BBOX(1, 2, 3))",
    "S_INTERSECTS(geometry, BBOX(0, 10, 1, 5))",
    "S_INTERSECTS(geometry, POINT(a b))",
    "S_INTERSECTS(geometry, POLYGON((0 0, 1 1)))",
    "T_AFTER(title, TIMESTAMP('2030-01-01T00:00:00Z'))",
    "T_AFTER(datetime, TIMESTAMP('yesterday'))",
    "T_AFTER(datetime, DATE('2030-02-31'))",
    "T_AFTER(datetime, INTERVAL('2031-01-01', '2030-01-01'))",
    "T_AFTER(datetime, INTERVAL('P1D', '2030-01-01'))",
    "datetime > 'yesterday'",
    "datetime LIKE '2%'",
    "(" * 900 + "a=1" + ")" * 900,
    "a=" + "-" * 8000 + "1",
    "NOT " * 2000 + "a=1",
    " AND ".join(["a=1"] * 1000),
    "a = '" + "x" * 10_000 + "'",
]


@pytest.mark.parametrize("text", BAD_TEXTS, ids=lambda text: text[:40])
def test_filters_that_are_not_offered_are_the_same_quick_400(both: Both, text: str) -> None:
    began = time.perf_counter()
    same(both.get("/stac/search", filter=text), 400)
    assert time.perf_counter() - began < 5


@pytest.mark.parametrize("text", ["\"thalweg:year\" = 'abc'", "\"thalweg:year\" LIKE '2%'"])
def test_text_beside_a_number_is_a_400_in_the_words_of_each(both: Both, text: str) -> None:
    answers = both.get("/stac/search", filter=text)
    assert {one.status_code for one in answers.values()} == {400}
    assert all(set(one.json()) == BODY for one in answers.values())


@pytest.mark.parametrize(
    "condition",
    [
        DEEP,
        {"op": "and", "args": [DEEP, DEEP]},
        {"op": "pg_read_file", "args": ["/etc/hostname"]},
        {"op": "=", "args": [{"function": {"name": "pg_sleep", "args": [9]}}, 1]},
        {"op": "=", "args": [{"upper": {"property": "title"}}, "A"]},
        {"op": "=", "args": [{"property": {"property": "a"}}, "A"]},
        {"op": "ilike", "args": [{"property": "title"}, "k%"]},
        {"op": "=", "args": "a"},
        {"op": "=", "args": [{"property": "a"}, 1, 2]},
        {"op": "in", "args": [{"property": "a"}, "b"]},
        {"op": "between", "args": [{"property": "a"}, 1]},
        {"op": ["="], "args": [{"property": "a"}, 1]},
        {"eq": [{"property": "a"}, 1]},
        {"op": "s_intersects", "args": [{"property": "geometry"}, [0, 0, 1, 1]]},
        {"op": "=", "args": [{"property": "a"}, 1e308]},
    ],
    ids=lambda condition: str(condition.get("op")),
)
def test_bodies_of_filters_that_are_not_offered_are_a_400(both: Both, condition: Any) -> None:
    same(both.search(filter=condition), 400)


def test_forty_kilobytes_of_nesting_are_refused_at_once(both: Both) -> None:
    body = b'{"filter":' + b'{"op":"not","args":[' * 2000 + b"true" + b"]}" * 2000 + b"}"
    assert len(body) > 40_000
    began = time.perf_counter()
    answers = both.request(
        "POST", "/stac/search", content=body, headers={"Content-Type": "application/json"}
    )
    assert {one.status_code for one in answers.values()} == {400}
    assert all(set(one.json()) == BODY for one in answers.values())
    assert time.perf_counter() - began < 5
    for client in both.clients.values():
        assert client.get("/stac/search", params={"filter": "(" * 20_000}).status_code == 413
