"""Who is let in: keys of the workspace, tokens of a provider, and how many guesses."""

from __future__ import annotations

import json
import re
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from fastapi import APIRouter, Depends, FastAPI
from fastapi.testclient import TestClient
from typer.testing import CliRunner

from thalweg.api import oidc
from thalweg.api.access import require
from thalweg.api.app import create_app
from thalweg.api.keys import Keys
from thalweg.api.parts import Part
from thalweg.api.services import Services
from thalweg.cli.main import app as command
from thalweg.errors import IdentityUnavailable, KeyNotFound, KeyRefused, SettingsError
from thalweg.pipelines.workspace import Workspace
from thalweg.settings import OidcSettings, Role


def install(app: FastAPI, services: Services) -> None:
    router = APIRouter(prefix="/try")

    @router.get("/read")
    async def read() -> str:
        return "read"

    @router.post("/write", dependencies=[Depends(require(Role.OPERATOR))])
    async def write() -> str:
        return "written"

    app.include_router(router)


TRY = Part("/try", "Something to try", install)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    with Workspace.open(tmp_path / "workspace")[0].catalog():
        return tmp_path / "workspace"


@contextmanager
def served(folder: Path, **serve: Any) -> Iterator[TestClient]:
    workspace, settings = Workspace.at(folder)
    changed = {"serve": type(settings.serve)(**serve)}
    with TestClient(create_app(workspace, settings.model_copy(update=changed), [TRY])) as client:
        yield client


# Keys ------------------------------------------------------------------------------------------


def test_roles_allow_what_those_before_them_do(folder: Path) -> None:
    keys = Keys(folder)
    texts = {role: keys.add("someone", role)[1] for role in Role}
    with served(folder, public_reading=False) as client:
        for role, text in texts.items():
            headers = {"X-API-Key": text}
            assert client.get("/try/read", headers=headers).status_code == 200
            written = client.post(
                "/try/write", json={}, headers={"Authorization": f"Bearer {text}"}
            )
            assert written.status_code == (403 if role is Role.READER else 200)
        assert client.get("/try/read").status_code == 401
        assert client.get("/try/read").headers["www-authenticate"] == "Bearer"


def test_public_reading_takes_no_key_and_writing_always_does(folder: Path) -> None:
    with served(folder) as client:
        assert client.get("/try/read").status_code == 200
        assert client.get("/try/read", headers={"X-API-Key": "nonsense"}).status_code == 200
        assert client.post("/try/write", json={}).status_code == 401


def test_a_running_service_sees_keys_come_and_go(folder: Path) -> None:
    with served(folder, public_reading=False) as client:
        key, text = Keys(folder).add("someone", Role.READER)
        headers = {"X-API-Key": text}
        assert client.get("/try/read", headers=headers).status_code == 200
        Keys(folder).revoke(key.id)
        assert client.get("/try/read", headers=headers).status_code == 403


def test_a_key_is_kept_nowhere_and_its_digest_for_the_owner_alone(folder: Path) -> None:
    keys = Keys(folder)
    key, text = keys.add("someone", Role.ADMIN)
    assert re.fullmatch(rf"tw_{key.id}_[\w-]{{43}}", text)
    assert stat.S_IMODE(keys.file.stat().st_mode) == 0o600
    held = "".join(one.read_text() for one in folder.glob("keys*"))
    assert text not in held
    assert text.rpartition("_")[2] not in held
    assert keys.role_of(text) is Role.ADMIN
    other = text[:-1] + ("a" if text[-1] != "a" else "b")
    for wrong in (other, text[:-1], f" {text}", "", "é", "tw_00000000_" + "a" * 43, "x" * 9999):
        assert keys.role_of(wrong) is None


def test_expired_keys_open_nothing(folder: Path) -> None:
    keys = Keys(folder)
    key, text = keys.add("someone", Role.READER, days=1)
    assert keys.role_of(text) is Role.READER
    document = json.loads(keys.file.read_text())
    document[0]["expires_at"] = key.made_at
    keys.file.write_text(json.dumps(document))
    assert keys.role_of(text) is None
    assert keys.remembered(text) is None


def test_a_proven_key_takes_no_more_work(folder: Path) -> None:
    keys = Keys(folder)
    _, text = keys.add("someone", Role.READER)
    assert keys.remembered(text) is None
    keys.role_of(text)
    assert keys.remembered(text) is Role.READER


def test_many_keys_may_be_added_at_once(folder: Path) -> None:
    threads = [
        threading.Thread(target=Keys(folder).add, args=(str(n), Role.READER)) for n in range(8)
    ]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(one.name for one in Keys(folder).all()) == [str(n) for n in range(8)]


@pytest.mark.parametrize("text", ["{", "[1]", '[{"id": "a"}]', '[{"role": "king"}]'])
def test_a_damaged_file_is_named(folder: Path, text: str) -> None:
    keys = Keys(folder)
    keys.file.write_text(text)
    with pytest.raises(SettingsError, match="no file of keys"):
        keys.all()


def test_guesses_are_counted_and_the_known_are_let_in_all_the_same(folder: Path) -> None:
    _, text = Keys(folder).add("someone", Role.READER)
    with served(folder, public_reading=False) as client:
        known = {"X-API-Key": text}
        assert client.get("/try/read", headers=known).status_code == 200
        codes = [
            client.get("/try/read", headers={"X-API-Key": f"guess-{n}"}).status_code
            for n in range(12)
        ]
        assert codes == [403] * 10 + [429] * 2
        last = client.get("/try/read", headers={"X-API-Key": "guess"})
        assert (last.json()["code"], last.headers["retry-after"]) == ("TooManyRefusals", "60")
        assert client.get("/try/read", headers=known).status_code == 200


def test_keys_are_added_listed_and_revoked_by_command(folder: Path) -> None:
    def run(*words: str) -> str:
        done = CliRunner().invoke(command, ["keys", *words, "-w", str(folder)])
        assert done.exit_code == 0, done.output
        return done.stdout

    text = run("add", "the ministry's map", "--role", "operator", "--days", "9").strip()
    assert Keys(folder).role_of(text) is Role.OPERATOR
    told = json.loads(run("add", "other", "--json"))
    assert Keys(folder).role_of(told["key"]) is Role.READER
    shown = run("list")
    assert "the ministry's map" in shown
    assert text not in shown + run("list", "--json")
    assert "digest" not in run("list", "--json")
    assert run("revoke", told["id"]) == f"revoked {told['id']} (other)\n"
    assert Keys(folder).role_of(told["key"]) is None
    with pytest.raises(KeyNotFound):
        Keys(folder).revoke(told["id"])


# Tokens ----------------------------------------------------------------------------------------


class Issuer:
    """A provider that listens: its keys may be rotated, and it may fall silent."""

    def __init__(self) -> None:
        self.keys: dict[str, Any] = {}
        self.fetched = 0
        self.silent = False
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                document = issuer.answer(self.path)
                self.send_response(503 if issuer.silent else 200)
                self.end_headers()
                self.wfile.write(json.dumps(document).encode())

            def log_message(self, *_: Any) -> None: ...

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/realm"

    def answer(self, path: str) -> dict[str, Any]:
        if path == "/realm/.well-known/openid-configuration":
            return {"issuer": self.url, "jwks_uri": f"{self.url}/keys"}
        self.fetched += 1
        public = []
        for name, key in self.keys.items():
            kind = (
                jwt.algorithms.RSAAlgorithm
                if isinstance(key, rsa.RSAPrivateKey)
                else (jwt.algorithms.ECAlgorithm)
            )
            document = kind.to_jwk(key.public_key(), as_dict=True)
            public.append({**document, "kid": name, "use": "sig"})
        return {"keys": public}

    def token(self, kid: str = "one", algorithm: str = "RS256", **claims: Any) -> str:
        said = {
            "iss": self.url,
            "aud": "thalweg",
            "sub": "someone",
            "exp": time.time() + 600,
            "roles": ["operator"],
        }
        said = {name: value for name, value in {**said, **claims}.items() if value is not None}
        return jwt.encode(said, self.keys[kid], algorithm, headers={"kid": kid})


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    issuer = Issuer()
    issuer.keys["one"] = rsa.generate_private_key(65537, 2048)
    thread = threading.Thread(target=issuer.server.serve_forever)
    thread.start()
    try:
        yield issuer
    finally:
        issuer.server.shutdown()
        thread.join()
        issuer.server.server_close()


@pytest.fixture
def provider(issuer: Issuer) -> oidc.Provider:
    return oidc.Provider(OidcSettings(issuer=issuer.url))


def test_tokens_are_taken_beside_keys(folder: Path, issuer: Issuer) -> None:
    _, text = Keys(folder).add("someone", Role.OPERATOR)
    setting = OidcSettings(issuer=issuer.url, roles={"staff": Role.READER})
    with served(folder, oidc=setting) as client:
        for token, status in (
            (issuer.token(roles=["staff"]), 403),
            (issuer.token(roles=["operator"]), 403),
            (text, 200),
        ):
            answer = client.post(
                "/try/write", json={}, headers={"Authorization": f"Bearer {token}"}
            )
            assert answer.status_code == status, answer.text
    with served(folder, oidc=OidcSettings(issuer=issuer.url)) as client:
        headers = {"Authorization": f"Bearer {issuer.token()}"}
        assert client.post("/try/write", json={}, headers=headers).status_code == 200


def test_claims_become_roles(issuer: Issuer) -> None:
    mapped = {"gis-staff": Role.OPERATOR, "gis-all": Role.READER}
    settings = OidcSettings(issuer=issuer.url, roles_claim="realm_access.roles", roles=mapped)
    provider = oidc.Provider(settings)
    both = {"realm_access": {"roles": ["gis-all", "other", "gis-staff"]}}
    assert provider.role_of(issuer.token(**both)) is Role.OPERATOR
    assert provider.role_of(issuer.token(realm_access={"roles": "gis-all"})) is Role.READER
    for none in ({}, {"realm_access": {"roles": ["x"]}}, {"realm_access": [{"roles": 3}]}):
        with pytest.raises(KeyRefused, match="no role"):
            provider.role_of(issuer.token(**none))


def test_elliptic_keys_are_taken_too(issuer: Issuer, provider: oidc.Provider) -> None:
    issuer.keys["curve"] = ec.generate_private_key(ec.SECP256R1())
    assert provider.role_of(issuer.token("curve", "ES256")) is Role.OPERATOR


def unsigned(issuer: Issuer) -> str:
    return jwt.encode(jwt.decode(issuer.token(), options={"verify_signature": False}), "", "none")


def shared_secret(issuer: Issuer) -> str:
    """The oldest trick: HMAC with what the provider tells everyone."""
    claims = jwt.decode(issuer.token(), options={"verify_signature": False})
    return jwt.encode(claims, "k" * 64, "HS256", headers={"kid": "one"})


def of_another(issuer: Issuer) -> str:
    held, issuer.keys = issuer.keys, {"one": rsa.generate_private_key(65537, 2048)}
    try:
        return issuer.token()
    finally:
        issuer.keys = held


@pytest.mark.parametrize(
    "made",
    [
        lambda issuer: issuer.token(exp=time.time() - 120),
        lambda issuer: issuer.token(exp=None),
        lambda issuer: issuer.token(nbf=time.time() + 120),
        lambda issuer: issuer.token(aud="other"),
        lambda issuer: issuer.token(aud=None),
        lambda issuer: issuer.token(iss="https://evil.example"),
        lambda issuer: issuer.token()[:-9] + "AAAAAAAAA",
        lambda issuer: "a.b.c",
        lambda issuer: "..",
        unsigned,
        shared_secret,
        of_another,
    ],
)
def test_tokens_that_do_not_hold_are_refused(
    issuer: Issuer, provider: oidc.Provider, made: Callable[[Issuer], str]
) -> None:
    with pytest.raises(KeyRefused):
        provider.role_of(made(issuer))
    assert provider.role_of(issuer.token()) is Role.OPERATOR


def test_keys_are_cached_and_rotated(
    issuer: Issuer, provider: oidc.Provider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        provider.role_of(issuer.token())
    assert issuer.fetched == 1
    issuer.keys["two"] = rsa.generate_private_key(65537, 2048)
    # Within ten seconds nobody makes us ask again.
    with pytest.raises(KeyRefused, match="no key"):
        provider.role_of(issuer.token("two"))
    assert issuer.fetched == 1
    monkeypatch.setattr(oidc, "_AGAIN_SECONDS", 0)
    old = issuer.token("one")
    del issuer.keys["one"]
    assert provider.role_of(issuer.token("two")) is Role.OPERATOR
    with pytest.raises(KeyRefused, match="no key"):
        provider.role_of(old)


def test_a_silent_provider_is_503_until_its_keys_are_known(
    folder: Path, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "_AGAIN_SECONDS", 0)
    token = issuer.token()
    issuer.silent = True
    with served(folder, oidc=OidcSettings(issuer=issuer.url)) as client:
        headers = {"Authorization": f"Bearer {token}"}
        away = client.post("/try/write", json={}, headers=headers)
        assert (away.status_code, away.json()["code"]) == (503, "IdentityUnavailable")
        issuer.silent = False
        assert client.post("/try/write", json={}, headers=headers).status_code == 200
        issuer.silent = True
        monkeypatch.setattr(oidc, "_FRESH_SECONDS", 0)
        assert client.post("/try/write", json={}, headers=headers).status_code == 200
        monkeypatch.setattr(oidc, "_STALE_SECONDS", 0)
        assert client.post("/try/write", json={}, headers=headers).status_code == 503


def test_a_provider_that_is_nowhere_is_unavailable() -> None:
    provider = oidc.Provider(OidcSettings(issuer="http://127.0.0.1:9"))
    token = jwt.encode({"iss": "x"}, rsa.generate_private_key(65537, 2048), "RS256")
    with pytest.raises(IdentityUnavailable):
        provider.role_of(token)
