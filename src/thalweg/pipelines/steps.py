"""The steps of a pipeline: what each operator is told in YAML."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self, get_args

from pydantic import BeforeValidator, Field, model_validator

from thalweg.pipelines.fields import BUILDINGS, COUNTRIES, Id, Model, Slug


def _united(value: object) -> object:
    return dict.fromkeys(value, "1") if isinstance(value, list) else value


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

    def dataset_of(self, pipeline: str) -> str:
        """The dataset that the tables are filed under."""
        return self.dataset or f"{pipeline}-exposure"

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
