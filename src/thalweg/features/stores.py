"""The store that a workspace's features are in."""

from __future__ import annotations

from pathlib import Path

from thalweg.features.tables import FeatureStore

FOLDER = "features"


def embedded_store(workspace: Path) -> FeatureStore:
    """The GeoPackages of a workspace's folder."""
    from thalweg.features.geopackage import GeoPackages

    return GeoPackages(workspace / FOLDER)


def store_of(workspace: Path, database_url: str) -> FeatureStore:
    """The database's tables where there is one, else the workspace's own."""
    if not database_url:
        return embedded_store(workspace)
    from thalweg.features.postgis import PostgisTables

    return PostgisTables(database_url)
