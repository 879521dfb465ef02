"""What the pages know of the log: one pass over it for all of them, begun by the first who looks."""

from __future__ import annotations

from contextlib import AbstractContextManager
from weakref import WeakKeyDictionary

from comptroller.core.spend import Principal
from comptroller.server.desk import Desk
from comptroller.server.findings import FindingsFold
from comptroller.server.following import Following, Progress
from comptroller.server.log_index import LogIndex
from comptroller.server.spend.cube import SpendFold


class Reading:
    """The folds of one installation's log. Call `catch_up` before they are read."""

    def __init__(self, desk: Desk) -> None:
        def whose(agent: str) -> Principal | None:
            known = desk.config.agents.get(agent)
            return None if known is None else Principal(path=f"{desk.config.path_of(agent)}/", owner=known.owner)

        self.index = LogIndex()
        self.spend = SpendFold(whose)
        self.findings = FindingsFold()
        self._following = Following(desk.store, (self.index, self.spend, self.findings))

    async def catch_up(self) -> Progress:
        """Read on for a moment. Raises `StoreError`."""
        return await self._following.catch_up()

    def showing(self) -> AbstractContextManager[None]:
        """While a page is made: what it does not wait for is read later."""
        return self._following.showing()

    @classmethod
    def of(cls, desk: Desk) -> Reading:
        """The one of an installation."""
        found = _READINGS.get(desk.hub)
        if found is None:
            found = _READINGS[desk.hub] = cls(desk)
        return found


_READINGS: WeakKeyDictionary[object, Reading] = WeakKeyDictionary()
