"""What the models of pipeline files are made of: their base, ids, and the names of coordinates."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def listed(value: object) -> object:
    """A single value as a list of one: what files may leave out."""
    return [value] if isinstance(value, (str, int)) else value


Id = Annotated[str, Field(pattern=r"^[a-z0-9_]+$"), BeforeValidator(_text)]
Ids = Annotated[tuple[Id, ...], BeforeValidator(listed)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]

type Dtype = Literal["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]

CELL = "cell"
DATASET = "dataset"
H3_RESOLUTION = "h3_resolution"
TABLE = "table"
COUNTRIES, BUILDINGS, REPORT = "countries", "buildings", "report"


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
