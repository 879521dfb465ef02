"""Request attributes as the API server itself reads them: path and method -> verb, group, resource, name.

Source: Kubernetes' documented authorization request attributes (resource and non-resource URLs, special verbs)."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from comptroller.decode.shape import Undecodable

SEGMENTS_MAX = 64
CORE = "core"
METHOD_VERBS = {
    "POST": "create",
    "GET": "get",
    "HEAD": "get",
    "PUT": "update",
    "PATCH": "patch",
    "DELETE": "delete",
}
LOOKS = frozenset({"get", "list", "watch"})
NAMESPACE_SUBRESOURCES = frozenset({"status", "finalize"})
REPEATED = frozenset({"command", "ports"})
"""Query names that may appear more than once; `pods/exec` takes a command word by word."""
PROXIES = frozenset({"proxy"})
"""Subresources behind which another server answers: whatever follows in the path is its own."""

_GROUP = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_VERSION = re.compile(r"v[0-9]{1,4}((alpha|beta)[0-9]{1,4})?|[a-z][a-z0-9-]{0,61}")
_WORD = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_METRIC = re.compile(r"[A-Za-z0-9_:.|*-]{1,253}")
_NAME = re.compile(r"[A-Za-z0-9*][A-Za-z0-9 ._:@=+,$!()*~|-]{0,252}")
_METRICS_GROUPS = frozenset({"custom.metrics.k8s.io", "external.metrics.k8s.io"})
_FALSE = frozenset({"false", "0"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What an API request asks for. `group` is `core` for the group without a name; `path` only for non-resource
    URLs; `rest` is what follows a proxy."""

    verb: str
    group: str = ""
    version: str = ""
    namespace: str = ""
    resource: str = ""
    subresource: str = ""
    name: str = ""
    path: str = ""
    rest: str = ""

    @property
    def kind(self) -> str:
        """`pods`, `pods/exec`."""
        return f"{self.resource}/{self.subresource}" if self.subresource else self.resource

    @property
    def operation(self) -> str:
        """`kubernetes:apps/deployments:create`, `kubernetes:url/healthz:get`."""
        if self.path:
            return f"kubernetes:url/{self.path}:{self.verb}"
        return f"kubernetes:{self.group}/{self.kind}:{self.verb}"


def attributes(method: str, path: str, query: Sequence[tuple[str, str | None]]) -> Attributes:
    """The attributes of a normalised path. Raises `Undecodable` where it has no single reading."""
    parts = path.strip("/").split("/") if path.strip("/") else []
    if path.endswith("//") or any(not part for part in parts):
        raise Undecodable("the path has an empty segment")
    if len(parts) > SEGMENTS_MAX:
        raise Undecodable(f"the path has more than {SEGMENTS_MAX} segments")
    if len(parts) < 3 or parts[0] not in ("api", "apis"):
        return _url(method, parts)
    if parts[0] == "api":
        group, rest = CORE, parts[1:]
    elif len(parts) < 4:
        return _url(method, parts)
    else:
        group, rest = parts[1], parts[2:]
        if not _GROUP.fullmatch(group) or group == CORE:
            raise Undecodable("the path names no API group")
    version, rest = rest[0], rest[1:]
    if not _VERSION.fullmatch(version):
        raise Undecodable("the path names no API version")
    special = ""
    if rest[0] in ("proxy", "watch"):
        special, rest = rest[0], rest[1:]
        if not rest:
            raise Undecodable("the path ends after `proxy` or `watch`")
    verb = special or METHOD_VERBS.get(method) or ("options" if method == "OPTIONS" else "")
    if not verb or (special == "watch" and method not in ("GET", "HEAD")):
        raise Undecodable("no Kubernetes request has this method")
    return _resource(verb, group, version, rest, read_query(query))


def _resource(verb: str, group: str, version: str, parts: list[str], query: Mapping[str, Sequence[str]]) -> Attributes:
    namespace = ""
    if parts[0] == "namespaces" and len(parts) > 1:
        namespace = _named(parts[1])
        if len(parts) > 2 and parts[2] not in NAMESPACE_SUBRESOURCES:
            parts = parts[2:]
    resource = parts[0]
    if not _WORD.fullmatch(resource):
        raise Undecodable("the path names no resource")
    name = _named(parts[1]) if len(parts) > 1 else ""
    subresource, rest = "", ""
    if verb == "proxy":
        rest = "/".join(parts[2:])
    elif len(parts) > 2:
        subresource, rest = parts[2], "/".join(parts[3:])
        wanted = _METRIC if group in _METRICS_GROUPS else _WORD
        if not wanted.fullmatch(subresource):
            raise Undecodable("the path names no subresource")
        if rest and subresource not in PROXIES:
            raise Undecodable("the path goes on after the subresource")
    if verb == "proxy" and not name:
        raise Undecodable("the path names nothing to proxy to")
    if verb == "options" and subresource not in PROXIES:
        raise Undecodable("no Kubernetes request has this method")
    if not name:
        if verb == "get":
            verb = "watch" if _true(query.get("watch")) else "list"
        elif verb == "delete":
            verb = "deletecollection"
    return Attributes(
        verb=verb,
        group=group,
        version=version,
        namespace=namespace,
        resource=resource,
        subresource=subresource,
        name=name,
        rest=rest,
    )


def read_query(query: Sequence[tuple[str, str | None]]) -> dict[str, list[str]]:
    """Query values by name, decoded as the server does. Raises `Undecodable` for a name that appears twice."""
    found: dict[str, list[str]] = {}
    for name, value in query:
        key = _plain(name)
        values = found.setdefault(key, [])
        if values and key not in REPEATED:
            raise Undecodable("the query has a name twice")
        values.append(_plain(value or ""))
    return found


def _plain(text: str) -> str:
    try:
        plain = unquote(text.replace("+", " "), errors="strict")
    except UnicodeDecodeError as error:
        raise Undecodable("the query is not UTF-8") from error
    if ";" in text:
        raise Undecodable("the query has a semicolon, which may separate members")
    return plain


def _true(values: Sequence[str] | None) -> bool:
    return values is not None and values[0].lower() not in _FALSE


def _named(segment: str) -> str:
    try:
        name = unquote(segment, errors="strict")
    except UnicodeDecodeError as error:
        raise Undecodable("the path is not UTF-8") from error
    if not _NAME.fullmatch(name):
        raise Undecodable("the path has a name with unexpected characters")
    return name


def _url(method: str, parts: list[str]) -> Attributes:
    """A non-resource URL: discovery, health, metrics. They are only looked at."""
    if method not in ("GET", "HEAD"):
        raise Undecodable("no Kubernetes request has this method and path")
    top = parts[0] if parts else "root"
    if top in ("api", "apis") or top in URLS or (top == "root" and not parts):
        found = top
    elif "/".join(parts[:2]) in URLS_OF_TWO:
        found = "/".join(parts[:2])
    else:
        raise Undecodable("no known path of a Kubernetes API server")
    if any("%" in part or ";" in part for part in parts):
        raise Undecodable("the path has unexpected characters")
    return Attributes(verb="get", path=found, rest="/".join(parts))


URLS = frozenset({"api", "apis", "healthz", "livez", "logs", "metrics", "openapi", "readyz", "root", "version"})
"""First segments of non-resource URLs that are served by every API server."""
URLS_OF_TWO = frozenset({".well-known/openid-configuration", "openid/v1"})
