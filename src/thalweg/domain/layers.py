"""Layers and themes: the rows of the source catalogue."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

from thalweg.domain.coordinates import Coordinates

_NOWHERE = Coordinates(())


@dataclass(frozen=True)
class Theme:
    """What layers are grouped under, such as flood_risk."""

    id: str
    title: str = ""
    description: str = ""

    @property
    def name(self) -> str:
        """The title, or the id in words."""
        return self.title or self.id.replace("_", " ").capitalize()

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Layer:
    """A quantity in one place in the dimensions of its dataset, and where it comes from.

    `unit` is that of a value; `nodata` the value that is none, if there is one. `license` is an
    SPDX id or `other`; `origin` names who made it and where it is had. `pixel` is the size of a
    pixel in units of `crs`. `statistics` and H3 `resolutions` are those recommended for it.
    `pipeline` is the one that declares it, or None where it was registered by hand; a layer that
    its pipeline no longer makes is kept, and is not `declared`.
    """

    id: str
    theme: str
    dataset: str
    title: str
    unit: str
    license: str
    nodata: float | None = None
    description: str = ""
    origin: str = ""
    citation: str = ""
    crs: str = ""
    pixel: float | None = None
    coordinates: Coordinates = _NOWHERE
    statistics: tuple[str, ...] = ()
    resolutions: tuple[int, ...] = ()
    pipeline: str | None = None
    declared: bool = True

    def to_json(self) -> dict[str, Any]:
        return {
            **vars(self),
            "coordinates": self.coordinates.to_json(),
            "statistics": list(self.statistics),
            "resolutions": list(self.resolutions),
        }

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            **{
                **document,
                "coordinates": Coordinates(tuple(document["coordinates"].items())),
                "statistics": tuple(document["statistics"]),
                "resolutions": tuple(document["resolutions"]),
            }
        )
