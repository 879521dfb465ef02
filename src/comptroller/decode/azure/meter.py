"""Reads one answer of Azure: the id of what was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome
from comptroller.decode.jsontext import MalformedJson, parse_json

METER_BYTES_MAX = 1 << 20
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})


class AzureMeter:
    """Status, and the `id` of a resource that was written."""

    def __init__(self, action: Action) -> None:
        self._makes = not action.classes <= LOOKING and action.operation.endswith((":write", ":post", ":put"))
        self._status = 0
        self._body = bytearray()
        self._overflow = False

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keeps the status."""
        self._status = status

    def feed(self, data: bytes) -> None:
        """Keeps the body while it is small enough."""
        if self._overflow or not self._makes:
            return
        self._body += data
        if len(self._body) > METER_BYTES_MAX:
            self._overflow, self._body = True, bytearray()

    def finish(self, *, complete: bool) -> Outcome:
        """4xx made nothing; after a 5xx nobody knows."""
        ok = 200 <= self._status < 300
        return Outcome(
            status=self._status,
            ok=ok,
            complete=complete,
            charged=False if 400 <= self._status < 500 else (True if ok else None),
            made=self._made() if ok else (),
        )

    def _made(self) -> tuple[str, ...]:
        try:
            found = parse_json(bytes(self._body)) if self._body else None
        except MalformedJson:
            return ()
        identity = found.get("id") if isinstance(found, Mapping) else None
        return (identity[:1024],) if isinstance(identity, str) and identity else ()
