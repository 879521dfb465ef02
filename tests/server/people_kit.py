"""People at the door, for tests: an installation's accounts, and what a person does with them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pyotp
from server_kit import CountingIds, configured

from comptroller.core.config import Config
from comptroller.core.document import DocumentKind
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.engine.people import People
from comptroller.server.accounts import Accounts
from comptroller.server.seal import Seal
from comptroller.server.tokens import Tokens
from comptroller.stores.memory import MemoryStore

GOOD = "nine crates of quiet thunder"
NOW = datetime(2026, 11, 23, 22, 0, 5, tzinfo=UTC)


class Still:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.at = NOW

    def now(self) -> datetime:
        return self.at

    def on(self, **by: int) -> None:
        self.at += timedelta(**by)


class Doors:
    """Accounts and tokens over a store in memory."""

    def __init__(self, config: Config | None = None) -> None:
        self.clock, self.store, self.hub = Still(), MemoryStore(), Hub()
        self.config = config or configured()
        self.people = People(store=self.store, clock=self.clock, scribe=Scribe(CountingIds()), hub=self.hub)
        self.accounts = Accounts(people=self.people, seal=Seal(bytes(32)), config=lambda: self.config)
        self.tokens = Tokens(people=self.people, config=lambda: self.config)

    async def enrolled(self, name: str = "dana", password: str = GOOD) -> tuple[str, tuple[str, ...]]:
        """A password and a second factor for `name`; returns the factor and the recovery codes."""
        link, _ = await self.accounts.invite(name, by="root")
        factor, _ = self.accounts.new_factor(name)
        _, codes = await self.accounts.enrol_password(link, password, factor, self.code(factor))
        self.clock.on(seconds=30)
        return factor, tuple(codes)

    def code(self, factor: str) -> str:
        return pyotp.TOTP(factor).at(self.clock.now())

    async def kinds(self) -> list[str]:
        return [str(entry.document["kind"]) for entry in await self.store.entries()]

    async def written(self) -> str:
        """Everything that is kept, as text: what no secret may be in."""
        entries = [entry.leaf.decode() for entry in await self.store.entries()]
        beside = [repr(await self.store.private(entry.index)) for entry in await self.store.entries()]
        kinds = (DocumentKind.ACCOUNT, DocumentKind.TOKEN)
        documents = [repr(each) for kind in kinds for each in await self.store.documents(kind, every=True)]
        return "\n".join((*entries, *beside, *documents))
