"""What the members of one call change: its classes, count, the things it names and the words for people."""

from __future__ import annotations

from collections.abc import Iterator

from comptroller.core.action import ActionClass as C
from comptroller.decode.gcp import compute, platforms, rights
from comptroller.decode.gcp.index import Operation
from comptroller.decode.gcp.reading import RESOURCE_LENGTH_MAX, RESOURCES_MAX, Members, Reading

_LOOKS = frozenset({C.READ})
_OWN_ACCOUNTS = frozenset({"compute", "storage", *platforms.EFFECTS}) - {"sqladmin", "container", "bigquery"}
"""Services whose own effects know where an account to act as is named."""


def read_members(
    operation: Operation, members: Members, query: dict[str, tuple[str, ...]], resource: str, values: tuple[str, ...]
) -> Reading:
    """The classes of the operation and all that its members add. Raises `Undecodable` for a count that is none."""
    call = Reading(
        service=operation.service,
        name=operation.name,
        members=members,
        query=query,
        resource=resource,
        values=values,
        classes=set(operation.classes),
    )
    if not (operation.classes <= _LOOKS and not members):
        for effect in _effects(operation):
            effect(call)
    if call.classes - {C.READ, C.WRITE}:
        call.classes -= {C.READ, C.WRITE}
    if _does_nothing(operation, call):
        call.classes = set(_LOOKS)
        call.words.insert(0, "only checking")
    return call


def things(call: Reading, own: str) -> tuple[str, ...]:
    """Its own full name, then what it names."""
    short = (thing for thing in (own, *call.resources) if 0 < len(thing) <= RESOURCE_LENGTH_MAX)
    return tuple(dict.fromkeys(short))[:RESOURCES_MAX]


def _effects(operation: Operation) -> Iterator[platforms.Effect]:
    """The effects that apply, those of the operation's own name first."""
    if operation.service == "compute":
        found = compute.EFFECTS.get(operation.name)
        if found is not None:
            yield found
    parts = operation.name.split(".")
    tails = [".".join(parts[-length:]) for length in (2, 1)]
    for families in (rights.EFFECTS, platforms.EFFECTS):
        for service in (operation.service, "*"):
            if service == "*" and families is platforms.EFFECTS and operation.service in _OWN_ACCOUNTS:
                continue
            table = families.get(service, {})
            known = [table[tail] for tail in tails if tail in table]
            if known:
                yield from known[:1]
            elif "*" in table and not operation.classes <= _LOOKS:
                yield table["*"]


def _does_nothing(operation: Operation, call: Reading) -> bool:
    """Whether the API documents that this call changes nothing. A tuple of one exact `true`: never a guess."""
    if C.REVEAL in call.classes or C.INFER in call.classes:
        return False
    if operation.text in ("gcp:bigquery:jobs.insert",):
        configuration = call.members.get("configuration")
        return isinstance(configuration, dict) and configuration.get("dryRun") is True
    if not operation.dry:
        return False
    if operation.dry.startswith("?"):
        return call.query.get(operation.dry[1:]) == ("true",)
    return call.members.get(operation.dry) is True
