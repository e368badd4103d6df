"""Thalweg: earth data from raw files in a bucket to a service people query, publish and trust."""

from __future__ import annotations

# As `typing` has it; importing that would take longer than all else here.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from thalweg.notebook import OpenWorkspace

__version__ = "0.1.0"


def open(workspace: str | Path = "workspace") -> OpenWorkspace:  # noqa: A001
    """A workspace, to look at what is in it from Python; see `OpenWorkspace`.

    >>> ws = thalweg.open("workspace")
    >>> ws.raster(peril="fluvial", defence="defended", year=2020).sel(return_period=100)

    `workspace` is its folder. Raises `UsageError` where that is none.
    """
    from pathlib import Path

    from thalweg.notebook import OpenWorkspace
    from thalweg.pipelines.workspace import Workspace

    return OpenWorkspace(Workspace.existing(Path(workspace)))
