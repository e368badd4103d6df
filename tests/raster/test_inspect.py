from __future__ import annotations

import json
import struct
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from raster_files import NODATA, RULES, SIZE, WATER, Pixels, depths, write

from memory import peak_mb
from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.errors import (
    AbsurdRaster,
    RasterError,
    UndeclaredValue,
    UnreadableRaster,
    WrongCrs,
    WrongDtype,
    WrongGrid,
    WrongNodata,
    WrongUnit,
)
from thalweg.raster.inspect import ExpectedGrid, Limits, RasterFacts, inspect

GRID = ExpectedGrid("EPSG:4326", (SIZE, SIZE))


def test_facts_of_a_sound_file(tmp_path: Path) -> None:
    pixels = depths(700, 600)
    path = write(tmp_path / "a.tif", pixels, unit="cm", tiled=True, blockxsize=256, blockysize=256)
    facts = inspect(str(path), where="a.tif", rules=RULES, grid=GRID, sample_blocks=100)
    assert (facts.dtype, facts.nodata, facts.bands, facts.unit) == ("int16", NODATA, 1, "cm")
    assert (facts.block, facts.compression) == ((256, 256), "DEFLATE")
    assert facts.grid.shape == (700, 600)
    valid = pixels[pixels >= 0]
    assert facts.sampled.count == pixels.size
    assert (facts.sampled.minimum, facts.sampled.maximum) == (valid.min(), valid.max())
    assert dict(facts.sampled.special) == {
        "nodata": (pixels == NODATA).sum(),
        "permanent_water": (pixels == WATER).sum(),
    }
    assert RasterFacts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize("blocks", [1, 4, 9])
def test_the_sample_is_bounded(tmp_path: Path, blocks: int) -> None:
    path = write(tmp_path / "a.tif", depths(1000, 1000), tiled=True, blockxsize=64, blockysize=64)
    facts = inspect(str(path), where="a.tif", rules=RULES, sample_blocks=blocks)
    assert 0 < facts.sampled.count <= blocks * 64 * 64


def test_a_striped_file_is_sampled_from_top_to_bottom(tmp_path: Path) -> None:
    pixels = np.zeros((999, 50), np.int16)
    pixels[0], pixels[499], pixels[998] = 1, 2, 3
    path = write(tmp_path / "a.tif", pixels, blockysize=1)
    facts = inspect(str(path), where="a.tif", rules=RULES)
    assert facts.sampled.count == 9 * 50
    assert facts.sampled.maximum == 3


def test_without_rules_only_the_tag_is_known(tmp_path: Path) -> None:
    facts = inspect(str(write(tmp_path / "a.tif", depths(90, 90))), where="a.tif")
    assert facts.sampled.minimum == WATER
    assert [name for name, _ in facts.sampled.special] == ["nodata"]


def test_nan_nodata_survives_json(tmp_path: Path) -> None:
    pixels = np.full((20, 20), np.nan, np.float32)
    pixels[3, 4] = 2.5
    path = write(tmp_path / "a.tif", pixels, nodata=float("nan"))
    rules = PixelRules("float32", "m", float("nan"), 0, 10)
    facts = inspect(str(path), where="a.tif", rules=rules)
    assert facts.sampled.maximum == 2.5
    again = RasterFacts.from_json(json.loads(json.dumps(facts.to_json(), allow_nan=False)))
    assert again.to_json() == facts.to_json()


@pytest.mark.parametrize(
    ("options", "rules", "error", "message"),
    [
        ({"crs": "EPSG:32735"}, RULES, WrongCrs, "EPSG:32735, the declared one EPSG:4326"),
        ({"crs": None}, RULES, WrongCrs, "no coordinate reference system"),
        ({"pixel_size": 1 / 1200}, RULES, WrongGrid, "pixel size along x"),
        ({}, replace(RULES, dtype="float32"), WrongDtype, "int16, the declared one float32"),
        ({"nodata": -9999}, RULES, WrongNodata, "-9999, the declared nodata -32768"),
        ({"unit": "m"}, RULES, WrongUnit, "its unit is m, declared is cm"),
    ],
)
def test_what_contradicts_the_declaration_is_named(
    tmp_path: Path, options: dict, rules: PixelRules, error: type, message: str
) -> None:
    path = write(tmp_path / "a.tif", depths(90, 90), **options)
    with pytest.raises(error, match=message) as caught:
        inspect(str(path), where="bronze/a.tif", rules=rules, grid=GRID)
    assert caught.value.where == "bronze/a.tif"


def test_an_absent_nodata_tag_and_another_spelling_contradict_nothing(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif", depths(90, 90), nodata=None, unit="Centimetres")
    assert inspect(str(path), where="a.tif", rules=RULES).nodata is None


def undeclared(path: Path, rules: PixelRules) -> str:
    with pytest.raises(UndeclaredValue) as caught:
        inspect(str(path), where="a.tif", rules=rules)
    return str(caught.value)


def test_an_undeclared_negative_value_is_named_with_its_count(tmp_path: Path) -> None:
    pixels = np.full((90, 90), 7, np.int16)
    pixels[:2, :3] = WATER
    text = undeclared(write(tmp_path / "a.tif", pixels), replace(RULES, special=()))
    assert "6 of 8100 sampled pixels hold -32767, which is not declared" in text
    assert "declare -32767 under pixels.special" in text


def test_a_nodata_tag_that_is_not_the_fill_is_said(tmp_path: Path) -> None:
    pixels = np.full((90, 90), -999900, np.int32)
    pixels[5] = 12
    rules = PixelRules("int32", "cm", -9999, 0, 5000)
    text = undeclared(write(tmp_path / "a.tif", pixels, nodata=-9999), rules)
    assert "nodata is -9999, but no sampled pixel holds that" in text
    assert "8010 of 8100 hold -999900" in text


def test_nan_that_is_not_declared_is_named(tmp_path: Path) -> None:
    pixels = np.full((9, 9), np.nan, np.float32)
    rules = PixelRules("float32", "m", -9999, 0, 10)
    assert "81 of 81 hold nan" in undeclared(write(tmp_path / "a.tif", pixels, nodata=-9999), rules)


@pytest.mark.parametrize(
    ("value", "unit", "message"),
    [(12_000, "cm", "above 10000 cm, up to 12000"), (0.75, "cm", "they look like metres")],
)
def test_pixels_that_cannot_be_in_the_unit(
    tmp_path: Path, value: float, unit: str, message: str
) -> None:
    pixels = np.zeros((40, 40), np.float32)
    pixels[7] = value
    rules = PixelRules("float32", unit, NODATA, 0, 10_000)
    with pytest.raises(WrongUnit, match=message):
        inspect(str(write(tmp_path / "a.tif", pixels)), where="a.tif", rules=rules)


def test_metres_below_one_are_metres(tmp_path: Path) -> None:
    pixels = np.full((40, 40), 0.3, np.float32)
    rules = PixelRules("float32", "m", NODATA, 0, 100, (SpecialValue(0.3, "stain"),))
    path = write(tmp_path / "a.tif", pixels)
    assert inspect(str(path), where="a.tif", rules=replace(rules, special=())).sampled.maximum
    assert dict(inspect(str(path), where="a.tif", rules=rules).sampled.special)["stain"] == 1600


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_pixels=999), "1000 pixels, more than 999"),
        (Limits(max_decoded_bytes=1999), "2000 bytes of pixels, more than 1999"),
        (Limits(max_block_bytes=99), "bytes in a block"),
        (Limits(max_bands=0), "1 bands"),
        (Limits(max_expansion=0.01), "bytes of file"),
    ],
)
def test_limits(tmp_path: Path, limits: Limits, message: str) -> None:
    path = write(tmp_path / "a.tif", np.zeros((50, 20), np.int16))
    with pytest.raises(AbsurdRaster, match=message):
        inspect(str(path), where="a.tif", limits=limits)


def test_a_small_file_that_declares_terabytes_is_refused_unread(tmp_path: Path) -> None:
    """A sparse TIFF of a few hundred bytes, 300,000 pixels a side."""
    path = tmp_path / "absurd.tif"
    write(path, np.zeros((16, 16), np.int16), compress="none", sparse_ok=True)
    content = bytearray(path.read_bytes())
    for code in (256, 257):
        at = content.index(struct.pack("<HHI", code, 3, 1))
        content[at : at + 12] = struct.pack("<HHII", code, 4, 1, 300_000)
    at = content.index(struct.pack("<HH", 278, 3))
    content[at : at + 12] = struct.pack("<HHII", 278, 4, 1, 300_000)
    path.write_bytes(content)
    began = time.monotonic()
    with pytest.raises((AbsurdRaster, UnreadableRaster)):
        inspect(str(path), where="absurd.tif")
    assert time.monotonic() - began < 2


@pytest.mark.parametrize("share", [0.02, 0.5, 0.9])
def test_a_truncated_file_is_named(tmp_path: Path, share: float) -> None:
    noise = np.random.default_rng(0).integers(0, 9000, (300, 300)).astype(np.int16)
    path = write(tmp_path / "a.tif", noise, tiled=True, blockxsize=64, blockysize=64)
    path.write_bytes(path.read_bytes()[: int(path.stat().st_size * share)])
    with pytest.raises(UnreadableRaster, match=r"a\.tif: the file cannot be read"):
        inspect(str(path), where="a.tif", rules=RULES)


@pytest.mark.parametrize("content", [b"", b"II*\0", b"<html>404</html>", b"\x89PNG\r\n\x1a\n"])
def test_what_is_no_tiff_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a.tif").write_bytes(content)
    with pytest.raises(UnreadableRaster):
        inspect(str(tmp_path / "a.tif"), where="a.tif")


def test_files_beside_the_named_one_are_not_read(tmp_path: Path, depth_pixels: Pixels) -> None:
    path = write(tmp_path / "a.tif", depth_pixels)
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><UnitType>furlong</UnitType>"
        "<NoDataValue>7</NoDataValue></PAMRasterBand></PAMDataset>"
    )
    facts = inspect(str(path), where="a.tif", rules=RULES)
    assert (facts.unit, facts.nodata) == (None, NODATA)


def test_other_drivers_only_where_allowed(tmp_path: Path, depth_pixels: Pixels) -> None:
    path = write(tmp_path / "a.tif", depth_pixels)
    vrt = tmp_path / "a.vrt"
    vrt.write_text(
        f'<VRTDataset rasterXSize="120" rasterYSize="90"><SRS>EPSG:4326</SRS>'
        f"<GeoTransform>29, {SIZE}, 0, -1, 0, -{SIZE}</GeoTransform>"
        f'<VRTRasterBand dataType="Int16" band="1"><SimpleSource>'
        f"<SourceFilename>{path}</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>"
    )
    with pytest.raises(UnreadableRaster):
        inspect(str(vrt), where="a.vrt")
    assert inspect(str(vrt), where="a.vrt", drivers=("GTiff", "VRT")).dtype == "int16"


@pytest.mark.shared
def test_every_malformed_tiff_ends_in_a_named_error(shared: Path) -> None:
    files = sorted((shared / "raster/fuzzed_tiff").glob("*/*"))
    assert len(files) == 53
    for file in files:
        began = time.monotonic()
        with pytest.raises(RasterError) as caught:
            inspect(str(file), where=file.name)
        assert caught.value.where == file.name
        assert time.monotonic() - began < 5
    assert peak_mb() < 2048


@pytest.mark.shared
def test_jrc_flaw_is_said_then_handled(shared: Path) -> None:
    folder = shared / "flood/jrc_jamaica/JAM/FLUVIAL_UNDEFENDED/2020"
    rules = PixelRules("int32", "cm", -9999, 0, 5000)
    for file in sorted(folder.glob("*.tif")):
        text = undeclared(file, rules)
        assert "nodata is -9999, but no sampled pixel holds that" in text
        assert "hold -999900: the nodata tag does not match the fill" in text
        fill = (SpecialValue(-999900, "outside_the_model", as_nodata=True),)
        inspect(str(file), where=file.name, rules=replace(rules, special=fill))


@pytest.mark.shared
def test_aqueduct_declared_in_centimetres_is_seen_to_be_metres(shared: Path) -> None:
    for file in sorted((shared / "flood/aqueduct_djibouti").glob("*.tif")):
        inspect(str(file), where=file.name, rules=PixelRules("float32", "m", -9999, 0, 100))
        with pytest.raises(WrongUnit, match="look like metres"):
            inspect(str(file), where=file.name, rules=PixelRules("float32", "cm", -9999, 0, 5000))
