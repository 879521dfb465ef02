"""Reads one answer of a Google API: its status, and the name of what was made."""

from __future__ import annotations

from collections.abc import Sequence

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome
from comptroller.decode.answer import JsonAnswer
from comptroller.decode.charged import charged
from comptroller.decode.gcp.lasting import lasting

NAME_CHARACTERS_MAX = 255
UPLOAD_HEADER = "x-guploader-uploadid"
_NAMES = ("targetLink", "selfLink", "name", "id")


class GcpMeter(JsonAnswer):
    """Looks for the name of what the call made (`targetLink` of an operation, else its own) or the upload it began."""

    def __init__(self, action: Action) -> None:
        super().__init__(wanted=not action.classes <= {ActionClass.READ, ActionClass.REVEAL} and not action.parts)
        self._action = action
        pairs = action.parameters.get("@query")
        begins = isinstance(pairs, list) and ["uploadType", "resumable"] in pairs
        self._begins = begins and not action.call.part_of
        self._opens = ""

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """Keeps the status, and the id of an upload that begins here."""
        super().head(status, headers)
        self._opens = next((value for name, value in headers if name.lower() == UPLOAD_HEADER), "")

    def finish(self, *, complete: bool) -> Outcome:
        """What the answer proved."""
        found = self.members()
        names = [value for name in _NAMES if isinstance(value := found.get(name), str) and value]
        return Outcome(
            status=self.status,
            ok=self.ok,
            complete=complete,
            charged=charged(self._action.operation, self.status),
            opens=self._opens[:NAME_CHARACTERS_MAX] if self.ok and self._begins else "",
            made=tuple(name[-NAME_CHARACTERS_MAX:] for name in names[:1]),
            holdings=lasting(self._action, found) if self.ok else (),
        )
