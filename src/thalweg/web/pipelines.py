"""The pipelines that were run in a workspace, what they call things, and their matrices."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thalweg.pipelines.choice import Choice
from thalweg.pipelines.matrix import PipelineMatrix, matrix_of
from thalweg.pipelines.schema import Pipeline
from thalweg.pipelines.workspace import Workspace
from thalweg.web.scenarios import Titles

_KEPT_SECONDS = 60


@dataclass(frozen=True)
class Ran:
    """A pipeline as its latest run had it, and what that run was limited to."""

    pipeline: Pipeline
    choice: Choice
    state: str
    finished: str


class Pipelines:
    """Those of a workspace; what is costly to find is kept for a minute."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._kept: dict[str, tuple[float, Any]] = {}

    def ran(self) -> list[Ran]:
        """Each pipeline's widest run, by name."""
        return self._keep("ran", self._ran)

    def matrix(self, ran: Ran) -> PipelineMatrix:
        """The matrix of what a pipeline's run could mean; raises `UsageError` for one of none."""
        return self._keep(
            f"matrix {ran.pipeline.name}",
            lambda: matrix_of(ran.pipeline, ran.choice, self._workspace),
        )

    def titles(self) -> Titles:
        """What the pipelines call dimensions and values."""
        dimensions: dict[str, str] = {}
        values: dict[tuple[str, str], str] = {}
        ranks: dict[tuple[str, str], int] = {}
        for ran in self.ran():
            for dimension in ran.pipeline.domain_dimensions:
                dimensions.setdefault(dimension.name, dimension.title)
                for rank, value in enumerate(dimension.ids):
                    title = dimension.value(value).title
                    values.setdefault((dimension.name, value), title)
                    ranks.setdefault((dimension.name, value), rank)
        return Titles(dimensions, values, ranks)

    def _ran(self) -> list[Ran]:
        from thalweg.jobs.engine import open_runs

        if not self._workspace.jobs_folder.exists():
            return []
        widest: dict[str, Ran] = {}
        with open_runs(self._workspace.jobs_folder) as record:
            for run in record.runs():
                one = Ran(
                    Pipeline.model_validate(run.request.payload["pipeline"]),
                    Choice.from_json(run.request.payload["choice"]),
                    run.state,
                    run.finished.isoformat() if run.finished else "",
                )
                held = widest.get(run.name)
                if held is None or len(one.choice.selection) < len(held.choice.selection):
                    widest[run.name] = one
        return [widest[name] for name in sorted(widest)]

    def _keep[T](self, name: str, find: Callable[[], T]) -> T:
        found: T | None
        at, found = self._kept.get(name, (0.0, None))
        if found is None or time.monotonic() - at > _KEPT_SECONDS:
            found = find()
            self._kept[name] = time.monotonic(), found
        return found
