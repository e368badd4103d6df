"""What a database needs to serve a workspace: pgSTAC, the schema of features, and a reader."""

from __future__ import annotations

from dataclasses import dataclass

from thalweg.catalog import pgstac
from thalweg.errors import DatabaseOutdated
from thalweg.features import schema
from thalweg.storage.postgres import connected


@dataclass(frozen=True)
class Prepared:
    """What a database was brought to."""

    pgstac: str
    features: str
    reader: str


@dataclass(frozen=True)
class State:
    """The versions that a database stands at; empty where it was not prepared."""

    pgstac: str
    features: str


def state_of(url: str) -> State:
    """What a database is prepared for; raises `DatabaseUnavailable` and `DatabaseError`."""
    with connected(url) as connection:
        held = connection.execute("SELECT to_regclass('pgstac.migrations')").fetchone()
        found = None
        if held and held[0]:
            newest = "SELECT version FROM pgstac.migrations ORDER BY datetime DESC, version DESC"
            found = connection.execute(newest).fetchone()
        features = connection.execute(schema.REVISION_QUERY).fetchone()
    return State(str(found[0]) if found else "", str(features[0] or "") if features else "")


def prepare(url: str, role: str = "") -> Prepared:
    """Brings a database up to date; safe to repeat.

    `role` is that which serving reads as. Raises `DatabaseUnavailable` and `DatabaseError`.
    """
    made = pgstac.prepare(url), schema.prepare(url)
    return Prepared(*made, schema.prepare_reader(url, role or schema.READ_ROLE))


def check_versions(url: str) -> None:
    """Raises `DatabaseOutdated` where a database was prepared by another Thalweg than this.

    What was not prepared at all holds nothing, and is no error. Raises `DatabaseUnavailable`.
    """
    from pypgstac.version import __version__ as wanted

    found = state_of(url)
    for what, at, needed in (
        ("pgSTAC", _series(found.pgstac), _series(wanted)),
        ("the schema of features", found.features, f"revision {schema.REVISION}"),
    ):
        if at and at != needed:
            raise DatabaseOutdated(
                f"{what} is at {at} in the database; this Thalweg works with {needed}",
                hint="bring the database up to date: thalweg db migrate; or install the Thalweg "
                "that wrote it",
            )


def _series(version: str) -> str:
    """`0.10` of `0.10.3`: within it, versions work with each other."""
    return ".".join(version.split(".")[:2])
