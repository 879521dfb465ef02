"""What the meters of services that answer in JSON share: a small answer kept whole, and what its status proves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comptroller.core.action import Value
from comptroller.decode.jsontext import MalformedJson, parse_json

ANSWER_BYTES_MAX = 1 << 20
"""A longer answer is passed on and nothing is read from it."""
MAY_HAVE_RUN = frozenset({408, 424, 499})
"""Refusals of what took too long, failed half-way or was cancelled (Google's 499): it may have been charged."""


def refused(status: int) -> bool:
    """Whether this status proves that the service did nothing."""
    return 400 <= status < 500 and status not in MAY_HAVE_RUN


def charged(status: int) -> bool | None:
    """True where the service did it, False where it surely did not; None where nobody knows, as after a 5xx."""
    return True if 200 <= status < 300 else False if refused(status) else None


class JsonAnswer:
    """One answer as it streams past: its status and, where it is wanted and says 2xx, its body."""

    def __init__(self, *, wanted: bool) -> None:
        self.status = 0
        self._wanted = wanted
        self._body = bytearray()

    @property
    def ok(self) -> bool:
        """Whether the service did it."""
        return 200 <= self.status < 300

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keeps the status; what is compressed is not read."""
        self.status = status
        packed = any(
            name.lower() == "content-encoding" and value.strip().lower() not in ("", "identity")
            for name, value in headers
        )
        self._wanted = self._wanted and self.ok and not packed

    def feed(self, data: bytes) -> None:
        """Keeps the body while it is wanted and small enough."""
        if not self._wanted:
            return
        self._body += data
        if len(self._body) > ANSWER_BYTES_MAX:
            self._wanted, self._body = False, bytearray()

    def document(self) -> Value:
        """What was read; None where nothing was, or it is not JSON."""
        try:
            return parse_json(bytes(self._body)) if self._body else None
        except MalformedJson:
            return None

    def members(self) -> Mapping[str, Value]:
        """What was read, where it is an object; else an empty one."""
        found = self.document()
        return found if isinstance(found, Mapping) else {}
