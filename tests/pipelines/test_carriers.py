"""Real deliveries of other carriers run through their YAML alone, and others can read the items."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
from deliveries import PERIODS, Chain
from rio_tiler.io import Reader

from thalweg.catalog.validate import validate_item
from thalweg.pipelines.loader import find

pytestmark = pytest.mark.shared

JRC_FILL, JRC_NODATA = -999900, -9999


@pytest.fixture
def jrc(tmp_path: Path, shared: Path) -> Chain:
    return Chain(tmp_path / "workspace", shared / "flood/jrc_jamaica", "jrc")


@pytest.fixture
def aqueduct(tmp_path: Path, shared: Path) -> Chain:
    return Chain(tmp_path / "workspace", shared / "flood/aqueduct_djibouti", "aqueduct")


def test_the_flaw_of_jrc_is_found_and_named_where_it_is_not_declared(
    jrc: Chain, tmp_path: Path
) -> None:
    whole = find("jrc").read_text()
    special = f"  special:\n    - {{value: {JRC_FILL}, meaning: dry_or_outside, as_nodata: true}}\n"
    definition = tmp_path / "jrc.yaml"
    assert special in whole
    definition.write_text(whole.replace(special, ""))
    jrc.pipeline = str(definition)
    outcome = jrc.run("return_period=1in10,1in100")
    assert outcome.made["stack"] == []
    (reason,) = outcome.missing["stack"].values()
    for name in ("1in10.tif", "1in100.tif"):
        assert (
            f"JAM/FLUVIAL_UNDEFENDED/2020/{name}: UndeclaredValue: its nodata is -9999, " in reason
        )
    assert "no sampled pixel holds that" in reason
    assert f"hold {JRC_FILL}: the nodata tag does not match the fill" in reason
    assert jrc.silver() == {}


def test_jrc_is_stacked_with_its_fill_as_nodata_and_others_read_it(jrc: Chain) -> None:
    assert jrc.run().complete
    (document,) = jrc.items("jrc-flood-depth").values()
    folder = jrc.source / "JAM/FLUVIAL_UNDEFENDED/2020"
    sources = [rasterio.open(folder / f"1in{period}.tif") for period in PERIODS]
    read_by_others(document, sources, fill=JRC_FILL, nodata=JRC_NODATA)


def test_aqueduct_is_stacked_and_others_read_it(aqueduct: Chain) -> None:
    assert aqueduct.run().complete
    (document,) = aqueduct.items("aqueduct-flood-depth").values()
    sources = [rasterio.open(file) for file in sorted(aqueduct.source.glob("*.tif"))]
    read_by_others(document, sources, fill=None, nodata=-9999)


def read_by_others(
    document: dict[str, object],
    sources: list[rasterio.DatasetReader],
    fill: float | None,
    nodata: float,
) -> None:
    """pystac, odc-stac and rio-tiler read the item, and the pixels of the sources in it."""
    validate_item(document)
    item = pystac.Item.from_dict(document)
    expected = []
    for source in sources:
        pixels = source.read(1)
        expected.append(np.where(pixels == fill, nodata, pixels) if fill is not None else pixels)
        source.close()
    with Reader(item.assets["data"].href) as reader:
        tile = reader.read()
        assert reader.info().count == len(expected)
        for band, pixels in enumerate(expected):
            np.testing.assert_array_equal(tile.array.data[band], pixels)
            np.testing.assert_array_equal(tile.array.mask[band], pixels == nodata)
        depth = max(float(pixels.max()) for pixels in expected)
        assert 0 < depth == float(tile.array.max())
    with warnings.catch_warnings():
        # odc-stac's own calls of shapely, which are to go.
        warnings.simplefilter("ignore", DeprecationWarning)
        loaded = odc.stac.load([item]).isel(time=0).load()
    assert len(loaded.data_vars) == len(expected)
    for (_, variable), pixels in zip(loaded.data_vars.items(), expected, strict=True):
        assert variable.dtype == pixels.dtype
        assert variable.attrs["nodata"] == nodata
        np.testing.assert_array_equal(variable.values, pixels)
