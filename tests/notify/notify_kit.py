"""A real engine with a notifier over it, and receivers on this machine that can fail and hang."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import threading
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.server.server_kit import Place, configured, make_place

from comptroller.compose_notify import NoticeWords
from comptroller.core.config import Config
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.notify.notifier import Notifier
from comptroller.notify.secret import Secrets
from comptroller.notify.writing import Letter
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

KEY = "whsec_" + base64.b64encode(b"k" * 32).decode()
OLD_KEY = "whsec_" + base64.b64encode(b"o" * 32).decode()
SECONDS_MAX = 20.0


@dataclass
class Receiver:
    """An HTTP server that keeps what it was sent; `status` is what it answers, `gate` holds it back."""

    status: int = 200
    seen: list[HttpRequest] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()
        self.server = HttpServer(self._answer)

    def _answer(self, request: HttpRequest) -> HttpAnswer:
        self.gate.wait(SECONDS_MAX)
        self.seen.append(request)
        return HttpAnswer(status=self.status, body=b"{}")

    @property
    def url(self) -> str:
        return f"{self.server.url}/hook"

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(each.body) for each in self.seen if each.body]

    def close(self) -> None:
        self.gate.set()
        self.server.close()


def webhook(url: str) -> dict[str, object]:
    return {"kind": "webhook", "url": url, "secret": {"source": "env", "variable": "HOOK_KEY"}}


def notifying(channels: Mapping[str, object], routes: list[object], **more: object) -> Config:
    return configured(notify={"channels": channels, "routes": routes, **more})


async def no_letter(week: str) -> Letter:
    return Letter(title=f"week {week}", lines=("asked: nothing", "frozen: see https://evil.example @everyone"))


class Ids:
    """Salts only."""

    def new(self) -> str:
        raise AssertionError

    def salt(self) -> bytes:
        return os.urandom(16)


@dataclass
class Told:
    """An installation without sockets, whose news go out."""

    place: Place
    config: Config
    notifier: Notifier

    async def __aenter__(self) -> Told:
        from comptroller.core.budget import Budget
        from comptroller.core.estimate import Unit
        from comptroller.core.window import Window

        for unit, limit in ((Unit.USD_MICROS, 1_000_000_000), (Unit.CALLS, 10_000)):
            budget = Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=limit)
            await self.place.desk.ledger.set_budget(budget, by="test")
        await self.notifier.begin()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.notifier.close()

    def ahead(self, **span: float) -> None:
        self.place.clock.ahead += timedelta(**span)


def told(
    folder: Path,
    config: Config,
    *,
    place: Place | None = None,
    environment: Mapping[str, str] | None = None,
    letter: Callable[[str], Awaitable[Letter]] = no_letter,
    origin: str = "comptroller/test",
    hub: Hub | None = None,
) -> Told:
    place = place or make_place(folder, config)
    notifier = Notifier(
        store=place.store,
        clock=place.clock,
        scribe=Scribe(Ids()),
        hub=hub or place.desk.hub,
        approvals=place.desk.approvals,
        origin=origin,
        config=config,
        secrets=Secrets(folder, {"HOOK_KEY": KEY, "OLD_KEY": OLD_KEY, **(environment or {})}),
        words=NoticeWords(),
        letter=letter,
        link=lambda config, approval: "",
    )
    return Told(place, config, notifier)


async def until(true: Callable[[], object]) -> None:
    """Wait for what other threads do."""
    async with asyncio.timeout(SECONDS_MAX):
        while not true():
            await asyncio.sleep(0.01)
