from __future__ import annotations

from pathlib import Path

import pytest

from thalweg.errors import SettingsError
from thalweg.settings import load_settings


def test_zones_lie_in_the_workspace_unless_set(tmp_path: Path) -> None:
    settings = load_settings(tmp_path)
    assert settings.zones.bronze == str(tmp_path / "bronze")
    assert settings.jobs.workers is None


def test_a_command_counts_more_than_the_environment_and_that_more_than_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "thalweg.toml").write_text(
        '[zones]\nbronze = "/file"\nsilver = "/file"\n[jobs]\nworkers = 3\nmemory = "4GiB"\n'
    )
    monkeypatch.setenv("THALWEG_ZONES__BRONZE", "/environment")
    settings = load_settings(tmp_path)
    assert settings.zones.bronze == "/environment"
    assert settings.zones.silver == "/file"
    assert settings.jobs.workers == 3
    assert settings.jobs.memory == 4 << 30
    chosen = load_settings(tmp_path, zones={"bronze": "/command"})
    assert (chosen.zones.bronze, chosen.zones.silver) == ("/command", "/file")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("[jobs]\nworkers = 0\n", "jobs.workers"),
        ("[jobs]\nworker = 2\n", "jobs.worker"),
        ("[zone]\nbronze = 1\n", "zone"),
        ('[jobs]\nmemory = "much"\n', "jobs.memory"),
        ("[jobs\n", "thalweg.toml"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, text: str, names: str) -> None:
    (tmp_path / "thalweg.toml").write_text(text)
    with pytest.raises(SettingsError, match=names):
        load_settings(tmp_path)
