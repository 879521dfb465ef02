"""What a manifest brings about: how many pods, what each asks for, what power over its node, which rights it gives."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from decimal import ROUND_CEILING, Decimal, InvalidOperation

from comptroller.core.action import ActionClass, Value
from comptroller.decode.kubernetes.manifest import Manifest, mapping, sequence
from comptroller.decode.kubernetes.path import Attributes

PODS_MAX = 10**9
NAMES_MAX = 16
TEXT_MAX = 200
"""Longest image, path or name kept among the facts."""

PROVISION, ENTITLE, BLIND = ActionClass.PROVISION, ActionClass.ENTITLE, ActionClass.BLIND

_QUANTITY = re.compile(
    r"([+-]?[0-9]{1,18}(?:\.[0-9]{0,18})?|[+-]?\.[0-9]{1,18})(m|u|n|k|[KMGTPE]i?|[eE][+-]?[0-9]{1,2})?"
)
_SUFFIXES = {"": 0, "n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}
_ACCELERATOR = re.compile(r"[a-z0-9.-]+/.*(gpu|mig-|tpu|neuron|gaudi|habana|npu|xpu|dcu|vgpu).*", re.IGNORECASE)
_FALSE = (None, False, "false", 0)

NODE_POWERS = ("privileged", "hostNetwork", "hostPID", "hostIPC", "hostProcess")
"""Switches by which a container gets power over its node, and so over all that runs there."""
WORKLOADS = frozenset(
    {"pods", "podtemplates", "deployments", "replicasets", "statefulsets", "daemonsets", "jobs", "cronjobs"}
    | {"replicationcontrollers", "ephemeralcontainers", "controllerrevisions"}
)
COUNTED = frozenset({"deployments", "replicasets", "statefulsets", "replicationcontrollers"})
POD_GROUPS = frozenset({"core", "apps", "batch", "autoscaling", "extensions"})
"""Groups whose replicas are pods; what `replicas` of somebody else's resource means, nobody can say."""
POD_SECURITY = "pod-security.kubernetes.io/"
LABEL_HOLDERS = frozenset({"", "metadata", "metadata/labels"})


def amount(value: Value) -> Decimal | None:
    """A Kubernetes quantity (`500m`, `1.5Gi`, `2e3`) as a number; None where it is none."""
    if value is None or isinstance(value, bool):
        return None
    if isinstance(value, (int, Decimal)):
        return Decimal(value) if 0 <= value < 10**24 else None
    if not isinstance(value, str) or (match := _QUANTITY.fullmatch(value)) is None:
        return None
    try:
        number = Decimal(match[1])
        suffix = match[2] or ""
        if suffix in _BINARY:
            return _positive(number * Decimal(1024) ** _BINARY[suffix])
        power = _SUFFIXES[suffix] if suffix in _SUFFIXES else int(suffix[1:])
        return _positive(number.scaleb(power))
    except (InvalidOperation, ValueError):
        return None


def _positive(number: Decimal) -> Decimal | None:
    return number if 0 <= number < Decimal(10) ** 24 else None


def whole(value: Value) -> int | None:
    """A count; None where it is none or too large to be meant."""
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= PODS_MAX:
        return None
    return value


def added_classes(asked: Attributes, read: Manifest) -> frozenset[ActionClass]:
    """The classes a request has because of what it carries."""
    found: set[ActionClass] = set()
    if read.mode == "none":
        return frozenset()
    key = f"{asked.group}/{asked.resource}"
    for name, member in read.members:
        if _node_power(name, member):
            found.add(ENTITLE)
        elif name.startswith(POD_SECURITY):
            found.add(BLIND)
        elif key in _MEMBERS:
            found |= _MEMBERS[key](name, member)
    if key == "core/configmaps" and asked.namespace == "kube-system":
        found.add(ENTITLE)
    if key == "core/namespaces" and ((read.mode == "whole" and asked.verb == "update") or _relabels(read)):
        found.add(BLIND)
    if read.hidden:
        if asked.resource in WORKLOADS or asked.subresource == "ephemeralcontainers":
            found.add(ENTITLE)
        if key == "core/services":
            found |= {PROVISION, ENTITLE}
    return frozenset(found)


def _node_power(name: str, member: Value) -> bool:
    """True where a member gives a container power over its node."""
    if name in NODE_POWERS:
        return member not in _FALSE
    if name == "hostPath":
        return member is not None
    if name == "capabilities":
        return bool(mapping(member).get("add"))
    return name == "procMount" and member == "Unmasked"


def _service(name: str, member: Value) -> frozenset[ActionClass]:
    if name == "type" and member == "LoadBalancer":
        return frozenset({PROVISION})
    return frozenset({ENTITLE} if name == "externalIPs" and member else ())


def _secret(name: str, member: Value) -> frozenset[ActionClass]:
    """A secret of this type is filled by the server, with a token that never ends."""
    return frozenset({ENTITLE} if name == "type" and member == "kubernetes.io/service-account-token" else ())


def _network_policy(name: str, member: Value) -> frozenset[ActionClass]:
    return frozenset({BLIND} if name in ("ingress", "egress") and _open(name, member) else ())


_MEMBERS: Mapping[str, Callable[[str, Value], frozenset[ActionClass]]] = {
    "core/services": _service,
    "core/secrets": _secret,
    "networking.k8s.io/networkpolicies": _network_policy,
}
"""Members that decide what one kind of object is."""


def _open(direction: str, rules: Value) -> bool:
    """True where a rule of a network policy lets everybody in, or everything out."""
    side = "from" if direction == "ingress" else "to"
    return any(not mapping(rule).get(side) for rule in sequence(rules))


def _relabels(read: Manifest) -> bool:
    if LABEL_HOLDERS & set(read.replaced) or read.hidden:
        return True
    return read.mode == "partial" and any(
        "metadata" in found and ("labels" in mapping(found["metadata"]) and not mapping(found["metadata"])["labels"])
        for found in read.objects
    )


def facts_of(asked: Attributes, read: Manifest) -> dict[str, Value]:
    """What matters of a manifest, by name: `Pods`, `Gpus`, `CpuMilli`, `MemoryBytes` (each pod's), `Images`, …

    `Pods` is absent where nobody can say how many there will be.
    """
    found: dict[str, Value] = {}
    if read.mode == "none":
        return found
    pods = _pods(asked, read)
    if pods is not None:
        found["Pods"] = pods
    texts: dict[str, set[str]] = {}
    for spec in _pod_specs(read):
        _pod_facts(spec, found, texts)
    for name, member in read.members:
        if name in NODE_POWERS and member not in _FALSE:
            found[name[0].upper() + name[1:]] = True
        elif name == "hostPath" and member is not None:
            texts.setdefault("HostPaths", set()).add(str(mapping(member).get("path", "")))
        elif name == "capabilities":
            texts.setdefault("Capabilities", set()).update(str(c) for c in sequence(mapping(member).get("add")))
        elif name in ("serviceAccountName", "serviceAccount") and isinstance(member, str):
            texts.setdefault("ServiceAccounts", set()).add(member)
        elif name == "image" and isinstance(member, str):
            texts.setdefault("Images", set()).add(member)
        elif name == "roleRef" and isinstance(member, Mapping):
            texts.setdefault("Roles", set()).add(f"{member.get('kind')}/{member.get('name')}")
        elif name == "subjects":
            texts.setdefault("Subjects", set()).update(_subject(subject) for subject in sequence(member))
        elif name in ("volumeClaimTemplate", "volumeClaimTemplates") and member:
            found["Volumes"] = _count(found, "Volumes") + max(1, len(sequence(member)))
        elif name == "resourceClaims" and member:
            found["Devices"] = _count(found, "Devices") + max(1, len(sequence(member)))
        elif name == "storage" and (size := amount(member)) is not None:
            found["StorageBytes"] = max(int(size), _count(found, "StorageBytes"))
    for name, values in texts.items():
        kept = sorted(text[:TEXT_MAX] for text in values if text)
        if kept:
            found[name] = [*kept[:NAMES_MAX], *([f"and {len(kept) - NAMES_MAX} more"] if len(kept) > NAMES_MAX else [])]
    return found


def _subject(value: Value) -> str:
    subject = mapping(value)
    space = subject.get("namespace")
    return f"{subject.get('kind')}/{f'{space}/' if space else ''}{subject.get('name')}"


def _count(found: Mapping[str, Value], name: str) -> int:
    value = found.get(name)
    return value if isinstance(value, int) else 0


def _pods(asked: Attributes, read: Manifest) -> int | None:
    """How many pods there may be at once because of this request; None where that cannot be told."""
    if asked.group not in POD_GROUPS:
        return None
    total = 0
    for found in read.objects:
        count = _pods_of(asked, read, found)
        if count is None:
            return None
        total += count
    return total


def _pods_of(asked: Attributes, read: Manifest, found: Mapping[str, Value]) -> int | None:
    spec = mapping(found.get("spec"))
    whole_object = read.mode == "whole"
    if found.keys() <= {"metadata", "apiVersion", "kind"} and not whole_object and asked.resource != "pods":
        return 0
    if asked.subresource == "scale" or asked.resource in COUNTED:
        replicas = whole(spec.get("replicas", 1 if whole_object else None))
        if replicas is None or asked.resource != "deployments" or asked.verb == "create":
            return replicas
        return replicas if asked.subresource else replicas + _surge(spec, replicas)
    if asked.subresource:
        return None
    if asked.resource == "pods":
        return 1
    if asked.resource == "jobs":
        return _job_pods(spec) if whole_object or "parallelism" in spec else None
    if asked.resource == "cronjobs":
        job = mapping(mapping(spec.get("jobTemplate")).get("spec"))
        return _job_pods(job) if whole_object and spec.get("concurrencyPolicy") in ("Forbid", "Replace") else None
    if asked.resource == "horizontalpodautoscalers":
        return whole(spec.get("maxReplicas"))
    return None


def _job_pods(spec: Mapping[str, Value]) -> int | None:
    parallel = whole(spec.get("parallelism", 1))
    completions = spec.get("completions")
    if parallel is None or completions is None or (most := whole(completions)) is None:
        return parallel
    return min(parallel, most)


def _surge(spec: Mapping[str, Value], replicas: int) -> int:
    """Pods beyond the replicas while a deployment rolls; a quarter of them unless it says otherwise."""
    surge = mapping(mapping(spec.get("strategy")).get("rollingUpdate")).get("maxSurge", "25%")
    if isinstance(surge, str) and (match := re.fullmatch(r"([0-9]{1,5})%", surge)) is not None:
        return -(-replicas * int(match[1]) // 100)
    number = whole(surge)
    return replicas if number is None else number


def _pod_specs(read: Manifest) -> Iterator[Mapping[str, Value]]:
    """Every object with containers, wherever it lies."""
    yield from (found for found in read.objects if "containers" in found)
    yield from (member for _, member in read.members if isinstance(member, dict) and "containers" in member)


def _pod_facts(spec: Mapping[str, Value], found: dict[str, Value], texts: dict[str, set[str]]) -> None:
    """Largest pod wins where there are several kinds."""
    main = [mapping(container) for container in sequence(spec.get("containers"))]
    first = [mapping(container) for container in sequence(spec.get("initContainers"))]
    sidecars = [container for container in first if container.get("restartPolicy") == "Always"]
    for name, wanted, scale in (("CpuMilli", "cpu", 1000), ("MemoryBytes", "memory", 1)):
        running = [_asks(container, wanted) for container in main + sidecars]
        before = [_asks(container, wanted) for container in first]
        own = _asks(spec, wanted)
        most = max([own, sum(running, Decimal(0)), *before])
        if most > 0:
            size = int((most * scale).to_integral_value(rounding=ROUND_CEILING))
            found[name] = max(size, _count(found, name))
    gpus = max([_accelerators(spec), sum(_accelerators(c) for c in main + sidecars), *map(_accelerators, first)])
    if gpus:
        found["Gpus"] = max(gpus, _count(found, "Gpus"))
    for container in main + first:
        for part in ("command", "args"):
            words = sequence(container.get(part))
            if words:
                texts.setdefault("Commands", set()).add(" ".join(str(word) for word in words)[:TEXT_MAX])


def _asks(container: Mapping[str, Value], name: str) -> Decimal:
    resources = mapping(container.get("resources"))
    if not resources:
        return Decimal(0)
    sizes = [amount(mapping(resources.get(kind)).get(name)) for kind in ("requests", "limits")]
    return max((size for size in sizes if size is not None), default=Decimal(0))


def _accelerators(container: Mapping[str, Value]) -> int:
    resources = mapping(container.get("resources"))
    counts: dict[str, int] = {}
    for kind in ("requests", "limits"):
        for name, value in mapping(resources.get(kind)).items():
            size = amount(value)
            if size is not None and _ACCELERATOR.fullmatch(name):
                counts[name] = max(counts.get(name, 0), int(min(size, Decimal(PODS_MAX)).to_integral_value()))
    return sum(counts.values())
