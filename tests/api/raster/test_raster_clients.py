"""The clients that people have, with no special arguments."""

from __future__ import annotations

import numpy as np
import pystac
import pytest
from fastapi.testclient import TestClient
from raster_world import FLOODS, NODATA, WATER, WEST, depths


def item_of(service: TestClient) -> pystac.Item:
    """The item with its file's own path, which would else be taken for one of the service's."""
    item = pystac.Item.from_dict(service.get(f"/stac/collections/{FLOODS}/items/{WEST}").json())
    item.set_self_href(None)
    return item


def test_rio_tilers_stac_reader_opens_an_item(service: TestClient) -> None:
    from rio_tiler.io import STACReader

    item = item_of(service)
    with STACReader(None, item=item) as reader:
        found = reader.part((30.2, -0.8, 30.6, -0.4), assets=["data"])
    assert found.array.shape[0] == 3
    np.testing.assert_array_equal(found.array.data, depths(0)[:, 120:240, 60:180])


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore::PendingDeprecationWarning")
def test_odc_stac_loads_an_item(service: TestClient) -> None:
    from odc.stac import load

    item = item_of(service)
    found = load([item], bands=["1in10", "1in100", "1in1000"])
    values = np.stack([found[name].values[0] for name in found.data_vars])
    np.testing.assert_array_equal(values, depths(0))
    assert (values == WATER).any()
    assert (values == NODATA).any()
