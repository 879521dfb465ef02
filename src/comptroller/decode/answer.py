"""What the meters of services that answer in JSON share: a small answer kept whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comptroller.core.action import Value
from comptroller.decode.jsontext import MalformedJson, parse_json

ANSWER_BYTES_MAX = 1 << 20
"""A longer answer is passed on and nothing is read from it."""


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
