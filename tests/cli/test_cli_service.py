"""`comptroller service`: descriptions are proposed, checked with file and line, and tried out."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner, Result
from tools import build_service_schema

from comptroller.cli import service as cli
from comptroller.cli.service import service
from comptroller.compose import starter_policies
from comptroller.core.errors import ConfigError, MissingError, RefusedError, UsageError
from comptroller.server.descriptions import described_services, load_service
from comptroller.server.place import load_config
from comptroller.testing.certificates import self_signed

CONFIG = """
version: 1
organization: acme
teams: {shop: {}}
people: {ann: {groups: [approvers]}}
agents:
  till: {team: shop, owner: ann, purpose: take payments, services: [acme-bank, paypal]}
credentials:
  bank: {source: env, service: acme-bank, variable: BANK_KEY}
"""
API = {
    "openapi": "3.0.1",
    "info": {"title": "Acme Bank API", "version": "2.1"},
    "servers": [{"url": "https://{region}.bank.example/v2", "variables": {"region": {"default": "api"}}}],
    "components": {
        "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Bank-Key"}},
        "schemas": {
            "Money": {"properties": {"value": {"type": "integer"}, "currency": {"type": "string"}}},
            "Transfer": {
                "properties": {
                    "amount": {"$ref": "#/components/schemas/Money"},
                    "recipient": {"type": "string"},
                    "idempotency_key": {"type": "string"},
                    "card_number": {"type": "string"},
                    "self": {"$ref": "#/components/schemas/Transfer"},
                }
            },
        },
    },
    "paths": {
        "/transfers": {
            "get": {"operationId": "listTransfers", "summary": "List\u2028them"},
            "post": {
                "operationId": "createTransfer",
                "summary": "Send: money # now",
                "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Transfer"}}}},
            },
        },
        "/transfers/{id}": {"get": {}, "delete": {"summary": "Cancel it"}},
        "/api-keys": {"post": {"summary": "Create a key"}, "get": {"summary": "List keys"}},
        "/members": {"post": {"summary": "Invite somebody"}},
        "/scripts/run": {"post": {"requestBody": {"content": {"text/plain": {}}}}},
        "/notes": {"put": {"summary": "Change a note"}},
    },
}  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose configuration names a service that is yet to be described."""
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "starter.cedar").write_text(starter_policies())
    (tmp_path / "comptroller.yaml").write_text(CONFIG)
    (tmp_path / "bank.json").write_text(json.dumps(API))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str) -> Result:
    """Run one `service` command; errors of ours are raised as the command line's `main` receives them."""
    result = CliRunner().invoke(service, arguments)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def outcome(*arguments: str) -> dict[str, object]:
    """The JSON document of `service test`."""
    return json.loads(run("test", *arguments, "--json").stdout)


def test_a_description_is_proposed_and_counts_only_when_reviewed(folder: Path) -> None:
    result = run("add", "bank.json")
    file = folder / "services" / "acme-bank.yaml"
    assert result.exit_code == 0 and "9 operations" in result.output and str(file) in result.output.replace("\n", "")
    document = yaml.safe_load(file.read_text())
    jsonschema.validate(document, json.loads(build_service_schema.build()))
    operations = document["operations"]
    assert document["reviewed"] is False and document["credential"] == {"header": "x-bank-key", "prefix": ""}
    assert operations["POST /v2/transfers"]["payment"] == {
        "amount": "/amount/value", "unit": "minor", "currency": "/amount/currency", "payee": "/recipient",
    }  # fmt: skip
    classes = {key: set(each["classes"]) for key, each in operations.items()}
    assert classes["GET /v2/transfers"] == {"read"} and "pay" in classes["POST /v2/transfers"]
    assert {"destroy"} <= classes["DELETE /v2/transfers/{id}"] and classes["GET /v2/api-keys"] == {"reveal"}
    assert {"entitle", "reveal"} <= classes["POST /v2/api-keys"] and "entitle" in classes["POST /v2/members"]
    assert "execute" in classes["POST /v2/scripts/run"] and classes["PUT /v2/notes"] == {"write"}
    assert document["sensitive"] == ["card_number"] and '# idempotency: ["/idempotency_key"' in file.read_text()
    assert file.read_text().count("# review") >= 9
    (unreviewed,) = [each for each in outcome("acme-bank")["warnings"] if "reviewed" in each["message"]]  # type: ignore[index, attr-defined]
    assert unreviewed["line"] == 1
    with pytest.raises(RefusedError):
        run("add", "bank.json")
    assert run("add", "bank.json", "--force").exit_code == 0
    assert run("add", "bank.json", "--name", "other", "--host", "x.example").exit_code == 0
    assert load_service(folder / "services" / "other.yaml").hosts == ("x.example",)


def test_requests_are_shown_with_what_they_would_do_and_cost(folder: Path) -> None:
    run("add", "bank.json")
    body = '{"amount": {"value": 1250, "currency": "USD"}, "recipient": "bob"}'
    (tried,) = outcome("acme-bank", "/v2/transfers", "-d", body)["requests"]  # type: ignore[misc]
    assert tried["operation"] == "acme-bank:createTransfer" and tried["payment"]["amount"] == "12.50 USD"
    assert tried["estimate"]["usd_micros"] == {"low": 12_500_000, "high": 12_500_000}
    assert tried["verdict"] == "require_approval" and "pay" in tried["rules"]
    shown = run("test", "acme-bank", "/v2/transfers", "-d", body).output
    assert "amount     12.50 USD to bob" in shown and "estimate   at most $12.50" in shown
    assert "verdict    require_approval" in shown
    (folder / "samples.http").write_text(
        "# look\nGET https://api.bank.example/v2/transfers?limit=1 HTTP/1.1\n\n###\nPOST /v2/transfers\n"
        f"Content-Type: application/json\n\n{body}\n\n### nothing below\n"
    )
    first, second = outcome("acme-bank", "--request", "samples.http")["requests"]  # type: ignore[misc]
    assert first["verdict"] == "allow" and first["request"] == "GET api.bank.example/v2/transfers?limit=1"
    assert second["operation"] == "acme-bank:createTransfer"
    (built_in,) = outcome("paypal", "-X", "POST", "/v2/payments/captures/9/refund")["requests"]  # type: ignore[misc]
    assert built_in["operation"] == "paypal:captures.refund" and built_in["estimate"]["usd_micros"]["high"] is None
    (unknown,) = outcome("paypal", "/v9/nothing")["requests"]  # type: ignore[misc]
    assert unknown["verdict"] == "deny" and "no described operation" in unknown["unknown_because"]
    assert "describe it under `operations`" in unknown["advice"][0]
    with pytest.raises(UsageError, match=r"`other\.example` is no host of `paypal`"):
        run("test", "paypal", "https://other.example/v1/x")


def test_mistakes_end_with_1_and_have_their_place(folder: Path) -> None:
    (folder / "services").mkdir()
    file = folder / "services" / "own.yaml"
    file.write_text("version: 1\nhosts: [a.example]\noperations:\n  POST /x: {name: x, classes: [pya]}\n  GET y: y\n")
    result = run("test", "own")
    assert result.exit_code == 1
    assert f"{file}:4: operations.POST /x.classes: there is no class `pya`; did you mean `pay`?" in result.output
    (problem,) = outcome("own")["problems"]  # type: ignore[misc]
    assert (problem["file"], problem["line"]) == (str(file), 4)
    file.write_text("version: 1\nhosts: [a.example]\noperations:\n  GET /a/{x}: a.get\n  GET /a/{y}: b.get\n")
    assert run("test", str(file)).exit_code == 1 and outcome("own")["ok"] is False
    file.write_text("version: 1\nhosts: [a.example]\nopenapi: ../bank.json\n")
    assert "not in the folder" in run("test", "own").output
    with pytest.raises(ConfigError, match=r"own\.yaml"):
        described_services(folder / "comptroller.yaml")


def test_what_cannot_be_meant_is_said(folder: Path) -> None:
    for arguments, error in (
        (("test", "acme-bonk"), UsageError),
        (("test", "paypal", "-d", "{}"), UsageError),
        (("test", "paypal", "/x", "-H", "nonsense"), UsageError),
        (("test", "paypal", "/x", "--agent", "nobody"), UsageError),
        (("test", "paypal", "--request", "none.http"), UsageError),
        (("add", "none.json"), UsageError),
        (("add", "comptroller.yaml"), UsageError),
        (("add", "bank.json", "--name", "Not A Name"), UsageError),
        (("add", "http://api.bank.example/openapi.json"), UsageError),
        (("add", "https://localhost:9/openapi.json"), MissingError),
    ):
        with pytest.raises(error):
            run(*arguments)
    assert not (folder / "services").exists()


def test_the_list_has_your_own_first(folder: Path) -> None:
    run("add", "bank.json")
    rows = json.loads(run("list", "--json").stdout)["services"]
    assert rows[0] == {**rows[0], "name": "acme-bank", "built_in": False, "reviewed": False}
    assert {"paypal", "github", "slack"} <= {row["name"] for row in rows if row["built_in"]}
    assert "not reviewed yet" in run("list").output


def test_the_configuration_knows_described_services(folder: Path) -> None:
    with pytest.raises(ConfigError, match=r"comptroller\.yaml:9: .*`acme-bank` is not a service that a credential"):
        load_config(folder / "comptroller.yaml")
    run("add", "bank.json")
    assert load_config(folder / "comptroller.yaml").credentials["bank"].service == "acme-bank"
    (folder / "services" / "Not_A_Name.yaml").write_text("version: 1\n")
    with pytest.raises(ConfigError, match="cannot be the name of a service"):
        load_config(folder / "comptroller.yaml")


# ---------------------------------------------------------------- over the network


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """An https server on the loopback with a document, redirects and an endless answer."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            if self.path == "/away":
                self.send_response(302)
                self.send_header("location", "http://localhost/openapi.json")
                self.end_headers()
                return
            if self.path in ("/moved", "/round"):
                self.send_response(302)
                self.send_header("location", "/openapi.json" if self.path == "/moved" else "/round")
                self.end_headers()
                return
            body = json.dumps(API).encode() if self.path == "/openapi.json" else b" " * 5000
            self.send_response(404 if self.path == "/none" else 200)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *arguments: object) -> None:
            """Says nothing."""

    certificate, key = self_signed("localhost")
    both, trusted = tmp_path / "both.pem", tmp_path / "trusted.pem"
    both.write_bytes(certificate + key)
    trusted.write_bytes(certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(both)
    httpd = HTTPServer(("127.0.0.1", 0), Handler)
    httpd.socket = context.wrap_socket(httpd.socket, server_side=True)
    thread = threading.Thread(target=httpd.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    yield f"https://localhost:{httpd.server_port}"
    httpd.shutdown()
    httpd.server_close()
    thread.join()


def test_a_document_is_fetched_within_limits(folder: Path, server: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run("add", f"{server}/moved").exit_code == 0
    assert "source: " in (folder / "services" / "acme-bank.yaml").read_text()
    for path in ("/away", "/round", "/none"):
        with pytest.raises(UsageError):
            run("add", f"{server}{path}", "--force")
    monkeypatch.setattr(cli, "API_BYTES_MAX", 1000)
    with pytest.raises(UsageError, match="larger than"):
        run("add", f"{server}/large", "--force")
