"""`thalweg serve`: a workspace as a service."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from thalweg.cli.options import DEFAULT_WORKSPACE, WorkspaceOption

if TYPE_CHECKING:
    import uvicorn

    from thalweg.api.services import Services

EXAMPLES = """
Examples:

  thalweg serve

  thalweg serve demo --port 9000

  THALWEG_DATABASE_URL=postgresql://user:password@host/name thalweg serve demo
"""


def serve(
    folder: Annotated[
        Path | None,
        typer.Argument(metavar="WORKSPACE", help="Folder of the workspace, as --workspace."),
    ] = None,
    workspace: WorkspaceOption = DEFAULT_WORKSPACE,
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65535, help="The port to listen on; 0: a free one.")
    ] = None,
) -> None:
    """Serve a workspace: STAC, rasters, features, hexagons, and a map, until Ctrl-C."""
    import gc

    import uvicorn

    from thalweg.pipelines.workspace import Workspace
    from thalweg.web.part import create_site

    workspace = folder or workspace
    Workspace.existing(workspace)
    place, settings = Workspace.at(workspace)
    _check_database(settings.database_url)
    wanted = settings.serve
    host = wanted.host if host is None else host
    port = wanted.port if port is None else port
    app = create_site(place, settings)
    app.openapi()  # which the first request with parameters would wait for
    # What stands now stands until the end: looking through it again took a request 0.2 s at times.
    gc.collect()
    gc.freeze()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(name)s %(message)s")
    logging.getLogger("thalweg").setLevel(logging.INFO)
    config = uvicorn.Config(
        app, host, port, access_log=False, log_level="warning", timeout_graceful_shutdown=10
    )
    listening = listening_socket(config)
    url = wanted.public_url or f"http://{_shown(host)}:{listening.getsockname()[1]}"
    typer.echo(_greeting(url.rstrip("/"), app.state.services))
    uvicorn.Server(config).run(sockets=[listening])


def listening_socket(config: uvicorn.Config) -> socket.socket:
    """A socket at the configured address, whose answers go out at once; raises `UsageError`."""
    from thalweg.errors import UsageError

    try:
        listening = config.bind_socket()
    except SystemExit as error:
        raise UsageError(
            f"cannot listen on {config.host}:{config.port}",
            hint="is it in use? choose another by --port",
        ) from error
    # asyncio does this only where a socket tells its protocol, which uvicorn's does not: the body
    # of an answer then waits 40 ms for the client to acknowledge its head.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, True)
    return listening


def _check_database(url: str) -> None:
    """Raises `DatabaseOutdated`; one that is away is waited for, and looked at by /health."""
    from contextlib import suppress

    from thalweg.errors import DatabaseUnavailable
    from thalweg.postgres.preparing import check_versions

    if url:
        with suppress(DatabaseUnavailable):
            check_versions(url)


def _greeting(url: str, services: Services) -> str:
    from thalweg.web.part import PARTS

    from_ = "PostgreSQL" if services.database else "the workspace's own files"
    rows = [(part.prefix, part.title) for part in PARTS]
    rows += [("/docs", "what every path takes"), ("/health", "how the service is")]
    lines = [f"  {url + path:<{len(url) + 16}} {told}" for path, told in rows]
    return "\n".join(
        [f"Serving {services.workspace.folder} from {from_}:", *lines, "Ctrl-C stops it."]
    )


def _shown(host: str) -> str:
    """An address that a browser takes."""
    if host in ("0.0.0.0", "::", ""):  # noqa: S104 - these are compared, not listened on
        return "localhost"
    return f"[{host}]" if ":" in host else host
