"""What holds for every request: one error body, ids, limits, health, figures, one document."""

from __future__ import annotations

import logging
from collections import Counter
from typing import Annotated, Any

import pytest
from api_service import Serve
from fastapi import APIRouter, FastAPI, Query
from fastapi.exceptions import HTTPException
from starlette.requests import Request

from thalweg import errors
from thalweg.api.errors import STATUSES, status_of
from thalweg.api.parts import Part
from thalweg.api.services import Held, Services

BODY = {"code", "message", "hint", "request_id"}
RAISED: dict[str, Exception] = {
    "missing": errors.ItemNotFound("no item 'a'", hint="look elsewhere"),
    "away": errors.DatabaseUnavailable("the database does not answer", hint="wait"),
    "own": errors.CatalogUnreadable("/secret/catalog.db is damaged"),
    "teapot": HTTPException(418, "short and stout"),
    "library": ZeroDivisionError("told by a library"),
    "bug": KeyError("/secret/path"),
}


def install(app: FastAPI, services: Services) -> None:
    router = APIRouter(prefix="/try")

    @router.get("/raise/{name}")
    async def raising(name: str) -> None:
        raise RAISED[name]

    @router.get("/things/{thing}")
    async def things(thing: str, limit: Annotated[int, Query(ge=1)] = 10) -> dict[str, Any]:
        return {"thing": thing, "limit": limit}

    @router.post("/echo")
    async def echo(body: dict[str, Any]) -> dict[str, Any]:
        return body

    @router.get("/links")
    async def links(request: Request, services: Held) -> dict[str, str]:
        return {"self": str(request.url_for("links")), "backend": services.backend}

    app.include_router(router)


TRY = Part("/try", "Something to try", install, statuses={ZeroDivisionError: 422})


@pytest.mark.parametrize(
    ("name", "status", "code"),
    [
        ("missing", 404, "ItemNotFound"),
        ("away", 503, "DatabaseUnavailable"),
        ("own", 500, "UnexpectedError"),
        ("teapot", 418, "I'MATeapot"),
        ("library", 422, "ZeroDivisionError"),
        ("bug", 500, "UnexpectedError"),
    ],
)
def test_every_error_has_the_one_body(serve: Serve, name: str, status: int, code: str) -> None:
    answer = serve(TRY).get(f"/try/raise/{name}")
    assert answer.status_code == status
    assert set(answer.json()) == BODY
    assert answer.json()["code"] == code
    assert answer.json()["request_id"] == answer.headers["X-Request-ID"]
    assert "/secret" not in answer.text
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_paths_and_methods_that_are_not_there_have_it_too(serve: Serve) -> None:
    client = serve(TRY)
    assert client.get("/nowhere").status_code == 404
    assert client.delete("/try/things/a").status_code == 405
    for answer in (client.get("/nowhere"), client.delete("/try/things/a")):
        assert set(answer.json()) == BODY


def test_what_is_not_valid_is_a_400_that_names_it(serve: Serve) -> None:
    answer = serve(TRY).get("/try/things/a", params={"limit": "none"})
    assert answer.status_code == 400
    assert answer.json()["message"].startswith("limit: ")


def test_unknown_parameters_are_refused_with_what_was_meant(serve: Serve) -> None:
    client = serve(TRY)
    answer = client.get("/try/things/a", params={"limits": 3})
    assert answer.status_code == 400
    assert answer.json()["code"] == "UnknownParameter"
    assert answer.json()["hint"] == "did you mean 'limit'?"
    assert client.get("/livez", params={"x": 1}).json()["hint"] == "it takes none"


def test_ids_of_clients_are_kept_if_they_are_plain(serve: Serve) -> None:
    client = serve(TRY)
    kept = client.get("/livez", headers={"X-Request-ID": "a-1"})
    other = client.get("/livez", headers={"X-Request-ID": "a b\tc"})
    assert kept.headers["X-Request-ID"] == "a-1"
    assert other.headers["X-Request-ID"] != "a b\tc"


def test_each_request_is_one_line_of_the_log(serve: Serve, caplog: Any) -> None:
    client = serve(TRY)
    with caplog.at_level(logging.INFO, "thalweg.access"):
        client.get("/try/things/a%0Ab?limit=2")
    (line,) = [one for one in caplog.records if one.name == "thalweg.access"]
    assert line.getMessage().startswith("GET /try/things/a%0Ab 200 ")


@pytest.mark.parametrize(
    ("url", "status"),
    [
        ("/try/things/" + "a" * 20_000, 413),
        ("/try/things/a?limit=" + "1" * 13_000, 413),
        ("/try/things/a%00b", 400),
        ("/try/things/a?limit=1%00", 400),
    ],
)
def test_urls_have_limits(serve: Serve, url: str, status: int) -> None:
    answer = serve(TRY).get(url)
    assert answer.status_code == status
    assert set(answer.json()) == BODY


def test_bodies_have_limits(serve: Serve) -> None:
    client = serve(TRY, max_body=2048)
    assert client.post("/try/echo", json={"a": "b" * 1000}).json() == {"a": "b" * 1000}
    assert client.post("/try/echo", json={"a": "b" * 3000}).status_code == 413
    chunks = (b"x" * 1000 for _ in range(4))
    assert client.post("/try/echo", content=chunks).status_code == 413
    assert client.post("/try/echo", json={"a": "\0"}).status_code == 400
    as_json = {"Content-Type": "application/json"}
    deep = client.post("/try/echo", content=b'{"a":' * 100 + b"1" + b"}" * 100, headers=as_json)
    assert deep.status_code == 200
    endless = client.post("/try/echo", content=b"[" * 2000, headers=as_json)
    assert endless.status_code == 400


def test_links_begin_with_the_public_url(serve: Serve) -> None:
    client = serve(TRY, public_url="https://maps.example.org/flood/")
    assert client.get("/try/links", headers={"host": "evil.example"}).json() == {
        "self": "https://maps.example.org/flood/try/links",
        "backend": "embedded",
    }
    assert client.get("/nowhere").status_code == 404


def test_health_tells_of_each_dependency_and_counts_for_a_while(serve: Serve) -> None:
    client = serve(TRY, health_seconds=60)
    looked = []

    async def failing() -> None:
        looked.append(1)
        raise errors.StorageUnavailable("the zone does not answer")

    client.app.state.services.checks["zone"] = failing
    for path in ("/health", "/readyz"):
        answer = client.get(path)
        assert answer.status_code == 503
        found = answer.json()["dependencies"]
        assert found["catalogue"]["status"] == "ok"
        assert found["zone"]["message"] == "the zone does not answer"
    assert client.get("/livez").json() == {"status": "ok"}
    assert len(looked) == 1


def test_metrics_have_templates_as_labels_and_nothing_finer(serve: Serve) -> None:
    client = serve(TRY)
    for thing in range(5):
        client.get(f"/try/things/{thing}")
        client.get(f"/nowhere/{thing}")
    client.request("BREW", "/livez")
    text = client.get("/metrics").text
    line = 'thalweg_requests_total{method="GET",route="/try/things/{thing}",status="200"} 5.0'
    assert line in text
    assert 'thalweg_requests_total{method="GET",route="none",status="404"} 5.0' in text
    assert "BREW" not in text


def test_the_document_is_one_with_unique_ids(serve: Serve) -> None:
    document = serve().get("/openapi.json").json()
    operations = [one for path in document["paths"].values() for one in path.values()]
    ids = Counter(operation["operationId"] for operation in operations)
    assert [name for name, count in ids.items() if count > 1] == []
    for operation in operations:
        assert {"4XX", "503"} <= set(operation["responses"])
        assert "422" not in operation["responses"]


def test_cors_sends_no_credentials_to_everyone(serve: Serve) -> None:
    asked = {"origin": "https://a.example", "access-control-request-method": "GET"}
    everyone = serve(TRY).options("/livez", headers=asked).headers
    assert everyone["access-control-allow-origin"] == "*"
    assert "access-control-allow-credentials" not in everyone
    some = serve(TRY, cors_origins=["https://a.example"]).options("/livez", headers=asked).headers
    assert some["access-control-allow-credentials"] == "true"


def test_private_reading_takes_a_key(serve: Serve) -> None:
    digest = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"  # of "secret"
    client = serve(TRY, public_reading=False, keys={digest: "reader"})
    assert client.get("/try/things/a").status_code == 401
    assert client.get("/try/things/a", headers={"X-API-Key": "other"}).status_code == 403
    assert client.get("/try/things/a", headers={"X-API-Key": "secret"}).status_code == 200
    bearer = {"Authorization": "Bearer secret"}
    assert client.get("/try/things/a", headers=bearer).status_code == 200
    assert client.get("/livez").status_code == 200


def test_a_database_that_is_away_is_told_and_nothing_else_fails(serve: Serve) -> None:
    client = serve(TRY, database_url="postgresql://u:secret@127.0.0.1:9/x")
    assert client.get("/livez").status_code == 200
    answer = client.get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["backend"] == "postgresql"
    assert answer.json()["dependencies"]["database"]["status"] == "failing"
    assert "secret" not in answer.text


def test_every_status_is_one_of_http() -> None:
    assert all(400 <= status < 600 for status in STATUSES.values())
    assert status_of(errors.JobsBusy()) == 503
    assert status_of(errors.SettingsError()) == 500
