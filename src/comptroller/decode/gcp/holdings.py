"""Stops, deletes, looks at and lists what lives on in Google Cloud, and reads the answers."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from urllib.parse import quote

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.made import Ended, Liveness, Made, Seen, Way
from comptroller.core.request import Header
from comptroller.decode.asked import ask
from comptroller.decode.gcp import index
from comptroller.decode.gcp.codec import GcpCodec
from comptroller.decode.gcp.lasting import RESOURCE, kind_of, made_at, parts, path_of
from comptroller.decode.gcp.tags import key_of, label, spelled
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_object
from comptroller.decode.shape import JSON_TYPE

PAGE = 500
LOOKING = frozenset({ActionClass.READ, ActionClass.REVEAL})
SQL = "gcp:sqladmin:instances"
SEARCH = "gcp:cloudasset:searchAllResources"
STOPPING = ("stop", "cancel")

_CODEC = GcpCodec()
_NEVER: dict[str, Value] = {"settings": {"activationPolicy": "NEVER"}}
_STOPPED = frozenset({"TERMINATED", "STOPPED", "SUSPENDED"})
_JOB = re.compile(r"(?:[jJ]obs|[pP]ipelines|[rR]uns|[eE]xecutions|[bB]atches|[bB]uilds)$")
_JOB_ENDED = re.compile(r"(?:JOB_STATE_|PIPELINE_STATE_|STATE_)?(?:SUCCEEDED|SUCCESS|FAILED|FAILURE|CANCELLED|EXPIRED)")
_MISSING = frozenset({"notFound", "instanceDoesNotExist"})
_VERSIONS = re.compile(r"(?:[a-z]+/)?v[0-9]+/|", re.ASCII)


def order(made: Made, way: Way, *, agent: str, run: str) -> Action | None:
    """GET, DELETE, and what the API calls `stop` or, of a job, `cancel`."""
    if not RESOURCE.fullmatch(made.resource):
        return None
    if way is Way.LOOK:
        return _ask(made, "GET", "", ("get",), agent, run)
    if way is Way.DELETE:
        return _ask(made, "DELETE", "", ("delete",), agent, run)
    if made.kind == SQL:
        return _ask(made, "PATCH", "", ("patch",), agent, run, dump_json(_NEVER))
    for verb in STOPPING:
        for mark in ("/", ":"):
            found = _ask(made, "POST", f"{mark}{verb}", (verb,), agent, run)
            if found is not None:
                return found
    return None


def _ask(
    made: Made, method: str, tail: str, verbs: tuple[str, ...], agent: str, run: str, body: bytes = b""
) -> Action | None:
    """The request in the interface's stable version; None where no published operation of this kind is so called."""
    service = made.kind.removeprefix(index.PREFIX).partition(":")[0]
    found = index.service(service)
    for prefix in _ranked(found.prefixes if found is not None else ()):
        action = ask(
            _CODEC.decode,
            made,
            method,
            f"/{prefix}{made.resource}{tail}",
            agent=agent,
            run=run,
            body=body,
            content_type=JSON_TYPE if body else "",
        )
        if action is not None:
            told, collection, verb = parts(action.operation)
            if verb in verbs and kind_of(told, collection) == made.kind:
                return action
    return None


def _ranked(prefixes: tuple[str, ...]) -> list[str]:
    plain = [one for one in prefixes if not one.startswith(("upload/", "download/", "resumable/"))]
    return sorted(plain, key=lambda one: (_VERSIONS.fullmatch(one) is None, one))


def headers(action: Action) -> tuple[Header, ...]:
    """None: the action carries them."""
    return ()


def liveness(made: Made, status: int, body: bytes, headers: Mapping[str, str]) -> Liveness:
    """What the answer to a look says. Never raises."""
    answer = _document(body)
    if status == 404:
        return Liveness.GONE if _is_missing(answer) else Liveness.UNKNOWN
    name = made.resource.rpartition("/")[2]
    if status != 200 or str(answer.get("name", "")).rpartition("/")[2] != name:
        return Liveness.UNKNOWN
    said = next((str(answer[one]) for one in ("status", "state") if isinstance(answer.get(one), str)), "")
    if _JOB.search(made.kind) and _JOB_ENDED.fullmatch(said):
        return Liveness.GONE
    settings = answer.get("settings")
    if made.kind == SQL and isinstance(settings, Mapping) and settings.get("activationPolicy") == "NEVER":
        return Liveness.STOPPED
    return Liveness.STOPPED if said in _STOPPED else Liveness.LIVE


def _is_missing(answer: Mapping[str, Value]) -> bool:
    error = answer.get("error")
    if not isinstance(error, Mapping) or error.get("code") != 404:
        return False
    errors = error.get("errors")
    rows = errors if isinstance(errors, list) else []
    return error.get("status") == "NOT_FOUND" or any(
        isinstance(one, Mapping) and one.get("reason") in _MISSING for one in rows
    )


def closes(action: Action) -> tuple[Ended, ...]:
    """A deletion, a stop, a cancellation; a database that is never activated."""
    if action.classes <= LOOKING or action.undecodable:
        return ()
    service, collection, verb = parts(action.operation)
    resource = path_of(action)
    for ending in STOPPING:
        resource = resource.removesuffix(f"/{ending}").removesuffix(f":{ending}") if verb == ending else resource
    if not RESOURCE.fullmatch(resource):
        return ()
    made = made_at(action, kind_of(service, collection), resource)
    if verb == "delete":
        return (Ended(made=made, way=Way.DELETE),)
    settings = action.parameters.get("settings")
    never = isinstance(settings, Mapping) and settings.get("activationPolicy") == "NEVER"
    if verb in STOPPING or (made.kind == SQL and verb in ("patch", "update") and never):
        return (Ended(made=made, way=Way.STOP),)
    return ()


def listing(place: Made, tags: Mapping[str, str], *, agent: str, run: str) -> tuple[Action, ...]:
    """The search over all that the project has, by label. It lags a little behind, and needs the asset API."""
    if not place.account or not re.fullmatch(r"[A-Za-z0-9._:-]{1,64}", place.account):
        return ()
    wanted = [f"labels.{label(key)}" + (f"={spelled(value)}" if value else ":*") for key, value in sorted(tags.items())]
    query = f"?query={quote(' AND '.join(wanted), safe='')}&pageSize={PAGE}"
    asset = Made(
        kind="gcp:cloudasset:search",
        resource="",
        account=place.account,
        region="",
        endpoint="cloudasset.googleapis.com",
    )
    target = f"/v1/projects/{place.account}:searchAllResources{query}"
    action = ask(_CODEC.decode, asset, "GET", target, agent=agent, run=run)
    return (action,) if action is not None else ()


def listed(
    action: Action, status: int, body: bytes, headers: Mapping[str, str]
) -> tuple[tuple[Seen, ...], Action | None] | None:
    """The things of a page of the search in the project that was asked, and the action that asks for the next."""
    answer = _document(body)
    rows = answer.get("results", [])
    if status != 200 or not action.operation.endswith("searchAllResources") or not isinstance(rows, list):
        return None
    if not body.strip():
        return None
    seen = tuple(_seen(action, rows))
    token = answer.get("nextPageToken")
    if not isinstance(token, str) or not token:
        return seen, None
    pairs = action.parameters.get("@query")
    given = [pair for pair in pairs if isinstance(pair, list)] if isinstance(pairs, list) else []
    kept = [f"{pair[0]}={pair[1]}" for pair in given if pair[0] != "pageToken"]
    target = f"{action.parameters['@path']}?{'&'.join([*kept, 'pageToken=' + quote(token, safe='')])}"
    return seen, ask(
        _CODEC.decode, made_at(action, "gcp:cloudasset:search", ""), "GET", target, agent=action.agent, run=action.run
    )


def _seen(action: Action, rows: list[Value]) -> Iterator[Seen]:
    for row in rows:
        name = str(row.get("name", "")) if isinstance(row, Mapping) else ""
        host, _, resource = name.removeprefix("//").partition("/")
        found = index.place(host) if host.isascii() and host.endswith(".googleapis.com") else None
        inside = resource.startswith(f"projects/{action.account}/")
        if not isinstance(row, Mapping) or found is None or not found.services or not inside:
            continue
        if not RESOURCE.fullmatch(resource):
            continue
        labels, location = row.get("labels"), str(row.get("location", ""))
        made = Made(
            kind=kind_of(found.services[0], resource.split("/")[-2]),
            resource=resource,
            account=action.account,
            region=re.sub(r"(?<=[0-9])-[a-z]$", "", location) if re.fullmatch(r"[a-z0-9-]{0,40}", location) else "",
            endpoint=host,
        )
        tags = labels if isinstance(labels, Mapping) else {}
        yield Seen(made=made, tags={key_of(str(key)): str(value) for key, value in tags.items()})


def _document(body: bytes) -> Mapping[str, Value]:
    try:
        return parse_object(body)
    except MalformedJson:
        return {}
