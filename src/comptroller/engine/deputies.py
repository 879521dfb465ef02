"""Deputies that people make for themselves: documents, each with its entry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from comptroller.core.asking import DEPUTY_DAYS_MAX, Deputy, deputy_of
from comptroller.core.audit import EntryKind
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import RefusedError, UsageError
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Ids, People, Store, Wants

DEPUTIES_MAX = 16
"""Of one person at a time."""


class Deputies:
    """Set, list, end. A document lies under its deputy's name: that is who is asked for when somebody answers."""

    def __init__(self, *, store: Store, clock: Clock, ids: Ids, scribe: Scribe, hub: Hub, people: People) -> None:
        self._store = store
        self._clock = clock
        self._ids = ids
        self._scribe = scribe
        self._hub = hub
        self._people = people

    async def all(self) -> Sequence[Deputy]:
        """Everyone who may answer for somebody now or later: configured, then made, in the order they were."""
        now = self._clock.now()
        made = [deputy_of(item.body, item.id) for item in await self._store.documents(DocumentKind.DEPUTY)]
        known = (*self._people.deputies(), *(each for each in made if each is not None))
        return tuple(each for each in known if each.until > now)

    async def set(self, deputy: Deputy, *, by: str) -> Deputy:
        """Let `deputy.person` answer for `deputy.stands_for`. Raises `UsageError`, `RefusedError`."""
        now = self._clock.now()
        self._check(deputy, now)
        if sum(each.stands_for == deputy.stands_for for each in await self.all()) >= DEPUTIES_MAX:
            raise RefusedError(
                f"`{deputy.stands_for}` has {DEPUTIES_MAX} deputies already", hint="end one of them first"
            )
        made = replace(deputy, id=self._ids.new())
        document = Document(
            id=made.id, kind=DocumentKind.DEPUTY, scope=made.person, open=True, at=now, body=made.body()
        )
        entry = self._scribe.draft(EntryKind.DEPUTY_SET, at=now, body=_told(made, by))
        changes = Changes(entries=(entry,), documents=(document,))
        done = await self._store.commit(Wants(now=now), lambda _: (changes, None))
        self._hub.publish(EntryKind.DEPUTY_SET.value, {"index": done.indices[0], **_told(made, by)})
        return made

    def _check(self, deputy: Deputy, now: datetime) -> None:
        """Raise `UsageError` for one that could not be, or not for so long."""
        theirs = self._people.groups_of(deputy.stands_for)
        if deputy.person == deputy.stands_for:
            raise UsageError("nobody is their own deputy")
        if not self._people.known(deputy.person):
            raise UsageError(f"there is no person `{deputy.person}`", hint="people are named in comptroller.yaml")
        if deputy.until <= max(deputy.since, now):
            raise UsageError("it would be over before it begins", hint="--until 2027-01-02")
        if deputy.until - max(deputy.since, now) > timedelta(days=DEPUTY_DAYS_MAX):
            raise UsageError(
                f"a deputy one names oneself is for {DEPUTY_DAYS_MAX} days at most",
                hint=f"for longer: people.{deputy.stands_for}.deputies in comptroller.yaml",
            )
        if deputy.groups is not None and (foreign := sorted(deputy.groups - theirs)):
            raise UsageError(
                f"`{deputy.stands_for}` is not in group `{foreign[0]}`",
                hint=f"in: {', '.join(sorted(theirs))}",
            )

    async def end(self, deputy: Deputy, *, by: str) -> Deputy:
        """From now on they answer for themselves alone. Raises `RefusedError` where it was not made here."""
        if not deputy.id:
            raise RefusedError(
                f"`{deputy.person}` is a deputy by the configuration",
                hint=f"take it out of people.{deputy.stands_for}.deputies in comptroller.yaml",
            )
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, None]:
            document = facts.document
            if document is None or not document.open or document.kind is not DocumentKind.DEPUTY:
                raise RefusedError("this deputy was ended already")
            entry = self._scribe.draft(EntryKind.DEPUTY_ENDED, at=now, body=_told(deputy, by))
            return Changes(entries=(entry,), documents=(replace(document, open=False),)), None

        done = await self._store.commit(Wants(now=now, document=deputy.id), decide)
        self._hub.publish(EntryKind.DEPUTY_ENDED.value, {"index": done.indices[0], **_told(deputy, by)})
        return deputy


def _told(deputy: Deputy, by: str) -> Mapping[str, object]:
    return {**{name: value for name, value in deputy.body().items() if name != "v"}, "id": deputy.id, "by": by}
