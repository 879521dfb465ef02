"""Who sees what of the values that lie beside a leaf. The API and the console ask here, and nowhere else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from comptroller.core.approval import Assurance
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.config import Config
from comptroller.core.role import Right
from comptroller.server.identity import Caller
from comptroller.server.neutral import neutral

FOR_WATCHING = frozenset({"sentence", "resources", "resource", "reason"})
"""What people who watch need: what was asked, of which things, and why. No parameters, payments, purposes, comments,
addresses or proofs."""


def sees_all(caller: Caller, config: Config, entry: Entry) -> bool:
    """Whether all that lies beside `entry` is theirs to see: auditors, operators on the machine itself, and, signed in
    as themself, the owner of the agent that it is about."""
    if caller.may(Right.AUDIT) or (caller.operator and caller.person.assurance is Assurance.SOCKET):
        return True
    agent = config.agents.get(str(entry.document.get("agent") or ""))
    return agent is not None and agent.owner == caller.person.name and caller.only is None


def seen(caller: Caller, config: Config, entry: Entry, fields: Sequence[PrivateField]) -> tuple[PrivateField, ...]:
    """Of what lies beside `entry`, what `caller` may see."""
    return tuple(fields) if sees_all(caller, config, entry) else for_watching(fields)


def for_watching(fields: Sequence[PrivateField]) -> tuple[PrivateField, ...]:
    """Of what lies beside an entry, what everybody with `read` sees, its text made harmless."""
    return tuple(replace(item, value=_neutral(item.value)) for item in fields if item.name in FOR_WATCHING)


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
