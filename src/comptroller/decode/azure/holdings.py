"""Stops, deletes, looks at and lists what lives on in Azure, and reads the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.made import Ended, Liveness, Made, Seen, Way
from comptroller.core.request import Header
from comptroller.decode.asked import ask
from comptroller.decode.azure.codec import AzureCodec
from comptroller.decode.azure.lasting import KINDS, PREFIX, kind_name, made_at, resource_of
from comptroller.decode.jsontext import MalformedJson, parse_object

LIST_VERSION = "2021-04-01"
MACHINES = "azure:Microsoft.Compute/virtualMachines"
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})
RESOURCES = "azure:Microsoft.Resources/subscriptions/resources"

_CODEC = AzureCodec()
_MISSING = frozenset({"ResourceNotFound", "NotFound", "ResourceGroupNotFound", "ParentResourceNotFound"})
_STOPPED = frozenset({"deallocated", "stopped", "paused", "disabled"})
_WAYS = {
    Way.LOOK: ("GET", "", "&$expand=instanceView"),
    Way.DELETE: ("DELETE", "", ""),
    Way.STOP: ("POST", "", ""),
}
_ACCOUNT = re.compile(r"[0-9a-f-]{36}")


def order(made: Made, way: Way, *, agent: str, run: str) -> Action | None:
    """GET (of a machine with how it runs), DELETE, and the kind's own way to stop what is paid for."""
    kind, resource = KINDS.get(made.kind), resource_of(made.resource)
    if kind is None or not resource:
        return None
    method, tail, expand = _WAYS[way]
    if way is Way.STOP:
        tail = f"/{kind.stop}"
    target = f"{resource}{tail}?api-version={kind.version}{expand if made.kind == MACHINES else ''}"
    if way is Way.STOP and not kind.stop:
        return None
    action = ask(_CODEC.decode, made, method, target, agent=agent, run=run)
    return action if action is not None and kind_name(action.operation)[0] == made.kind else None


def headers(action: Action) -> tuple[Header, ...]:
    """None: the action carries them."""
    return ()


def liveness(made: Made, status: int, body: bytes, headers: Mapping[str, str]) -> Liveness:
    """What the answer to a look says. Never raises."""
    answer, kind = _document(body), KINDS.get(made.kind)
    if kind is None:
        return Liveness.UNKNOWN
    if status == 404:
        error = answer.get("error")
        code = error.get("code") if isinstance(error, Mapping) else None
        return Liveness.GONE if code in _MISSING else Liveness.UNKNOWN
    if status != 200 or str(answer.get("id", "")).lower() != resource_of(made.resource):
        return Liveness.UNKNOWN
    stopped = kind.stop and any(word.lower() in _STOPPED for word in _states(answer))
    return Liveness.STOPPED if stopped else Liveness.LIVE


def _states(answer: Mapping[str, Value]) -> Iterator[str]:
    """What a resource says of how it runs."""
    properties = _mapping(answer.get("properties"))
    view = _mapping(properties.get("instanceView"))
    statuses = view.get("statuses")
    for one in statuses if isinstance(statuses, list) else []:
        code = str(_mapping(one).get("code", ""))
        if code.startswith("PowerState/") and code != "PowerState/stopped":
            yield code.removeprefix("PowerState/")  # a machine that is only stopped is still paid for
    for value in (
        _mapping(properties.get("powerState")).get("code"),
        view.get("state"),
        properties.get("state"),
        properties.get("status"),
        properties.get("operationalState"),
    ):
        if isinstance(value, str):
            yield value


def closes(action: Action) -> tuple[Ended, ...]:
    """A deletion, or the kind's way to stop. A whole resource group names nothing single."""
    if action.classes <= LOOKING or action.undecodable:
        return ()
    kind, verb = kind_name(action.operation)
    known = KINDS.get(kind)
    path = str(action.parameters.get("path", "")).rstrip("/")
    if known is None:
        return ()
    if verb == "delete" and (resource := resource_of(path)):
        return (Ended(made=made_at(action, kind, resource), way=Way.DELETE),)
    if known.stop and verb.lower() == known.stop and (resource := resource_of(path.rpartition("/")[0])):
        return (Ended(made=made_at(action, kind, resource), way=Way.STOP),)
    return ()


def listing(place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Action, ...]:
    """All of a subscription that carries one tag: Azure filters by one only, the caller compares the others."""
    if not _ACCOUNT.fullmatch(place.account) or not tags:
        return ()
    key, value = min(tags.items())
    wanted = f"tagName eq '{_quoted(key)}'" + (f" and tagValue eq '{_quoted(value)}'" if value else "")
    query = f"?api-version={LIST_VERSION}&$filter={quote(wanted, safe='')}"
    action = ask(_CODEC.decode, place, "GET", f"/subscriptions/{place.account}/resources{query}", agent=agent, run=run)
    return (action,) if action is not None else ()


def _quoted(text: str) -> str:
    return text.replace("'", "''")


def listed(
    action: Action, status: int, body: bytes, headers: Mapping[str, str]
) -> tuple[tuple[Seen, ...], Action | None] | None:
    """The resources of a page that lie in the subscription that was asked, and the action that asks for the next."""
    answer = _document(body)
    rows = answer.get("value")
    if status != 200 or action.operation != f"{RESOURCES}:read" or not isinstance(rows, list):
        return None
    seen = tuple(_seen(action, rows))
    link = answer.get("nextLink")
    if link is None:
        return seen, None
    token = re.search(r"[?&]\$skiptoken=([^&\s]{1,4096})", str(link), re.IGNORECASE)
    if token is None:
        return None
    pairs = action.parameters.get("query")
    given = [pair for pair in pairs if isinstance(pair, list)] if isinstance(pairs, list) else []
    kept = [f"{pair[0]}={pair[1]}" for pair in given if str(pair[0]).lower() != "$skiptoken"]
    target = f"{action.parameters['path']}?{'&'.join([*kept, '$skiptoken=' + token[1]])}"
    place = made_at(action, RESOURCES, "")
    more = ask(_CODEC.decode, place, "GET", target, agent=action.agent, run=action.run)
    return (seen, more) if more is not None else None


def _seen(action: Action, rows: list[Value]) -> Iterator[Seen]:
    spelled = {name.lower(): name for name in KINDS}
    for row in rows:
        told = _mapping(row)
        resource = resource_of(told.get("id"))
        if not resource.startswith(f"/subscriptions/{action.account.lower()}/"):
            continue
        kind = f"{PREFIX}{told.get('type', '')}"
        tags = _mapping(told.get("tags"))
        made = made_at(action, spelled.get(kind.lower(), kind[:512]), resource)
        yield Seen(made=made, tags={str(key): str(value) for key, value in tags.items()})


def _mapping(value: Value) -> Mapping[str, Value]:
    return value if isinstance(value, Mapping) else {}


def _document(body: bytes) -> Mapping[str, Value]:
    try:
        return parse_object(body)
    except MalformedJson:
        return {}
