from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
import xxhash
from raster_files import NODATA, RULES, WATER, Pixels, depths, read_levels, source, write
from rio_cogeo.cogeo import cog_validate

from memory import run_measured
from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import (
    DiskFull,
    UndeclaredValue,
    UnreadableRaster,
    WrongCrs,
    WrongDtype,
    WrongGrid,
    WrongShape,
)
from thalweg.raster.codec import DTYPES
from thalweg.raster.cogwriter import writing
from thalweg.raster.layout import Layout
from thalweg.raster.made import Made
from thalweg.raster.overviews import Reducer, Resampling
from thalweg.raster.stack import stack
from thalweg.raster.verify import verify

QUICK_DTYPES = ("uint8", "int16", "float32")
ODD_SIZES = [(1, 1), (399, 401), (400, 400), (401, 1201), (1203, 37), (1300, 1250)]


def pyramid(bands: Pixels, rules: PixelRules, layout: Layout) -> list[Pixels]:
    """The levels of `bands`, each made at once from the whole level before it."""
    reducer = Reducer(rules, layout.factor, Resampling.MEAN)
    levels = [bands]
    while max(levels[-1].shape[1:]) > layout.block:
        last = levels[-1]
        shape = [-(-side // layout.factor) for side in last.shape[1:]]
        following = np.empty((len(last), *shape), last.dtype)
        for band, out in zip(last, following, strict=True):
            reducer.reduce(np.ascontiguousarray(band), out)
        levels.append(following)
    return levels


@pytest.mark.parametrize("layout", Layout)
@pytest.mark.parametrize("shape", ODD_SIZES, ids=str)
def test_gdal_reads_back_every_level(
    tmp_path: Path, shape: tuple[int, int], layout: Layout
) -> None:
    bands = np.stack([depths(*shape, seed=seed) for seed in range(2)])
    files = [write(tmp_path / f"{i}.tif", band) for i, band in enumerate(bands)]
    path = tmp_path / "stack.tif"
    made = stack(
        [source(f, f"1in{i}") for i, f in enumerate(files)], path, rules=RULES, layout=layout
    )
    assert made.layout is layout
    expected = pyramid(bands, RULES, layout)
    found = read_levels(path)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one == other).all()
    assert cog_validate(str(path), strict=True, quiet=True) == (True, [], [])
    verify(path, made)


@pytest.mark.parametrize(
    "dtype",
    # Each has kernels of its own to compile: seconds, where none is compiled yet.
    [
        dtype if dtype in QUICK_DTYPES else pytest.param(dtype, marks=pytest.mark.slow)
        for dtype in DTYPES
    ],
)
def test_every_dtype(tmp_path: Path, dtype: str) -> None:
    rules = PixelRules(dtype, "m", 99, 0, 98)
    pixels = np.random.default_rng(3).integers(0, 99, (450, 430)).astype(dtype)
    if "float" in dtype:
        pixels += np.random.default_rng(4).random(pixels.shape, np.float32) / 2
        rules = PixelRules(dtype, "m", float("nan"), 0, 100)
        pixels[:200] = np.nan
    path = tmp_path / "stack.tif"
    made = stack(
        [source(write(tmp_path / "a.tif", pixels, nodata=rules.nodata))], path, rules=rules
    )
    with rasterio.open(path) as dataset:
        assert np.array_equal(dataset.read(1), pixels, equal_nan="float" in dtype)
        assert np.array_equal(dataset.nodata, rules.nodata, equal_nan=True)
    verify(path, made)
    assert tifffile.imread(path, level=0).shape == pixels.shape


def test_bands_keep_their_order_and_say_what_they_are(tmp_path: Path) -> None:
    sources = [
        source(
            write(tmp_path / f"{p}.tif", depths(40, 50, seed=p)), f"1in{p}", return_period=str(p)
        )
        for p in (5, 1000, 20)
    ]
    path = tmp_path / "stack.tif"
    made = stack(sources, path, rules=RULES, tags={"scenario": "SSP1_2.6 <&>"})
    with rasterio.open(path) as dataset:
        assert dataset.descriptions == ("1in5", "1in1000", "1in20")
        assert dataset.units == ("cm", "cm", "cm")
        assert dataset.tags(2) == {"return_period": "1000"}
        assert dataset.tags()["scenario"] == "SSP1_2.6 <&>"
        assert dataset.crs.to_epsg() == 4326
        assert dataset.nodata == NODATA
        for index, band in enumerate(made.bands, start=1):
            pixels = np.ascontiguousarray(dataset.read(index))
            assert band.checksum == xxhash.xxh3_128(pixels).hexdigest()
            assert band.statistics.valid == (pixels >= 0).sum()
    assert made.windows[0].checksums == tuple(band.checksum for band in made.bands)
    assert Made.from_json(json.loads(json.dumps(made.to_json()))) == made


@pytest.mark.parametrize("layout", Layout)
def test_the_same_sources_give_the_same_bytes(tmp_path: Path, layout: Layout) -> None:
    file = write(tmp_path / "a.tif", depths(700, 900))
    contents = []
    for name in ("one.tif", "two.tif"):
        stack([source(file)], tmp_path / name, rules=RULES, layout=layout)
        contents.append((tmp_path / name).read_bytes())
    assert contents[0] == contents[1]


@pytest.mark.parametrize("crs", ["EPSG:32735", "ESRI:54009", "+proj=laea +lat_0=3 +lon_0=17"])
def test_any_crs(tmp_path: Path, crs: str) -> None:
    file = write(tmp_path / "a.tif", depths(30, 40), crs=crs, origin=(5e5, 9e6), pixel_size=90)
    path = tmp_path / "stack.tif"
    made = stack([source(file)], path, rules=RULES)
    with rasterio.open(file) as one, rasterio.open(path) as other:
        assert one.crs == other.crs
        assert one.transform == other.transform
    verify(path, made)


def test_special_values_declared_as_nodata_become_nodata(tmp_path: Path) -> None:
    rules = PixelRules("int32", "cm", -9999, 0, 5000, (SpecialValue(-999900, "fill", True),))
    pixels = np.full((50, 60), -999900, np.int32)
    pixels[10, 10:14] = (10, 0, 30, 5000)
    path = tmp_path / "stack.tif"
    made = stack([source(write(tmp_path / "a.tif", pixels, nodata=-9999))], path, rules=rules)
    with rasterio.open(path) as dataset:
        masked = dataset.read(1, masked=True)
    assert masked.compressed().tolist() == [10, 0, 30, 5000]
    assert made.bands[0].statistics.nodata == 50 * 60 - 4
    verify(path, made)


def test_permanent_water_is_kept_and_counted(tmp_path: Path) -> None:
    pixels = depths(500, 500)
    path = tmp_path / "stack.tif"
    made = stack([source(write(tmp_path / "a.tif", pixels))], path, rules=RULES)
    water = int((pixels == WATER).sum())
    assert water > 0
    assert dict(made.bands[0].statistics.special) == {"permanent_water": water}
    with rasterio.open(path) as dataset:
        assert (dataset.read(1) == pixels).all()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"origin": (29.5, -1)}, WrongGrid, "columns from the first file"),
        ({"origin": (29.00001, -1)}, WrongGrid, "pixels away"),
        ({"crs": "EPSG:32735"}, WrongCrs, "EPSG:32735"),
        ({"crs": None}, WrongCrs, "no coordinate reference system"),
        ({"pixel_size": 1 / 1200}, WrongGrid, "pixel size"),
    ],
    ids=["elsewhere", "off the grid", "other CRS", "no CRS", "other pixel size"],
)
def test_a_source_that_does_not_belong_is_named(
    tmp_path: Path, depth_pixels: Pixels, options: dict, error: type, message: str
) -> None:
    one = source(write(tmp_path / "one.tif", depth_pixels))
    other = source(write(tmp_path / "other.tif", depth_pixels, **options))
    with pytest.raises(error, match=message) as caught:
        stack([one, other], tmp_path / "stack.tif", rules=RULES)
    assert caught.value.where == "other.tif"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["one.tif", "other.tif"]


@pytest.mark.parametrize(
    ("pixels", "error", "message"),
    [
        (depths(90, 121), WrongShape, "90 x 121"),
        (depths(90, 120).astype(np.int32), WrongDtype, "int32"),
        (np.stack([depths(90, 120)] * 2), WrongShape, "2 bands"),
    ],
    ids=["shape", "dtype", "bands"],
)
def test_pixels_of_another_kind_are_named(
    tmp_path: Path, depth_pixels: Pixels, pixels: Pixels, error: type, message: str
) -> None:
    one = source(write(tmp_path / "one.tif", depth_pixels))
    other = source(write(tmp_path / "other.tif", pixels))
    with pytest.raises(error, match=message) as caught:
        stack([one, other], tmp_path / "stack.tif", rules=RULES)
    assert caught.value.where == "other.tif"


def test_one_undeclared_pixel_fails_the_file_by_name(tmp_path: Path) -> None:
    pixels = depths(1300, 500)
    pixels[1250, 77] = -5
    bad = source(write(tmp_path / "bad.tif", pixels))
    with pytest.raises(UndeclaredValue, match="1 pixels hold -5, first at row 1250, column 77"):
        stack([bad], tmp_path / "stack.tif", rules=RULES)
    assert not (tmp_path / "stack.tif").exists()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.999])
@pytest.mark.parametrize("options", [{"tiled": True, "blockxsize": 64, "blockysize": 64}, {}])
def test_a_truncated_source_is_named(tmp_path: Path, share: float, options: dict) -> None:
    noise = np.random.default_rng(0).integers(0, 9000, (300, 300)).astype(np.int16)
    path = write(tmp_path / "cut.tif", noise, **options)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UnreadableRaster) as caught:
        stack([source(path)], tmp_path / "stack.tif", rules=RULES)
    assert caught.value.where == "cut.tif"


def test_a_missing_source_is_named(tmp_path: Path) -> None:
    with pytest.raises(UnreadableRaster) as caught:
        stack([source(tmp_path / "gone.tif")], tmp_path / "stack.tif", rules=RULES)
    assert caught.value.where == "gone.tif"


def test_no_source_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(WrongShape, match="no file"):
        stack([], tmp_path / "stack.tif", rules=RULES)


def test_other_drivers_are_not_tried(tmp_path: Path) -> None:
    (tmp_path / "list.vrt").write_text("<VRTDataset rasterXSize='1' rasterYSize='1'/>")
    with pytest.raises(UnreadableRaster):
        stack([source(tmp_path / "list.vrt")], tmp_path / "stack.tif", rules=RULES)


def test_a_full_disk_is_named_and_leaves_nothing(tmp_path: Path) -> None:
    destination = tmp_path / "full.tif"
    destination.write_bytes(b"half")
    with pytest.raises(DiskFull), writing(destination):
        Path("/dev/full").write_bytes(b"more")
    assert not destination.exists()


@pytest.mark.parametrize("how", Resampling)
def test_resampling_is_chosen(tmp_path: Path, how: Resampling) -> None:
    pixels = np.zeros((600, 600), np.int16)
    pixels[::3, ::3] = 90
    path = tmp_path / "stack.tif"
    stack([source(write(tmp_path / "a.tif", pixels))], path, rules=RULES, resampling=how)
    overview = read_levels(path)[1]
    assert set(overview.ravel().tolist()) == {
        {Resampling.MEAN: 10, Resampling.NEAREST: 0, Resampling.MAX: 90}[how]
    }


MEMORY_PROGRAM = """
import sys
sys.path.insert(0, sys.argv[1])
from raster_files import RULES, source
from thalweg.raster.stack import stack
stack([source(Path(sys.argv[2]))], Path(sys.argv[3]), rules=RULES)
print(peak_mb())
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_height(tmp_path: Path) -> None:
    """A raster of 144 MB is stacked in little more memory than one of 29 MB."""
    used = []
    # The first run may have kernels to compile.
    for height in (6_000, 6_000, 30_000):
        pixels = depths(height, 2400)
        file = write(tmp_path / "tall.tif", pixels, tiled=True, zlevel=1)
        made = tmp_path / "stack.tif"
        used.append(int(run_measured(MEMORY_PROGRAM, Path(__file__).parent, file, made)))
    assert used[2] < used[1] + 60


@pytest.mark.shared
def test_jrc_fill_is_named_then_handled(shared: Path, tmp_path: Path) -> None:
    folder = shared / "flood/jrc_jamaica/JAM/FLUVIAL_UNDEFENDED/2020"
    sources = [source(folder / f"1in{p}.tif", f"1in{p}") for p in (10, 100, 1000)]
    bare = PixelRules("int32", "cm", -9999, 0, 5000)
    with pytest.raises(UndeclaredValue, match="-999900"):
        stack(sources, tmp_path / "stack.tif", rules=bare)
    fill = SpecialValue(-999900, "outside_the_model", as_nodata=True)
    rules = PixelRules("int32", "cm", -9999, 0, 5000, (fill,))
    made = stack(sources, tmp_path / "stack.tif", rules=rules)
    verify(tmp_path / "stack.tif", made)
    with rasterio.open(tmp_path / "stack.tif") as dataset, rasterio.open(sources[2].path) as raw:
        masked, pixels = dataset.read(3, masked=True), raw.read(1)
        assert (masked.filled(-999900) == pixels).all()
        assert (masked.min(), masked.max()) == (10, 3278)


@pytest.mark.shared
def test_aqueduct_metres_round_trip(shared: Path, tmp_path: Path) -> None:
    files = sorted((shared / "flood/aqueduct_djibouti").glob("*.tif"))
    assert len(files) == 9
    rules = PixelRules("float32", "m", -9999, 0, 100)
    made = stack([source(f, f.stem) for f in files], tmp_path / "stack.tif", rules=rules)
    verify(tmp_path / "stack.tif", made)
    with rasterio.open(tmp_path / "stack.tif") as dataset:
        for index, file in enumerate(files, start=1):
            with rasterio.open(file) as raw:
                assert (dataset.read(index) == raw.read(1)).all()
