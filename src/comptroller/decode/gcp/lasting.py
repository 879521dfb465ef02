"""What Google's APIs make that lives on, by the shape of their paths: what is created in a collection can be read and
deleted there. The collection is the request's own; only the last name is taken from an answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.made import Made
from comptroller.decode.gcp import index

MAKES = frozenset({"insert", "create"})
_PARENT = re.compile(r"/(projects/[^?]{1,1500})")
_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,253}[A-Za-z0-9])?")
_OPERATION = re.compile(r"/operations/.*$", re.DOTALL)
RESOURCE = re.compile(r"projects/[A-Za-z0-9._:-]{1,64}(?:/[A-Za-z0-9_][A-Za-z0-9._-]{0,254}){2,10}")


def parts(operation: str) -> tuple[str, str, str]:
    """`gcp:container:projects.locations.clusters.create` -> service, whole collection, verb."""
    service, _, name = operation.removeprefix(index.PREFIX).partition(":")
    collection, _, verb = name.rpartition(".")
    return service, collection, verb


def kind_of(service: str, collection: str) -> str:
    """`gcp:container:clusters`."""
    return f"{index.PREFIX}{service}:{collection.rpartition('.')[2]}"


def path_of(action: Action) -> str:
    """What the path names below its version: `projects/p/zones/z/instances`."""
    found = _PARENT.search(str(action.parameters.get("@path", "")))
    return found[1].rstrip("/") if found is not None else ""


def lasting(action: Action, answer: Mapping[str, Value]) -> tuple[Made, ...]:
    """What was made, where it can be deleted again and looked at."""
    service, collection, verb = parts(action.operation)
    parent, last = path_of(action), collection.rpartition(".")[2]
    if verb not in MAKES or ActionClass.PROVISION not in action.classes or not parent.endswith(f"/{last}"):
        return ()
    known = index.classes_by_service().get(service, {})
    if f"{collection}.delete" not in known and f"{collection}.cancel" not in known:
        return ()
    name = next(_names(answer, last), "")
    resource = f"{parent}/{name}"
    if not name or not RESOURCE.fullmatch(resource):
        return ()
    return (made_at(action, kind_of(service, collection), resource, share=action.quantity),)


def _names(answer: Mapping[str, Value], collection: str) -> Iterator[str]:
    """Names in this collection that an answer gives, the surest first."""
    metadata = answer.get("metadata")
    told = metadata if isinstance(metadata, Mapping) else {}
    for value in (answer.get("targetLink"), told.get("target"), answer.get("name"), answer.get("selfLink")):
        if isinstance(value, str):
            head, _, name = _OPERATION.sub("", value).rpartition("/")
            if head.rpartition("/")[2] == collection and _NAME.fullmatch(name):
                yield name
    cluster = told.get("clusterName")
    if collection == "clusters" and isinstance(cluster, str) and _NAME.fullmatch(cluster):
        yield cluster


def made_at(action: Action, kind: str, resource: str, *, share: int = 1) -> Made:
    """A thing of the project and the endpoint that an action went to."""
    return Made(
        kind=kind,
        resource=resource,
        account=action.account,
        region=action.region,
        endpoint=action.endpoint,
        share=share,
    )
