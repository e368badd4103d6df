"""Files that hang or crash their decoder: each costs itself only."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import psutil
import pytest
from raster_files import RULES, depths, write

from thalweg.errors import UndeclaredValue, UnreadableRaster
from thalweg.raster.quarantine import Declaration, Quarantine

DECLARED = Declaration(RULES, "EPSG:4326")


@pytest.fixture
def quarantine() -> Iterator[Quarantine]:
    with Quarantine(seconds=1.0) as made:
        yield made


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    return write(tmp_path / "sound.tif", depths(64, 64))


@pytest.fixture
def hanging(tmp_path: Path) -> Path:
    """Nobody ever writes to it, so opening it never ends."""
    os.mkfifo(tmp_path / "hanging.tif")
    return tmp_path / "hanging.tif"


def test_what_inspection_says_comes_back(quarantine: Quarantine, sound: Path) -> None:
    assert quarantine.inspect(str(sound), "a.tif", DECLARED)["dtype"] == "int16"
    wrong = write(sound.with_name("wrong.tif"), depths(64, 64) * 0 - 5)
    with pytest.raises(UndeclaredValue, match="hold -5") as caught:
        quarantine.inspect(str(wrong), "b.tif", DECLARED)
    assert caught.value.where == "b.tif"


def test_a_file_that_hangs_its_decoder_is_named_and_the_next_goes_on(
    quarantine: Quarantine, hanging: Path, sound: Path
) -> None:
    others = psutil.Process().children()
    quarantine.inspect(str(sound), "a.tif", DECLARED)
    (inspector,) = (one for one in psutil.Process().children() if one not in others)
    with pytest.raises(UnreadableRaster, match="reading it took over 1 s") as caught:
        quarantine.inspect(str(hanging), "hanging.tif", DECLARED)
    assert caught.value.where == "hanging.tif"
    assert not inspector.is_running()
    assert quarantine.inspect(str(sound), "a.tif", DECLARED)["bands"] == 1


def test_a_file_that_crashes_its_decoder_is_named_and_the_next_goes_on(
    hanging: Path, sound: Path
) -> None:
    others = psutil.Process().children()
    with Quarantine(seconds=60) as quarantine:
        quarantine.inspect(str(sound), "a.tif", DECLARED)
        (inspector,) = (one for one in psutil.Process().children() if one not in others)
        threading.Timer(0.2, inspector.send_signal, [signal.SIGSEGV]).start()
        with pytest.raises(UnreadableRaster, match=r"crashed the decoder \(SIGSEGV\)") as caught:
            quarantine.inspect(str(hanging), "crash.tif", DECLARED)
        assert caught.value.where == "crash.tif"
        assert quarantine.inspect(str(sound), "a.tif", DECLARED)["bands"] == 1


def test_the_process_dies_with_its_parent_even_while_a_decoder_hangs(hanging: Path) -> None:
    """It once noticed only between two files, and stayed for ever."""
    program = (
        "import sys; from thalweg.raster.quarantine import Declaration, Quarantine;"
        "from thalweg.domain.pixels import PixelRules;"
        "rules = PixelRules('int16', 'cm', -32768, 0, 10000);"
        "Quarantine().inspect(sys.argv[1], 'a.tif', Declaration(rules))"
    )
    parent = subprocess.Popen([sys.executable, "-c", program, hanging])
    try:
        writer = _writer_once_read(hanging)
        (inspector,) = psutil.Process(parent.pid).children()
    finally:
        parent.kill()
        parent.wait()
    inspector.wait(timeout=5)
    os.close(writer)


def _writer_once_read(fifo: Path) -> int:
    """The writing end, as soon as somebody waits to read; held open, it keeps them waiting."""
    for _ in range(1200):
        with suppress(OSError):  # ENXIO: nobody reads yet
            return os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
        time.sleep(0.05)
    raise AssertionError(f"nobody opened {fifo}")


def test_modules_of_the_current_folder_do_not_stand_in_for_its_imports(
    quarantine: Quarantine, sound: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (sound.parent / "json.py").write_text("raise RuntimeError")
    monkeypatch.chdir(sound.parent)
    assert quarantine.inspect(str(sound), "a.tif", DECLARED)["bands"] == 1
