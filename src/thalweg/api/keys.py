"""API keys of a workspace: random, kept as scrypt digests in a file for the owner alone.

A key is `tw_`, eight hexadecimal digits by which it is found, `_`, and 256 random bits. A service
that runs sees at once what is added and revoked.
"""

from __future__ import annotations

import fcntl
import hashlib
import hmac
import json
import os
import re
import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Self

from thalweg.errors import KeyNotFound, SettingsError
from thalweg.settings import Role

FILE = "keys.json"
_KEY = re.compile(r"tw_(?P<id>[0-9a-f]{8})_[A-Za-z0-9_-]{43}")
# 16 MiB and some hundredths of a second for each guess.
_SCRYPT = {"n": 1 << 14, "r": 8, "p": 1, "maxmem": 64 << 20}
_NOBODY = "00" * 16
_MOST_PROVEN = 1000


@dataclass(frozen=True)
class StoredKey:
    """What is kept of a key: `salt` and `digest` in hexadecimal, times in UTC."""

    id: str
    name: str
    role: Role
    salt: str
    digest: str
    made_at: str
    expires_at: str | None = None

    def is_over(self, now: datetime) -> bool:
        """Whether it has expired."""
        return self.expires_at is not None and datetime.fromisoformat(self.expires_at) <= now

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, document: dict[str, Any]) -> Self:
        return replace(cls(**document), role=Role(document["role"]))


class Keys:
    """The keys of a workspace; threads may share it."""

    def __init__(self, folder: Path) -> None:
        self.file = folder / FILE
        self._lock = threading.Lock()
        self._stamp: tuple[int, int] | None = None
        self._known: dict[str, StoredKey] = {}
        self._proven: dict[str, str] = {}

    def all(self) -> list[StoredKey]:
        """The keys, in the order they were made; raises `SettingsError` for a damaged file."""
        return list(self._read().values())

    def add(self, name: str, role: Role, days: int | None = None) -> tuple[StoredKey, str]:
        """A new key, which lasts so many days, and its text, which is kept nowhere."""
        identity, salt = secrets.token_hex(4), secrets.token_hex(16)
        text = f"tw_{identity}_{secrets.token_urlsafe(32)}"
        now = datetime.now(UTC).replace(microsecond=0)
        expires = None if days is None else (now + timedelta(days=days)).isoformat()
        key = StoredKey(identity, name, role, salt, _digest(text, salt), now.isoformat(), expires)
        with self._changing() as keys:
            keys[identity] = key
        return key, text

    def revoke(self, identity: str) -> StoredKey:
        """Takes a key away; raises `KeyNotFound`."""
        with self._changing() as keys:
            if identity not in keys:
                raise KeyNotFound(
                    f"no key has the id {identity!r}", hint="`thalweg keys list` tells them"
                )
            return keys.pop(identity)

    def remembered(self, text: str) -> Role | None:
        """The role of a key that was proven before and still holds, without working for it."""
        keys = self._read()
        with self._lock:
            found = keys.get(self._proven.get(_short(text), ""))
        return found.role if found and not found.is_over(datetime.now(UTC)) else None

    def role_of(self, text: str) -> Role | None:
        """The role that a key gives; None for what is none. As long for each, known or not."""
        shape = _KEY.fullmatch(text)
        known = self._read()
        found = known.get(shape["id"]) if shape else None
        digest = _digest(text[:200], found.salt if found else _NOBODY)
        same = hmac.compare_digest(digest, found.digest if found else _NOBODY)
        if found is None or not same or found.is_over(datetime.now(UTC)):
            return None
        with self._lock:
            if len(self._proven) >= _MOST_PROVEN:
                self._proven.clear()
            self._proven[_short(text)] = found.id
        return found.role

    def _read(self) -> dict[str, StoredKey]:
        """What the file holds, which is read again once it has changed."""
        with self._lock:
            try:
                status = self.file.stat()
            except FileNotFoundError:
                self._stamp, self._known = None, {}
                return {}
            # A new file is put in the place of the old one: it has another number.
            stamp = (status.st_ino, status.st_mtime_ns)
            if stamp != self._stamp:
                self._known, self._proven = _parsed(self.file), {}
                self._stamp = stamp
            return dict(self._known)

    @contextmanager
    def _changing(self) -> Iterator[dict[str, StoredKey]]:
        """The keys, to change; written as one, while no other process changes them."""
        lock = os.open(self.file.with_suffix(".lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            keys = self._read()
            yield keys
            aside = self.file.with_suffix(".new")
            aside.unlink(missing_ok=True)
            descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "w") as written:
                json.dump([key.to_json() for key in keys.values()], written, indent=1)
            aside.replace(self.file)
        finally:
            os.close(lock)


def _parsed(file: Path) -> dict[str, StoredKey]:
    try:
        keys = [StoredKey.from_json(one) for one in json.loads(file.read_bytes())]
    except (ValueError, TypeError, KeyError) as error:
        raise SettingsError(
            "is no file of keys", where=str(file), hint="remove it, and add keys anew"
        ) from error
    return {key.id: key for key in keys}


def _digest(text: str, salt: str) -> str:
    return hashlib.scrypt(text.encode(), salt=bytes.fromhex(salt), **_SCRYPT).hex()


def _short(text: str) -> str:
    """What a proven key is remembered by, in memory only: keys are too long to be guessed."""
    return hashlib.sha256(text.encode()).hexdigest()
