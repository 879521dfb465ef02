"""Who sees what of the values that lie beside a leaf. The API and the console ask here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from comptroller.core.approval import Assurance, check_may_answer
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.config import Config
from comptroller.core.errors import ConflictError
from comptroller.core.role import Right
from comptroller.core.vote import Hat
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller
from comptroller.server.neutral import neutral

FOR_WATCHING = frozenset({"sentence", "resources", "resource", "reason"})
"""What people who watch need: what was asked, of which things, and why. No parameters, payments, purposes, comments,
addresses or proofs."""
FOR_ANSWERING = FOR_WATCHING | {"parameters", "payment", "undecodable"}
"""What whoever may answer a question sees of its entries: the action, as the question itself shows it."""


def sees_all(caller: Caller, config: Config, entry: Entry) -> bool:
    """Whether all that lies beside `entry` is theirs to see: auditors, operators on the machine itself, and, signed in
    as themself, the owner of the agent that it is about."""
    if caller.may(Right.AUDIT) or (caller.operator and caller.person.assurance is Assurance.SOCKET):
        return True
    agent = config.agents.get(str(entry.document.get("agent") or ""))
    return agent is not None and agent.owner == caller.person.name and caller.only is None


class Sight:
    """What one caller sees beside entries, for as long as one answer takes: each question is looked up once."""

    def __init__(self, desk: Desk, caller: Caller) -> None:
        self._desk = desk
        self._caller = caller
        self._hats: Sequence[Hat] | None = None
        self._answers: dict[str, bool] = {}

    async def names(self, entry: Entry) -> frozenset[str] | None:
        """The names of the values that are shown; None for all of them."""
        if sees_all(self._caller, self._desk.config, entry):
            return None
        body = entry.document.get("body")
        question = body.get("approval") if isinstance(body, Mapping) else None
        if isinstance(question, str) and question and await self._answering(question):
            return FOR_ANSWERING
        return FOR_WATCHING

    async def seen(self, entry: Entry, fields: Sequence[PrivateField]) -> tuple[PrivateField, ...]:
        """Of what lies beside `entry`, what they may see."""
        names = await self.names(entry)
        return tuple(fields) if names is None else _harmless(fields, names)

    async def _answering(self, question: str) -> bool:
        """Whether they may answer it, or might have: by the very rule that counts their answer."""
        caller = self._caller
        if not caller.may(Right.ANSWER) or caller.scopes:
            return False
        if question not in self._answers:
            approval = await self._desk.store.approval(question)
            if self._hats is None:
                self._hats = await self._desk.approvals.hats(caller.person.name)
            try:
                if approval is not None:
                    check_may_answer(approval, caller.person, self._desk.clock.now(), self._hats)
                self._answers[question] = approval is not None
            except ConflictError:
                self._answers[question] = False
        return self._answers[question]


def for_watching(fields: Sequence[PrivateField]) -> tuple[PrivateField, ...]:
    """Of what lies beside an entry, what everybody with `read` sees, its text made harmless."""
    return _harmless(fields, FOR_WATCHING)


def _harmless(fields: Sequence[PrivateField], names: frozenset[str]) -> tuple[PrivateField, ...]:
    return tuple(replace(item, value=_neutral(item.value)) for item in fields if item.name in names)


def _neutral(value: object) -> object:
    match value:
        case str():
            return neutral(value)
        case Mapping():
            return {neutral(name): _neutral(each) for name, each in value.items()}
        case list() | tuple():
            return [_neutral(each) for each in value]
        case _:
            return value
