from __future__ import annotations

import h3.api.numpy_int as h3
import numpy as np
import orjson
import shapely

from thalweg.api.tables.answers import outlines_as_geojson
from thalweg.hexagons.cells import cell_polygons


def test_outlines_are_geojson_cut_or_whole_of_five_corners_or_more() -> None:
    around = [h3.grid_disk(h3.latlng_to_cell(*place, 3), 3) for place in ((-17, 180), (90, 0))]
    cells = np.concatenate([*around, h3.get_pentagons(3)])
    outlines = cell_polygons(cells)
    assert len(set(shapely.get_type_id(outlines))) > 1
    assert len(set(shapely.get_num_coordinates(outlines))) > 2
    texts = [
        orjson.dumps(one, option=orjson.OPT_SERIALIZE_NUMPY).decode()
        for one in outlines_as_geojson(outlines)
    ]
    rounded = shapely.transform(outlines, lambda points: points.round(7))
    assert shapely.equals_identical(shapely.from_geojson(texts), rounded).all()


def test_no_outlines_are_no_geojson() -> None:
    assert outlines_as_geojson(cell_polygons(np.empty(0, np.uint64))) == []
