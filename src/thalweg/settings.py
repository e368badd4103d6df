"""All settings, grouped by concern.

Each can be set as an environment variable (`THALWEG_`, the concern, two underscores, the name) or
in the file `thalweg.toml` of the workspace, under the table of its concern.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import BaseModel, ByteSize, ConfigDict, Field, ValidationError
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

from thalweg.errors import SettingsError

FILE_NAME = "thalweg.toml"
ENV_PREFIX = "THALWEG_"


class ZoneSettings(BaseModel):
    """Where data lies: a folder, or a URL that begins with s3://, az:// or gs://."""

    model_config = ConfigDict(extra="forbid")

    bronze: str = Field("", description="Raw files as delivered. Default: bronze in the workspace.")
    silver: str = Field("", description="What Thalweg makes. Default: silver in the workspace.")


class JobSettings(BaseModel):
    """How much of the machine the workers may use."""

    model_config = ConfigDict(extra="forbid")

    workers: int | None = Field(
        None, ge=1, description="Tasks that run at once. Default: the processors of the machine."
    )
    memory: ByteSize | None = Field(
        None,
        description="Memory that all running tasks may declare together, such as 4GiB. "
        "Default: most of what the machine has.",
    )


class BuildingSettings(BaseModel):
    """Where publishers of buildings have their files; `thalweg buildings fetch` goes there."""

    model_config = ConfigDict(extra="forbid")

    stac: str = Field(
        "https://planetarycomputer.microsoft.com/api/stac/v1",
        description="The STAC API that tells the partitions of footprints.",
    )
    collection: str = Field("ms-buildings", description="The collection of footprints in it.")
    tokens: str = Field(
        "https://planetarycomputer.microsoft.com/api/sas/v1/token",
        description="The service that gives tokens for its containers.",
    )
    blobs: str = Field(
        "https://{account}.blob.core.windows.net",
        description="Where a storage account is, with {account} for its name.",
    )
    links: str = Field(
        "https://minedbuildings.z5.web.core.windows.net/global-buildings/dataset-links.csv",
        description="The table of links to files of footprints by quadkey.",
    )
    tiles: str = Field(
        "https://storage.googleapis.com/open-buildings-data/v3",
        description="The folder of footprints by S2 tile.",
    )


class Settings(BaseSettings):
    """The settings of a workspace: environment variables count more than its settings file."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", validate_default=True
    )

    zones: ZoneSettings = ZoneSettings()
    jobs: JobSettings = JobSettings()
    buildings: BuildingSettings = BuildingSettings()
    database_url: str = Field(
        "", description="A PostgreSQL database with PostGIS, which tables of buildings go to too."
    )

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlConfigSettingsSource(settings_cls)


def load_settings(workspace: Path, **overrides: Any) -> Settings:
    """The settings of a workspace; `overrides` count more than all else.

    Raises `SettingsError` naming the setting or file, and what is wrong.
    """
    file = workspace / FILE_NAME

    class WorkspaceSettings(Settings):
        model_config = SettingsConfigDict(toml_file=file)

    try:
        settings = WorkspaceSettings(**overrides)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        variable = ENV_PREFIX + "__".join(str(part) for part in first["loc"]).upper()
        raise SettingsError(
            f"setting {name}: {first['msg']}", hint=f"mend it in {file} or in {variable}"
        ) from error
    except ValueError as error:
        raise SettingsError(f"not a TOML file: {error}", where=str(file)) from error
    for name in ("bronze", "silver"):
        if not getattr(settings.zones, name):
            setattr(settings.zones, name, str(workspace / name))
    return settings
