"""What a request to Kubernetes does, in plain words."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import unquote

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.secrecy import random_looking
from comptroller.decode.kubernetes.manifest import mapping
from comptroller.decode.shape import printable

COMMAND_CHARACTERS_MAX = 160
LISTED_MAX = 3

_VERBS = {
    "create": "create",
    "update": "replace",
    "patch": "change",
    "delete": "delete",
    "deletecollection": "delete all",
    "get": "read",
    "list": "list",
    "watch": "watch",
    "proxy": "reach through",
    "options": "ask for options of",
}
_SUBRESOURCES = {
    "core/pods/attach": "attach to",
    "core/pods/portforward": "open a connection into",
    "core/pods/proxy": "reach the server in",
    "core/services/proxy": "reach the servers behind",
    "core/nodes/proxy": "reach the kubelet of",
    "core/pods/eviction": "evict",
    "core/pods/log": "read the log of",
    "core/pods/ephemeralcontainers": "run another container in",
    "core/serviceaccounts/token": "issue a token of",
    "certificates.k8s.io/certificatesigningrequests/approval": "approve or deny",
}


def sentence(action: Action) -> str:
    """`run 6 pods (deployments/web: 8 GPUs, 4 CPU each) in namespace train`."""
    if action.undecodable:
        return f"call Kubernetes in a way that cannot be read: {action.reason}"
    kind, _, verb = action.operation.removeprefix("kubernetes:").rpartition(":")
    where, name = _place(action)
    if kind.startswith("url/"):
        return f"read {kind.removeprefix('url/')} of the cluster"
    facts = mapping(action.parameters.get("facts"))
    dry = " (dry run)" if verb not in ("get", "list", "watch") and action.classes == {ActionClass.READ} else ""
    as_whom = _impersonated(action)
    if kind == "core/pods/exec":
        return f"run `{_command(action)}` in pod {name}{where}{as_whom}"
    if kind in _SUBRESOURCES and verb not in ("list", "watch"):
        return f"{_SUBRESOURCES[kind]} {kind.split('/')[1].rstrip('s')} {name}{where}{dry}{as_whom}"
    resource = kind.partition("/")[2]
    thing = f"{resource} {name}".rstrip()
    if ActionClass.EXECUTE in action.classes and "Pods" in facts and verb in ("create", "update", "patch"):
        count = action.quantity
        asked = _asked(facts)
        pods = "1 pod" if count == 1 else f"{count:,} pods"
        if facts["Pods"] == 0:
            return f"{_VERBS[verb]} {thing}{where}{dry}{as_whom}"
        return f"run {pods} ({thing}{asked}){where}{dry}{as_whom}"
    more = _asked(facts)
    if resource == "horizontalpodautoscalers" and "Pods" in facts:
        more = f" (up to {action.quantity:,} pods)"
    return f"{_VERBS.get(verb, verb)} {thing}{more}{where}{dry}{as_whom}"


def _place(action: Action) -> tuple[str, str]:
    found = action.resources[0] if action.resources else ""
    parts = str(action.parameters.get("path", "")).split("/")
    space = ""
    if "namespaces" in parts:
        position = parts.index("namespaces") + 1
        space = unquote(parts[position]) if position < len(parts) else ""
    first, _, rest = found.partition("/")
    if space and first == space:
        found = rest
    name = found.partition("/")[2]
    named = space and not action.operation.startswith("kubernetes:core/namespaces")
    return (f" in namespace {printable(space)}" if named else ""), printable(name)


def _asked(facts: Mapping[str, Value]) -> str:
    """`: image x, 8 GPUs, 4 CPU, 16 GiB each, privileged`."""
    words: list[str] = []
    for name in ("Images", "Commands"):
        words += _texts(facts.get(name))
    each = []
    if isinstance(gpus := facts.get("Gpus"), int):
        each.append(f"{gpus} GPU{'s' if gpus != 1 else ''}")
    if isinstance(cpu := facts.get("CpuMilli"), int):
        each.append(f"{cpu / 1000:g} CPU")
    if isinstance(memory := facts.get("MemoryBytes"), int):
        each.append(f"{memory / 2**30:.3g} GiB")
    if each:
        words.append(", ".join(each) + " each")
    words += [name[0].lower() + name[1:] for name in POWERS if facts.get(name) is True]
    words += [f"host path {path}" for path in _texts(facts.get("HostPaths"))]
    words += [f"capability {name}" for name in _texts(facts.get("Capabilities"))]
    roles, subjects = _texts(facts.get("Roles")), _texts(facts.get("Subjects"))
    if roles:
        words.append(f"gives {', '.join(roles)} to {', '.join(subjects) or 'nobody'}")
    if isinstance(size := facts.get("StorageBytes"), int):
        words.append(f"{size / 2**30:.3g} GiB of storage")
    return ": " + printable(", ".join(words)) if words else ""


POWERS = ("Privileged", "HostNetwork", "HostPID", "HostIPC", "HostProcess")


def _texts(value: Value) -> list[str]:
    names = [str(name) for name in value] if isinstance(value, list) else []
    return [_masked(name) for name in names[:LISTED_MAX]] + ([f"{len(names) - LISTED_MAX} more"] * (len(names) > 3))


def _command(action: Action) -> str:
    query = action.parameters.get("query")
    pairs = query if isinstance(query, list) else []
    words = [unquote(str(pair[1]).replace("+", " ")) for pair in pairs if unquote(str(pair[0])) == "command"]
    text = _masked(" ".join(words)) or "its own command"
    return printable(text[:COMMAND_CHARACTERS_MAX] + ("…" if len(text) > COMMAND_CHARACTERS_MAX else ""))


def _masked(text: str) -> str:
    return " ".join(f"{word[:4]}…" if random_looking(word) else word for word in text.split(" "))


def _impersonated(action: Action) -> str:
    headers = mapping(action.parameters.get("headers"))
    who = headers.get("impersonate-user") or headers.get("impersonate-group")
    return f", as {printable(str(who))}" if who else ""
