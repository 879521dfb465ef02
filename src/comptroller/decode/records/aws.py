"""One recorded AWS call as an action: through the wire and the codec where it can be written, else from the model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from comptroller.core.action import Action, ActionClass, Uncanonical, canonical
from comptroller.decode.aws import classes as meaning
from comptroller.decode.aws import index
from comptroller.decode.aws.codec import AwsCodec, action_of
from comptroller.decode.aws.model_source import Operation, members, operation
from comptroller.decode.records.case import EVERYTHING, RUN, Case, Recorded, Told, Who, unknown
from comptroller.decode.records.fit import full
from comptroller.decode.records.wire import REGION_DEFAULT, Unwritable, host_of, is_region, request_of

Classes = frozenset[ActionClass]

_NOT_READ = frozenset({ActionClass.UNKNOWN})
_TEXTS = frozenset({"string", "character", "blob", "timestamp"})


def action_of_call(told: Told, case: Case, who: Who) -> Recorded:
    """The action of one call. What the record does not tell counts as the worst it may be."""
    name = f"{index.PREFIX}{told.service}:{told.operation}"
    if not index.has_operation(told.service, told.operation):
        return unknown(
            case,
            who,
            f"`{told.operation}` is no operation of `{told.service}`",
            operation=f"{index.PREFIX}{told.service}:unknown",
            service=f"{index.PREFIX}{told.service}",
        )
    op = operation(told.service, told.operation)
    wire, why_not = True, ""
    try:
        request = request_of(told, op, who)
        action = _codec().decode(request)
        if action.undecodable:
            wire, why_not = False, f"not read back: {action.reason}"
        elif action.operation.rpartition(":")[2] != told.operation:
            wire, why_not = False, f"read back as {action.operation}"
        if told.region and action.region != told.region and not is_region(told.region):
            action = replace(action, region=told.region)
    except Unwritable as error:
        wire, why_not = False, str(error)
        try:
            action = _from_model(told, op, who)
        except Uncanonical as misfit:
            return unknown(case, who, f"a parameter without canonical form: {misfit}", operation=name)
    return Recorded(action=_strict(action, op, told), wire=wire, why_not=why_not)


@lru_cache(maxsize=1)
def _codec() -> AwsCodec:
    return AwsCodec()


def _from_model(told: Told, op: Operation, who: Who) -> Action:
    canonical(told.parameters)
    region = told.region or who.region
    host = told.endpoint or host_of(told.service, region if is_region(region) else REGION_DEFAULT) or ""
    place = index.place(host) if not told.endpoint else None
    action = action_of(
        op,
        told.parameters,
        also=told.also,
        endpoint=host,
        region=region if place is None or "{r}" in place.template or not place.region else place.region,
        account=told.account or who.account,
        agent=who.agent,
        run=RUN,
    )
    if told.endpoint and not index.owns(action.host):
        # Whoever answers there, it is not AWS: what counts is whether that host is named for the agent.
        return replace(action, service="http")
    return action


def _strict(action: Action, op: Operation, told: Told) -> Action:
    """The classes of the worst that may stand where the record tells nothing, and no price that rests on it."""
    if action.undecodable or not (told.unread or told.also):
        return action
    classes = action.classes | _worst(op, told.also, tuple(sorted(told.unread)))
    if not told.unread:
        return replace(action, classes=classes)
    if EVERYTHING not in told.unread:
        classes |= _laid_out(op, told)
    action = replace(action, classes=classes)
    if ActionClass.PROVISION not in classes or not _bears_on_price(op, told):
        return action
    rest = Action(
        operation=f"{index.PREFIX}{op.service}:unread",
        service=action.service,
        classes=frozenset({ActionClass.PROVISION}),
        endpoint=action.endpoint,
        agent=action.agent,
        run=action.run,
        account=action.account,
        region=action.region,
    )
    return replace(action, parts=(*action.parts, rest))


def _bears_on_price(op: Operation, told: Told) -> bool:
    """Text (a policy, a script, an image's name) sets no count and no size; anything else may."""
    if EVERYTHING in told.unread or op.input is None:
        return True
    known = members(op.input)
    return any(name not in known or known[name].type_name not in _TEXTS for name in told.unread)


@lru_cache(maxsize=4096)
def _worst(op: Operation, also: tuple[str, ...], unread: tuple[str, ...]) -> Classes:
    """The operation's own classes, never less, and with everything unread those of a call that carries everything."""
    name = f"{index.PREFIX}{op.service}:{op.name}"
    found: Classes = frozenset()
    for each in (name, *also):
        found |= index.classes_of(each) or _NOT_READ
    if EVERYTHING in unread and op.input is not None:
        found |= _classes(op, also, {m: full(shape) for m, shape in members(op.input).items() if _counts(m)})
    return found


def _laid_out(op: Operation, told: Told) -> Classes:
    """As told, with every unread member holding all it can hold."""
    known = members(op.input) if op.input is not None else {}
    laid = {name: full(known[name]) for name in told.unread if name in known and _counts(name)}
    return _classes(op, told.also, {**told.parameters, **laid})


def _counts(member: str) -> bool:
    return member.lower() != "dryrun"


def _classes(op: Operation, also: Sequence[str], parameters: dict[str, object]) -> Classes:
    try:
        return meaning.classes_of(f"{index.PREFIX}{op.service}:{op.name}", also, parameters, shape=op.input)
    except Exception:  # noqa: BLE001  what cannot be weighed is unknown
        return _NOT_READ
