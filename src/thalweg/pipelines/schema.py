"""The schema of a pipeline file: what names mean, what ought to exist, what to make of it."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.dimensions import Dimension, Dimensions, Value
from thalweg.domain.expectation import Declared, Expectation
from thalweg.domain.grammar import Grammar
from thalweg.domain.layers import Theme
from thalweg.domain.pixels import PixelRules, SpecialValue


def _text(value: object) -> object:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, (str, int)) else value


def _united(value: object) -> object:
    return dict.fromkeys(value, "1") if isinstance(value, list) else value


Id = Annotated[str, Field(pattern=r"^[a-z0-9_]+$"), BeforeValidator(_text)]
Ids = Annotated[tuple[Id, ...], BeforeValidator(_listed)]
Slug = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$")]

type Dtype = Literal["uint8", "int8", "uint16", "int16", "int32", "float32", "float64"]

CELL = "cell"
DATASET = "dataset"
H3_RESOLUTION = "h3_resolution"
TABLE = "table"
COUNTRIES, BUILDINGS = "countries", "buildings"


class Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ValueModel(Model):
    """One value of a dimension."""

    aliases: Annotated[tuple[str, ...], BeforeValidator(_listed)] = Field(
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


class StepModel(Model):
    """What every step has."""

    name: Slug = Field("", description="The step's name; the operator's where none is given.")
    enabled: bool = Field(
        True,
        description="A step that is not enabled is left out, with those that need it, "
        "unless a run asks for it by `--with`.",
    )

    @property
    def needs(self) -> tuple[str, ...]:
        """The earlier steps that this one works with."""
        of: str | None = getattr(self, "of", None)
        return () if of is None else (of,)

    @model_validator(mode="before")
    @classmethod
    def _named(cls, document: Any) -> Any:
        if isinstance(document, dict) and "name" not in document and "operator" in document:
            return {**document, "name": document["operator"]}
        return document


class InventoryStep(StepModel):
    """Looks at every file: what it is by its name, and whether its pixels are as declared."""

    operator: Literal["inventory"]


class StackStep(StepModel):
    """Makes one Cloud-Optimized GeoTIFF of the files that differ in one dimension only."""

    operator: Literal["stack"]
    over: str = Field(description="The dimension that becomes the bands, in its order.")
    layout: Literal["canonical", "compatible"] = Field(
        "canonical",
        description="`canonical`: ZSTD, 400-pixel blocks, merged by copying; "
        "`compatible`: DEFLATE, 512-pixel blocks, as GDAL's COG driver writes.",
    )
    resampling: Literal["mean", "nearest", "max"] = Field(
        "mean", description="How overviews are made from valid pixels."
    )
    zone: str = Field("silver", description="The zone to publish to.")


class MosaicStep(StepModel):
    """Merges the tiles of a grid cell into one Cloud-Optimized GeoTIFF."""

    operator: Literal["mosaic"]
    of: Slug = Field("stack", description="The step whose files are merged.")
    tile: str = Field("tile", description="The dimension that holds the tile names.")
    cell_degrees: int = Field(4, ge=1, le=90, description="The size of a grid cell in degrees.")
    layout: Literal["canonical", "compatible"] = Field(
        "canonical", description="As for the stack; blocks are copied only in `canonical`."
    )
    resampling: Literal["mean", "nearest", "max"] = Field(
        "mean", description="How overviews are made from valid pixels."
    )
    zone: str = Field("silver", description="The zone to publish to.")


class HexagonsStep(StepModel):
    """Makes tables of what each H3 cell holds of the layers of another step, by resolution."""

    operator: Literal["hexagons"]
    of: Slug = Field("mosaic", description="The step whose files are measured.")
    resolutions: tuple[Annotated[int, Field(ge=0, le=12)], ...] = Field(
        (4, 5, 6, 7), min_length=1, description="The H3 resolutions."
    )
    theme: Id | None = Field(
        None, description="The theme that the tables are filed under; the pipeline's if not."
    )
    rule: Literal["centre", "area"] = Field(
        "centre",
        description="`centre`: a pixel counts in the cell that holds its centre; "
        "`area`: pixels on a cell's edge are shared out.",
    )
    depths: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.15, 0.5, 1.0, 1.5, 2.0),
        description="Depths in metres, rising: the share and area deeper than each is measured.",
    )
    percentiles: bool = Field(False, description="Whether the median and p90 are measured too.")
    countries: bool = Field(True, description="Whether each cell is given its country's code.")
    zone: str = Field("silver", description="The zone to publish to.")


class FilesStep(StepModel):
    """What steps have that read files of their own: these need no inventory."""

    zone: str = Field("silver", description="The zone to publish to.")

    @property
    def patterns(self) -> tuple[str, ...]:
        """The files, as paths or globs below the pipeline's source."""
        raise NotImplementedError


class VectorStep(FilesStep):
    """What steps have that read vector files of one kind."""

    source: str = Field(
        min_length=1,
        description="The vector file, or a glob of several, below the pipeline's source. "
        "`*` stands for anything within one folder or name.",
    )
    layer: str = Field("", description="The layer to read, where a file has several.")
    longitude: str = Field(
        "", description="The column of the longitude, in tables without a geometry such as CSV."
    )
    latitude: str = Field("", description="The column of the latitude, likewise.")
    crs: str | None = Field(
        None,
        pattern=r"^[A-Z]+:\w+$",
        description="The coordinate reference system of files that name none, as EPSG:code.",
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        return (self.source,)


class HexagonsVectorStep(VectorStep):
    """Makes tables of the points, lines and polygons in each H3 cell, by category."""

    operator: Literal["hexagons_vector"]
    category: str = Field("", description="The column that tells the features' categories.")
    sums: Annotated[dict[str, str], BeforeValidator(_united)] = Field(
        {},
        description="The columns of numbers to sum: a list, or a mapping of each to its unit.",
    )
    rule: Literal["centroid", "each", "share"] = Field(
        "centroid",
        description="Where a feature over several cells counts. `centroid`: once, in the cell of "
        "its centroid; `each`: in each cell that it touches; `share`: by its share in each.",
    )
    resolutions: tuple[Annotated[int, Field(ge=0, le=12)], ...] = Field(
        (4, 5, 6, 7), min_length=1, description="The H3 resolutions."
    )
    theme: Id = Field(description="The theme that the tables are filed under.")
    dataset: Slug | None = Field(
        None, description="The dataset that the tables are filed under; the pipeline's name if not."
    )
    countries: bool = Field(True, description="Whether each cell is given its country's code.")


class BuildingColumns(Model):
    """The names of a source's columns, where they are not those of its layout."""

    id: str = Field("", description="The building's id; file and row where there is none.")
    geometry: str = Field("", description="The column of geometries, in Parquet and CSV.")
    longitude: str = Field("", description="The column of the longitude, in `points-csv`.")
    latitude: str = Field("", description="The column of the latitude, likewise.")
    height: str = Field("", description="The height in metres.")
    confidence: str = Field("", description="How sure it is that this is a building, 0 to 1.")
    area: str = Field("", description="The area in m2, for points; that of footprints is measured.")
    source: str = Field("", description="Where a row comes from, in files merged of several.")


class BuildingSource(Model):
    """Files of buildings from one publisher."""

    name: Slug = Field(description="The name that the buildings bear in the column `source`.")
    files: str = Field(
        min_length=1,
        description="The file, or a glob of several, below the pipeline's source.",
    )
    layout: Literal["geoparquet", "features", "osm", "geojson-lines", "wkt-csv", "points-csv"] = (
        Field(description="How the files are laid out.")
    )
    columns: BuildingColumns = Field(BuildingColumns(), description="The names of columns.")
    layer: str = Field("", description="The layer to read, where a file has several.")
    confidence: float | None = Field(
        None, ge=0, le=1, description="The least confidence that is taken."
    )
    precision: Literal[80, 85, 90] | None = Field(
        None, description="Takes for each tile the confidence that gives this precision in percent."
    )
    thresholds: str = Field(
        "", description="The file of confidences by tile that `precision` needs, likewise below."
    )
    unknown: float | None = Field(
        None, description="The number that stands for an unknown height or confidence, such as -1."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if (self.precision is None) != (not self.thresholds):
            raise ValueError("precision and thresholds are given together, or neither")
        if self.precision is not None and self.confidence is not None:
            raise ValueError("confidence is given, or precision, not both")
        return self


class BuildingsStep(FilesStep):
    """Makes one table of the buildings of several sources, cleaned and sorted in space."""

    operator: Literal["buildings"]
    sources: tuple[BuildingSource, ...] = Field(
        min_length=1, description="Where buildings come from, the first to be preferred."
    )
    keep: Literal["all", "first"] = Field(
        "all", description="Which of a building that several sources have: all, or the `first`'s."
    )
    distance: float = Field(
        0.0,
        ge=0,
        le=1000,
        description="With `first`, the metres between centroids within which two are one building.",
    )
    bbox: tuple[float, float, float, float] | None = Field(
        None, description="West, south, east and north in degrees: buildings with centroids there."
    )
    resolution: int = Field(12, ge=0, le=15, description="The H3 resolution of each one's cell.")
    countries: bool = Field(True, description="Whether each is given its country's code.")
    dataset: Slug | None = Field(
        None, description="The name of the table; the pipeline's name if not."
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        thresholds = (one.thresholds for one in self.sources if one.thresholds)
        return tuple(dict.fromkeys([*(one.files for one in self.sources), *thresholds]))


class AreasModel(Model):
    """Areas that buildings are added up in."""

    name: Slug = Field(description="What the areas are called, such as districts.")
    outlines: str = Field(
        min_length=1, description="The vector file of outlines, below the pipeline's source."
    )
    column: str = Field(min_length=1, description="The column of the areas' codes or names.")


class DamageModel(Model):
    """What buildings lose at a depth."""

    name: Id = Field(description="The name, which the columns bear: damage_NAME.")
    curve: str = Field(
        min_length=1,
        description="A CSV below the pipeline's source: the depth in metres in the first column.",
    )
    column: str = Field("damage_fraction", description="Its column of shares lost, 0 to 1.")
    value: float = Field(gt=0, description="What a building, or a m2 of it, is worth.")
    per: Literal["building", "m2"] = Field("m2", description="What the value is of.")
    currency: str = Field(min_length=1, description="The currency of the value, such as USD.")


class ExposureStep(FilesStep):
    """Makes tables of how many buildings stand in the water, by H3 cell and by area."""

    operator: Literal["exposure"]
    of: Slug = Field("mosaic", description="The step whose files say how deep the water is.")
    buildings: str = Field(
        "buildings",
        min_length=1,
        description="The step `buildings`, or the path of a .parquet that such a step made, below "
        "the pipeline's source.",
    )
    rule: Literal["centroid", "max", "mean", "any"] = Field(
        "max",
        description="Which pixels tell a building's depth. `centroid`: that of its centroid; "
        "`max`: the deepest of those with their centre in the footprint, `mean`: their mean; "
        "`any`: the deepest that the footprint shares anything with.",
    )
    buffer_m: float = Field(
        0.0, ge=0, le=1000, description="A margin in metres that is added to the footprint."
    )
    thresholds: tuple[Annotated[float, Field(ge=0)], ...] = Field(
        (0.15, 0.5, 1.0, 1.5, 2.0),
        min_length=1,
        description="Depths in metres, rising: a building is exposed where it stands deeper.",
    )
    nodata: Literal["unknown", "dry"] = Field(
        "unknown", description="What a pixel without data means."
    )
    water: Literal["apart", "unknown", "exposed"] = Field(
        "apart",
        description="What buildings are that stand in special values such as permanent water "
        "alone: counted `apart`, `unknown`, or `exposed` at every threshold.",
    )
    resolutions: tuple[Annotated[int, Field(ge=0, le=12)], ...] = Field(
        (5, 6, 7, 8), min_length=1, description="The H3 resolutions."
    )
    countries: bool = Field(
        True, description="Whether buildings are added up by country, and cells told theirs."
    )
    areas: tuple[AreasModel, ...] = Field(
        (), description="Other areas that buildings are added up in."
    )
    damage: tuple[DamageModel, ...] = Field((), description="What buildings lose at a depth.")
    keep_buildings: bool = Field(
        False, description="Whether a table of each building's depths is kept."
    )
    theme: Id = Field("exposure", description="The theme that the tables are filed under.")
    dataset: Slug | None = Field(
        None,
        description="The dataset that they are filed under; the pipeline's name-exposure if not.",
    )

    @property
    def patterns(self) -> tuple[str, ...]:
        table = [self.buildings] if self.buildings_is_file else []
        files = [*(one.outlines for one in self.areas), *(one.curve for one in self.damage)]
        return tuple(dict.fromkeys([*table, *files]))

    @property
    def buildings_is_file(self) -> bool:
        return self.buildings.endswith(".parquet")

    @property
    def needs(self) -> tuple[str, ...]:
        return (self.of,) if self.buildings_is_file else (self.of, self.buildings)

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if list(self.thresholds) != sorted(set(self.thresholds)):
            raise ValueError("thresholds must rise")
        for kind, names in (
            ("areas", [COUNTRIES, BUILDINGS, *(one.name for one in self.areas)]),
            ("damages", [one.name for one in self.damage]),
        ):
            if len(names) != len(set(names)):
                raise ValueError(f"{kind} must have names of their own")
        return self


class CatalogStep(StepModel):
    """Catalogues what another step made: one STAC item each, in one collection."""

    operator: Literal["catalog"]
    of: Slug = Field("mosaic", description="The step whose files become items.")
    collection: Slug = Field(description="The id of the collection.")
    title: str = Field(
        "", description="The title of an item; `{dimension}` stands for its value in words."
    )
    zone: str = Field("silver", description="The zone that the collection is published to.")


Step = Annotated[
    InventoryStep
    | StackStep
    | MosaicStep
    | HexagonsStep
    | HexagonsVectorStep
    | BuildingsStep
    | ExposureStep
    | CatalogStep,
    Field(discriminator="operator"),
]
OPERATOR_NAMES: frozenset[str] = frozenset(
    name
    for model in get_args(get_args(Step)[0])
    for name in get_args(model.model_fields["operator"].annotation)
)


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

        The grid cell that a tile is merged into stands in the place of the tile; dataset and
        resolution of a table come behind all else.
        """
        order = [
            place
            for name, dimension in self.dimensions.items()
            for place in ((name, CELL) if dimension.kind == "tile" else (name,))
        ]
        order += [name for name in (DATASET, H3_RESOLUTION) if name not in order]
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
