"""Everything that carries news to people, as one part of an installation: started, configured and ended together."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping
from functools import partial

from comptroller.core.approval import Assurance, Person
from comptroller.core.config import Config
from comptroller.core.config_notify import Event, NotifyConfig
from comptroller.core.errors import RefusedError
from comptroller.core.role import Right, rights_of
from comptroller.engine.approvals import Approvals
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.notify.delivery import Delivery, delivery_of
from comptroller.notify.message import Message
from comptroller.notify.outbox import Outbox
from comptroller.notify.registry import UPDATING, make_channel
from comptroller.notify.secret import Secrets
from comptroller.notify.teller import Teller, asked_id
from comptroller.notify.writing import Letter, Words, Writer
from comptroller.ports import Clock, Store

ANSWER_SECONDS_MAX = 20.0
ORIGIN_CHARACTERS = 16


class Notifier:
    """Channels, outbox and teller of one installation. Where no channel is configured it does nothing at all."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        scribe: Scribe,
        hub: Hub,
        approvals: Approvals,
        origin: str,
        config: Config,
        secrets: Secrets,
        words: Words,
        letter: Callable[[str], Awaitable[Letter]],
        link: Callable[[Config, str], str],
    ) -> None:
        """`origin` names the installation; `link` is where a question is in the console, or where the console is."""
        self._store = store
        self._approvals = approvals
        self._config = config
        self._secrets = secrets
        self._clock = clock
        self._channels: dict[str, str] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._following = False
        short = hashlib.sha256(origin.encode("utf-8")).hexdigest()[:ORIGIN_CHARACTERS]
        self._writer = Writer(
            store=store,
            clock=clock,
            organization=lambda: self._config.organization,
            words=words,
            link=lambda approval: link(self._config, approval),
            letter=letter,
            thread=self._thread,
        )
        self._outbox = Outbox(store=store, clock=clock, scribe=scribe, hub=hub, origin=short, write=self._written)
        self._teller = Teller(
            store=store,
            clock=clock,
            hub=hub,
            outbox=self._outbox,
            writer=self._writer,
            config=lambda: self._notify,
            updates=self._updates,
            origin=short,
        )

    @property
    def _notify(self) -> NotifyConfig:
        return self._config.notify

    async def begin(self) -> None:
        """Carry what an earlier `serve` left waiting, and follow the log. Raises `StoreError`."""
        self._loop = asyncio.get_running_loop()
        await self.configure(self._config)

    async def configure(self, config: Config) -> None:
        """Take over a changed configuration: only channels that changed are made anew. Raises `StoreError`."""
        self._config = config
        wanted = {name: channel.model_dump_json() for name, channel in config.notify.channels.items()}
        for name in [name for name, known in self._channels.items() if wanted.get(name) != known]:
            del self._channels[name]
            await self._outbox.shut(name)
        for name, described in wanted.items():
            if name not in self._channels:
                channel = config.notify.channels[name]
                make = partial(make_channel, name, channel, self._secrets, self)
                await self._outbox.open(name, make, eager=channel.kind in UPDATING)
                self._channels[name] = described
        if self._channels and not self._following:
            self._following = True
            await self._teller.begin()

    async def close(self) -> None:
        """Stop; what waits is carried by the next `serve`."""
        if self._following:
            await self._teller.close()
        await self._outbox.close()

    # ------------------------------------------------------------ looking

    def status(self) -> Mapping[str, object]:
        """Each channel, and how much waits for all of them together."""
        rows = self._outbox.status()
        for row in rows:
            row["kind"] = self._notify.channels[str(row["channel"])].kind
        waiting = sum(int(str(row["waiting"])) for row in rows)
        failed = sum(int(str(row["failed"])) for row in rows)
        return {"channels": rows, "waiting": waiting, "failed": failed, "routes": len(self._notify.routes)}

    async def test(self, channel: str, *, by: str) -> None:
        """Send a test message now. Raises `ComptrollerError` with what is wrong."""
        now = self._clock.now()
        message = Message(
            id=f"delivery:test:{channel}:{int(now.timestamp() * 1000)}",
            event=None,
            at=now,
            organization=self._config.organization,
            title=f"a test of the channel {channel}, sent by {by}",
            command="comptroller notify status",
        )
        await self._outbox.test(channel, message)

    async def tick(self) -> None:
        """Do now what is done by the clock. Raises `StoreError`."""
        await self._teller.tick()

    def poke(self) -> None:
        """Look now at what is due: a clock that was set need not be waited for."""
        self._outbox.poke()

    # ------------------------------------------------------------ answers out of a chat

    def approve(self, *, channel: str, thread: str, approval: str, member: str) -> str:
        """As `Answering.approve`."""
        return self._answered(self._answer(channel, thread, approval, member, yes=True, comment=""))

    def reject(self, *, channel: str, thread: str, approval: str, member: str, comment: str) -> str:
        """As `Answering.reject`."""
        return self._answered(self._answer(channel, thread, approval, member, yes=False, comment=comment))

    def _answered(self, answer: Awaitable[str]) -> str:
        async def wait() -> str:
            return await answer

        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(wait(), self._loop).result(ANSWER_SECONDS_MAX)

    async def _answer(
        self, channel: str, thread: str, approval_id: str, member: str, *, yes: bool, comment: str
    ) -> str:
        """Raises `RefusedError` unless the member is a person who may answer, this very message asked, and the rule
        takes an answer out of a chat; whatever else forbids it is the engine's."""
        person = self._person(member)
        kept = await self._store.document(asked_id(channel, approval_id))
        reminded = await self._store.document(asked_id(channel, approval_id, Event.REMINDED))
        threads = {delivery_of(each).thread for each in (kept, reminded) if each is not None} - {""}
        if not thread or thread not in threads:
            raise RefusedError("this message is none of ours about this question: nothing was answered")
        approval = await self._store.approval(approval_id)
        if approval is None:
            raise RefusedError("this question is not there any more")
        if any(obligation.assurance for obligation in approval.obligations):
            raise RefusedError("this question needs a passkey: answer it in the console")
        if yes:
            done = await self._approvals.approve(approval_id, person, comment=comment)
        else:
            if not comment.strip():
                raise RefusedError("a no needs its reason: the agent is told of it")
            done = await self._approvals.reject(approval_id, person, comment=comment)
        return f"{done.state.value}, answered by {person.name}" if done.answered_by else "your yes is counted"

    def _person(self, member: str) -> Person:
        known = [(name, person) for name, person in self._config.people.items() if person.slack == member]
        if len(known) != 1:
            raise RefusedError(f"you are no person of this installation: people.NAME.slack would have to be {member}")
        name, found = known[0]
        if Right.ANSWER not in rights_of(found.roles):
            raise RefusedError(f"`{name}` may not answer questions: their roles do not carry it")
        return Person(name=name, groups=frozenset(found.groups), via=f"slack:{member}", assurance=Assurance.CHAT)

    # ------------------------------------------------------------ within

    async def _written(self, delivery: Delivery) -> Message | None:
        return await self._writer.write(delivery)

    def _updates(self, channel: str) -> bool:
        known = self._notify.channels.get(channel)
        return known is not None and known.kind in UPDATING

    async def _thread(self, channel: str, approval: str) -> str:
        if not self._updates(channel):
            return ""
        kept = await self._store.document(asked_id(channel, approval))
        return delivery_of(kept).thread if kept is not None else ""
