"""The whole catalogue as files that need no Thalweg: static STAC, and stac-geoparquet.

Both are written aside and then put in place of an earlier export.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from thalweg.catalog.ledger import Catalog, Document
from thalweg.catalog.stac import STAC_VERSION
from thalweg.errors import ExportRefused, InvalidItem
from thalweg.storage.staging import written_aside

_JSON = "application/json"
_GEOJSON = "application/geo+json"
_ROWS_AT_ONCE = 2000
_FILE_NAME = re.compile(r"(?!\.)[A-Za-z0-9._~+-]+")


def export_static(
    catalog: Catalog,
    folder: Path,
    *,
    assets: Literal["absolute", "relative"] = "absolute",
    catalog_id: str = "thalweg",
    description: str = "Everything that this Thalweg catalogue holds",
) -> int:
    """Write `catalog.json`, `<collection>/collection.json` and `<collection>/<item>/<item>.json`.

    Links are relative. Hrefs of assets stay as they are recorded, or, where they are local paths,
    become relative to the item, so that catalogue and files can move together. An earlier export
    in `folder` is replaced whole. Gives the number of items. Raises `ExportRefused` where the
    folder holds something else.
    """
    folder = folder.absolute()
    if folder.exists() and not _is_export(folder):
        raise ExportRefused(
            hint="give an empty folder, one that does not exist yet, or an earlier export",
            where=str(folder),
        )
    with written_aside(folder) as aside:
        collections = catalog.collections()
        root = _root(catalog_id, description, [collection["id"] for collection in collections])
        _write(aside / "catalog.json", root)
        written = 0
        for collection in collections:
            ids = []
            for item in catalog.items(collection["id"]):
                name = _name(item["id"])
                place = Path(_name(collection["id"]), name, f"{name}.json")
                home = (folder / place).parent if assets == "relative" else None
                _write(aside / place, _with_relative_assets(item, home) if home else item)
                ids.append(name)
            _write(aside / _name(collection["id"]) / "collection.json", _linked(collection, ids))
            written += len(ids)
        _replace_folder(aside, folder)
    return written


def export_geoparquet(catalog: Catalog, folder: Path) -> list[Path]:
    """Write `<collection>.parquet` for each collection that has items; gives their paths.

    GeoParquet 1.1 in the layout of stac-geoparquet, with the collection's document in the file's
    metadata. A collection's items must fit in memory.
    """
    folder = folder.absolute()
    written = []
    for collection in catalog.collections():
        items = list(catalog.items(collection["id"]))
        if items:
            path = folder / f"{_name(collection['id'])}.parquet"
            with written_aside(path) as aside:
                write_geoparquet(collection, items, aside)
                aside.replace(path)
            written.append(path)
    return written


def write_geoparquet(collection: Document, items: Sequence[Document], path: Path) -> None:
    """Write one collection's items, at least one, as `export_geoparquet` does."""
    import pyarrow as pa  # these take seconds, and most of Thalweg needs neither
    from stac_geoparquet.arrow import parse_stac_items_to_arrow, to_parquet

    table = pa.Table.from_batches(parse_stac_items_to_arrow(items))
    batches = table.to_batches(max_chunksize=_ROWS_AT_ONCE)
    to_parquet(
        pa.RecordBatchReader.from_batches(table.schema, batches),
        path,
        collections={collection["id"]: collection},
        compression="zstd",
    )


def _is_export(folder: Path) -> bool:
    if not folder.is_dir():
        return False
    if not any(folder.iterdir()):
        return True
    try:
        root = json.loads((folder / "catalog.json").read_text())
    except (FileNotFoundError, ValueError):
        return False
    return isinstance(root, dict) and root.get("type") == "Catalog"


def _replace_folder(aside: Path, folder: Path) -> None:
    if folder.exists():
        folder.rename(aside.with_name(f"{aside.name}.old"))
    aside.rename(folder)


def _root(catalog_id: str, description: str, collection_ids: list[str]) -> Document:
    return {
        "type": "Catalog",
        "stac_version": STAC_VERSION,
        "id": catalog_id,
        "description": description,
        "links": [
            {"rel": "root", "href": "./catalog.json", "type": _JSON},
            *(
                {"rel": "child", "href": f"./{_name(name)}/collection.json", "type": _JSON}
                for name in collection_ids
            ),
        ],
    }


def _linked(collection: Document, item_ids: list[str]) -> Document:
    items = [
        {"rel": "item", "href": f"./{_name(name)}/{_name(name)}.json", "type": _GEOJSON}
        for name in item_ids
    ]
    return {**collection, "links": [*collection["links"], *items]}


def _with_relative_assets(item: Document, home: Path) -> Document:
    assets = {
        key: {**asset, "href": _relative(asset["href"], home)}
        for key, asset in item["assets"].items()
    }
    return {**item, "assets": assets}


def _relative(href: str, home: Path) -> str:
    return os.path.relpath(href, home) if Path(href).is_absolute() else href


def _name(document_id: str) -> str:
    """The id, once it is sure to name a file and to stand in a link as it is."""
    if not _FILE_NAME.fullmatch(document_id):
        raise InvalidItem(
            f"the id {document_id!r} cannot be a file name everywhere",
            hint="use letters, digits, and . _ ~ + - in ids",
        )
    return document_id


def _write(path: Path, document: Document) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n")
