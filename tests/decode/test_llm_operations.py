"""Every method of the real SDKs of OpenAI, Anthropic and Google is an operation with a name, and is sent as judged."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
from google import genai
from google.genai import types
from hypothesis import given
from hypothesis import strategies as st
from sdk_walk import Walk
from tests.fuzz_kit import fuzz
from wire_kit import again, from_http, request

from comptroller import price
from comptroller.core.action import ActionClass, digest
from comptroller.core.estimate import Unit
from comptroller.core.request import Request
from comptroller.decode.llm import AnthropicCodec, GeminiCodec, OpenAICodec
from comptroller.decode.llm.codec import ModelCodec
from comptroller.decode.llm.form import dump_form, parse_form
from comptroller.decode.shape import Undecodable

ROOT = Path(__file__).parents[2]
OPENAI, ANTHROPIC, GEMINI = OpenAICodec(), AnthropicCodec(), GeminiCodec()
NO_REQUEST = {
    # WebSockets, helpers that send nothing, and methods that must read a file or a session first.
    "openai": 21,
    "anthropic": 4,
}
UNMATCHED_MAX = 0.01


def _openai(client: Any) -> Any:
    return openai.OpenAI(api_key="placeholder", admin_api_key="placeholder", http_client=client, max_retries=0)


def _anthropic(client: Any) -> Any:
    return anthropic.Anthropic(api_key="placeholder", http_client=client, max_retries=0)


@pytest.mark.parametrize(("codec", "make"), [(OPENAI, _openai), (ANTHROPIC, _anthropic)], ids=["openai", "anthropic"])
def test_every_method_of_the_sdk(codec: ModelCodec, make: Callable[[Any], Any]) -> None:
    walk = Walk(make, next(iter(codec.hosts)))
    assert len(walk.requests) > 350 and len(walk.silent) <= NO_REQUEST[codec.name], walk.silent
    unread = {}
    for name, asked in walk.requests.items():
        action = codec.decode(asked)
        if action.undecodable:
            unread[name] = action.reason
            continue
        assert action.operation in codec.known() and action.classes >= codec.known()[action.operation]
        sent = codec.encode(action, asked)
        assert (sent.method, sent.target) == (asked.method, asked.target)
        # A streamed chat is asked for its usage besides.
        assert digest(codec.decode(again(sent, asked))) == digest(action) or codec._hides_usage(action), name
        assert codec.sentence(action)
        estimate = price.estimate(action)
        if action.classes & {ActionClass.INFER, ActionClass.PROVISION}:
            assert Unit.USD_MICROS in estimate.bounds
    # An empty batch is refused: there is nothing in it.
    assert set(unread) <= {"messages.batches.create", "beta.messages.batches.create"}, unread
    assert len(unread) / len(walk.requests) <= UNMATCHED_MAX


def test_tables_are_what_sdks_and_rules_give() -> None:
    tool = [sys.executable, str(ROOT / "tools" / "build_llm_index.py"), "--check"]
    assert subprocess.run(tool, capture_output=True, text=True, check=False).returncode == 0


@pytest.mark.parametrize("codec", [OPENAI, ANTHROPIC, GEMINI], ids=lambda codec: codec.name)
def test_only_what_changes_nothing_is_a_read(codec: ModelCodec) -> None:
    harmless = {"count_tokens", "count", "countTokens", "validate", "validate_archive", "validate_repository", "search"}
    for route in codec._table().routes:
        assert route.classes and ActionClass.UNKNOWN not in route.classes
        if route.classes == {ActionClass.READ}:
            assert route.method == "GET" or route.operation.rpartition(":")[2] in harmless, route
        if route.method == "DELETE":
            assert ActionClass.DESTROY in route.classes, route


REVIEWED = {
    "POST /v1/organization/admin_api_keys": "entitle reveal",
    "POST /v1/realtime/client_secrets": "infer reveal",
    "POST /v1/fine_tuning/jobs": "provision",
    "POST /v1/organization/spend_limit": "blind entitle",
    "DELETE /v1/organization/spend_limit": "blind destroy",
    "DELETE /v1/files/file-1": "destroy",
    "POST /v1/threads/t_1/runs": "execute infer",
    "POST /v1/webhook_endpoints": "communicate reveal",
    "POST /v1/vector_stores/vs_1/search": "read",
    "GET /v1/organization/usage/completions": "read",
    "POST /v1/batches": "infer",
}


@pytest.mark.parametrize(("line", "classes"), REVIEWED.items())
def test_reviewed(line: str, classes: str) -> None:
    method, _, path = line.partition(" ")
    body: dict[str, object] | bytes = {"x": 1} if method == "POST" else b""
    action = OPENAI.decode(request("api.openai.com", method, path, body))
    assert " ".join(sorted(action.classes)) == classes
    if action.classes & {ActionClass.PROVISION, ActionClass.INFER}:
        assert price.estimate(action).unknown(Unit.USD_MICROS)


class Seen(Exception):
    """Stops the SDK once its request was recorded."""


def google(calls: Callable[[genai.Client], object], **options: Any) -> Request:
    """What Google's SDK sends."""
    found: list[Request] = []

    def record(message: httpx.Request) -> httpx.Response:
        asked = from_http(
            message.method,
            str(message.url),
            message.headers,
            message.read(),
            host="generativelanguage.googleapis.com",
        )
        found.append(asked)
        raise Seen

    client = httpx.Client(transport=httpx.MockTransport(record))
    made = genai.Client(api_key="not-a-key", http_options=types.HttpOptions(httpx_client=client, **options))
    with pytest.raises(Seen):
        result = calls(made)
        if hasattr(result, "__iter__"):
            next(iter(result))
    return found[0]


M = "gemini-2.5-flash"
GOOGLE: dict[str, Callable[[genai.Client], object]] = {
    "gemini:models:generateContent": lambda c: c.models.generate_content(model=M, contents="hi"),
    "gemini:models:streamGenerateContent": lambda c: c.models.generate_content_stream(model=M, contents="hi"),
    "gemini:models:countTokens": lambda c: c.models.count_tokens(model=M, contents="hi"),
    "gemini:models:batchEmbedContents": lambda c: c.models.embed_content(model="gemini-embedding-001", contents="hi"),
    "gemini:models:get": lambda c: c.models.get(model=M),
    "gemini:models:list": lambda c: c.models.list(),
    "gemini:tunedModels:delete": lambda c: c.models.delete(model="tunedModels/x"),
    "gemini:cachedContents:create": lambda c: c.caches.create(model=M, config={"contents": "x", "ttl": "60s"}),
    "gemini:cachedContents:list": lambda c: c.caches.list(),
    "gemini:cachedContents:get": lambda c: c.caches.get(name="cachedContents/x"),
    "gemini:cachedContents:delete": lambda c: c.caches.delete(name="cachedContents/x"),
    "gemini:cachedContents:patch": lambda c: c.caches.update(name="cachedContents/x", config={"ttl": "60s"}),
    "gemini:files:list": lambda c: c.files.list(),
    "gemini:files:get": lambda c: c.files.get(name="files/x"),
    "gemini:files:delete": lambda c: c.files.delete(name="files/x"),
    "gemini:files:download": lambda c: c.files.download(file="files/x"),
    "gemini:files:upload": lambda c: c.files.upload(file=__file__, config={"mime_type": "text/plain"}),
    "gemini:models:batchGenerateContent": lambda c: c.batches.create(
        model=M, src=[{"contents": [{"parts": [{"text": "x"}]}]}]
    ),
    "gemini:batches:list": lambda c: c.batches.list(),
    "gemini:batches:get": lambda c: c.batches.get(name="batches/x"),
    "gemini:batches:cancel": lambda c: c.batches.cancel(name="batches/x"),
    "gemini:batches:delete": lambda c: c.batches.delete(name="batches/x"),
    "gemini:fileSearchStores:create": lambda c: c.file_search_stores.create(config={"display_name": "x"}),
    "gemini:fileSearchStores:list": lambda c: c.file_search_stores.list(),
    "gemini:fileSearchStores:get": lambda c: c.file_search_stores.get(name="fileSearchStores/x"),
    "gemini:fileSearchStores:delete": lambda c: c.file_search_stores.delete(name="fileSearchStores/x"),
    "gemini:fileSearchStores:importFile": lambda c: c.file_search_stores.import_file(
        file_search_store_name="fileSearchStores/x", file_name="files/y"
    ),
    "gemini:fileSearchStores:upload": lambda c: c.file_search_stores.upload_to_file_search_store(
        file_search_store_name="fileSearchStores/x", file=__file__, config={"mime_type": "text/plain"}
    ),
    "gemini:fileSearchStores.documents:list": lambda c: c.file_search_stores.documents.list(
        parent="fileSearchStores/x"
    ),
    "gemini:fileSearchStores.documents:get": lambda c: c.file_search_stores.documents.get(
        name="fileSearchStores/x/documents/y"
    ),
    "gemini:fileSearchStores.documents:delete": lambda c: c.file_search_stores.documents.delete(
        name="fileSearchStores/x/documents/y"
    ),
    "gemini:auth_tokens:create": lambda c: c.auth_tokens.create(config={"uses": 1}),
}


@pytest.mark.parametrize("operation", GOOGLE)
@pytest.mark.filterwarnings("ignore")
def test_google_sdk(operation: str) -> None:
    more = {"api_version": "v1alpha"} if "auth_tokens" in operation else {}
    asked = google(GOOGLE[operation], **more)
    action = GEMINI.decode(asked)
    assert action.operation == operation, action.reason
    sent = GEMINI.encode(action, asked)
    assert digest(GEMINI.decode(again(sent, asked))) == digest(action)
    assert not {"x-goog-api-key", "authorization"} & {header.name for header in sent.headers}


FORM = (
    b'--B\r\nContent-Disposition: form-data; name="purpose"\r\n\r\nbatch\r\n'
    b'--B\r\nContent-Disposition: form-data; name="file"; filename="a.jsonl"\r\nContent-Type: text/plain\r\n\r\n'
    b"{}\r\n\r\n--b\r\n--B--\r\n"
)


def test_forms_are_read_and_written_anew() -> None:
    fields = parse_form("multipart/form-data; boundary=B", FORM)
    assert fields["purpose"] == "batch"
    assert fields["file"] == {"filename": "a.jsonl", "type": "text/plain", "content": "@content.0"}
    assert fields["@content.0"] == b"{}\r\n\r\n--b"
    kind, body = dump_form(fields)
    assert parse_form(kind, body) == fields
    asked = request("api.openai.com", "POST", "/v1/files", FORM, content_type="multipart/form-data; boundary=B")
    action = OPENAI.decode(asked)
    assert (action.operation, action.parameters["purpose"]) == ("openai:files:create", "batch")
    assert OPENAI.encode(action, asked).body == body


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"preamble\r\n" + FORM,
        FORM.replace(b"--B--\r\n", b""),
        FORM + b"epilogue",
        FORM.replace(b'name="purpose"', b"name=purpose"),
        FORM.replace(b'name="purpose"', b'name="@path"'),
        FORM.replace(b'name="purpose"', b'name="purpose"; name="file"'),
        FORM.replace(b"Content-Type: text/plain", b"Content-Transfer-Encoding: base64"),
        FORM.replace(b"Content-Type: text/plain", b"Content-Type: text/plain\r\nContent-Type: text/html"),
        FORM.replace(b"\r\nbatch\r\n", b"\r\nba--Btch\r\n"),
        FORM.replace(b"\r\nbatch\r\n", b"\r\nba\n--B\ntch\r\n"),
        FORM.replace(b"\r\nbatch\r\n", b"\r\n\xff\r\n"),
        FORM.replace(b"\r\n\r\nbatch", b"\r\nbatch"),
        FORM.replace(b'filename="a.jsonl"', b"filename*=utf-8''a.jsonl"),
    ],
)
def test_a_form_that_may_be_cut_in_two_ways_is_refused(broken: bytes) -> None:
    with pytest.raises(Undecodable):
        parse_form("multipart/form-data; boundary=B", broken)


PIECES = st.sampled_from(
    [b"--B", b"--B--", b"--", b"\r\n", b"\r\n\r\n", b"\n", b"\x00", b"\xff", b"text", b"Content-Type: text/plain"]
) | st.sampled_from(
    [b'Content-Disposition: form-data; name="a"', b'; filename="x"', b'Content-Disposition: form-data; name="a\\""']
)


@fuzz(300)
@given(st.lists(PIECES, max_size=14))
def test_forms_are_read_in_one_way_or_not_at_all(pieces: list[bytes]) -> None:
    try:
        fields = parse_form("multipart/form-data; boundary=B", b"".join(pieces))
    except Undecodable:
        return
    kind, body = dump_form(fields)
    assert parse_form(kind, body) == fields


@fuzz(100)
@given(
    st.dictionaries(
        st.from_regex(r"[a-z_\[\]]{1,12}", fullmatch=True),
        st.text(max_size=20) | st.lists(st.text(max_size=5), min_size=2, max_size=3),
        max_size=4,
    ),
    st.lists(st.binary(max_size=60), max_size=3),
)
def test_any_form_survives_being_written(fields: dict[str, Any], files: list[bytes]) -> None:
    parameters: dict[str, Any] = dict(fields)
    for at, content in enumerate(files):
        parameters[f"file{at}"] = {"filename": "a", "content": f"@content.{at}"}
        parameters[f"@content.{at}"] = content
    assert parse_form(*dump_form(parameters)) == parameters
