"""What an API server answers: its own refusal, and a reader of the object that was made."""

from __future__ import annotations

from collections.abc import Mapping

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome
from comptroller.decode.answer import JsonAnswer
from comptroller.decode.charged import charged
from comptroller.decode.kubernetes.lasting import CREATED, lasting

NAME_CHARACTERS_MAX = 512
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


class MadeMeter(JsonAnswer):
    """Reads one answer: which object was made, and whether anything was."""

    def __init__(self, action: Action) -> None:
        makes = not action.classes <= LOOKING and action.operation.endswith((":create", ":patch", ":update"))
        super().__init__(wanted=makes)
        self._action = action
        self._kind = action.operation.removeprefix("kubernetes:").partition(":")[0].partition("/")[2]

    def finish(self, *, complete: bool) -> Outcome:
        """What the answer proved."""
        return Outcome(
            status=self.status,
            ok=self.ok,
            complete=complete,
            charged=charged(self._action.operation, self.status),
            made=self._made() if self.status == CREATED else (),
            holdings=lasting(self._action, self.status, self.members()),
        )

    def _made(self) -> tuple[str, ...]:
        metadata = self.members().get("metadata")
        if not isinstance(metadata, Mapping) or not isinstance(name := metadata.get("name"), str) or not name:
            return ()
        space = metadata.get("namespace")
        return (f"{f'{space}/' if isinstance(space, str) and space else ''}{self._kind}/{name}"[:NAME_CHARACTERS_MAX],)
