"""Prices that proved too low, and newer price lists: kept, believed again by a person's word, each an entry."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.audit import EntryKind
from comptroller.core.distrust import Distrust
from comptroller.core.errors import RefusedError
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes, Clock, Facts, Pricer, Store, Wants


class Trust:
    """What the running pricer believes. A settlement distrusts; only a person confirms."""

    def __init__(self, *, store: Store, clock: Clock, scribe: Scribe, hub: Hub, pricer: Pricer) -> None:
        self._store = store
        self._clock = clock
        self._scribe = scribe
        self._hub = hub
        self._pricer = pricer

    async def load(self) -> None:
        """Tell the pricer what earlier runs of the server learnt."""
        for item in await self._store.distrusts():
            self._pricer.trust(item.key, trusted=item.trusted)

    async def confirm(self, key: str, *, by: str, reason: str = "") -> Distrust:
        """Believe the price called `key` again. Raises `RefusedError` where it is not distrusted."""
        known = {item.key: item for item in await self._store.distrusts()}
        if key not in known or known[key].trusted:
            raise RefusedError(
                f"the price `{key}` is not distrusted", hint="comptroller prices show --distrusted lists those that are"
            )
        now = self._clock.now()
        item = Distrust(key=key, trusted=True, reason=reason, by=by, at=now)

        def decide(facts: Facts) -> tuple[Changes, None]:
            entry = self._scribe.draft(
                EntryKind.PRICE_CONFIRMED, at=now, body={"price": key, "by": by}, private={"reason": reason}
            )
            return Changes(entries=(entry,), distrusts=(item,)), None

        done = await self._store.commit(Wants(now=now), decide)
        self._pricer.trust(key, trusted=True)
        self._hub.publish(EntryKind.PRICE_CONFIRMED.value, {"index": done.indices[0], "price": key, "by": by})
        return item

    async def changed(self, body: Mapping[str, object]) -> None:
        """Record that another price list is in force."""
        now = self._clock.now()

        def decide(facts: Facts) -> tuple[Changes, None]:
            return Changes(entries=(self._scribe.draft(EntryKind.PRICE_CHANGED, at=now, body=dict(body)),)), None

        done = await self._store.commit(Wants(now=now), decide)
        self._hub.publish(EntryKind.PRICE_CHANGED.value, {"index": done.indices[0], **body})
