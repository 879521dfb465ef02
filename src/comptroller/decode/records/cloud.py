"""Cases of kind `cloud_api`: CloudTrail events, command lines with `aws` in them, calls as an SDK is given them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from comptroller.core.action import Uncanonical, Value
from comptroller.decode.aws import index
from comptroller.decode.aws.model_source import operation
from comptroller.decode.records import awscli, cloudtrail
from comptroller.decode.records.aws import action_of_call
from comptroller.decode.records.case import ACTIONS_MAX, Case, Reading, Recorded, Told, Who, unknown
from comptroller.decode.records.fit import Fit
from comptroller.decode.records.shell import TooLarge

OTHERS_NAMED_MAX = 8
KIND = "cloud_api"


def read(case: Case, who: Who) -> Reading:
    """The actions of a case. Total: what cannot be read is one unknown action with the reason."""
    members = case.members
    try:
        if isinstance(events := members.get("events"), Sequence) and not isinstance(events, str):
            return _events(case, who, events)
        if isinstance(command := members.get("command"), str):
            return _command(case, who, command)
        if isinstance(members.get("operation"), str):
            return _call(case, who)
        return _not_read(case, who, "there are neither `events`, nor a `command`, nor an `operation`")
    except (awscli.NotRead, TooLarge, Uncanonical) as error:
        return _not_read(case, who, str(error))
    except Exception as error:  # noqa: BLE001  whatever a record holds, it is at worst unknown
        return _not_read(case, who, f"the reader failed: {type(error).__name__}")


def _not_read(case: Case, who: Who, reason: str) -> Reading:
    return Reading(actions=(unknown(case, who, reason),))


def _limited(case: Case, who: Who, found: Sequence[Recorded], notes: Mapping[str, int] | None = None) -> Reading:
    actions = tuple(found[:ACTIONS_MAX])
    if len(found) > ACTIONS_MAX:
        actions += (unknown(case, who, f"more than {ACTIONS_MAX} actions in one case"),)
    return Reading(actions=actions, notes=tuple(notes or ()))


def _events(case: Case, who: Who, events: Sequence[Value]) -> Reading:
    found: list[Recorded] = []
    notes: Counter[str] = Counter()
    for event in events[: ACTIONS_MAX + 1]:
        if not isinstance(event, Mapping):
            found.append(unknown(case, who, "an event that is no JSON object"))
            continue
        try:
            found.append(action_of_call(cloudtrail.told_by(event, who), case, who))
        except cloudtrail.NotACall as error:
            notes[f"no call: {error}"] += 1
        except cloudtrail.NotRead as error:
            service = next(iter(cloudtrail.candidates(str(event.get("eventSource")))), "")
            name = f"{index.PREFIX}{service or 'unknown'}"
            found.append(unknown(case, who, str(error), operation=f"{name}:unknown", service=name))
    return _limited(case, who, found, notes)


def _command(case: Case, who: Who, command: str) -> Reading:
    told, others = awscli.told_by(command)
    notes = Counter(f"other program: {name}" for name in others[:OTHERS_NAMED_MAX])
    return _limited(case, who, [action_of_call(call, case, who) for call in told], notes)


def _call(case: Case, who: Who) -> Reading:
    service, name = case.members.get("service"), str(case.members.get("operation"))
    if not isinstance(service, str) or not index.has_operation(service, name):
        return _not_read(case, who, f"`{name[:80]}` is no operation of `{str(service)[:80]}`")
    given = case.members.get("input")
    op = operation(service, name)
    fit = Fit()
    parameters = fit.parameters(op.input, given if isinstance(given, Mapping) else {})
    region = case.members.get("region")
    told = Told(
        service=service,
        operation=name,
        parameters=parameters,
        region=region if isinstance(region, str) else "",
        unread=frozenset(fit.unread),
    )
    return Reading(actions=(action_of_call(told, case, who),))
