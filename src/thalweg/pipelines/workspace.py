"""A workspace: the folder that holds the catalogue, the record of runs, and zones by default."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from thalweg.catalog.ledger import Catalog
from thalweg.errors import SettingsError, UsageError
from thalweg.settings import Settings, load_settings
from thalweg.storage.zones import Zone

CATALOG_FILE = "catalog.db"
JOBS_FOLDER = "jobs"


@dataclass(frozen=True)
class Workspace:
    """Where things are; cheap to open, and JSON, so that worker processes open the same one."""

    folder: Path
    zone_urls: Mapping[str, str]

    @classmethod
    def open(cls, folder: Path, *, source: str | None = None) -> tuple[Self, Settings]:
        """The workspace of a folder, made where there is none, and its settings.

        `source` sets the bronze zone for this time.
        """
        workspace, settings = cls.at(folder, source=source)
        silver = workspace.zone("silver").folder
        try:
            workspace.folder.mkdir(parents=True, exist_ok=True)
            if silver is not None:
                silver.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise SettingsError(f"cannot be made: {error}", where=str(workspace.folder)) from error
        return workspace, settings

    @classmethod
    def at(cls, folder: Path, *, source: str | None = None) -> tuple[Self, Settings]:
        """As `open`, but nothing is made: there may be no such folder."""
        overrides = {"zones": {"bronze": source}} if source else {}
        folder = folder.absolute()
        settings = load_settings(folder, **overrides)
        urls = {name: _absolute(url) for name, url in settings.zones.model_dump().items()}
        return cls(folder, urls), settings

    @classmethod
    def existing(cls, folder: Path, *, source: str | None = None) -> Self:
        """The workspace of a folder in which something was run; else raises `UsageError`."""
        if not is_workspace(folder):
            raise UsageError(
                "there is no workspace here",
                where=str(folder.absolute()),
                hint="give its folder by -w, or make one: thalweg run PIPELINE --source FOLDER",
            )
        return cls.open(folder, source=source)[0]

    def zone(self, name: str) -> Zone:
        """The zone of a name; raises `SettingsError`."""
        if name not in self.zone_urls:
            raise SettingsError(
                f"there is no zone {name!r}", hint=f"zones are {', '.join(self.zone_urls)}"
            )
        return Zone(name, self.zone_urls[name])

    def catalog(self) -> Catalog:
        """The workspace's catalogue, to be closed."""
        from thalweg.catalog.sqlite import open_catalog

        return open_catalog(self.folder / CATALOG_FILE)

    @property
    def jobs_folder(self) -> Path:
        return self.folder / JOBS_FOLDER

    def to_json(self) -> dict[str, Any]:
        return {"folder": str(self.folder), "zones": dict(self.zone_urls)}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(Path(document["folder"]), document["zones"])


def is_workspace(folder: Path) -> bool:
    """Whether something was run in the folder."""
    return (folder / CATALOG_FILE).exists()


def _absolute(url: str) -> str:
    return url if "://" in url else str(Path(url).absolute())
