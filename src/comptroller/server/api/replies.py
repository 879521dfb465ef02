"""What was answered under an `Idempotency-Key`: the same call again within a day is answered alike, and done once.

Kept in the store as documents, in a bounded number of places a person, so that a restart forgets none. A call is
written down before it is done: where the answer to it is not known any more, it is refused and never done twice.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import cast

from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import ComptrollerError, StoreError, UsageError
from comptroller.ports import Changes, Facts, Wants
from comptroller.server.desk import Desk
from comptroller.server.problem import HttpError, status_of

KEPT_HOURS = 24
SHELVES = 1_024
SHELF_PLACES = 16
ANSWER_BYTES_MAX = 256 << 10
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: its status and its text. `again`: it was given before."""

    status: int
    text: str
    again: bool = False


@dataclass(slots=True)
class Replies:
    """The replies of one installation. `_under_way` holds the calls that this process is doing."""

    desk: Desk
    _under_way: dict[str, asyncio.Event] = field(default_factory=dict)

    async def once(
        self, person: str, via: str, key: str, call: bytes, do: Callable[[], Awaitable[Reply]], *, secret: bool
    ) -> Reply:
        """Answer as before, or do it and keep the answer; `secret` answers are not kept, and given only once.

        `via` is what proved the person: another token of theirs reads no answer of this one. `call` is what was
        asked. Raises `UsageError` for a key that was used for another call, `HttpError` (409) where nobody knows the
        answer, and what `do` raises.
        """
        if not _KEY.fullmatch(key):
            raise UsageError("an Idempotency-Key has 1 to 200 visible ASCII characters", hint="a UUID is one")
        name = _hash(f"{person}\n{via}\n{key}".encode())
        while (doing := self._under_way.get(name)) is not None:
            await doing.wait()
        self._under_way[name] = asyncio.Event()
        try:
            return await self._once(person, name, _hash(call), do, secret=secret)
        finally:
            self._under_way.pop(name).set()

    async def _once(
        self, person: str, name: str, asked: str, do: Callable[[], Awaitable[Reply]], *, secret: bool
    ) -> Reply:
        place, known = await self._begin(person, name, asked)
        if known is not None:
            return known
        try:
            reply = await do()
        except StoreError:
            await self._put(replace(place, open=False, body={"v": 1}))
            raise
        except ComptrollerError as error:
            body = {"title": error.message, "hint": error.hint, "exit_code": error.exit_code}
            text = json.dumps({"kind": str(getattr(error, "kind", "")), **body})
            await self._put(self._done(place, Reply(status=status_of(error), text=text), secret=False))
            raise
        with contextlib.suppress(StoreError):  # it is done, and its place says that it was begun
            await self._put(self._done(place, reply, secret=secret))
        return reply

    async def _begin(self, person: str, name: str, asked: str) -> tuple[Document, Reply | None]:
        """Take a place for the call, or find what was answered."""
        now = self.desk.clock.now()
        shelf = f"{person}/{int(name[:8], 16) % SHELVES}"

        def decide(facts: Facts) -> tuple[Changes, tuple[Document, Reply | None]]:
            fresh = [item for item in facts.documents if now - item.at < timedelta(hours=KEPT_HOURS)]
            for item in fresh:
                if item.body["name"] == name:
                    return Changes(), (item, _known(item, asked))
            taken = {item.id for item in fresh}
            free = [each for n in range(SHELF_PLACES) if (each := f"reply:{shelf}:{n}") not in taken]
            if not free:
                raise HttpError(
                    429,
                    f"too many calls with an Idempotency-Key within {KEPT_HOURS} h",
                    hint="call without one, or later",
                    headers={"retry-after": "3600"},
                )
            body = {"v": 1, "name": name, "asked": asked, "status": None, "text": ""}
            begun = Document(id=free[0], kind=DocumentKind.REPLY, scope=shelf, open=True, at=now, body=body)
            return Changes(documents=(begun,)), (begun, None)

        done = await self.desk.store.commit(Wants(now=now, documents=((DocumentKind.REPLY, shelf),)), decide)
        return done.result

    def _done(self, place: Document, reply: Reply, *, secret: bool) -> Document:
        kept = not secret and len(reply.text) <= ANSWER_BYTES_MAX
        return replace(place, body={**place.body, "status": reply.status, "text": reply.text if kept else None})

    async def _put(self, document: Document) -> None:
        wants = Wants(now=self.desk.clock.now())
        await self.desk.store.commit(wants, lambda _: (Changes(documents=(document,)), None))

    async def forget(self) -> None:
        """Empty the places of answers that are older than a day: they may repeat what people wrote."""
        oldest = self.desk.clock.now() - timedelta(hours=KEPT_HOURS)
        for item in await self.desk.store.documents(DocumentKind.REPLY):
            if item.at <= oldest:
                await self._put(replace(item, open=False, body={"v": 1}))


def _known(item: Document, asked: str) -> Reply:
    body = item.body
    if body["asked"] != asked:
        raise UsageError("this Idempotency-Key was used for another call", hint="every call gets a key of its own")
    if body["status"] is None:
        raise HttpError(
            409,
            "this call was begun, and nobody knows how it ended",
            hint="look whether it was done; if it was not, call again with another Idempotency-Key",
        )
    if body["text"] is None:
        raise HttpError(409, "this call was done; its answer was shown then and is kept nowhere")
    return Reply(status=int(cast(int, body["status"])), text=str(body["text"]), again=True)


def _hash(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
