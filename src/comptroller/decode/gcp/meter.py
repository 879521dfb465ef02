"""Reads one answer of a Google API: its status, and the name of what was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.estimate import Outcome
from comptroller.decode.jsontext import MalformedJson, parse_json

METER_BYTES_MAX = 1 << 20
NAME_CHARACTERS_MAX = 255
UPLOAD_HEADER = "x-guploader-uploadid"
_NAMES = ("targetLink", "selfLink", "name", "id")


class GcpMeter:
    """Keeps a small body and looks for the name of what the call made (`targetLink` of an operation, else its own)."""

    def __init__(self, action: Action) -> None:
        self._makes = not action.classes <= {ActionClass.READ, ActionClass.REVEAL} and not action.parts
        pairs = action.parameters.get("@query")
        begins = isinstance(pairs, list) and ["uploadType", "resumable"] in pairs
        self._begins = begins and not action.call.part_of
        self._opens = ""
        self._status = 0
        self._body = bytearray()
        self._overflow = False

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keeps the status, and the id of an upload that begins here."""
        self._status = status
        self._opens = next((value for name, value in headers if name.lower() == UPLOAD_HEADER), "")
        self._overflow = any(
            name.lower() == "content-encoding" and value.strip().lower() not in ("", "identity")
            for name, value in headers
        )

    def feed(self, data: bytes) -> None:
        """Keeps the body while it is small enough."""
        if self._overflow or not self._makes:
            return
        self._body += data
        if len(self._body) > METER_BYTES_MAX:
            self._overflow, self._body = True, bytearray()

    def finish(self, *, complete: bool) -> Outcome:
        """4xx brought about nothing; after a 5xx nobody knows."""
        ok = 200 <= self._status < 300
        found: Mapping[str, Value] = {}
        if self._body and not self._overflow:
            try:
                document = parse_json(bytes(self._body))
            except MalformedJson:
                document = None
            if isinstance(document, Mapping):
                found = document
        made = next((value for name in _NAMES if isinstance(value := found.get(name), str) and value), "")
        return Outcome(
            status=self._status,
            ok=ok,
            complete=complete,
            charged=False if 400 <= self._status < 500 else (True if ok else None),
            opens=self._opens[:NAME_CHARACTERS_MAX] if ok and self._begins else "",
            made=(made[-NAME_CHARACTERS_MAX:],) if ok and made else (),
        )
