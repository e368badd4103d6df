"""What the guard of filters lets through; `tests/api/contract` holds it against both backends."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.catalog.cql2 import parse_filter, property_name
from thalweg.errors import InvalidFilter

DEEPENING = {
    "brackets": "'(' * n + 'a=1' + ')' * n",
    "minus": "'a=' + '-' * n + '1'",
    "minus with spaces": "'a=' + '- ' * n + '1'",
    "not": "'not ' * n + 'a=1'",
    "not in brackets": "'not (' * n + 'a=1' + ')' * n",
    "casei": "'casei(' * n + 'a' + ')' * n + '=1'",
    "plus": "'a=' + '+'.join(['1'] * n)",
    "power": "'a=' + '^'.join(['2'] * n)",
}


@pytest.mark.parametrize("text", DEEPENING.values(), ids=DEEPENING)
def test_no_filter_ends_the_process(text: str) -> None:
    """Its parser overflowed its stack at 12,000 characters of brackets or minus signs."""
    program = (
        "from thalweg.catalog.cql2 import parse_filter\n"
        "from thalweg.errors import InvalidFilter\n"
        "for n in (25, 500, 2000, 4000, 8000, 50_000):\n"
        f"    try: parse_filter({text}, 'cql2-text')\n"
        "    except InvalidFilter: print(n)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-1] == "50000"


def test_there_is_one_spelling() -> None:
    assert parse_filter("S_WITHIN(POINT(1 2), geometry)", "cql2-text") == {
        "op": "s_contains",
        "args": [{"property": "geometry"}, {"type": "Point", "coordinates": [1.0, 2.0]}],
    }
    assert parse_filter('"properties.a" = 5.0', "cql2-text") == {
        "op": "=",
        "args": [{"property": "a"}, 5],
    }
    assert parse_filter("datetime > DATE('2020-01-01')", "cql2-text")["args"][1] == {
        "timestamp": "2020-01-01T00:00:00.000000Z"
    }


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists))
def test_whatever_is_no_filter_is_refused_by_name(node: object) -> None:
    if isinstance(node, bool):
        return
    with pytest.raises(InvalidFilter):
        parse_filter({"op": "=", "args": node}, "cql2-json")


@given(st.text(max_size=20))
def test_names_hold_nothing_that_sql_would_read(name: str) -> None:
    try:
        bare = property_name(name)
    except InvalidFilter:
        return
    assert not set(bare) & set("'\"\\;()[]$ \0\n")
