"""All settings, grouped by concern.

Each can be set as an environment variable (`THALWEG_`, the concern, two underscores, the name) or
in the file `thalweg.toml` of the workspace, under the table of its concern.
"""

from __future__ import annotations

import re
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

from pydantic import (
    BaseModel,
    ByteSize,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
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


class Role(StrEnum):
    """What the bearer of a key may do; each may also do what those before it may."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"


class OidcSettings(BaseModel):
    """Whose bearer tokens are taken beside API keys."""

    model_config = ConfigDict(extra="forbid")

    issuer: str = Field(
        "",
        pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$",
        description="The provider, as its tokens name it. Default: no tokens are taken.",
    )
    audience: str = Field("thalweg", min_length=1, description="Whom tokens must be meant for.")
    jwks_url: str = Field(
        "",
        pattern=r"^(https?://\S+)?$",
        description="Where its keys are. Default: what its discovery document says.",
    )
    roles_claim: str = Field(
        "roles", description="The claim that names roles, such as realm_access.roles."
    )
    roles: dict[str, Role] = Field(
        {role.value: role for role in Role},
        description="What the values of that claim give. Default: the roles by their own names.",
    )


class ServeSettings(BaseModel):
    """How `thalweg serve` answers, and how much it gives to one request."""

    model_config = ConfigDict(extra="forbid")

    host: str = Field("127.0.0.1", description="The address to listen on.")
    port: int = Field(
        8000, ge=0, le=65535, description="The port to listen on; 0 takes a free one."
    )
    public_url: str = Field(
        "",
        pattern=r"^(https?://[^/?#\s]+(/[^?#\s]*)?)?$",
        description="Where clients find the service, such as https://maps.example.org/flood: "
        "all links begin with it. Default: the host that a request names.",
    )
    cors_origins: list[str] = Field(
        ["*"],
        description="Web pages that may call the service. With `*` browsers send no credentials.",
    )
    public_reading: bool = Field(
        True, description="Whether reading takes no key. Writing always takes one."
    )
    keys: dict[str, Role] = Field(
        {},
        description="The SHA-256 of each API key in hexadecimal, and the role that it gives.",
    )
    oidc: OidcSettings = OidcSettings()
    transactions: bool = Field(
        False, description="Whether operators may write items and collections through /stac."
    )
    max_body: ByteSize = Field(
        ByteSize(1 << 20), ge=1024, description="The largest body of a request."
    )
    max_url: int = Field(16_384, ge=256, description="The longest path and query, in characters.")
    max_parameter: int = Field(
        12_288, ge=128, description="The longest value of one query parameter, in characters."
    )
    max_items: int = Field(1000, ge=1, description="The most items on a page of a search.")
    max_cells: int = Field(
        100_000,
        ge=1,
        description="The most hexagons that a box may hold, and the most rows of one answer.",
    )
    file_zones: list[Literal["bronze", "silver"]] = Field(
        ["silver"], description="The zones whose files are served under /files."
    )
    link_seconds: int = Field(
        3600,
        ge=60,
        description="How long a signed link to a file holds at least; twice as long at most.",
    )
    max_pixels: int = Field(
        16_777_216,
        ge=65_536,
        description="The most pixels of a raster that one request reads, all bands together.",
    )
    max_area: float = Field(
        1_000_000, gt=0, description="The largest area of one raster query, in km2."
    )
    max_vertices: int = Field(
        5000, ge=4, description="The most vertices of a geometry that a raster is cut by."
    )
    pool_size: int = Field(
        8, ge=1, description="The most database connections of each pool of a process."
    )
    statement_seconds: float = Field(
        10, gt=0, description="How long the database may take for one statement."
    )
    read_role: str = Field(
        "",
        description="The database role that reading takes on. Default: that of the URL, in "
        "read-only transactions.",
    )
    health_seconds: float = Field(
        5, ge=0, description="How long the last look at a dependency counts."
    )

    @field_validator("keys")
    @classmethod
    def _digests(cls, keys: dict[str, Role]) -> dict[str, Role]:
        for digest in keys:
            if not re.fullmatch(r"[0-9a-f]{64}", digest):
                raise ValueError("a key is given as its SHA-256 in 64 hexadecimal digits")
        return keys


class Settings(BaseSettings):
    """The settings of a workspace: environment variables count more than its settings file."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX, env_nested_delimiter="__", extra="forbid", validate_default=True
    )

    zones: ZoneSettings = ZoneSettings()
    jobs: JobSettings = JobSettings()
    buildings: BuildingSettings = BuildingSettings()
    serve: ServeSettings = ServeSettings()
    database_url: str = Field(
        "",
        description="A PostgreSQL database with PostGIS, which tables of buildings go to too, and "
        "from which `thalweg serve` answers.",
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
