"""Puts together what carries news to people: words and letters come from the server, channels from `notify`."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from comptroller.core.audit import Entry, PrivateField
from comptroller.core.config import Config
from comptroller.core.spend import Principal
from comptroller.engine.approvals import Approvals
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.notify.notifier import Notifier
from comptroller.notify.secret import Secrets
from comptroller.notify.writing import Letter
from comptroller.ports import Clock, Ids, Store
from comptroller.server import words
from comptroller.server.letter import Log, weekly_letter
from comptroller.server.render import entry_json


class NoticeWords:
    """The words of terminal and console, for messages."""

    def entry(self, entry: Entry, private: Sequence[PrivateField]) -> tuple[str, str]:
        """What happened in one word, and the text of it."""
        line = words.entry_line(entry_json(entry, private))
        return line.word, line.text

    def event(self, kind: str, summary: Mapping[str, object]) -> tuple[str, str]:
        """The same of an event without an entry."""
        if kind in ("store.lost", "store.outage"):
            return "the store is lost", f"{summary.get('why') or ''}; {summary.get('hint') or ''}"
        line = words.entry_line({"kind": kind, "body": summary, "beside": summary})
        return line.word, line.text

    def price(self, facts: Mapping[str, object]) -> str:
        """What a held action costs, in one phrase."""
        return words.price_text(facts)


def build_notifier(
    *,
    config: Config,
    config_path: Path,
    store: Store,
    clock: Clock,
    ids: Ids,
    hub: Hub,
    approvals: Approvals,
    origin: str,
    open_log: Callable[[], AbstractContextManager[Log]],
) -> Notifier:
    """The notifier of an installation. `open_log` reads its log beside the store: a letter is made in a thread."""

    def read(week: str) -> Letter:
        with open_log() as log:
            known = principals(config)
            made = weekly_letter(log, week, organization=config.organization, now=clock.now(), known=known)
        return Letter(title=made.title, lines=made.lines)

    async def in_thread(week: str) -> Letter:
        return await asyncio.to_thread(read, week)

    return Notifier(
        store=store,
        clock=clock,
        scribe=Scribe(ids),
        hub=hub,
        approvals=approvals,
        origin=origin,
        config=config,
        secrets=Secrets(config_path.parent),
        words=NoticeWords(),
        letter=in_thread,
        link=console_link,
    )


def console_link(config: Config, approval: str) -> str:
    """Where a question, or the console, is opened; empty where the console has no address of its own. No secret is in
    it: whoever opens it signs in there."""
    if not config.console.public_url:
        return ""
    path = f"/{approval}" if approval else ""
    return f"{config.console.public_url}{config.console.prefix}/go/approvals{path}"


def principals(config: Config) -> Callable[[str], Principal | None]:
    """Whose an agent is by the configuration, for runs whose beginning the log does not hold."""

    def whose(agent: str) -> Principal | None:
        if agent not in config.agents:
            return None
        return Principal(path=f"{config.path_of(agent)}/", owner=config.agents[agent].owner)

    return whose
