from __future__ import annotations

import socket
from pathlib import Path

import pytest
import uvicorn
from typer.testing import CliRunner

from thalweg.cli.main import app
from thalweg.cli.serve import listening_socket
from thalweg.errors import UsageError


def config(port: int = 0) -> uvicorn.Config:
    return uvicorn.Config("no:app", "127.0.0.1", port, log_level="critical")


def test_answers_do_not_wait_for_the_client_to_acknowledge_their_head() -> None:
    with listening_socket(config()) as listening:
        listening.listen()
        with socket.create_connection(listening.getsockname()), listening.accept()[0] as accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


# uvicorn leaves the socket that it could not bind to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_an_address_in_use_is_told() -> None:
    with listening_socket(config()) as listening:
        port = listening.getsockname()[1]
        listening.listen()
        with pytest.raises(UsageError, match=f"cannot listen on 127.0.0.1:{port}"):
            listening_socket(config(port))


@pytest.mark.parametrize("options", [[], ["--workspace"], ["-w"]])
def test_a_workspace_is_named_with_an_option_or_without(options: list[str], tmp_path: Path) -> None:
    absent = str(tmp_path / "absent")
    found = CliRunner().invoke(app, ["serve", *options, absent])
    assert isinstance(found.exception, UsageError)
    assert found.exception.where == absent
