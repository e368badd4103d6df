"""The schema of a pipeline file: what names mean, what ought to exist, what to make of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.dimensions import Dimension, Dimensions, Value
from thalweg.domain.expectation import Declared, Expectation
from thalweg.domain.grammar import Grammar
from thalweg.domain.layers import Theme
from thalweg.domain.pixels import PixelRules, SpecialValue
from thalweg.pipelines.fields import (
    CELL,
    DATASET,
    H3_RESOLUTION,
    TABLE,
    Dtype,
    Id,
    Ids,
    Model,
    Slug,
    listed,
)
from thalweg.pipelines.steps import Step


class ValueModel(Model):
    """One value of a dimension."""

    aliases: Annotated[tuple[str, ...], BeforeValidator(listed)] = Field(
        (), description="Other spellings that names use, in any case."
    )
    number: float | None = Field(None, description="The value as a number, such as 100 for 1in100.")
    title: str = Field("", description="The value in words, for titles.")


class DimensionModel(Model):
    """One axis that the delivery varies over."""

    title: str = Field("", description="The dimension in words.")
    kind: Literal["value", "tile"] = Field(
        "value", description="`tile` for names of one-degree tiles such as s01e030."
    )
    pattern: str = Field(
        r"[^/]+?", description="Regular expression of a spelling in names, looser than the values."
    )
    values: dict[str, ValueModel] = Field(
        {},
        description="The values in their order, each with its spellings: a list of ids, or a "
        "mapping of an id to its aliases or to aliases, number and title. "
        "Without values every spelling that the pattern matches is one.",
    )
    default: Id | None = Field(
        None, description="The value of files that do not say; `none` where it does not apply."
    )
    unit: str | None = Field(None, description="The unit of the values' numbers.")
    given: bool = Field(
        False, description="Whether files that do not say take the value set by --set."
    )

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, document: Any) -> Any:
        if not isinstance(document, dict):
            return document
        values = document.get("values")
        if isinstance(values, list):
            document = {**document, "values": {str(value): {} for value in values}}
        elif isinstance(values, dict):
            document = {**document, "values": {str(k): _value(v) for k, v in values.items()}}
        return document

    def domain(self, name: str) -> Dimension:
        return Dimension(
            name,
            tuple(
                Value(value_id, value.aliases, value.number, value.title)
                for value_id, value in self.values.items()
            ),
            self.pattern,
            self.default,
            self.unit,
            self.kind,
            self.title,
        )


def _value(value: object) -> object:
    if value is None:
        return {}
    return {"aliases": value} if isinstance(value, (str, list)) else value


class SourceModel(Model):
    """Where the delivery lies."""

    zone: str = Field("bronze", description="The zone that holds the files.")
    prefix: str = Field("", description="The folder of the zone that the delivery lies under.")


class GrammarModel(Model):
    """What a path says: `{dimension}` for a spelling, `{_}` for anything, `[...]` if optional."""

    folders: tuple[str, ...] = Field(
        ("",), min_length=1, description="Patterns of a file's folder; one must match."
    )
    names: tuple[str, ...] = Field(
        min_length=1, description="Patterns of a file's name; one must match."
    )
    ignore: tuple[str, ...] = Field((), description="Globs of files that are not data.")


class DeclaredModel(Model):
    """Combinations that ought to exist even where no file of them is."""

    when: dict[str, Ids] = Field(
        description="Where these values are found or selected, the combinations apply."
    )
    combine: dict[str, Ids] = Field(description="Values that ought to exist, all combined.")


class ExpectModel(Model):
    """What ought to exist. `observed`, rows and `values` name each dimension once between them."""

    observed: tuple[str, ...] = Field(
        (), description="Dimensions known from the delivery only: what any file has is expected."
    )
    combinations: tuple[dict[str, Ids], ...] = Field(
        (), description="Values that belong together, a row each, such as years and scenarios."
    )
    if_found: tuple[dict[str, Ids], ...] = Field(
        (), description="Further such rows, expected only if some file has them."
    )
    values: dict[str, Ids] = Field({}, description="Values that every combination ought to have.")
    declared: tuple[DeclaredModel, ...] = Field(
        (), description="Combinations that ought to exist even where no file of them is."
    )

    def domain(self) -> Expectation:
        declared = tuple(Declared(one.when, one.combine) for one in self.declared)
        return Expectation(self.observed, self.combinations, self.values, declared, self.if_found)


class SpecialModel(Model):
    """A pixel value that is no measurement."""

    value: float = Field(description="The value as it stands in the files.")
    meaning: Id = Field(description="What it stands for, such as permanent_water.")
    as_nodata: bool = Field(False, description="Whether what is made holds nodata in its place.")


class PixelsModel(Model):
    """What the pixels are. Every value must be valid, nodata or declared as special."""

    dtype: Dtype = Field(description="The data type, by its numpy name.")
    unit: str = Field(description="The unit of a valid pixel.")
    nodata: float = Field(description="The nodata value that the files are tagged with.")
    minimum: float = Field(0.0, description="The smallest valid value, in the unit.")
    maximum: float = Field(description="The largest valid value, in the unit.")
    special: tuple[SpecialModel, ...] = Field((), description="Values that are no measurement.")

    def domain(self) -> PixelRules:
        special = tuple(SpecialValue(one.value, one.meaning, one.as_nodata) for one in self.special)
        return PixelRules(self.dtype, self.unit, self.nodata, self.minimum, self.maximum, special)


class GridModel(Model):
    """The grid that the files lie on."""

    crs: str = Field(
        "EPSG:4326",
        pattern=r"^EPSG:\d+$",
        description="The coordinate reference system, as EPSG:code.",
    )
    pixel: float | None = Field(
        None,
        gt=0,
        description="The pixel size in units of the CRS. Without it, the one that most files have.",
    )
    drivers: tuple[str, ...] = Field(
        ("GTiff",), description="The GDAL drivers that may open the files."
    )


class TimeModel(Model):
    """The time that an item stands for."""

    year: str | None = Field(None, description="The dimension that holds the year.")
    start: int = Field(2020, description="First year where no dimension says.")
    end: int = Field(2020, description="Last year where no dimension says.")


class ProviderModel(Model):
    """Somebody who had a part in the data."""

    name: str = Field(description="Who.")
    roles: tuple[Literal["licensor", "producer", "processor", "host"], ...] = Field(
        (), description="In which parts, in STAC's words."
    )
    url: str | None = Field(None, description="Their page.")


class ThemeModel(Model):
    """What layers are grouped under: an id, or an id with a title and a description."""

    id: Id = Field(description="The theme's id, such as flood_risk.")
    title: str = Field("", description="The theme in a few words; its id in words if not.")
    description: str = Field("", description="The theme in a few sentences.")

    @model_validator(mode="before")
    @classmethod
    def _spelled_out(cls, document: Any) -> Any:
        return {"id": document} if isinstance(document, str) else document

    def domain(self) -> Theme:
        return Theme(self.id, self.title, self.description)


class RecommendedModel(Model):
    """What is best measured of a layer."""

    statistics: tuple[Id, ...] = Field(
        ("mean", "max"), description="The statistics that say most, as hexagon tables name them."
    )
    resolutions: tuple[Annotated[int, Field(ge=0, le=15)], ...] = Field(
        (5, 6, 7), description="The H3 resolutions that suit it."
    )


class Pipeline(Model):
    """A delivery, what ought to be in it, and what is made of it.

    A pipeline of vector files alone has no inventory, and says nothing of names and pixels.
    """

    name: Slug = Field(description="The name that commands use.")
    title: str = Field(description="The dataset in a few words.")
    description: str = Field(description="The dataset in a few sentences.")
    license: str = Field("other", description="An SPDX id, or `other`.")
    citation: str = Field("", description="How to cite the dataset.")
    keywords: tuple[str, ...] = Field((), description="Words that people search for.")
    theme: ThemeModel = Field(
        ThemeModel(id="flood_risk"), description="The theme that its layers are filed under."
    )
    recommended: RecommendedModel = Field(
        RecommendedModel(), description="What is best measured of its layers."
    )
    providers: tuple[ProviderModel, ...] = Field((), description="Who made and holds the data.")
    source: SourceModel = Field(SourceModel(), description="Where the delivery lies.")
    dimensions: dict[Id, DimensionModel] = Field(
        {}, description="What the delivery varies over, in the order that makes up ids."
    )
    grammar: GrammarModel | None = Field(None, description="What a path says.")
    expect: ExpectModel = Field(ExpectModel(), description="What ought to exist.")
    pixels: PixelsModel | None = Field(None, description="What the pixels are.")
    grid: GridModel = Field(GridModel(), description="The grid that the files lie on.")
    time: TimeModel = Field(TimeModel(), description="The time that an item stands for.")
    steps: tuple[Step, ...] = Field(min_length=1, description="What is done, in this order.")

    @cached_property
    def domain_dimensions(self) -> Dimensions:
        return Dimensions(tuple(one.domain(name) for name, one in self.dimensions.items()))

    def coordinates(self, values: Mapping[str, str]) -> Coordinates:
        """The coordinates of a file or of what is made, in the order that makes up ids.

        The grid cell that a tile is merged into stands in the place of the tile; dataset,
        resolution and kind of a table come behind all else.
        """
        order = [
            place
            for name, dimension in self.dimensions.items()
            for place in ((name, CELL) if dimension.kind == "tile" else (name,))
        ]
        order += [name for name in (DATASET, H3_RESOLUTION, TABLE) if name not in order]
        return Coordinates(tuple((name, values[name]) for name in order if name in values))

    def domain_grammar(self) -> Grammar:
        """The grammar of paths; without one it reads none."""
        if self.grammar is None:
            return Grammar(self.domain_dimensions, (), ())
        return Grammar(
            self.domain_dimensions, self.grammar.folders, self.grammar.names, self.grammar.ignore
        )

    @property
    def raster_pixels(self) -> PixelsModel:
        """What the pixels are: declared wherever a step reads rasters."""
        assert self.pixels is not None
        return self.pixels

    @property
    def special(self) -> tuple[SpecialModel, ...]:
        """The pixel values that are no measurement; none where there are no pixels."""
        return self.pixels.special if self.pixels else ()

    def step(self, name: str) -> Step:
        return next(step for step in self.steps if step.name == name)

    @property
    def tile_dimension(self) -> str | None:
        """The dimension that holds tile names, if there is one."""
        return next((n for n, one in self.dimensions.items() if one.kind == "tile"), None)


def value_titles(dimensions: Dimensions, coordinates: Mapping[str, str]) -> dict[str, str]:
    """The values of coordinates in words, by dimension."""
    return {
        name: dimensions[name].value(value).title or value if name in dimensions else value
        for name, value in coordinates.items()
    }
