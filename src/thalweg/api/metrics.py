"""`/metrics`: figures for Prometheus, labelled by the templates of routes and nothing finer."""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any

from fastapi import FastAPI, Request, Response
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    generate_latest,
)

from thalweg.api.routes import template

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class Metrics:
    """The figures of one application."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.requests = Counter(
            "thalweg_requests_total",
            "Requests answered.",
            ("method", "route", "status"),
            registry=self.registry,
        )
        self.seconds = Histogram(
            "thalweg_request_seconds",
            "How long answers took.",
            ("method", "route"),
            buckets=_BUCKETS,
            registry=self.registry,
        )


def install(app: FastAPI) -> None:
    """Adds `/metrics`; a part may add figures of its own to `app.state.metrics.registry`."""
    app.state.metrics = Metrics()

    @app.get("/metrics", tags=["service"], response_class=Response)
    async def metrics(request: Request) -> Response:
        """Figures of this process, for Prometheus."""
        held: Metrics = request.app.state.metrics
        return Response(generate_latest(held.registry), media_type=CONTENT_TYPE_LATEST)


def observe(scope: MutableMapping[str, Any], status: int, seconds: float) -> None:
    """Count a request that was answered."""
    metrics: Metrics = scope["app"].state.metrics
    method = scope["method"] if scope["method"] in _METHODS else "other"
    route = template(scope) or "none"
    metrics.requests.labels(method, route, status).inc()
    metrics.seconds.labels(method, route).observe(seconds)
