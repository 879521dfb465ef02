"""What an API server answers: its own refusal, and a reader of the object that was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome
from comptroller.decode.jsontext import MalformedJson, parse_json

METER_BYTES_MAX = 1 << 20
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})


def status(action: Action, message: str) -> dict[str, object]:
    """A `Status` object that says no: reason `Forbidden`, code 403."""
    group_kind, _, _verb = action.operation.removeprefix("kubernetes:").partition(":")
    group, _, kind = group_kind.partition("/")
    name = action.resources[0].rpartition("/")[2] if action.resources else ""
    details: dict[str, object] = {"name": name, "kind": kind.partition("/")[0]}
    if group not in ("core", "url", "unknown"):
        details["group"] = group
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Failure",
        "message": message,
        "reason": "Forbidden",
        "details": details,
        "code": 403,
    }


class MadeMeter:
    """Reads one answer: which object was made, and whether anything was."""

    def __init__(self, action: Action) -> None:
        self._makes = not action.classes <= LOOKING and action.operation.endswith((":create", ":patch", ":update"))
        self._kind = action.operation.removeprefix("kubernetes:").partition(":")[0].partition("/")[2]
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
            made=self._made() if ok and self._status == 201 else (),
        )

    def _made(self) -> tuple[str, ...]:
        try:
            found = parse_json(bytes(self._body)) if self._body else None
        except MalformedJson:
            return ()
        metadata = found.get("metadata") if isinstance(found, Mapping) else None
        if not isinstance(metadata, Mapping) or not isinstance(name := metadata.get("name"), str) or not name:
            return ()
        space = metadata.get("namespace")
        return (f"{f'{space}/' if isinstance(space, str) and space else ''}{self._kind}/{name}"[:512],)
