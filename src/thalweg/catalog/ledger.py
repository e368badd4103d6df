"""What the catalogue holds, and the one interface to every store of it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol, Self

from thalweg.domain.layers import Layer, Theme

if TYPE_CHECKING:
    from thalweg.catalog.item_search import Found, ItemSearch, Page

type Document = dict[str, Any]
"""A JSON object: a STAC item or collection, or facts about a file."""

PARQUET_MEDIA_TYPE = "application/vnd.apache.parquet"


class Ref(NamedTuple):
    """The place of an object: a zone's name and a key in it."""

    zone: str
    key: str


@dataclass(frozen=True)
class Input:
    """What an artifact was made from: a source (identity: its etag) or another artifact
    (identity: its fingerprint)."""

    zone: str
    key: str
    identity: str


@dataclass(frozen=True)
class Source:
    """A raw file as a pipeline last inspected it.

    `coordinates` is None where the name could not be read. `facts` come from the inspection;
    `problem` is the `ThalwegError.to_json` of a rejected file.
    """

    zone: str
    key: str
    etag: str
    size: int
    pipeline: str
    coordinates: dict[str, str] | None
    status: Literal["ok", "rejected"]
    facts: Document
    problem: Document | None = None

    def to_json(self) -> Document:
        return asdict(self)

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(**document)


@dataclass(frozen=True)
class Artifact:
    """A file that an operator made, and what it was made from.

    `fingerprint` and `checksum` are SHA-256 in hex: of what determines the file, and of its bytes.
    `coordinates` say what it holds; of the artifacts of one (pipeline, kind, coordinates) the one
    recorded last is current. `made_at` is an ISO 8601 time in UTC.
    """

    zone: str
    key: str
    kind: str
    pipeline: str
    operator: str
    operator_version: int
    fingerprint: str
    checksum: str
    size: int
    media_type: str
    coordinates: dict[str, str]
    facts: Document
    run_id: str
    made_at: str
    inputs: tuple[Input, ...]

    @property
    def ref(self) -> Ref:
        return Ref(self.zone, self.key)

    def to_json(self) -> Document:
        return {**asdict(self), "inputs": [asdict(source) for source in self.inputs]}

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        inputs = tuple(Input(**source) for source in document["inputs"])
        return cls(**{**document, "inputs": inputs})


class Edge(NamedTuple):
    """One step of lineage: `made` is an artifact that was made from `source`."""

    made: Ref
    source: Input


@dataclass(frozen=True)
class Lineage:
    """Everything that an object was made from, and everything made from it, step by step.

    Nearest steps first; a step that is reached on several ways is listed once.
    """

    upstream: tuple[Edge, ...]
    downstream: tuple[Edge, ...]


class Catalog(Protocol):
    """The ledger of sources and artifacts, the STAC documents that describe them, and the layers
    that they hold.

    Safe to use from several processes at once. Every method may raise `CatalogBusy` (another
    process wrote for too long; transient), `DiskFull` or `CatalogUnreadable`. A write happens
    whole or not at all.
    """

    def record(self, artifact: Artifact, item: Document | None = None) -> None:
        """Record an artifact, its inputs and its STAC item, in one transaction.

        The artifact becomes the current one of its (pipeline, kind, coordinates). Where it is
        recorded already (same key, fingerprint and checksum) it keeps its first `made_at` and
        `run_id`. Once an item is given, items of the artifacts that it supersedes are gone.

        Raises `ArtifactConflict` where the key holds other bytes or another fingerprint, and
        `CollectionNotFound` where the item's collection was not put before.
        """

    def record_items(self, items: Iterable[tuple[Document, Ref]]) -> None:
        """Record STAC items for artifacts that are recorded already, in one transaction.

        Raises `ArtifactNotFound`, `ArtifactSuperseded` and `CollectionNotFound`.
        """

    def put_collection(self, collection: Document) -> None:
        """Record a STAC collection, in place of an earlier one of its id."""

    def record_sources(self, sources: Iterable[Source]) -> None:
        """Record sources as they are now, in one transaction."""

    def forget_sources(self, pipeline: str, sources: Iterable[Ref]) -> None:
        """Forget sources that are no longer there, in one transaction."""

    def sources(self, pipeline: str, zone: str | None = None, prefix: str = "") -> Iterator[Source]:
        """The sources of a pipeline, ordered by zone and key."""

    def artifacts(
        self,
        pipeline: str | None = None,
        kind: str | None = None,
        current: bool | None = True,
        *,
        whole: bool = True,
    ) -> Iterator[Artifact]:
        """The artifacts, ordered by zone and key; with `current=None` superseded ones as well.

        Unless `whole`, their facts and inputs, which are long, are left empty.
        """

    def find(self, zone: str, key: str) -> Artifact | None:
        """The artifact recorded under that key, current or not."""

    def by_fingerprint(self, fingerprints: Iterable[str]) -> list[Artifact]:
        """The current artifacts that have one of the fingerprints, ordered by zone and key."""

    def lineage(self, zone: str, key: str) -> Lineage:
        """What the object was made from, and what was made from it; a source has no upstream."""

    def collections(self) -> list[Document]:
        """All collections, ordered by id."""

    def collection(self, collection_id: str) -> Document:
        """The collection of that id; raises `CollectionNotFound`."""

    def items(self, collection_id: str) -> Iterator[Document]:
        """The items of a collection, ordered by id; raises `CollectionNotFound`."""

    def item(self, collection_id: str, item_id: str) -> Document:
        """The item of that id; raises `ItemNotFound`."""

    def put_items(self, items: Iterable[Document], *, new: bool | None = None) -> None:
        """Put items that no artifact stands behind, in one transaction.

        With `new` none may be there yet (`ItemExists`), with `new=False` all must be
        (`ItemNotFound`). Raises `CollectionNotFound`.
        """

    def delete_item(self, collection_id: str, item_id: str) -> None:
        """Delete an item, not its files; raises `ItemNotFound`."""

    def delete_collection(self, collection_id: str) -> None:
        """Delete a collection and its items, not their files; raises `CollectionNotFound`."""

    def find_items(self, search: ItemSearch) -> Page:
        """One page of the items that a search finds; raises `InvalidFilter`, `InvalidRequest`."""

    def find_collections(self, search: ItemSearch, offset: int = 0) -> Found:
        """Some of the collections that a search finds; raises `InvalidFilter`."""

    def property_types(self, collection_id: str | None = None) -> dict[str, str]:
        """The JSON type of each property that items of a collection (or all) have."""

    def put_layers(
        self, layers: Iterable[Layer], themes: Iterable[Theme] = (), *, pipeline: str | None = None
    ) -> None:
        """Register layers in place of those of their ids, and themes, in one transaction.

        Of a theme that is known, what is left empty stays as it was.
        With `pipeline` they are all that it declares: what it declared before and does not now is
        kept, and marked. Raises `LayerConflict` where two of them, or one of them and a declared
        layer of another pipeline or of none, have one id.
        """

    def layers(self, theme: str | None = None, pipeline: str | None = None) -> list[Layer]:
        """The layers of the source catalogue, ordered by id."""

    def layer(self, layer_id: str) -> Layer:
        """The layer of that id; raises `LayerNotFound`."""

    def themes(self) -> list[Theme]:
        """The themes of the source catalogue, ordered by id."""

    def close(self) -> None:
        """Let go of the store."""

    def __enter__(self) -> Self: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None: ...
