"""Files that describe a layer which no pipeline makes."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from thalweg.domain.coordinates import Coordinates
from thalweg.domain.layers import Layer, Theme
from thalweg.errors import InvalidLayer
from thalweg.pipelines.fields import Id, Model, Slug
from thalweg.pipelines.schema import RecommendedModel, ThemeModel
from thalweg.pipelines.yaml_files import read_model, read_text

LayerId = Annotated[str, Field(pattern=r"^[a-z0-9]+(_[a-z0-9]+)*$")]


class LayerModel(Model):
    """A layer of the source catalogue."""

    id: LayerId = Field(description="The id: lower-case words joined by underscores.")
    title: str = Field(min_length=1, description="The layer in a few words.")
    description: str = Field("", description="The layer in a few sentences.")
    theme: ThemeModel = Field(description="The theme that it is filed under.")
    dataset: Slug | None = Field(None, description="The dataset that it is of; its id if not.")
    unit: str = Field(min_length=1, description="The unit of a value; 1 where there is none.")
    nodata: float | None = Field(None, description="The value that stands for no data.")
    license: str = Field(min_length=1, description="An SPDX id, or `other`.")
    origin: str = Field("", description="Who made it, and where it is had.")
    citation: str = Field("", description="How to cite it.")
    crs: str = Field("", description="The coordinate reference system, as EPSG:code.")
    pixel: float | None = Field(None, gt=0, description="A pixel's size in units of the CRS.")
    coordinates: dict[Id, Id] = Field({}, description="Its place in the dataset's dimensions.")
    recommended: RecommendedModel = Field(
        RecommendedModel(), description="What is best measured of it."
    )

    def domain(self) -> tuple[Layer, Theme]:
        fields = self.model_dump(exclude={"theme", "dataset", "coordinates", "recommended"})
        layer = Layer(
            **fields,
            theme=self.theme.id,
            dataset=self.dataset or self.id,
            coordinates=Coordinates(tuple(self.coordinates.items())),
            statistics=self.recommended.statistics,
            resolutions=self.recommended.resolutions,
        )
        return layer, self.theme.domain()


def load_layer(path: Path) -> tuple[Layer, Theme]:
    """The layer of a file and its theme; raises `InvalidLayer` naming file, line and column."""
    model, _ = read_model(
        LayerModel,
        read_text(path, InvalidLayer),
        str(path),
        InvalidLayer,
        hint="`thalweg sources add --help` shows a whole file",
    )
    return model.domain()
