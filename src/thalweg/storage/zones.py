"""Zones: named places that hold objects, each also as a path that GDAL opens.

A zone is a URL: a folder (a plain path or `file:`), `s3:`, `az:`, or `gs:`. Credentials come from
the environment variables of each provider, which both obstore and GDAL read.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Literal
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import (
    AlreadyExistsError,
    BaseError,
    NotFoundError,
    PermissionDeniedError,
    UnauthenticatedError,
)
from obstore.store import AzureStore, GCSStore, LocalStore, ObjectStore, S3Store, from_url

from thalweg.errors import (
    DiskFull,
    ObjectExists,
    ObjectNotFound,
    SettingsError,
    StorageError,
    StorageUnavailable,
)
from thalweg.storage.folders import StoredObject, file_at, files_below
from thalweg.storage.staging import STAGING_FOLDER, staging_area

_GDAL_PREFIX = {"s3": "/vsis3/", "az": "/vsiaz/", "gs": "/vsigs/"}


class Zone:
    """A named place for objects, addressed by key: a relative path with forward slashes."""

    def __init__(self, name: str, url: str) -> None:
        self.name = name
        self.url = url
        scheme = urlsplit(url).scheme
        if scheme in ("", "file"):
            self._folder: Path | None = Path(unquote(urlsplit(url).path) or ".").absolute()
        elif scheme in _GDAL_PREFIX:
            self._folder = None
        else:
            raise SettingsError(
                f"zone {name!r}: {url!r} is no place that Thalweg can use",
                hint="give a folder, or a URL that begins with s3://, az:// or gs://",
            )

    def __repr__(self) -> str:
        return f"Zone({self.name!r}, {self.url!r})"

    @property
    def folder(self) -> Path | None:
        """The zone's folder, or None where it is not on this machine."""
        return self._folder

    def list(self, prefix: str = "") -> Iterator[StoredObject]:
        """Streams the objects whose key lies under the folder `prefix`, in no order.

        Names that begin with a dot are Thalweg's own and are left out. Raises `ObjectNotFound`
        where a zone's folder does not exist.
        """
        with self._named_errors(prefix):
            if self._folder is not None:
                self._check_folder(self._folder)
                yield from files_below(self._folder, prefix)
                return
            for batch in obstore.list(self._store(), prefix=prefix or None, chunk_size=1000):
                for meta in batch:
                    key = meta["path"]
                    if not key.startswith(".") and "/." not in key:
                        yield StoredObject(key, meta["size"], _etag(meta))

    def head(self, key: str) -> StoredObject | None:
        """The object of a key, or None where there is none."""
        if self._folder is not None:
            return file_at(self._folder, _checked(key))
        with self._named_errors(key):
            try:
                meta = obstore.head(self._store(), _checked(key))
            except (NotFoundError, FileNotFoundError):
                return None
        return StoredObject(key, meta["size"], _etag(meta))

    def read(self, key: str) -> bytes:
        """The bytes of a small object; raises `ObjectNotFound`."""
        with self._named_errors(key):
            return bytes(obstore.get(self._store(), _checked(key)).bytes())

    def gdal_path(self, key: str) -> str:
        """The path by which GDAL opens the object."""
        if self._folder is not None:
            return str(self._folder / _checked(key))
        parts = urlsplit(self.url)
        root = "/".join(part for part in (parts.netloc, parts.path.strip("/")) if part)
        return f"{_GDAL_PREFIX[parts.scheme]}{root}/{_checked(key)}"

    def href(self, key: str) -> str:
        """The address of the object for others: an absolute path, or a URL."""
        if self._folder is not None:
            return str(self._folder / _checked(key))
        return f"{self.url.rstrip('/')}/{_checked(key)}"

    def signed_url(self, key: str, seconds: int, method: Literal["GET", "HEAD"] = "GET") -> str:
        """A link to the object that its store answers, without credentials, for so long.

        Raises `StorageError` for a folder, and where there are no credentials to sign with.
        """
        store = self._store()
        if not isinstance(store, (S3Store, AzureStore, GCSStore)):
            raise StorageError("a folder signs no links", where=self.url)
        with self._named_errors(key):
            lasting = timedelta(seconds=seconds)
            return str(obstore.sign(store, method, _checked(key), lasting))

    def gdal_environment(self) -> dict[str, str]:
        """GDAL options that make `gdal_path` reach the same place as this zone."""
        endpoint = os.environ.get("AWS_ENDPOINT_URL") or os.environ.get("AWS_ENDPOINT")
        if self._folder is not None or urlsplit(self.url).scheme != "s3" or not endpoint:
            return {}
        parts = urlsplit(endpoint)
        return {
            "AWS_S3_ENDPOINT": parts.netloc,
            "AWS_HTTPS": "YES" if parts.scheme == "https" else "NO",
            "AWS_VIRTUAL_HOSTING": "FALSE",
        }

    @contextmanager
    def staging(self) -> Iterator[Path]:
        """A folder to write aside in, gone afterwards; on the zone's own disk where it has one."""
        if self._folder is None:
            with TemporaryDirectory(prefix="thalweg-") as folder:
                yield Path(folder)
            return
        with self._named_errors(STAGING_FOLDER), staging_area(self._folder) as folder:
            yield folder

    def publish(self, written: Path, key: str) -> None:
        """Puts a finished, verified file under a key, if there is none yet.

        All or nothing, also when the process is killed. Raises `ObjectExists` where the key is
        taken, `DiskFull` where there is no room.
        """
        with self._named_errors(key):
            if self._folder is None:
                with written.open("rb") as file:
                    obstore.put(self._store(), _checked(key), file, mode="create")
                return
            _sync(written)
            target = self._folder / _checked(key)
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(written, target)

    def replace(self, written: Path, key: str) -> None:
        """Puts a file under a key in place of what is there: only to mend a damaged object."""
        with self._named_errors(key):
            if self._folder is None:
                with written.open("rb") as file:
                    obstore.put(self._store(), _checked(key), file)
                return
            _sync(written)
            target = self._folder / _checked(key)
            target.parent.mkdir(parents=True, exist_ok=True)
            written.replace(target)

    @contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        """The object as a file of this machine: itself in a local zone, else a passing copy."""
        if self._folder is not None:
            yield self._folder / _checked(key)
            return
        with self.staging() as area:
            copy = area / "copy"
            with self._named_errors(key), copy.open("wb") as file:
                for chunk in obstore.get(self._store(), _checked(key)):
                    file.write(chunk)
            yield copy

    def _store(self) -> ObjectStore:
        if self._folder is None:
            return from_url(self.url)
        self._check_folder(self._folder)
        return LocalStore(self._folder)

    def _check_folder(self, folder: Path) -> None:
        if not folder.is_dir():
            raise ObjectNotFound(
                "no such folder",
                where=str(folder),
                hint=f"create it, or set zones.{self.name} to another place (--source sets bronze)",
            )

    @contextmanager
    def _named_errors(self, key: str) -> Iterator[None]:
        where = f"{self.url.rstrip('/')}/{key}"
        try:
            yield
        except (AlreadyExistsError, FileExistsError) as error:
            raise ObjectExists(where=where) from error
        except (NotFoundError, FileNotFoundError) as error:
            raise ObjectNotFound(where=where) from error
        except (PermissionDeniedError, UnauthenticatedError, PermissionError) as error:
            raise StorageError(
                f"no permission: {_first_line(error)}",
                where=where,
                hint=f"check the rights and credentials for zone {self.name!r}",
            ) from error
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise DiskFull(where=where, hint="free some space and run again") from error
            raise StorageError(_first_line(error), where=where) from error
        except BaseError as error:
            raise StorageUnavailable(_first_line(error), where=where) from error


def _etag(meta: obstore.ObjectMeta) -> str:
    tag = meta["e_tag"] or f"{meta['last_modified'].isoformat()}-{meta['size']}"
    return tag.strip('"')


def _checked(key: str) -> str:
    path = PurePosixPath(key)
    if not key or path.is_absolute() or ".." in path.parts:
        raise StorageError(f"{key!r} is no key", hint="keys are relative paths without '..'")
    return key


def _sync(written: Path) -> None:
    with written.open("rb") as file:
        os.fsync(file.fileno())


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
