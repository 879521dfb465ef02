"""Our tags on what an AWS call makes, in the form its operation takes; and whether a call touches them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from comptroller.core.action import DEPTH_MAX, Action, ActionClass, Value
from comptroller.decode.aws import index
from comptroller.decode.aws.classes import LOOKING
from comptroller.decode.aws.lasting import STARTED, table
from comptroller.decode.aws.model_source import Shape, members, operation

PREFIX = "comptroller:"
TAGS_MAX = 50
KEY_CHARACTERS_MAX, VALUE_CHARACTERS_MAX = 128, 256

_MAKES = re.compile(
    r"(?:Create|Run|Restore|Copy|Import|Clone|Allocate|Request|Launch|Provision|Start|Submit|Put|Register)[A-Z]"
)
_LISTS = ("Tags", "tags", "TagList", "tagList", "ResourceTags", "resourceTags")
_MACHINES = ("instance", "volume")
EC2_TYPES: Mapping[str, tuple[str, ...]] = {
    "RunInstances": _MACHINES,
    "RequestSpotInstances": ("spot-instances-request",),
    "RequestSpotFleet": ("spot-fleet-request",),
    "AllocateAddress": ("elastic-ip",),
    "AllocateHosts": ("dedicated-host",),
    "CreateNatGateway": ("natgateway",),
    "CreateSnapshots": ("snapshot",),
    "CopyVolumes": ("volume",),
    "ImportImage": ("import-image-task",),
    "ImportSnapshot": ("import-snapshot-task",),
    "CreateFlowLogs": ("vpc-flow-log",),
    "CreateCapacityReservationFleet": ("capacity-reservation-fleet",),
    "CreateTransitGatewayVpcAttachment": ("transit-gateway-attachment",),
    "CreateTransitGatewayPeeringAttachment": ("transit-gateway-attachment",),
}
"""What an operation of EC2 makes, where that is not the type its name ends in."""
REMOVES_ALL: Mapping[str, str] = {"aws:ec2:DeleteTags": "Tags"}
"""Operations that remove every tag where this member is absent."""


def tagged(action: Action, tags: Mapping[str, str]) -> Action:
    """The action with our tags on what it makes; the action itself where its operation takes none, or no more."""
    service, _, name = action.operation.removeprefix(index.PREFIX).partition(":")
    makers = table(service).makers.get(name, ())
    if any(STARTED in maker.flags for maker in makers) or not _valid(tags):
        return action
    if not makers and not (ActionClass.PROVISION in action.classes and _MAKES.match(name)):
        return action
    if action.classes <= LOOKING or action.undecodable:
        return action
    shape = operation(service, name).input
    found = members(shape) if shape is not None else {}
    if "TagSpecifications" in found and service == "ec2":
        changed = _specifications(action, name, found["TagSpecifications"], tags)
    elif "TagSpecification" in found and service == "ec2":
        changed = None
    else:
        changed = next((_listed(action, one, found[one], tags) for one in _LISTS if one in found), None)
    if changed is None:
        return action
    member, value = changed
    return replace(action, parameters={**action.parameters, member: value})


def _valid(tags: Mapping[str, str]) -> bool:
    return bool(tags) and all(
        0 < len(key) <= KEY_CHARACTERS_MAX and len(value) <= VALUE_CHARACTERS_MAX for key, value in tags.items()
    )


def _specifications(action: Action, name: str, shape: Shape, tags: Mapping[str, str]) -> tuple[str, Value] | None:
    """EC2: one entry a type of resource, ours merged into those the agent gave."""
    known = set(members(shape.member)["ResourceType"].enum)
    own = action.parameters.get("TagSpecifications")
    given = [one for one in own if isinstance(one, Mapping)] if isinstance(own, list) else []
    wanted = [one for one in _types(action, name) if one in known]
    if not wanted:
        return None
    out: list[Value] = []
    for one in given:
        if one.get("ResourceType") in wanted:
            wanted.remove(str(one["ResourceType"]))
            merged = _pairs(one.get("Tags"), "Key", "Value", tags, {}, TAGS_MAX)
            if merged is None:
                return None
            one = {**one, "Tags": merged}
        out.append(one)
    fresh = _pairs(None, "Key", "Value", tags, {}, TAGS_MAX)
    out += [{"ResourceType": one, "Tags": fresh} for one in wanted]
    return "TagSpecifications", out


def _types(action: Action, name: str) -> Sequence[str]:
    if name == "CreateFleet":
        return ("fleet", "instance") if action.parameters.get("Type") == "instant" else ("fleet",)
    if name == "RunInstances" and action.parameters.get("InstanceMarketOptions"):
        return (*_MACHINES, "spot-instances-request")
    found = EC2_TYPES.get(name)
    if found is not None:
        return found
    makers = table("ec2").makers.get(name, ())
    return tuple(dict.fromkeys(maker.kind.name for maker in makers))


def _listed(action: Action, member: str, shape: Shape, tags: Mapping[str, str]) -> tuple[str, Value] | None:
    """A list of pairs, or a map."""
    given = action.parameters.get(member)
    most = min(shape.metadata.get("max", TAGS_MAX), TAGS_MAX)
    if shape.type_name == "map" and shape.value.type_name == "string":
        before = dict(given) if isinstance(given, Mapping) else {}
        merged = {**{key: value for key, value in tags.items() if key not in before}, **before}
        return (member, merged) if len(merged) <= most else None
    if shape.type_name != "list" or shape.member.type_name != "structure":
        return None
    inner = members(shape.member)
    key = next((one for one in ("Key", "key", "TagKey", "tagKey") if one in inner), "")
    value = next((one for one in ("Value", "value", "TagValue", "tagValue") if one in inner), "")
    if not key or not value or set(shape.member.required_members) - {key, value, "PropagateAtLaunch"}:
        return None
    extra: dict[str, Value] = {"PropagateAtLaunch": True} if "PropagateAtLaunch" in inner else {}
    pairs = _pairs(given, key, value, tags, extra, most)
    return (member, pairs) if pairs is not None else None


def _pairs(
    given: Value, key: str, value: str, tags: Mapping[str, str], extra: Mapping[str, Value], most: int
) -> list[Value] | None:
    """The agent's pairs, then ours it has not written itself; None where that is too many."""
    before = [one for one in given if isinstance(one, Mapping)] if isinstance(given, list) else []
    written = {one.get(key) for one in before}
    ours = [{key: name, value: text, **extra} for name, text in sorted(tags.items()) if name not in written]
    return [*before, *ours] if len(before) + len(ours) <= most else None


def touches_our_tags(action: Action) -> bool:
    """Whether the action writes, edits or removes a tag of ours: a key that begins with our prefix, in any spelling."""
    if action.classes <= LOOKING:
        return False
    omitted = REMOVES_ALL.get(action.operation)
    if omitted is not None and not action.parameters.get(omitted):
        return True
    return any(map(_ours, _keys(action.parameters, "", 0))) or any(map(touches_our_tags, action.parts))


def _ours(key: str) -> bool:
    return key.strip().lower().startswith(PREFIX)


def _keys(value: Value, under: str, depth: int) -> Iterator[str]:
    """Everything that may be the key of a tag: names of maps, and texts, below a member that speaks of tags."""
    if depth > DEPTH_MAX:
        return
    about = "tag" in under.lower()
    if isinstance(value, Mapping):
        for name, inner in value.items():
            if about:
                yield name
            yield from _keys(inner, under if about else name, depth + 1)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _keys(item, under, depth + 1)
    elif isinstance(value, str) and about:
        yield value
