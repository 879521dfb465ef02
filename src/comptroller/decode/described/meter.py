"""Reads the answer of a described service: its status and, where it is known where they stand, ids of what was made."""

from __future__ import annotations

from comptroller.core.estimate import Outcome
from comptroller.decode.answer import JsonAnswer
from comptroller.decode.charged import ANY, charged
from comptroller.decode.described.place import Fields, Place
from comptroller.decode.shape import Undecodable

MADE_MAX = 20
ID_CHARACTERS_MAX = 255


class DescribedMeter(JsonAnswer):
    """One answer: its status and, where it is known where they stand, the ids of what was made."""

    def __init__(self, made: Place | None) -> None:
        super().__init__(wanted=made is not None)
        self._made = made

    def finish(self, *, complete: bool) -> Outcome:
        """What was refused as wrong or forbidden did nothing; after any other failure nobody knows."""
        ok = 100 <= self.status < 400
        return Outcome(
            status=self.status,
            ok=ok,
            complete=complete,
            charged=True if ok else charged(ANY, self.status),
            made=self._ids(),
        )

    def _ids(self) -> tuple[str, ...]:
        document = self.document()
        if self._made is None or document is None:
            return ()
        try:
            found = Fields(json=document, query={}, path={}, headers={}).all(self._made)
        except Undecodable:
            return ()
        ids = [str(each)[:ID_CHARACTERS_MAX] for each in found if isinstance(each, str | int) and each is not True]
        return tuple(each for each in ids if each)[:MADE_MAX]
