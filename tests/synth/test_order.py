from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thalweg.errors import UnknownPreset, UsageError, WrongTileSize
from thalweg.synth.order import Order, check_tile_size
from thalweg.synth.presets import Selection


@given(st.integers(1, 225))
def test_multiples_of_sixteen_are_tile_sizes(sixteenths: int) -> None:
    check_tile_size(16 * sixteenths)


@given(st.integers(-10_000, 10_000).filter(lambda n: n % 16 or not 16 <= n <= 3600))
def test_other_tile_sizes_are_refused_with_one_that_will_do(size: int) -> None:
    with pytest.raises(WrongTileSize) as caught:
        check_tile_size(size)
    nearest = [int(word) for word in caught.value.hint.split("nearest is ")[1].split(" or ")]
    for good in nearest:
        check_tile_size(good)
    assert min(abs(good - size) for good in nearest) == min(
        abs(good - size) for good in range(16, 3601, 16)
    )


@pytest.mark.parametrize(
    ("order", "error", "message"),
    [
        (("uganda", 64), UnknownPreset, "uganda"),
        (("tiny", 65), WrongTileSize, "65 pixels"),
        (("tiny", 64, -1), UsageError, "seed -1"),
        (("tiny", 64, 1, "upside-down"), UsageError, "upside-down.*region, root"),
        (
            ("civ", 64, 1, "root", Selection(("n09w006",), ("COASTAL_DEFENDED",))),
            UsageError,
            "no f",
        ),
    ],
)
def test_an_order_that_cannot_be_made_is_refused(order, error, message) -> None:
    with pytest.raises(error, match=message):
        Order(*order).delivered  # noqa: B018 - reading it is what fails


def test_an_order_tells_how_many_files_it_is() -> None:
    assert Order("rwanda", 3600).files == 1872
    assert Order("civ", 64).files == 15_392


def test_orders_differ_by_every_part() -> None:
    orders = [
        Order("tiny", 64),
        Order("civ", 64),
        Order("tiny", 32),
        Order("tiny", 64, seed=1),
        Order("tiny", 64, variant="root"),
        Order("tiny", 64, selection=Selection(years=(2020,))),
    ]
    assert len({json.dumps(order.to_json()) for order in orders}) == len(orders)
