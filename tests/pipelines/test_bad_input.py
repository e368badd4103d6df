"""Bad input of every kind: named, nothing incomplete published, everything sound still made."""

from __future__ import annotations

import os
import re
import shutil
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rasterio
import tifffile
from deliveries import NODATA, Chain, Delivery, Outcome, depth, write_tif

from thalweg.errors import (
    EmptySource,
    ObjectNotFound,
    PipelineError,
    ThalwegError,
    UsageError,
)
from thalweg.pipelines.loader import find, load
from thalweg.pipelines.matrix import matrix_of

SOUND, BAD = "s02e029", "s02e030"
TODAY = ("year=2020", f"tiles={SOUND},{BAD}", "peril=fluvial", "defence=defended")
SOUND_STACK, BAD_STACK, CELL = (
    f"rwa-fluvial-defended-2020-{place}" for place in (SOUND, BAD, "s04e028")
)


def key_of(delivery: Delivery, path: Path) -> str:
    return str(path.relative_to(delivery.folder))


def assert_only_the_sound_tile_is_made(outcome: Outcome, chain: Chain) -> None:
    assert outcome.made["stack"] == [SOUND_STACK]
    assert outcome.made["mosaic"] == []
    assert list(outcome.missing["mosaic"]) == [CELL]
    assert BAD_STACK in outcome.missing["mosaic"][CELL]
    assert all(SOUND in key for key in chain.silver())
    assert chain.items() == {}
    assert not matrix_of(*chain.chosen(*TODAY), chain.workspace).matrix.complete


# Files that inspection refuses -------------------------------------------------------------------

type Damage = Callable[[Delivery], Path]


def rewritten(**changed: object) -> Damage:
    """The tile's file of 1in100, written otherwise than it should be."""

    def damage(delivery: Delivery) -> Path:
        options = dict(changed)
        pixels = options.pop("pixels", depth(1, 100))
        return delivery.write(BAD, 100, pixels, **options)  # type: ignore[arg-type]

    return damage


def overwritten(change: Callable[[bytes], bytes]) -> Damage:
    """The tile's file of 1in100, with other bytes."""

    def damage(delivery: Delivery) -> Path:
        path = delivery.path(BAD, 100)
        path.write_bytes(change(path.read_bytes()))
        return path

    return damage


def dangling_link(delivery: Delivery) -> Path:
    path = delivery.path(BAD, 100)
    path.unlink()
    path.symlink_to("nowhere.tif")
    return path


def rotated(delivery: Delivery) -> Path:
    path = delivery.path(BAD, 100)
    with rasterio.open(path, "r+") as dataset:
        dataset.transform = dataset.transform @ rasterio.Affine.rotation(3)
    return path


DAMAGES: dict[str, tuple[Damage, str, str]] = {
    "empty": (overwritten(lambda _: b""), "UnreadableRaster", "cannot be read"),
    "text": (overwritten(lambda _: b"<html>404</html>"), "UnreadableRaster", "cannot be read"),
    "cut in its header": (overwritten(lambda b: b[:6]), "UnreadableRaster", "cannot be read"),
    "cut in its pixels": (overwritten(lambda b: b[:-300]), "UnreadableRaster", "cannot be read"),
    "a link to nowhere": (dangling_link, "UnreadableRaster", "cannot be read"),
    "wrong CRS": (rewritten(crs="EPSG:4258"), "WrongCrs", "EPSG:4258, the declared one EPSG:4326"),
    "wrong pixel size": (rewritten(pixels=depth(1, 100, 24)), "WrongGrid", "its pixels are 0.0416"),
    "wrong type": (
        rewritten(pixels=depth(1, 100).astype(np.int32)),
        "WrongDtype",
        "its type is int32, the declared one int16",
    ),
    "wrong nodata": (rewritten(nodata=-9999), "WrongNodata", "-9999, the declared nodata -32768"),
    "wrong unit by its tag": (rewritten(unit="m"), "WrongUnit", "unit is m, declared is cm"),
    "wrong unit by its pixels": (
        rewritten(pixels=np.full((48, 48), 20_000, np.int16)),
        "WrongUnit",
        "above 10000 cm, up to 20000",
    ),
    "undeclared negative value": (
        rewritten(pixels=np.full((48, 48), -5, np.int16)),
        "UndeclaredValue",
        "hold -5",
    ),
    "off the grid by a degree": (rewritten(west=31.0), "WrongGrid", "its west edge is at 31"),
    "off the grid by two pixels": (
        rewritten(north=-1 + 2 / 48),
        "WrongGrid",
        "its south edge is at -1.958333, but tile s02e030 ends at -2",
    ),
    "off the pixels of the others": (rewritten(west=30 - 1 / 96 + 0.2 / 48), "WrongGrid", "pixel"),
    "rotated": (rotated, "WrongGrid", "rotated"),
}


@pytest.mark.parametrize("case", DAMAGES)
def test_a_bad_file_is_named_and_the_rest_is_made(
    chain: Chain, delivery: Delivery, case: str
) -> None:
    delivery.add([SOUND, BAD])
    damage, code, message = DAMAGES[case]
    bad = key_of(delivery, damage(delivery))
    outcome = chain.run(*TODAY)
    if BAD_STACK in outcome.failed:
        error = outcome.failed[BAD_STACK]
        said = f"{error.where}: {error.code}: {error.message}"
    else:
        said = outcome.missing["stack"][BAD_STACK]
    assert said.startswith(f"{bad}: {code}: ")
    assert message in said
    assert_only_the_sound_tile_is_made(outcome, chain)


def test_once_a_bad_file_is_mended_only_what_lacked_it_is_made(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add([SOUND, BAD])
    delivery.path(BAD, 100).write_bytes(b"II*")
    chain.run(*TODAY)
    delivery.write(BAD, 100, depth(1, 100))
    again = chain.run(*TODAY)
    assert again.complete
    assert (again.made["stack"], again.made["mosaic"]) == ([BAD_STACK], [CELL])


def test_a_missing_return_period_is_named_and_nothing_takes_its_place(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add([SOUND, BAD])
    delivery.path(BAD, 50).unlink()
    delivery.path(BAD, 5).unlink()
    outcome = chain.run(*TODAY)
    assert outcome.missing["stack"] == {
        BAD_STACK: f"return_period 1in5, 1in50 are missing: no files for {BAD_STACK}"
    }
    assert_only_the_sound_tile_is_made(outcome, chain)


def test_a_tile_of_which_nothing_came_is_missing_where_it_is_declared(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add([SOUND])
    outcome = chain.run(*TODAY)
    assert list(outcome.missing["stack"]) == [BAD_STACK]
    assert_only_the_sound_tile_is_made(outcome, chain)


# Files that only a look at every pixel can refuse ------------------------------------------------


def strips_of(path: Path) -> list[tuple[int, int]]:
    """Offset and length of each strip of the file, in bytes."""
    with tifffile.TiffFile(path) as file:
        page = file.pages[0]
        return list(zip(page.dataoffsets, page.databytecounts, strict=True))


def unsampled(path: Path) -> int:
    """A strip far from those that are looked at: 9 of them, evenly spread."""
    return len(strips_of(path)) * 3 // 16


@pytest.mark.parametrize("fault", ["undeclared value", "damaged strip", "unit"])
def test_what_the_sample_missed_fails_the_stack_and_names_the_file(
    chain: Chain, delivery: Delivery, fault: str
) -> None:
    delivery.add([SOUND, BAD], size=512)
    bad = delivery.path(BAD, 100)
    pixels, strip = depth(1, 100, 512), unsampled(bad)
    rows = slice(512 // len(strips_of(bad)) * strip, 512 // len(strips_of(bad)) * (strip + 1))
    if fault == "damaged strip":
        offset, length = strips_of(bad)[strip]
        content = bytearray(bad.read_bytes())
        content[offset : offset + length] = os.urandom(length)
        bad.write_bytes(content)
    else:
        pixels[rows, 7] = -5 if fault == "undeclared value" else 20_000
        delivery.write(BAD, 100, pixels)
    outcome = chain.run(*TODAY)
    assert outcome.missing["stack"] == {}
    assert list(outcome.failed) == [BAD_STACK]
    error = outcome.failed[BAD_STACK]
    assert error.where == key_of(delivery, bad)
    expected = {
        "undeclared value": ("UndeclaredValue", "-5"),
        "damaged strip": ("UnreadableRaster", "cannot be read"),
        "unit": ("UndeclaredValue", "20000"),
    }
    code, message = expected[fault]
    assert (error.code, message in error.message) == (code, True), error
    assert_only_the_sound_tile_is_made(outcome, chain)
    assert not list((chain.folder / "silver").glob(".staging/*"))


def test_a_file_with_more_bands_than_one_fails_its_stack(chain: Chain, delivery: Delivery) -> None:
    delivery.add([SOUND, BAD])
    bad = delivery.path(BAD, 100)
    with rasterio.open(bad) as source:
        profile = {**source.profile, "count": 2}
    with rasterio.open(bad, "w", **profile) as two:
        two.write(np.stack([depth(1, 100)] * 2))
    outcome = chain.run(*TODAY)
    error = outcome.failed[BAD_STACK]
    assert (error.code, error.where) == ("WrongShape", key_of(delivery, bad))
    assert_only_the_sound_tile_is_made(outcome, chain)


def test_metres_declared_as_centimetres_are_seen(tmp_path: Path) -> None:
    for period in (2, 5, 10, 25, 50, 100, 250, 500, 1000):
        for model in ("MIROC-ESM-CHEM", "00IPSL-CM5A-LR"):
            depths = np.full((20, 20), 0.4 if "MIROC" in model else 40, np.float32)
            name = f"inunriver_rcp4p5_{model}_2030_rp{period:05d}.tif"
            write_tif(tmp_path / "in" / name, depths, west=40, north=12, pixel=0.1, nodata=-9999)
    definition = tmp_path / "aqueduct.yaml"
    definition.write_text(find("aqueduct").read_text().replace("unit: m,", "unit: cm,"))
    outcome = Chain(tmp_path / "workspace", tmp_path / "in", str(definition)).run()
    assert outcome.made["stack"] == ["river-rcp4p5-ipsl_cm5a_lr-2030"]
    (reason,) = outcome.missing["stack"].values()
    assert reason.count("they look like metres, not cm") == 9
    assert "inunriver_rcp4p5_MIROC-ESM-CHEM_2030_rp00002.tif: WrongUnit: " in reason


# Names -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code", "message"),
    [
        (
            "rwa/FLUVIAL_DEFENDED/2020/1in5/1in10-FLUVIAL-DEFENDED-2020_s02e029.tif",
            "ConflictingName",
            "the folder says return_period 1in5, the file name says 1in10",
        ),
        (
            "rwa/PLUVIAL_DEFENDED/2020/1in5/1in5-FLUVIAL-DEFENDED-2020_s02e029.tif",
            "ConflictingName",
            "the folder says peril pluvial, the file name says fluvial",
        ),
        (
            "rwa/FLUVIAL_DEFENDED/2050/SSP9_9.9/1in5/"
            "1in5-FLUVIAL-DEFENDED-2050-SSP9_9.9_s02e029.tif",
            "UnknownValue",
            "unknown scenario 'SSP9_9.9'",
        ),
        (
            "rwa/FLUVIAL_DEFENDED/2020/1in7/1in7-FLUVIAL-DEFENDED-2020_s02e029.tif",
            "UnknownValue",
            "unknown return_period '1in7'",
        ),
        ("rwa/GLACIAL_DEFENDED/2020/1in5/s02e029.tif", "UnknownValue", "unknown peril 'GLACIAL'"),
        ("rwa/FLUVIAL_DEFENDED/1999/1in5/s02e029.tif", "UnknownValue", "unknown year '1999'"),
        ("rwa/FLUVIAL_DEFENDED/2020/1in5/s02e199.tif", "UnknownValue", "outside the world"),
        ("rwa/FLUVIAL_DEFENDED/2020/1in5/copy of s02e029.tif", "UnmatchedName", "no pattern"),
        ("rwa/FLUVIAL_DEFENDED/2020/s02e029.tif", "MissingCoordinate", "which return_period"),
        ("rwa/odd\\x1b[2Jname.tif", "UnmatchedName", "no pattern matches the file name"),
        (
            "rwa/FLUVIAL_DEFENDED/2020/SSP1_2.6/1in5/s02e029.tif",
            "UnexpectedCoordinates",
            "expects nothing at rwa-fluvial-defended-2020-ssp126-1in5-s02e029",
        ),
    ],
)
def test_a_bad_name_is_reported_and_the_rest_is_made(
    chain: Chain, delivery: Delivery, path: str, code: str, message: str
) -> None:
    delivery.add([SOUND])
    stray = delivery.folder / path.replace("\\x1b", "\x1b")
    stray.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(delivery.path(SOUND, 5), stray)
    outcome = chain.run("year=2020", "defence=defended", f"tiles={SOUND}")
    ((key, reason),) = outcome.missing["inventory"].items()
    assert key == path
    assert reason.startswith(f"{code}: ")
    assert message in reason
    assert SOUND_STACK in outcome.made["stack"]
    stack = next(key for key in chain.silver() if "/stack/" in key)
    with rasterio.open(chain.folder / "silver" / stack) as made:
        np.testing.assert_array_equal(made.read(1), depth(0, 5))


def test_two_files_of_the_same_coordinates_are_both_named_and_neither_is_chosen(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add([SOUND, BAD])
    first = delivery.path(BAD, 100)
    second = first.with_name(f"{BAD}.tif")
    shutil.copy(first, second)
    outcome = chain.run(*TODAY)
    keys = [key_of(delivery, path) for path in (first, second)]
    assert sorted(outcome.missing["inventory"]) == sorted(keys)
    for key, other in (keys, keys[::-1]):
        assert outcome.missing["inventory"][key] == (
            "DuplicateCoordinates: claims the same coordinates "
            f"(rwa-fluvial-defended-2020-1in100-s02e030) as {other}"
        )
        assert key in outcome.missing["stack"][BAD_STACK]
    assert_only_the_sound_tile_is_made(outcome, chain)


# The source as a whole ---------------------------------------------------------------------------


@pytest.mark.parametrize("choice", [(), ("region=rwa",), ("year=2020", "peril=fluvial")])
def test_an_empty_source_is_one_error_not_a_list_of_all_that_is_missing(
    chain: Chain, delivery: Delivery, choice: tuple[str, ...]
) -> None:
    (delivery.folder / "rwa").mkdir(parents=True)
    (delivery.folder / "rwa" / "readme.txt").touch()
    with pytest.raises(EmptySource, match="no file that the pipeline could read") as caught:
        chain.run(*choice)
    assert caught.value.where == f"{delivery.folder}/"
    assert chain.silver() == {}


def test_a_source_with_other_files_only_is_said_to_be_the_wrong_place(
    chain: Chain, delivery: Delivery
) -> None:
    (delivery.folder / "photos").mkdir(parents=True)
    (delivery.folder / "photos" / "summer.tif").touch()
    with pytest.raises(EmptySource) as caught:
        chain.run(*TODAY)
    assert caught.value.message == (
        "there is no file that the pipeline could read within what is chosen; 1 names cannot be "
        "read, such as photos/summer.tif: no pattern matches the folder 'photos'"
    )


def test_a_source_folder_that_is_not_there_is_named(chain: Chain, delivery: Delivery) -> None:
    with pytest.raises(ObjectNotFound, match="no such folder") as caught:
        chain.run(*TODAY)
    assert caught.value.where == str(delivery.folder)


def test_a_delivery_that_vanished_changes_nothing_that_is_known(
    chain: Chain, delivery: Delivery
) -> None:
    """A disk that is not mounted looks like an empty folder."""
    delivery.add([SOUND, BAD])
    chain.run(*TODAY)
    before = chain.silver(), chain.items()
    shutil.rmtree(delivery.folder)
    delivery.folder.mkdir()
    with pytest.raises(EmptySource):
        chain.run(*TODAY)
    assert (chain.silver(), chain.items()) == before
    assert matrix_of(*chain.chosen(*TODAY), chain.workspace).matrix.complete


def test_a_file_that_is_taken_away_is_missing_in_run_and_matrix(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add([SOUND, BAD])
    chain.run(*TODAY)
    delivery.path(BAD, 100).unlink()
    outcome = chain.run(*TODAY)
    assert list(outcome.missing["stack"]) == [BAD_STACK]
    matrix = matrix_of(*chain.chosen(*TODAY), chain.workspace).matrix
    assert [len(level.missing) for level in matrix.levels] == [1, 1, 1]


# A full disk -------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of a megabyte, which `grow` makes large."""
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place],
        check=False,
        capture_output=True,
        text=True,
    )
    if mounted.returncode:
        pytest.skip(f"no file system can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def grow(disk: Path) -> None:
    subprocess.run(["mount", "-o", "remount,size=100m", disk], check=True)


def fill(disk: Path, leaving: int) -> None:
    free = os.statvfs(disk)
    (disk / "filling").write_bytes(bytes(free.f_bavail * free.f_bsize - leaving))


def test_a_full_silver_zone_is_named_and_room_is_all_it_takes(
    chain: Chain, delivery: Delivery, small_disk: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    delivery.add([SOUND, BAD])
    monkeypatch.setenv("THALWEG_ZONES__SILVER", str(small_disk / "silver"))
    (small_disk / "silver").mkdir()
    fill(small_disk, leaving=64 << 10)
    outcome = chain.run(*TODAY)
    assert outcome.failed
    for error in outcome.failed.values():
        assert error.code == "DiskFull"
        assert error.where.startswith(str(small_disk))
        assert error.hint
    silver = small_disk / "silver"
    assert not list(silver.glob(".staging/*"))
    for path in silver.rglob("*.tif"):
        with rasterio.open(path) as made:
            assert made.count == 8
    grow(small_disk)
    again = chain.run(*TODAY)
    assert again.complete
    assert list(chain.items()) == [CELL]


@pytest.mark.parametrize("left", [0, 20_000, 60_000, 120_000])
def test_a_workspace_on_a_full_disk_is_named_and_room_is_all_it_takes(
    delivery: Delivery, small_disk: Path, tmp_path: Path, left: int
) -> None:
    delivery.add([SOUND, BAD])
    (tmp_path / "silver").mkdir()
    chain = Chain(small_disk / "workspace", delivery.folder)
    (small_disk / "workspace").mkdir()
    (small_disk / "workspace" / "thalweg.toml").write_text(
        f'[zones]\nsilver = "{tmp_path / "silver"}"\n'
    )
    fill(small_disk, leaving=left)
    try:
        errors = list(chain.run(*TODAY).failed.values())
    except ThalwegError as error:
        errors = [error]
    assert errors
    assert {error.code for error in errors} == {"DiskFull"}
    assert all(str(small_disk) in error.where for error in errors)
    grow(small_disk)
    assert chain.run(*TODAY).complete
    assert list(chain.items()) == [CELL]


# Hostile files -----------------------------------------------------------------------------------


@pytest.mark.shared
def test_each_malformed_tiff_in_a_delivery_is_refused_by_name_and_the_rest_is_made(
    chain: Chain, delivery: Delivery, shared: Path
) -> None:
    hostile = sorted((shared / "raster/fuzzed_tiff").glob("*/*"))
    epochs = ["2020", *(f"{year}/SSP2_4.5" for year in (2030, 2050, 2080))]
    delivery.add([SOUND, BAD], epochs=epochs)
    files = sorted(delivery.folder.rglob("*.tif"))
    for good, bad in zip(files, hostile, strict=False):
        good.write_bytes(bad.read_bytes())
    began = time.monotonic()
    outcome = chain.run("peril=fluvial", "defence=defended", "scenario=none,ssp245")
    assert time.monotonic() - began < 60
    with chain.workspace.catalog() as catalog:
        problems = {one.key: one.problem for one in catalog.sources("fathom") if one.problem}
    assert sorted(problems) == [key_of(delivery, path) for path in files[: len(hostile)]]
    for key, problem in problems.items():
        assert problem["code"] not in ("UnexpectedError", "StorageUnavailable")
        assert problem["where"] == key
        assert problem["message"]
    sound = {path.name.rpartition("_")[2][:7] for path in files[len(hostile) :]}
    assert sound
    assert not outcome.failed
    complete = (len(files) - len(hostile)) // 8
    assert len(outcome.made["stack"]) >= complete - 1


def test_a_file_that_declares_an_absurd_size_is_refused_before_its_pixels_are_read(
    chain: Chain, delivery: Delivery
) -> None:
    delivery.add([SOUND, BAD])
    bad = delivery.path(BAD, 100)
    content = bytearray(bad.read_bytes())
    with tifffile.TiffFile(bad) as file:
        tags = file.pages[0].tags
        for name in ("ImageWidth", "ImageLength"):
            offset = tags[name].offset + 2
            content[offset : offset + 10] = struct.pack("<HII", 4, 1, 2**30)
    bad.write_bytes(content)
    outcome = chain.run(*TODAY)
    assert f"{key_of(delivery, bad)}: AbsurdRaster: " in outcome.missing["stack"][BAD_STACK]
    assert_only_the_sound_tile_is_made(outcome, chain)


# Pipeline files ----------------------------------------------------------------------------------

BROKEN: dict[str, tuple[str, str, str]] = {
    # What stands in the file, what takes its place with the fault at the mark, what is said of it.
    "syntax": ("license: other\nkeywords", "license: [other\nkeywords«", "not YAML: "),
    "a tab": ("license: other", "«\tlicense: other", "not YAML: "),
    "unknown field": ("license: other", "«licence: other", "licence: no such field"),
    "unknown field deep inside": (
        "  dtype: int16",
        "  dtype: int16\n  «bits: 16",
        "pixels.bits: no such field",
    ),
    "missing field": (
        "name: fathom\ntitle: FATHOM v3 flood depth\n",
        "«name: fathom\n",
        "title: this field is missing",
    ),
    "field twice": ("license: other", "license: other\n«license: b", "stands twice"),
    "wrong type": ("  maximum: 10000", "  maximum: «deep", "pixels.maximum: "),
    "unknown operator": (
        "  - {operator: stack, over: return_period}",
        "  - «{operator: stak, over: return_period}",
        "steps.1: ",
    ),
    "unknown field of a step": (
        "{operator: hexagons, of: mosaic,",
        "{operator: hexagons, «depth: 1,",
        "steps.4.depth: no such field",
    ),
    "dimension of a name that is taken": (
        "dimensions:\n",
        "dimensions:\n  h3_resolution: «{title: Pixel}\n",
        "'h3_resolution' means something else",
    ),
    "unknown dimension in a pattern": (
        '    - "{tile}.tif"',
        '    - «"{tyle}.tif"',
        "names 'tyle', which is no dimension",
    ),
    "unbalanced brackets in a pattern": (
        '    - "[{region}]"',
        '    - «"[{region}"',
        "brackets of pattern '[{region}' do not match",
    ),
    "pattern that is no regular expression": (
        "pattern: '1in\\d+'",
        "pattern: «'1in(\\d+'",
        "no regular expression",
    ),
    "unknown dimension of a step": (
        "over: return_period}",
        "over: «period}",
        "'period' is no dimension",
    ),
    "step of a later step": (
        "  - {operator: stack, over: return_period}\n  - {operator: mosaic, cell_degrees: 4}",
        "  - «{operator: mosaic, cell_degrees: 4}\n  - {operator: stack, over: return_period}",
        "step 'mosaic' is of 'stack', which is no earlier step",
    ),
    "step of an unknown step": ("    of: mosaic", "    of: «mosaik", "is of 'mosaik', which is no"),
    "two steps of one name": (
        "  - {operator: mosaic, cell_degrees: 4}",
        "  - «{operator: mosaic, cell_degrees: 4, name: stack}",
        "two steps are called 'stack'",
    ),
    "no inventory": (
        "  - {operator: inventory}\n  - {operator: stack",
        "  - «{operator: stack",
        "must be an inventory",
    ),
    "unknown expected value": (
        '{year: "2020", scenario: none}',
        '{year: «"2021", scenario: none}',
        "expect names year '2021', which is no value of it",
    ),
    "dimension without expectation": (
        "expect:\n  observed: [region, peril, defence, resolution, percentile, tile]",
        "expect:\n  «observed: [region, peril, defence, resolution, tile]",
        "expect does not say what is expected of 'percentile'",
    ),
    "year of an unknown dimension": (
        "time: {year: year}",
        "time: {year: «epoch}",
        "'epoch' is no dimension",
    ),
    "title of an unknown dimension": (
        'title: "Flood depth: {peril}',
        'title: «"Flood depth: {scene}',
        "title names 'scene', which is no dimension",
    ),
    "title of a dimension that is merged": (
        'title: "Flood depth: {peril}',
        'title: «"Flood depth: {tile}',
        "title names 'tile', which is no dimension",
    ),
    "title with half a bracket": (
        'title: "Flood depth: {peril}',
        'title: «"Flood depth: {peril',
        "cannot be read",
    ),
    "unknown zone": (
        "{operator: stack, over: return_period}",
        "{operator: stack, over: return_period, zone: «golden}",
        "'golden' is no zone",
    ),
    "unknown type of pixel": ("  dtype: int16", "  dtype: «int61", "pixels.dtype: "),
    "a CRS that is none": ('crs: "EPSG:4326"', 'crs: «"WGS84"', "grid.crs: "),
    "spellings of two values": (
        "ssp126: {aliases: [SSP1_2.6, SSP1-2.6]",
        "ssp126: {aliases: [SSP1_2.6, SSP2_4.5]",
        "'SSP2_4.5' of dimension 'scenario' is both ssp126 and ssp245",
    ),
}


def test_a_pipeline_whose_only_dimension_is_stacked_is_refused(tmp_path: Path) -> None:
    """What it made had a name that began with a dot, and was never found again."""
    kampala = Path(__file__).parent / "pairs/kampala.yaml"
    lines = kampala.read_text().replace("{place: kampala, ", "{").splitlines()
    file = tmp_path / "one.yaml"
    file.write_text("\n".join(line for line in lines if not line.startswith("  place:")))
    with pytest.raises(PipelineError, match="no dimension to name") as caught:
        load(file)
    assert "default" in caught.value.hint


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_pipeline_file_is_named_with_line_and_column(tmp_path: Path, case: str) -> None:
    old, new, message = BROKEN[case]
    whole = find("fathom").read_text()
    assert whole.count(old) == 1
    marked = whole.replace(old, new)
    before = marked.partition("«")[0] if "«" in new else whole.partition("title: Climate sc")[0]
    line, column = before.count("\n") + 1, len(before) - before.rfind("\n")
    broken = tmp_path / "broken.yaml"
    broken.write_text(marked.replace("«", ""))
    with pytest.raises(PipelineError) as caught:
        load(broken)
    assert message in caught.value.message
    assert caught.value.where == f"{broken}:{line}:{column}"
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("stack.over=period", "'period' is no dimension"),
        ("mosaic.of=catalog", "no earlier step"),
        ("mosaic.cell_degrees=0", "greater than or equal to 1"),
        ("mosaic.cell_degrees=four", "valid integer"),
        ("stack.layout=zipped", "'canonical' or 'compatible'"),
        ("stack.zone=golden", "'golden' is no zone"),
        ("catalog.title={nothing}", "title names 'nothing'"),
        ("stack.name=other", "no such parameter"),
        ("year=2021", "unknown year '2021'"),
        ("tiles=n91e000", "outside the world"),
        ("bbox=1,2,3", "no bounding box"),
        ("year", "is not name=value"),
    ],
)
def test_a_setting_that_cannot_be_is_refused_before_anything_is_done(
    chain: Chain, setting: str, message: str
) -> None:
    """Those of steps were once only seen in the middle of a run, as a fault of Thalweg's own."""
    with pytest.raises(UsageError, match=re.escape(message)):
        chain.chosen(setting)


@pytest.mark.parametrize(
    "content", [b"", b"- a\n- b\n", b"just words", b"\xff\xfe", b"a: &b [*b]", b"? [a]\n: b"]
)
def test_what_is_no_pipeline_at_all_is_refused(tmp_path: Path, content: bytes) -> None:
    broken = tmp_path / "broken.yaml"
    broken.write_bytes(content)
    with pytest.raises(PipelineError) as caught:
        load(broken)
    assert str(broken) in caught.value.where


def test_the_undamaged_delivery_is_complete(chain: Chain, delivery: Delivery) -> None:
    """Without which the tests above would show nothing."""
    delivery.add([SOUND, BAD])
    assert NODATA in depth(0, 5)
    assert chain.run(*TODAY).complete
