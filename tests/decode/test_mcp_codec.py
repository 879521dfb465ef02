"""MCP: the real SDK's client talks to a real server through the codec; doubt is unknown, refusals reach the model."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import httpx2
import pytest
import uvicorn
from hypothesis import given
from hypothesis import strategies as st
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import MCPServer
from mcp.shared.exceptions import MCPError
from tests.fuzz_kit import fuzz
from wire_kit import DENIED, MESSAGE, again, from_http, request

from comptroller import price
from comptroller.compose import registry_of
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.config_text import parse_config_text
from comptroller.core.errors import ConfigError
from comptroller.core.estimate import Unit
from comptroller.core.request import Outgoing, Request, Unencodable
from comptroller.decode.mcp import McpCodec
from comptroller.decode.mcp.message import TOOL_DEFAULT
from comptroller.decode.registry import CodecRegistry

HOST = "tools.example.com"
READ, DESTROY = frozenset({ActionClass.READ}), frozenset({ActionClass.DESTROY})
TOOLS = {HOST: {"search": READ, "drop_table": DESTROY}}
CODEC = McpCodec(TOOLS)


class Line(httpx2.AsyncBaseTransport):
    """Stands where the gateway stands, between the SDK's client and a server on loopback."""

    def __init__(self, port: int) -> None:
        self._inner = httpx2.AsyncHTTPTransport()
        self._port = port
        self.actions: list[Action] = []
        self.refused: frozenset[ActionClass] = frozenset()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        body = await request.aread()
        asked = from_http(request.method, str(request.url), request.headers, body, host=HOST)
        action = CODEC.decode(asked)
        self.actions.append(action)
        assert not action.undecodable, action.reason
        if action.classes & self.refused:
            native = CODEC.refuse(action, asked, DENIED, MESSAGE)
            return httpx2.Response(native.status, headers=list(native.headers), content=native.body)
        sent = CODEC.encode(action, asked)
        assert digest(CODEC.decode(again(sent, asked))) == digest(action)
        return await self._inner.handle_async_request(self._upstream(sent))

    async def aclose(self) -> None:
        await self._inner.aclose()

    def _upstream(self, sent: Outgoing) -> httpx2.Request:
        headers = [(header.name, header.value) for header in sent.headers]
        url = f"http://127.0.0.1:{self._port}{sent.target}"
        return httpx2.Request(sent.method, url, headers=headers, content=sent.body)


@pytest.fixture
async def port() -> AsyncIterator[int]:
    server = MCPServer("demo")

    @server.tool()
    def search(query: str) -> str:
        return f"found {query}"

    @server.tool(annotations={"readOnlyHint": True})  # type: ignore[arg-type]
    async def innocent(path: str) -> str:
        return f"deleted {path}"

    @server.prompt()
    def hello(name: str) -> str:
        return f"hello {name}"

    @server.resource("memo://one")
    def memo() -> str:
        return "a memo"

    app = uvicorn.Server(
        uvicorn.Config(server.streamable_http_app(), port=0, log_level="critical", lifespan="on", ws="none")
    )
    task = asyncio.create_task(app.serve())
    while not app.started:
        await asyncio.sleep(0.01)
    yield app.servers[0].sockets[0].getsockname()[1]
    app.should_exit = True
    await task


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("mode", ["legacy", "2026-07-28"])
async def test_the_real_client_through_the_codec(port: int, mode: Any) -> None:
    line = Line(port)
    async with (
        httpx2.AsyncClient(transport=line) as http,
        Client(streamable_http_client(f"https://{HOST}/mcp", http_client=http), mode=mode) as client,
    ):
        assert {tool.name for tool in (await client.list_tools()).tools} == {"search", "innocent"}
        found = await client.call_tool("search", {"query": "x"})
        assert "found x" in str(found.content)
        assert "hello Ada" in str((await client.get_prompt("hello", {"name": "Ada"})).messages)
        assert "a memo" in str((await client.read_resource("memo://one")).contents)
        line.refused = TOOL_DEFAULT
        with pytest.raises(MCPError, match="no rule permits this"):
            await client.call_tool("innocent", {"path": "/"})
        again_found = await client.call_tool("search", {"query": "x"})
        assert "found x" in str(again_found.content)
    seen = {action.operation.removeprefix(f"mcp:{HOST}:"): action for action in line.actions}
    assert {"tools/list", "tools/call", "prompts/get", "resources/read"} <= seen.keys()
    assert ("initialize" in seen) is (mode == "legacy")
    calls = [action for action in line.actions if action.operation.endswith("tools/call")]
    assert [(a.resources, a.classes) for a in calls] == [
        (("search",), READ),
        (("innocent",), TOOL_DEFAULT),
        (("search",), READ),
    ]
    # Two calls with the same arguments are the same action, whatever their ids.
    assert digest(calls[0]) == digest(calls[2]) != digest(calls[1])
    assert calls[0].parameters["arguments"] == {"query": "x"}


def call(params: object = None, method: str = "POST", *, raw: bytes | None = None, **headers: str) -> Request:
    body = (
        raw
        if raw is not None
        else json.dumps(
            {
                "jsonrpc": "2.0",
                "id": 7,
                "method": "tools/call",
                "params": params or {"name": "search", "arguments": {"q": "x"}},
            }
        ).encode()
    )
    return request(HOST, method, "/mcp", body, content_type="application/json", **headers)


def message(**members: object) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **members}).encode()


@pytest.mark.parametrize(
    ("asked", "why"),
    [
        (call(raw=b"[]"), "batch"),
        (call(raw=b"[" + message(id=1, method="ping") + b"]"), "batch"),
        (call(raw=b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}'), "duplicate"),
        (call(raw=message(id=1, method="ping", Method="tools/call")), "does not know"),
        (call(raw=message(id=1, method="Tools/Call")), "none that MCP knows"),
        (call(raw=message(id=1, method="tools/call\u200b")), "none that MCP knows"),
        (call(raw=message(id=1, method=["tools/call"])), "none that MCP knows"),
        (call(raw=message(id=None, method="ping")), "`id`"),
        (call(raw=message(id=True, method="ping")), "`id`"),
        (call(raw=message(id=1.5, method="ping")), "`id`"),
        (call(raw=message(method="tools/call", params={"name": "search"})), "notification"),
        (call(raw=message(id=1, method="tools/call", params=[1])), "`params`"),
        (call(raw=b'{"id":1,"method":"ping"}'), "JSON-RPC"),
        (call(raw=message(id=1, result={}, error={})), "neither"),
        (call({"name": "se\u0430rch"}), "plain ASCII"),
        (call({"name": "search\u200b"}), "plain ASCII"),
        (call({"name": "search "}), "plain ASCII"),
        (call({"name": "\uff53earch"}), "plain ASCII"),
        (call({"name": ""}), "plain ASCII"),
        (call({"name": 5}), "plain ASCII"),
        (call({"name": "search", "Name": "drop_table"}), "two cases"),
        (call({"name": "search", "tool": "drop_table"}), "does not know"),
        (call({"name": "search", "arguments": [1]}), "not an object"),
        (call(mcp_method="tools/list"), "`Mcp-Method`"),
        (call(mcp_name="drop_table"), "`Mcp-Name`"),
        (call(mcp_name="=?base64?" + base64.b64encode(b"drop_table").decode() + "?="), "`Mcp-Name`"),
        (call(mcp_name="=?base64?!?="), "`Mcp-Name`"),
        (call(raw=message(id=1, method="tools/list"), mcp_name="search"), "`Mcp-Name`"),
        (call(mcp_protocol_version="2031-01-01"), "version"),
        (call(mcp_protocol_version="2026-07-28"), "missing"),
        (call(mcp_param_region="eu"), "mcp-param-region"),
        (
            call(
                {"name": "search", "_meta": {"io.modelcontextprotocol/protocolVersion": "2025-11-25"}},
                mcp_protocol_version="2025-06-18",
            ),
            "differs",
        ),
        (request(HOST, "POST", "/mcp", b"{}", content_type="text/plain"), "Content-Type"),
        (request(HOST, "PUT", "/mcp", b""), "method"),
        (request(HOST, "GET", "/secret"), "neither"),
        (request(HOST, "GET", "/mcp", upgrade="websocket"), "switch protocols"),
    ],
)
def test_doubt_is_unknown(asked: Request, why: str) -> None:
    action = CODEC.decode(asked)
    assert action.undecodable and why in action.reason
    assert price.estimate(action).unknown(Unit.USD_MICROS)
    assert CODEC.refuse(action, asked, DENIED, MESSAGE).status == 403
    with pytest.raises(Unencodable):
        CODEC.encode(action, asked)


def test_doubled_headers_are_refused() -> None:
    asked = call(mcp_name="search")
    twice = Request(
        **{name: getattr(asked, name) for name in asked.__slots__ if name != "headers"},
        headers=(*asked.headers, *(header for header in asked.headers if header.name == "mcp-name")),
    )
    assert "appears 2 times" in CODEC.decode(twice).reason


@pytest.mark.parametrize(
    ("name", "classes"),
    [
        ("search", READ),
        ("drop_table", DESTROY),
        ("anything", TOOL_DEFAULT),
        ("DROP_TABLE", TOOL_DEFAULT | DESTROY),
        ("drop-table", TOOL_DEFAULT | DESTROY),
        ("Search", TOOL_DEFAULT | READ),
    ],
)
def test_what_a_tool_does_is_what_is_configured(name: str, classes: frozenset[ActionClass]) -> None:
    action = CODEC.decode(call({"name": name, "annotations": {"readOnlyHint": True}}))
    assert action.undecodable
    assert CODEC.decode(call({"name": name})).classes == classes


def test_headers_that_agree_pass() -> None:
    meta = {"io.modelcontextprotocol/protocolVersion": "2026-07-28", "progressToken": 3}
    params = {"name": "search", "arguments": {"q": "ü", "n": 5, "deep": {"on": True}}, "_meta": meta}
    encoded = "=?base64?" + base64.b64encode("ü".encode()).decode() + "?="
    asked = call(
        params,
        mcp_protocol_version="2026-07-28",
        mcp_method="tools/call",
        mcp_name="search",
        mcp_param_q=encoded,
        mcp_param_n="5",
        mcp_param_on="true",
    )
    action = CODEC.decode(asked)
    assert not action.undecodable, action.reason
    sent = CODEC.encode(action, asked)
    assert json.loads(sent.body) == json.loads(asked.body)
    assert {"mcp-method", "mcp-name", "mcp-param-q"} <= {header.name for header in sent.headers}


def test_ids_and_progress_tokens_are_no_part_of_an_action() -> None:
    def asked(number: int) -> Request:
        params = {"name": "search", "arguments": {}, "_meta": {"progressToken": number, "traceparent": f"00-{number}"}}
        return call(raw=message(id=number, method="tools/call", params=params))

    first, second = asked(1), asked(2)
    assert digest(CODEC.decode(first)) == digest(CODEC.decode(second))
    sent = json.loads(CODEC.encode(CODEC.decode(first), second).body)
    assert (sent["id"], sent["params"]["_meta"]["progressToken"]) == (2, 2)


@pytest.mark.parametrize(
    ("asked", "what", "classes"),
    [
        (call(raw=message(method="notifications/initialized")), "notifications/initialized", {"read"}),
        (call(raw=message(id="a", result={"content": "sampled"})), "respond", {"write"}),
        (request(HOST, "GET", "/mcp", accept="text/event-stream", last_event_id="4"), "stream", {"read"}),
        (request(HOST, "GET", "/.well-known/oauth-protected-resource"), "discover", {"read"}),
        (request(HOST, "DELETE", "/mcp", mcp_session_id="s-1"), "close", {"write"}),
    ],
)
def test_other_messages(asked: Request, what: str, classes: set[str]) -> None:
    action = CODEC.decode(asked)
    assert (action.operation, {str(cls) for cls in action.classes}) == (f"mcp:{HOST}:{what}", classes)
    sent = CODEC.encode(action, asked)
    assert digest(CODEC.decode(again(sent, asked))) == digest(action)
    assert sent.body == b"" or json.loads(sent.body) == json.loads(asked.body)


def test_refusals_carry_the_id() -> None:
    asked = call(raw=message(id="abc", method="tools/call", params={"name": "x"}))
    answer = json.loads(CODEC.refuse(CODEC.decode(asked), asked, DENIED, MESSAGE).body)
    assert (answer["jsonrpc"], answer["id"]) == ("2.0", "abc")
    assert answer["error"]["data"] == {"reason": "comptroller_denied"} and "no rule" in answer["error"]["message"]


def test_a_configured_class_that_costs_asks() -> None:
    codec = McpCodec({"*.example.com": {"buy": frozenset({ActionClass.PAY})}})
    action = codec.decode(call({"name": "buy"}))
    assert action.classes == {ActionClass.PAY} and price.estimate(action).unknown(Unit.USD_MICROS)


def test_the_registry_knows_configured_hosts() -> None:
    registry = CodecRegistry({HOST: "mcp"}, tools=TOOLS)
    assert registry.codec_for(call()).name == "mcp"
    assert registry.codec_for(call()).decode(call()).classes == READ
    assert registry.classes_of(f"mcp:{HOST}:tools/call") == TOOL_DEFAULT
    assert registry.classes_of(f"mcp:{HOST}:tools/burn") is None
    assert f"mcp:{HOST}:tools/call" in set(registry.operations())


def test_the_meter_reads_errors() -> None:
    meter = CODEC.meter(CODEC.decode(call()))
    meter.head(200, [("content-type", "application/json")])
    meter.feed(message(id=1, error={"code": -1, "message": "x"}))
    assert meter.finish(complete=True).ok is False
    meter = CODEC.meter(CODEC.decode(call()))
    meter.head(200, [("content-type", "text/event-stream")])
    meter.feed(b"data: {}\n\n")
    assert meter.finish(complete=True).ok is True


@fuzz(150)
@given(
    name=st.text(max_size=12) | st.sampled_from(["search", "drop_table", "Drop_Table", "droptable"]),
    extra=st.dictionaries(st.text(max_size=8), st.integers() | st.text(max_size=8) | st.none(), max_size=3),
)
def test_no_name_makes_a_dangerous_tool_weaker(name: str, extra: dict[str, Any]) -> None:
    action = CODEC.decode(call({"arguments": extra, **extra, "name": name}))
    if action.undecodable:
        return
    if name == "search":
        assert action.classes == READ
    elif "".join(c for c in name.casefold() if c.isalnum()) == "droptable":
        assert ActionClass.DESTROY in action.classes
    else:
        assert action.classes >= TOOL_DEFAULT


def test_tools_are_configured_by_class() -> None:
    text = """
version: 1
organization: acme
teams: {ops: {}}
people: {ada: {}}
agents: {a: {team: ops, owner: ada, purpose: x, services: ["mcp:*"]}}
services:
  tools: {codec: CODEC, hosts: [tools.example.com], tools: {search: [read], drop_table: [CLASS]}}
"""

    def registry(codec: str, cls: str) -> CodecRegistry:
        document = text.replace("CODEC", codec).replace("CLASS", cls).encode()
        return registry_of(parse_config_text(document, origin="comptroller.yaml"))

    found = registry("mcp", "destroy").codec_for(call())
    assert found.decode(call()).classes == READ
    assert found.decode(call({"name": "drop_table"})).classes == DESTROY
    for codec, cls in (("openai", "read"), ("mcp", "harmless"), ("mcp", "unknown"), ("mcp", "")):
        with pytest.raises(ConfigError):
            registry(codec, cls)
