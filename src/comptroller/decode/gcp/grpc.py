"""gRPC: the path names service and procedure; the body is bound as it came and not looked into."""

from __future__ import annotations

import re
from collections.abc import Iterable

from comptroller.core.action import ActionClass
from comptroller.decode.gcp import index
from comptroller.decode.gcp.index import Operation

CONTENT_TYPE = "application/grpc"
_PATH = re.compile(r"/([A-Za-z0-9_.]{1,200})\.([A-Z][A-Za-z0-9_]{0,100})/([A-Z][A-Za-z0-9_]{0,100})")

_STORAGE = {
    "ReadObject": "objects.get",
    "BidiReadObject": "objects.get",
    "GetObject": "objects.get",
    "ListObjects": "objects.list",
    "WriteObject": "objects.insert",
    "BidiWriteObject": "objects.insert",
    "StartResumableWrite": "objects.insert",
    "QueryWriteStatus": "objects.get",
    "CancelResumableWrite": "objects.insert",
    "DeleteObject": "objects.delete",
    "RestoreObject": "objects.restore",
    "UpdateObject": "objects.patch",
    "RewriteObject": "objects.rewrite",
    "ComposeObject": "objects.compose",
    "MoveObject": "objects.move",
    "CreateBucket": "buckets.insert",
    "DeleteBucket": "buckets.delete",
    "GetBucket": "buckets.get",
    "ListBuckets": "buckets.list",
    "UpdateBucket": "buckets.patch",
    "LockBucketRetentionPolicy": "buckets.lockRetentionPolicy",
    "GetIamPolicy": "buckets.getIamPolicy",
    "SetIamPolicy": "buckets.setIamPolicy",
    "TestIamPermissions": "buckets.testIamPermissions",
}
"""Procedures of `google.storage.v2.Storage`, whose names differ from the JSON API's."""
_FIRST = "projects."
"""Of several levels (projects, folders, organisations) that share a procedure, the one that names the action."""


def operation_of(services: Iterable[str], path: str) -> Operation | None:
    """The operation behind `/google.cloud.secretmanager.v1.SecretManagerService/AccessSecretVersion`, with the classes
    of every operation that the procedure may stand for; None where none has that name."""
    match = _PATH.fullmatch(path)
    if match is None:
        return None
    group, procedure = match[2], match[3]
    for name in services:
        service = index.service(name)
        if service is None:
            continue
        found = _candidates(service, group, procedure)
        if found:
            classes: frozenset[ActionClass] = frozenset().union(*(operation.classes for operation in found))
            best = min(found, key=lambda operation: (not operation.name.startswith(_FIRST), operation.name))
            return Operation(service=name, name=best.name, classes=classes, dry="")
    return None


def _candidates(service: index.Service, group: str, procedure: str) -> list[Operation]:
    by_name = {operation.name: operation for operation in service.operations}
    if service.name == "storage":
        name = _STORAGE.get(procedure)
        return [by_name[name]] if name in by_name else []
    # compute: `Instances/Insert` is `instances.insert`
    direct = f"{group[:1].lower()}{group[1:]}.{procedure[:1].lower()}{procedure[1:]}"
    if direct in by_name:
        return [by_name[direct]]
    return [service.operations[number] for number in service.procedures.get(procedure, ())]
