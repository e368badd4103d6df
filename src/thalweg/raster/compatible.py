"""The last step of making a COG: in the canonical layout, or once more through GDAL's driver."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import rasterio.shutil

from thalweg.raster.cogwriter import Header, Level, write_cog
from thalweg.raster.layout import Layout


def finish(
    destination: Path, header: Header, levels: Sequence[Level], files: Sequence[BinaryIO]
) -> None:
    """Write the levels in the header's layout.

    The compatible layout is GDAL's, but the overviews are ours: GDAL would average special values.
    """
    if header.layout is Layout.CANONICAL:
        write_cog(destination, header, levels, files)
        return
    with tempfile.TemporaryDirectory(dir=destination.parent, prefix=".cog-") as folder:
        draft = Path(folder) / "draft.tif"
        write_cog(draft, header, levels, files)
        rasterio.shutil.copy(
            str(draft),
            str(destination),
            driver="COG",
            COMPRESS="DEFLATE",
            PREDICTOR="YES",
            BLOCKSIZE=str(header.layout.block),
            OVERVIEWS="FORCE_USE_EXISTING",
            BIGTIFF="IF_SAFER",
            SPARSE_OK="YES",
        )
