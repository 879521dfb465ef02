"""Reads one answer of Azure: the id of what was made."""

from __future__ import annotations

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome
from comptroller.decode.answer import JsonAnswer
from comptroller.decode.azure.lasting import lasting
from comptroller.decode.charged import charged

ID_CHARACTERS_MAX = 1024
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})


class AzureMeter(JsonAnswer):
    """Status, and the `id` of a resource that was written."""

    def __init__(self, action: Action) -> None:
        makes = not action.classes <= LOOKING and action.operation.endswith((":write", ":post", ":put"))
        super().__init__(wanted=makes)
        self._action = action

    def finish(self, *, complete: bool) -> Outcome:
        """What the answer proved."""
        identity = self.members().get("id")
        return Outcome(
            status=self.status,
            ok=self.ok,
            complete=complete,
            charged=charged(self._action.operation, self.status),
            made=(identity[:ID_CHARACTERS_MAX],) if isinstance(identity, str) and identity else (),
            holdings=lasting(self._action, self.status),
        )
