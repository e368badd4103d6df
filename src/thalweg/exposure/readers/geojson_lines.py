"""Buildings as lines of GeoJSON, one feature each, plain or gzipped."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
import shapely

from thalweg.errors import UnreadableBuildings
from thalweg.exposure.readers.reading import (
    BAD_GEOMETRY_TEXT,
    BLOCK_BYTES,
    SourceFile,
    opened,
    read_batch,
)

_NEVER_IN_JSON = "\x1f"


def read_geojson_lines(file: SourceFile) -> Iterator[pa.RecordBatch]:
    """A `Reader` of lines of features; columns are properties, `height` and `confidence` unless
    others are named."""
    properties = {
        "height": file.columns.height or "height",
        "confidence": file.columns.confidence or "confidence",
        "area": file.columns.area,
        "id": file.columns.id,
    }
    row = 1
    for lines in _lines(file):
        texts = lines.to_numpy(zero_copy_only=False)
        geometries = shapely.from_geojson(texts, on_invalid="ignore")
        rows = np.arange(row, row + len(texts), dtype=np.int64)
        row += len(texts)
        problems = np.full(len(texts), None, np.object_)
        problems[geometries == None] = BAD_GEOMETRY_TEXT  # noqa: E711
        blank = np.array(pc.equal(pc.utf8_length(pc.utf8_trim_whitespace(lines)), 0))
        taken = {name: _property(lines, held) for name, held in properties.items() if held}
        batch = read_batch(
            file, pa.array(shapely.to_wkb(geometries), pa.binary()), rows, taken, problems
        )
        yield batch.filter(pa.array(~blank)) if blank.any() else batch


def _lines(file: SourceFile) -> Iterator[pa.Array]:
    try:
        reader = pa_csv.open_csv(
            opened(file.path),
            pa_csv.ReadOptions(use_threads=False, block_size=BLOCK_BYTES, column_names=["line"]),
            pa_csv.ParseOptions(
                delimiter=_NEVER_IN_JSON, quote_char=False, ignore_empty_lines=False
            ),
            pa_csv.ConvertOptions(column_types={"line": pa.string()}, strings_can_be_null=False),
        )
        for batch in reader:
            yield batch["line"]
    except (pa.ArrowInvalid, OSError) as error:
        raise UnreadableBuildings(
            f"not lines of GeoJSON, or damaged: {error}", where=file.key
        ) from error


def _property(lines: pa.Array, name: str) -> pa.Array:
    """The value of a property as text, null where it is absent or null.

    Each line is held to be JSON by the parser of its geometry, and a quote within a text is
    escaped there: so the name in quotes with a colon behind it is a member's name.
    """
    pattern = rf'"{_escaped(name)}"\s*:\s*(?P<value>"(?:[^"\\]|\\.)*"|[^,}}\s]+)'
    value = pc.struct_field(pc.extract_regex(lines, pattern), "value")
    value = pc.if_else(pc.equal(value, "null"), pa.scalar(None, pa.string()), value)
    return pc.utf8_trim(value, '"')


def _escaped(name: str) -> str:
    return "".join(one if one.isalnum() or one == "_" else f"\\{one}" for one in name)
