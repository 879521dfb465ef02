"""Reads the answer of a described service: its status and, where it is known where they stand, ids of what was made."""

from __future__ import annotations

from collections.abc import Sequence

from comptroller.core.estimate import Outcome
from comptroller.decode.described.place import Fields, Place
from comptroller.decode.jsontext import MalformedJson, parse_json
from comptroller.decode.shape import Undecodable

METER_BYTES_MAX = 1 << 20
MADE_MAX = 20
ID_CHARACTERS_MAX = 255
NOTHING_DONE = frozenset({400, 401, 402, 403, 404, 405, 415, 422})
"""Answers after which a service has surely done nothing."""


class DescribedMeter:
    """One answer: its status and, where it is known where they stand, the ids of what was made."""

    def __init__(self, made: Place | None) -> None:
        self._made = made
        self._status = 0
        self._body = bytearray()
        self._skip = made is None

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keeps the status."""
        self._status = status
        packed = any(n.lower() == "content-encoding" and v.strip().lower() not in ("", "identity") for n, v in headers)
        self._skip = self._skip or packed or not 200 <= status < 300

    def feed(self, data: bytes) -> None:
        """Keeps the body while it is small enough and wanted."""
        if not self._skip:
            self._body += data
            if len(self._body) > METER_BYTES_MAX:
                self._skip, self._body = True, bytearray()

    def finish(self, *, complete: bool) -> Outcome:
        """What was refused as wrong or forbidden did nothing; after any other failure nobody knows."""
        ok = 100 <= self._status < 400
        charged = False if self._status in NOTHING_DONE else True if ok else None
        return Outcome(status=self._status, ok=ok, complete=complete, charged=charged, made=self._ids())

    def _ids(self) -> tuple[str, ...]:
        if self._skip or self._made is None or not self._body:
            return ()
        try:
            document = parse_json(bytes(self._body))
            found = Fields(json=document, query={}, path={}, headers={}).all(self._made)
        except (MalformedJson, Undecodable):
            return ()
        ids = [str(each)[:ID_CHARACTERS_MAX] for each in found if isinstance(each, str | int) and each is not True]
        return tuple(each for each in ids if each)[:MADE_MAX]
