"""The operators, one file each: what a step of a pipeline can do."""

from __future__ import annotations

from collections.abc import Mapping

from thalweg.pipelines.operators.buildings import Buildings
from thalweg.pipelines.operators.catalog import CatalogOperator
from thalweg.pipelines.operators.exposure import Exposure
from thalweg.pipelines.operators.hexagons import Hexagons
from thalweg.pipelines.operators.hexagons_vector import HexagonsVector
from thalweg.pipelines.operators.inventory import Inventory
from thalweg.pipelines.operators.mosaic import Mosaic
from thalweg.pipelines.operators.stack import Stack
from thalweg.pipelines.plan import Operator

OPERATORS: Mapping[str, Operator] = {
    "inventory": Inventory(),
    "stack": Stack(),
    "mosaic": Mosaic(),
    "hexagons": Hexagons(),
    "hexagons_vector": HexagonsVector(),
    "buildings": Buildings(),
    "exposure": Exposure(),
    "catalog": CatalogOperator(),
}
