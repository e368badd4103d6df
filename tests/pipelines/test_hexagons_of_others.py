"""Floods of other makers through the step `hexagons`, by YAML alone, held against exactextract."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rasterio
import shapely
import yaml
from deliveries import Chain
from numpy.typing import NDArray

from thalweg.hexagons.cells import cell_polygons
from thalweg.hexagons.exact import polygon_statistics
from thalweg.pipelines.loader import find

type Numbers = NDArray[np.float64]

# Cells of less hold one or two edge pixels' worth of water, in which a mean says little.
FEWEST_PIXELS = 50
MOST_COMPARED = 200


def measured(pipeline: str, source: Path, folder: Path, resolutions: list[int]) -> Chain:
    """The chain of a built-in pipeline, measured by both rules."""
    document = yaml.safe_load(find(pipeline).read_text())
    step = {"operator": "hexagons", "of": "stack", "countries": False}
    document["steps"] = [
        *document["steps"][:2],
        {**step, "name": "centre", "rule": "centre", "resolutions": [6]},
        {**step, "name": "area", "rule": "area", "resolutions": resolutions},
    ]
    definition = folder / f"{pipeline}.yaml"
    definition.write_text(yaml.safe_dump(document, sort_keys=False))
    chain = Chain(folder / "workspace", source, str(definition))
    assert chain.run().complete
    return chain


@pytest.fixture(scope="module")
def jamaica(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    source = shared / "flood/jrc_jamaica"
    return measured("jrc", source, tmp_path_factory.mktemp("jamaica"), [5, 7])


@pytest.fixture(scope="module")
def djibouti(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Chain:
    source = shared / "flood/aqueduct_djibouti"
    return measured("aqueduct", source, tmp_path_factory.mktemp("djibouti"), [4, 5])


def stack_of(chain: Chain) -> Path:
    (stack,) = (chain.folder / "silver").glob("*/stack/**/*.tif")
    return stack


def table_of(chain: Chain, step: str, resolution: int) -> pa.Table:
    pattern = f"*/{step}/**/resolution={resolution}/*.parquet"
    (table,) = (chain.folder / "silver").glob(pattern)
    return pq.read_table(table)


class Compared:
    """Cells that lie within the raster, by Thalweg and by exactextract [cells, bands].

    Not more than `MOST_COMPARED` of those that hold anything valid, and some that do not.
    """

    def __init__(self, chain: Chain, resolution: int) -> None:
        with rasterio.open(stack_of(chain)) as dataset:
            self.bands = dataset.descriptions
            raster = shapely.box(*dataset.bounds)
        rows = table_of(chain, "area", resolution)
        inside = shapely.contains(raster, cell_polygons(rows["cell"].to_numpy()))
        valid = rows[f"valid_{self.bands[-1]}"].to_numpy() > 0
        random = np.random.default_rng(1)
        with_value = random.permutation(np.flatnonzero(inside & valid))[:MOST_COMPARED]
        without = random.permutation(np.flatnonzero(inside & ~valid))[: MOST_COMPARED // 10]
        self._rows = rows.take(np.concatenate([with_value, without]))
        polygons = cell_polygons(self._rows["cell"].to_numpy())
        pixels = chain.chosen()[0].raster_pixels.domain().made()
        self.exact = polygon_statistics(str(stack_of(chain)), list(polygons), rules=pixels)

    def ours(self, statistic: str) -> Numbers:
        columns = [self._rows[f"{statistic}_{band}"].to_numpy() for band in self.bands]
        return np.stack(columns, axis=1).astype(float)

    def off(self) -> Numbers:
        """By how much of itself the mean differs, where there is water enough."""
        wet = (self.exact["mean"] > 0) & (self.exact["valid"] >= FEWEST_PIXELS)
        return np.abs(self.ours("mean")[wet] / self.exact["mean"][wet] - 1)


@pytest.mark.shared
@pytest.mark.parametrize(("resolution", "compared"), [(5, 200), (7, 400)])
def test_the_floods_of_jamaica_agree_with_exactextract(
    jamaica: Chain, resolution: int, compared: int
) -> None:
    found = Compared(jamaica, resolution)
    assert found.bands[0] == "1in5"
    off = found.off()
    assert len(off) > compared
    assert np.median(off) < 0.001
    assert np.percentile(off, 95) < 0.01
    assert found.ours("valid").sum() == pytest.approx(found.exact["valid"].sum(), rel=1e-4)
    assert np.nansum(found.ours("sum")) == pytest.approx(found.exact["total"].sum(), rel=1e-4)
    assert (found.ours("valid")[found.exact["valid"] == 0] == 0).all()


@pytest.mark.shared
@pytest.mark.parametrize(("resolution", "p95"), [(4, 0.01), (5, 0.1)])
def test_the_floods_of_djibouti_agree_with_exactextract(
    djibouti: Chain, resolution: int, p95: float
) -> None:
    """Its pixels are of a kilometre: at resolution 5 a cell may have one wet pixel, on its edge."""
    found = Compared(djibouti, resolution)
    assert found.bands[-1] == "rp1000"
    off = found.off()
    assert len(off) > 100
    assert np.median(off) < 0.001
    assert np.percentile(off, 95) < p95
    assert found.ours("sum").sum() == pytest.approx(found.exact["total"].sum(), rel=1e-4)
    share = found.ours("wet_share") - found.exact["wet_share"]
    assert np.nanmax(np.abs(share)) < 0.002


@pytest.mark.shared
@pytest.mark.parametrize("made", ["jamaica", "djibouti"])
def test_the_sum_over_cells_is_that_of_the_files(made: str, request: pytest.FixtureRequest) -> None:
    """What stands for no flood or no data (-9999, and in JRC's -999900 untagged) is in no sum."""
    chain: Chain = request.getfixturevalue(made)
    rows = table_of(chain, "centre", 6)
    with rasterio.open(stack_of(chain)) as dataset:
        bands, pixels = dataset.descriptions, dataset.read().astype(float)
    valid = pixels >= 0
    assert any((rows[f"nodata_{band}"].to_numpy() > 0).any() for band in bands)
    has_data = [rows[f"valid_{band}"].to_numpy() > 0 for band in bands]
    assert np.any(has_data, axis=0).all()
    for index, band in enumerate(bands):
        total = np.where(valid[index], pixels[index], 0).sum()
        assert rows[f"sum_{band}"].to_numpy().sum() == pytest.approx(total, rel=1e-12)
        assert rows[f"valid_{band}"].to_numpy().sum() == valid[index].sum()
        nodata = rows["pixels"].to_numpy() - rows[f"valid_{band}"].to_numpy()
        np.testing.assert_array_equal(rows[f"nodata_{band}"].to_numpy(), nodata)
        mean, share = rows[f"mean_{band}"].to_numpy(), rows[f"wet_share_{band}"].to_numpy()
        count = rows[f"valid_{band}"].to_numpy()
        assert np.nansum(mean * count) == pytest.approx(total, rel=1e-6)
        assert np.nansum(share * count) == pytest.approx((pixels[index] > 0).sum(), rel=1e-6)
        assert np.isnan(mean[count == 0]).all()
        assert np.nanmin(mean) >= 0
