"""Stops, deletes, looks at and lists what lives on in a cluster, and reads the answers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from urllib.parse import quote

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.made import Ended, Liveness, Made, Seen, Way
from comptroller.core.request import Header
from comptroller.decode.asked import ask
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_json
from comptroller.decode.kubernetes.codec import KubernetesCodec
from comptroller.decode.kubernetes.lasting import KINDS, SERVICES, kind_name, made_at, namespace_of, split
from comptroller.decode.kubernetes.manifest import mapping, sequence
from comptroller.decode.kubernetes.tags import key_of, label, spelled
from comptroller.decode.shape import JSON_TYPE

MERGE = "application/merge-patch+json"
PAGE = 50
"""Pods are long: a page must stay below what is read of an answer."""
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})

_CODEC = KubernetesCodec()
_BACKGROUND: dict[str, Value] = {"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": "Background"}
_ENDED = frozenset({"Complete", "Failed"})


def order(made: Made, way: Way, *, agent: str, run: str) -> Action | None:
    """Look: GET. Delete: with all that belongs to it. Stop: no replicas, or suspended."""
    kind, names = KINDS.get(made.kind), split(made)
    if kind is None or names is None:
        return None
    path = kind.path(*names)
    if way is Way.LOOK:
        return ask(_CODEC.decode, made, "GET", path, agent=agent, run=run)
    if way is Way.DELETE:
        body, content_type = dump_json(_BACKGROUND), JSON_TYPE
        return ask(_CODEC.decode, made, "DELETE", path, agent=agent, run=run, body=body, content_type=content_type)
    if kind.scales:
        path, said = f"{path}/scale", {"spec": {"replicas": 0}}
    elif kind.suspends:
        said = {"spec": {"suspend": True}}
    else:
        return None
    return ask(_CODEC.decode, made, "PATCH", path, agent=agent, run=run, body=dump_json(said), content_type=MERGE)


def headers(action: Action) -> tuple[Header, ...]:
    """None: the action carries them."""
    return ()


def liveness(made: Made, status: int, body: bytes, headers: Mapping[str, str]) -> Liveness:
    """What the answer to a look says. Never raises."""
    names, answer = split(made), _document(body)
    if names is None or made.kind not in KINDS:
        return Liveness.UNKNOWN
    if status == 404:
        told = mapping(answer.get("details")).get("name")
        missing = answer.get("kind") == "Status" and answer.get("reason") == "NotFound" and told == names[1]
        return Liveness.GONE if missing else Liveness.UNKNOWN
    metadata = mapping(answer.get("metadata"))
    if status != 200 or (metadata.get("namespace"), metadata.get("name")) != names:
        return Liveness.UNKNOWN
    return _state(made.kind, mapping(answer.get("spec")), mapping(answer.get("status")))


def _state(kind: str, spec: Mapping[str, Value], status: Mapping[str, Value]) -> Liveness:
    if kind.endswith("/pods"):
        return Liveness.GONE if status.get("phase") in ("Succeeded", "Failed") else Liveness.LIVE
    if kind.endswith("/jobs"):
        conditions = [mapping(one) for one in sequence(status.get("conditions"))]
        if any(one.get("type") in _ENDED and one.get("status") == "True" for one in conditions):
            return Liveness.GONE
    if kind == SERVICES and spec.get("type") != "LoadBalancer":
        return Liveness.GONE
    if KINDS[kind].scales and spec.get("replicas") == 0 and not status.get("replicas"):
        return Liveness.STOPPED
    if KINDS[kind].suspends and spec.get("suspend") is True and not status.get("active"):
        return Liveness.STOPPED
    return Liveness.LIVE


def closes(action: Action) -> tuple[Ended, ...]:
    """A deletion, an eviction, no replicas, or suspension. A whole namespace or collection names nothing single."""
    if action.classes <= LOOKING or action.undecodable:
        return ()
    whole, verb = kind_name(action.operation)
    kind, _, subresource = whole.removeprefix("kubernetes:").partition("/")[2].partition("/")
    group = whole.removeprefix("kubernetes:").partition("/")[0]
    name = f"kubernetes:{group}/{kind}"
    space, parts = namespace_of(action), str(action.parameters.get("path", "")).rstrip("/").split("/")
    own = parts[-2] if subresource else parts[-1]
    made = made_at(action, name, f"{space}/{own}")
    if name not in KINDS or not space or split(made) is None:
        return ()
    if verb == "delete" and not subresource:
        return (Ended(made=made, way=Way.DELETE),)
    if name == "kubernetes:core/pods" and subresource == "eviction" and verb == "create":
        return (Ended(made=made, way=Way.DELETE),)
    if verb in ("patch", "update") and subresource in ("", "scale") and _stops(name, action):
        return (Ended(made=made, way=Way.STOP),)
    return ()


def _stops(kind: str, action: Action) -> bool:
    document = action.parameters.get("manifest")
    spec = mapping(mapping(document).get("spec"))
    patch = [mapping(one) for one in document] if isinstance(document, list) else []
    set_by_patch = {str(one.get("path")): one.get("value") for one in patch if one.get("op") in ("add", "replace")}
    replicas = set_by_patch.get("/spec/replicas", spec.get("replicas"))
    suspended = set_by_patch.get("/spec/suspend", spec.get("suspend"))
    none = replicas == 0 and not isinstance(replicas, bool)
    return (KINDS[kind].scales and none) or (KINDS[kind].suspends and suspended is True)


def listing(place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Action, ...]:
    """Every kind, in all namespaces, by label."""
    wanted = [f"{label(key)}={spelled(value)}" if value else label(key) for key, value in sorted(tags.items())]
    query = f"?labelSelector={quote(','.join(wanted), safe='')}&limit={PAGE}"
    asked = (ask(_CODEC.decode, place, "GET", one.path("") + query, agent=agent, run=run) for one in KINDS.values())
    return tuple(action for action in asked if action is not None)


def listed(
    action: Action, status: int, body: bytes, headers: Mapping[str, str]
) -> tuple[tuple[Seen, ...], Action | None] | None:
    """The objects of a list, and the action that goes on with it."""
    kind, verb = kind_name(action.operation)
    answer = _document(body)
    if status != 200 or verb != "list" or kind not in KINDS or not isinstance(answer.get("items"), list):
        return None
    seen = tuple(_seen(action, kind, answer))
    token = mapping(answer.get("metadata")).get("continue")
    if not isinstance(token, str) or not token:
        return seen, None
    pairs = action.parameters.get("query")
    given = [pair for pair in pairs if isinstance(pair, list)] if isinstance(pairs, list) else []
    kept = [f"{pair[0]}={pair[1]}" for pair in given if pair[0] != "continue"]
    target = f"{action.parameters['path']}?{'&'.join([*kept, 'continue=' + quote(token, safe='')])}"
    place = made_at(action, kind, "")
    return seen, ask(_CODEC.decode, place, "GET", target, agent=action.agent, run=action.run)


def _seen(action: Action, kind: str, answer: Mapping[str, Value]) -> Iterator[Seen]:
    for item in sequence(answer.get("items")):
        metadata = mapping(mapping(item).get("metadata"))
        made = made_at(action, kind, f"{metadata.get('namespace')}/{metadata.get('name')}")
        if split(made) is None:
            continue
        if kind == SERVICES and mapping(mapping(item).get("spec")).get("type") != "LoadBalancer":
            continue
        labels = mapping(metadata.get("labels"))
        yield Seen(made=made, tags={key_of(key): str(value) for key, value in labels.items()})


def _document(body: bytes) -> Mapping[str, Value]:
    try:
        return mapping(parse_json(body))
    except MalformedJson:
        return {}
