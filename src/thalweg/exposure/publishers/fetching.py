"""Fetching files as their publishers lay them out, whole or not at all."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import HTTPStore, ObjectStore

from thalweg.errors import ObjectNotFound, PublisherUnavailable, SettingsError, UnexpectedAnswer
from thalweg.storage.staging import written_aside

SECONDS = 60.0


@dataclass(frozen=True)
class Remote:
    """A file at its publisher's: `path` within a store, and the `key` that it is kept under."""

    store: ObjectStore
    path: str
    key: str


@dataclass(frozen=True)
class Fetched:
    """What became of a file; `again` where it was here before."""

    key: str
    size: int
    again: bool


def fetch(
    files: Iterable[Remote], folder: Path, progress: Callable[[Fetched], None] = lambda _: None
) -> list[Fetched]:
    """Fetches files below a folder; those that are there with the same size are left.

    Raises `PublisherUnavailable`, which may pass, or `ObjectNotFound`.
    """
    done = []
    for file in files:
        done.append(_fetched(file, folder / file.key))
        progress(done[-1])
    return done


def remote_at(url: str, key: str) -> Remote:
    """A file by its whole address."""
    parts = urlsplit(_checked(url))
    root = f"{parts.scheme}://{parts.netloc}"
    return Remote(HTTPStore.from_url(root, client_options=client_options(url)), parts.path, key)


def read_json(url: str, body: Any = None) -> Any:
    """The JSON at an address; `body` is posted as JSON.

    Raises `PublisherUnavailable` or `UnexpectedAnswer`.
    """
    try:
        return json.loads(_read(url, body))
    except ValueError as error:
        raise UnexpectedAnswer(f"not JSON: {error}", where=url) from error


def read_text(url: str) -> str:
    """The text at an address; raises `PublisherUnavailable` or `UnexpectedAnswer`."""
    return _read(url, None).decode("utf-8-sig")


def client_options(url: str) -> Any:
    """Plain HTTP is for servers of one's own."""
    return {"allow_http": urlsplit(url).scheme == "http", "timeout": f"{SECONDS:.0f}s"}


@contextmanager
def named_errors(where: str) -> Iterator[None]:
    """Errors of a store as errors of Thalweg."""
    try:
        yield
    except (NotFoundError, FileNotFoundError) as error:
        raise ObjectNotFound("the publisher holds no such file", where=where) from error
    except BaseError as error:
        lines = str(error).strip().splitlines() or [type(error).__name__]
        # What signs an address must not be told.
        told = re.sub(r"\?[^\s\"']*", "", lines[0])
        raise PublisherUnavailable(told, where=where, hint="try again later") from None


def _fetched(file: Remote, target: Path) -> Fetched:
    with named_errors(file.path):
        answer = obstore.get(file.store, file.path)
        size = answer.meta["size"]
        if target.exists() and target.stat().st_size == size:
            return Fetched(file.key, size, again=True)
        with written_aside(target) as aside:
            with aside.open("wb") as out:
                for chunk in answer:
                    out.write(chunk)
            if aside.stat().st_size != size:
                raise PublisherUnavailable(
                    f"{aside.stat().st_size:,} bytes came of {size:,}", where=file.path
                )
            aside.replace(target)
    return Fetched(file.key, size, again=False)


def _read(url: str, body: Any) -> bytes:
    data = None if body is None else json.dumps(body).encode()
    request = Request(  # noqa: S310 - the scheme is checked
        _checked(url), data, {"Accept": "*/*", "Content-Type": "application/json"}
    )
    try:
        with urlopen(request, timeout=SECONDS) as answer:  # noqa: S310
            held: bytes = answer.read()
            return held
    except HTTPError as error:
        kind = PublisherUnavailable if error.code >= 500 or error.code == 429 else UnexpectedAnswer
        raise kind(f"HTTP {error.code} {error.reason}", where=url) from error
    except (URLError, OSError) as error:
        raise PublisherUnavailable(str(error), where=url, hint="try again later") from error


def _checked(url: str) -> str:
    if urlsplit(url).scheme not in ("http", "https"):
        raise SettingsError(f"{url!r} is no address", hint="it begins with https://")
    return url
