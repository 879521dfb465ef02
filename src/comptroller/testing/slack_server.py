"""A Slack workspace on 127.0.0.1: the Web API and a Socket Mode connection for slack-bolt. It presses buttons."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self
from urllib.parse import parse_qsl

from websockets.exceptions import ConnectionClosed
from websockets.sync.server import Server, ServerConnection, serve

from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

BOT_TOKEN = "xoxb-fake-bot-token"
APP_TOKEN = "xapp-fake-app-token"
ACK_SECONDS_MAX = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the Web API."""

    method: str
    arguments: Mapping[str, Any]


@dataclass(slots=True)
class _Acks:
    """Envelopes that were acknowledged, with what the app said to them."""

    seen: dict[str, Any] = field(default_factory=dict)
    changed: threading.Condition = field(default_factory=threading.Condition)

    def put(self, envelope: str, payload: Any) -> None:
        """One came."""
        with self.changed:
            self.seen[envelope] = payload
            self.changed.notify_all()

    def take(self, envelope: str) -> Any:
        """Wait for one. Raises `TimeoutError`."""
        with self.changed:
            if not self.changed.wait_for(lambda: envelope in self.seen, ACK_SECONDS_MAX):
                raise TimeoutError(f"nobody acknowledged {envelope}")
            return self.seen.pop(envelope)


class FakeSlack:
    """Use it as a context manager. `api` is where the Web API is; `fails` is an error that every posting meets."""

    def __init__(self) -> None:
        self.calls: list[Call] = []
        self.fails = ""
        self._acks = _Acks()
        self._count = 0
        self._connected = threading.Event()
        self._connection: ServerConnection | None = None
        self._web = HttpServer(self._answer)
        self._socket: Server = serve(self._connected_to, "127.0.0.1", 0)
        self._port = self._socket.socket.getsockname()[1]
        self._thread = threading.Thread(target=self._socket.serve_forever, daemon=True)
        self._thread.start()

    @property
    def api(self) -> str:
        """The Web API's address."""
        return f"{self._web.url}/api/"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._web.close()
        self._socket.shutdown()
        self._thread.join()

    def called(self, method: str) -> list[Mapping[str, Any]]:
        """The arguments of every call of a method."""
        return [each.arguments for each in self.calls if each.method == method]

    def press(self, message: Mapping[str, Any], action: str, *, user: str, value: str | None = None) -> None:
        """Press a button of a posted message, as a member; waits until the app acknowledged."""
        known = {e["action_id"]: e for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]}
        pressed = known.get(action, {}).get("value", "")
        place = {"type": "message", "message_ts": message["ts"], "channel_id": message["channel"]}
        self._interact(
            {
                "type": "block_actions",
                "container": place,
                "channel": {"id": message["channel"]},
                "trigger_id": "1.2.trigger",
                "actions": [{"action_id": action, "type": "button", "value": pressed if value is None else value}],
            },
            user,
        )

    def submit(self, view: Mapping[str, Any], text: str, *, user: str) -> Any:
        """Send a modal off with `text` in its only input; what the app answers."""
        block = view["blocks"][0]
        state = {block["block_id"]: {block["element"]["action_id"]: {"type": "plain_text_input", "value": text}}}
        return self._interact({"type": "view_submission", "view": {**view, "state": {"values": state}}}, user)

    def _interact(self, payload: dict[str, Any], user: str) -> Any:
        if not self._connected.wait(ACK_SECONDS_MAX):
            raise TimeoutError("no app is connected")
        assert self._connection is not None
        self._count += 1
        envelope = f"envelope-{self._count}"
        whole = {
            "team": {"id": "T1"},
            "user": {"id": user, "team_id": "T1"},
            "api_app_id": "A1",
            "token": "x",
            **payload,
        }
        event = {"envelope_id": envelope, "type": "interactive", "payload": whole, "accepts_response_payload": True}
        self._connection.send(json.dumps(event))
        return self._acks.take(envelope)

    def _connected_to(self, connection: ServerConnection) -> None:
        self._connection = connection
        connection.send(json.dumps({"type": "hello", "num_connections": 1, "connection_info": {"app_id": "A1"}}))
        self._connected.set()
        try:
            for text in connection:
                found = json.loads(text)
                self._acks.put(str(found.get("envelope_id")), found.get("payload"))
        except (ConnectionClosed, ValueError):
            return

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        method = request.path.removeprefix("/api/")
        arguments = _arguments(request)
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        wanted = APP_TOKEN if method == "apps.connections.open" else BOT_TOKEN
        if token != wanted:
            return _json({"ok": False, "error": "invalid_auth"})
        if self.fails and method.startswith("chat."):
            headers = {"retry-after": "7"} if self.fails == "ratelimited" else {}
            return _json({"ok": False, "error": self.fails}, 429 if headers else 200, headers)
        match method:
            case "auth.test":
                return _json({"ok": True, "team_id": "T1", "user_id": "UBOT", "bot_id": "B1", "url": "https://x/"})
            case "apps.connections.open":
                return _json({"ok": True, "url": f"ws://127.0.0.1:{self._port}/link"})
            case "chat.postMessage":
                self._count += 1
                arguments = {**arguments, "ts": f"1700000000.{self._count:06d}"}
        self.calls.append(Call(method=method, arguments=arguments))
        return _json({"ok": True, "channel": arguments.get("channel", ""), "ts": arguments.get("ts", "")})


def _arguments(request: HttpRequest) -> dict[str, Any]:
    if request.headers.get("content-type", "").startswith("application/json"):
        found = json.loads(request.body or b"{}")
        return dict(found)
    return dict(parse_qsl(request.body.decode("utf-8", "replace")))


def _json(body: Mapping[str, Any], status: int = 200, headers: Mapping[str, str] | None = None) -> HttpAnswer:
    return HttpAnswer(status=status, headers=dict(headers or {}), body=json.dumps(body).encode("utf-8"))
