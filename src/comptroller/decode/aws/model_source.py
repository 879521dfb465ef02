"""The one door to botocore's shipped models: cached, deterministic, one service at a time.

Only the data inside the installed package is read, never a user's `~/.aws/models`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.exceptions import DataNotFoundError
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

Shape = Any
"""A botocore shape; botocore has no types."""

PRESIGNED_MEMBERS = frozenset({"PresignedUrl", "PreSignedUrl"})
"""Members that clients fill with a second, signed request: worthless outside the box, so they are dropped."""

TOKEN_NAMES = frozenset(
    {
        "clienttoken",
        "clientrequesttoken",
        "idempotencytoken",
        "creationtoken",
        "executetoken",
        "provisiontoken",
        "terminatetoken",
        "updatetoken",
        "creatorrequestid",
        "updaterrequestid",
        "requestid",
        "operationid",
    }
)
"""Names of members that do nothing but tell one call from another. The models mark others as idempotency tokens that
say *what* is acted on (`athena:DeleteNamedQuery` its `NamedQueryId`): those stay in the digest."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Operation:
    """One operation's model. `raw_payload` names the member whose bytes are the whole body; `tokens` are members the
    service deduplicates by; `sensitive` members hold a secret somewhere."""

    service: str
    name: str
    model: Any
    input: Shape | None
    payload: str
    raw_payload: str
    event_stream: bool
    tokens: frozenset[str]
    sensitive: frozenset[str]
    dropped: frozenset[str]
    unsigned: bool
    checksum: bool
    compressed: bool
    host_labels: tuple[str, ...]


@cache
def _loader() -> Loader:
    return Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)


@cache
def service_model(service: str) -> Any:
    """The botocore `ServiceModel` of one service, loaded on first use."""
    return ServiceModel(_loader().load_service_model(service, "service-2"), service)


@cache
def waited_operation(service: str, waiter: str) -> str | None:
    """The operation that `aws SERVICE wait WAITER` asks again and again; None where the service has no such waiter."""
    try:
        document = _loader().load_service_model(service, "waiters-2")
    except DataNotFoundError:
        return None
    waiters = {xform_name(name, "-"): told["operation"] for name, told in document["waiters"].items()}
    return waiters.get(waiter)


@cache
def serializer(protocol: str) -> Any:
    """A botocore serializer without validation: what it writes was decoded against the same model."""
    return create_serializer(protocol, include_validation=False)


@cache
def members(shape: Shape) -> Mapping[str, Shape]:
    """Members of a structure by their name in the model."""
    return dict(shape.members)


@cache
def operation(service: str, name: str) -> Operation:
    """The model of one operation. Raises `KeyError` where the service has none of that name."""
    service_of = service_model(service)
    if name not in service_of.operation_names:
        raise KeyError(name)
    model = service_of.operation_model(name)
    shape = model.input_shape
    inner = members(shape) if shape is not None else {}
    payload = (shape.serialization.get("payload") or "") if shape is not None else ""
    raw = payload if payload and inner[payload].type_name in ("blob", "string") else ""
    raw_model = service_of._service_description["operations"][name]
    shapes = service_of._service_description["shapes"]
    return Operation(
        service=service,
        name=name,
        model=model,
        input=shape,
        payload=payload,
        raw_payload=raw,
        event_stream=bool(model.has_event_stream_input),
        tokens=frozenset(n for n, m in inner.items() if _token(n, m)),
        sensitive=frozenset(
            n for n, m in inner.items() if m.metadata.get("sensitive") or _sensitive(shapes, m.name, set())
        ),
        dropped=frozenset(PRESIGNED_MEMBERS & inner.keys()),
        unsigned=raw_model.get("authtype") == "none",
        checksum="httpChecksum" in raw_model or bool(raw_model.get("httpChecksumRequired")),
        compressed="requestcompression" in raw_model,
        host_labels=tuple(n for n, m in inner.items() if m.serialization.get("hostLabel")),
    )


def _token(name: str, member: Shape) -> bool:
    marked = member.metadata.get("idempotencyToken") and member.type_name == "string"
    return bool(marked) and name.lower() in TOKEN_NAMES


def _sensitive(shapes: Mapping[str, Any], name: str, seen: set[str]) -> bool:
    """Whether a shape, or any inside it, carries the model's `sensitive` trait."""
    if name in seen:
        return False
    seen.add(name)
    shape = shapes[name]
    if shape.get("sensitive"):
        return True
    inner = [m["shape"] for m in shape.get("members", {}).values()]
    inner += [shape[part]["shape"] for part in ("member", "key", "value") if part in shape]
    return any(_sensitive(shapes, child, seen) for child in inner)
