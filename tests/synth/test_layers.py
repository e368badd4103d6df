from __future__ import annotations

import pytest

from thalweg.synth.layers import Layer, layers_of
from thalweg.synth.presets import PRESETS, VARIANTS, find_preset

FLUVIAL = find_preset("rwanda").hazards[0]
BASELINE = Layer(FLUVIAL, 2020, None, 100)
FUTURE = Layer(FLUVIAL, 2030, "SSP1_2.6", 10)


@pytest.mark.parametrize(
    ("variant", "baseline", "future"),
    [
        (
            "region",
            "rwa/FLUVIAL_DEFENDED/2020/1in100/1in100-FLUVIAL-DEFENDED-2020_s01e030.tif",
            "rwa/FLUVIAL_DEFENDED/2030/SSP1_2.6/1in10/"
            "1in10-FLUVIAL-DEFENDED-2030-SSP1_2.6_s01e030.tif",
        ),
        (
            "root",
            "FLUVIAL_DEFENDED/2020/1in100/1in100-FLUVIAL-DEFENDED-2020_s01e030.tif",
            "FLUVIAL_DEFENDED/2030/SSP1_2.6/1in10/1in10-FLUVIAL-DEFENDED-2030-SSP1_2.6_s01e030.tif",
        ),
        (
            "flat-future",
            "FLUVIAL_DEFENDED/2020/1in100/1in100-FLUVIAL-DEFENDED-2020_s01e030.tif",
            "FLUVIAL_DEFENDED/2030/SSP1_2.6/1in10-FLUVIAL-DEFENDED-2030-SSP1_2.6_s01e030.tif",
        ),
        (
            "bare",
            "FLUVIAL_DEFENDED/2020/1in100/s01e030.tif",
            "FLUVIAL_DEFENDED/2030/SSP1_2.6/1in10/s01e030.tif",
        ),
        (
            "vendor",
            "FLOOD_MAP-1ARCSEC-NW_OFFSET-1in100-FLUVIAL-DEFENDED-DEPTH-2020-PERCENTILE50-v3.1/"
            "s01e030.tif",
            "FLOOD_MAP-1ARCSEC-NW_OFFSET-1in10-FLUVIAL-DEFENDED-DEPTH-2030-SSP1_2.6-PERCENTILE50"
            "-v3.1/s01e030.tif",
        ),
    ],
)
def test_files_are_named_as_delivered(variant: str, baseline: str, future: str) -> None:
    assert BASELINE.path(VARIANTS[variant], "rwa", "s01e030") == baseline
    assert FUTURE.path(VARIANTS[variant], "rwa", "s01e030") == future


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("preset", PRESETS.values(), ids=PRESETS)
def test_no_two_files_share_a_name(preset, variant: str) -> None:
    paths = [
        layer.path(VARIANTS[variant], preset.region, tile)
        for hazard in preset.hazards
        for layer in layers_of(preset, hazard)
        for tile in hazard.tiles
    ]
    assert len(paths) == len(set(paths))
