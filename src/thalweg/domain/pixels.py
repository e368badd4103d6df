"""What a source declares about its pixels: type, unit, nodata, values that measure nothing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self


@dataclass(frozen=True)
class SpecialValue:
    """A pixel value with a meaning of its own, never a measurement.

    `meaning` is a snake_case name such as `permanent_water`. Where `as_nodata` is set, what is made
    holds the nodata value in its place; otherwise the value is kept as it is.
    """

    value: float
    meaning: str
    as_nodata: bool = False


@dataclass(frozen=True)
class PixelRules:
    """The declaration that a file's pixels are held against.

    A valid pixel lies in `minimum..maximum`, both inclusive and in `unit`; every other value must
    be `nodata` or one of `special`. `dtype` is a numpy name.
    """

    dtype: str
    unit: str
    nodata: float
    minimum: float
    maximum: float
    special: tuple[SpecialValue, ...] = ()

    def kept_special(self) -> tuple[SpecialValue, ...]:
        """The special values that what is made still holds."""
        return tuple(value for value in self.special if not value.as_nodata)

    def made(self) -> PixelRules:
        """The rules that hold for what is made from such a source."""
        return PixelRules(
            self.dtype, self.unit, self.nodata, self.minimum, self.maximum, self.kept_special()
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        special = tuple(SpecialValue(**one) for one in document["special"])
        return cls(**{**document, "special": special})

    def meanings(self) -> Iterable[tuple[float, str]]:
        """Each value that is no measurement, with its name; nodata first."""
        yield self.nodata, "nodata"
        for special in self.special:
            yield special.value, special.meaning
