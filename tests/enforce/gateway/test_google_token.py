"""Tokens for a service account: signed as Google wants it, renewed in time, kept out of every message."""

from __future__ import annotations

import json
import threading
import time
from base64 import urlsafe_b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

from comptroller.core.config import AgentConfig, CredentialConfig
from comptroller.core.request import Outgoing
from comptroller.enforce.gateway.credentials import CredentialBroker, NoCredentialError
from comptroller.enforce.gateway.google_token import SCOPE, TOKEN_URL, AccessToken, NoTokenError, mint

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
HOST = "compute.googleapis.com"


def key_file(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey = KEY) -> str:
    """The JSON of a service account's key."""
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return json.dumps({"client_email": "bot@p.iam.example", "private_key": pem.decode(), "private_key_id": "k1"})


class Service:
    """A token service on the loopback."""

    def __init__(self) -> None:
        self.asked: list[dict[str, list[str]]] = []
        self.status, self.answer = 200, json.dumps({"access_token": "ya29.real", "expires_in": 3600})
        service = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["content-length"]))
                service.asked.append(parse_qs(body.decode()))
                self.send_response(service.status)
                self.end_headers()
                self.wfile.write(service.answer.encode())

            def log_message(self, *arguments: object) -> None:
                """Says nothing."""

        self.httpd = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.httpd.server_port}/token"


@pytest.fixture
def service() -> Iterator[Service]:
    made = Service()
    thread = threading.Thread(target=made.httpd.serve_forever, daemon=True)
    thread.start()
    yield made
    made.httpd.shutdown()
    made.httpd.server_close()
    thread.join()


def decoded(part: str) -> bytes:
    return urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_the_assertion_is_signed_and_says_whom_it_is_for(service: Service) -> None:
    token = mint(key_file(), url=service.url)
    assert (token.text, token.fresh, token.valid) == ("ya29.real", True, True) and "ya29" not in repr(token)
    (asked,) = service.asked
    head, claims, signature = asked["assertion"][0].split(".")
    KEY.public_key().verify(decoded(signature), f"{head}.{claims}".encode(), padding.PKCS1v15(), hashes.SHA256())
    assert json.loads(decoded(head)) == {"alg": "RS256", "typ": "JWT", "kid": "k1"}
    said = json.loads(decoded(claims))
    assert (said["iss"], said["scope"], said["aud"]) == ("bot@p.iam.example", SCOPE, TOKEN_URL)
    assert said["exp"] - said["iat"] == 3600


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"client_email": "a", "private_key": "x"}'])
def test_what_is_no_key_file_is_said(text: str) -> None:
    with pytest.raises(NoTokenError, match="key file"):
        mint(text)
    with pytest.raises(NoTokenError, match="RSA"):
        mint(key_file(ec.generate_private_key(ec.SECP256R1())))


def test_answers_without_a_token_are_refused(service: Service) -> None:
    for service.status, service.answer in (
        (400, "{}"),
        (200, "x"),
        (200, "[]"),
        (200, "{}"),
        (200, '{"access_token": 1, "expires_in": 1}'),
    ):
        with pytest.raises(NoTokenError):
            mint(key_file(), url=service.url)
    with pytest.raises(NoTokenError, match="cannot be reached"):
        mint(key_file(), url="http://127.0.0.1:9/token")


async def test_the_broker_renews_in_time_and_says_what_is_wrong(tmp_path: Path) -> None:
    made: list[AccessToken | NoTokenError] = []

    def take(text: str) -> AccessToken:
        found = made.pop(0)
        if isinstance(found, NoTokenError):
            raise found
        return found

    path = tmp_path / "key.json"
    path.write_text(key_file())
    credential = CredentialConfig.model_validate({"source": "gcp_service_account", "service": "gcp", "path": str(path)})
    agent = AgentConfig(team="ml", owner="ann", purpose="x", credentials=("g",))
    broker = CredentialBroker({"g": credential}, {"bot": agent}, environment={}, mint=take)
    asked = Outgoing(method="GET", scheme="https", host=HOST, port=443, target="/", headers=(), body=b"", family="gcp")

    assert "no token" in (broker.missing("gcp", HOST, "bot") or "")
    made += [NoTokenError("it is down"), AccessToken("one", time.time() + 3600), AccessToken("two", time.time() + 3600)]
    await broker.prepare("gcp", HOST, "bot")
    await broker.prepare("gcp", HOST, "bot")
    assert "it is down" in (broker.missing("gcp", HOST, "bot") or "") and len(made) == 2, "not asked again at once"
    broker._again.clear()
    await broker.prepare("gcp", HOST, "bot")
    await broker.prepare("gcp", HOST, "bot")
    assert broker.missing("gcp", HOST, "bot") is None and len(made) == 1
    out = broker.apply(asked, "bot")
    assert [h.value for h in out.headers if h.name == "authorization"] == ["Bearer one"] and out.secret == "one"
    broker._tokens[path] = (broker._tokens[path][0], AccessToken("one", time.time() + 60))
    await broker.prepare("gcp", HOST, "bot")
    assert "two" in str([h.value for h in broker.apply(asked, "bot").headers])
    broker._tokens[path] = (broker._tokens[path][0], AccessToken("two", time.time() - 1))
    with pytest.raises(NoCredentialError, match="has run out"):
        broker.apply(asked, "bot")
    path.write_text(key_file() + " ")
    assert "no token" in (broker.missing("gcp", HOST, "bot") or ""), "another key, another token"
    await broker.prepare("openai", "api.openai.com", "bot")
