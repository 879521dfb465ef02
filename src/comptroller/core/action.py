"""What a request would do: the Action, its classes, and the digest a person's yes is bound to."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Literal

from comptroller.core.jcs import NotJson, jcs

DIGEST_PREFIX = "a1:"
DIGEST_DOMAIN = b"comptroller/action/1\n"
DEPTH_MAX = 64
INTEGER_DIGITS_MAX = 40
JSON_SAFE_INTEGER_MAX = 2**53 - 1
PARTS_MAX = 1000
"""A request that would bring about more than this many things by itself is `unknown`."""

Value = object
"""A decoded parameter: None, bool, int, Decimal, str, bytes, datetime, or a sequence or text-keyed mapping of these."""


class ActionClass(StrEnum):
    """What kind of thing an action is. An action may have several; none is ever dropped to please a caller."""

    READ = "read"
    REVEAL = "reveal"
    WRITE = "write"
    PROVISION = "provision"
    PAY = "pay"
    ENTITLE = "entitle"
    DESTROY = "destroy"
    EXECUTE = "execute"
    COMMUNICATE = "communicate"
    INFER = "infer"
    BLIND = "blind"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Payment:
    """Money or value that an action moves. `amount_minor` is in the minor unit (cents for USD, yen for JPY).

    `reversible` is None where the service does not say."""

    amount_minor: int
    currency: str
    payee: str
    direction: Literal["out", "in", "reserve"] = "out"
    reversible: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What surrounds an action and is no part of its identity.

    `idempotency` holds the members the service itself guarantees to deduplicate by (`ClientToken`, `Idempotency-Key`);
    `attempt` groups re-sent attempts of one client call (`amz-sdk-invocation-id`, else connection and sequence).
    `part_of` names what an earlier action began and this one carries on: that action's `Outcome.opens`.
    """

    idempotency: Mapping[str, str] = field(default_factory=dict)
    attempt: str = ""
    request_id: str = ""
    parents: tuple[str, ...] = ()
    payload_bytes: int = 0
    part_of: str = ""

    @property
    def retry_token(self) -> str:
        """The token that tells a re-sent call from a new one."""
        return "|".join(f"{k}={v}" for k, v in sorted(self.idempotency.items())) or self.attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """What a request would do, decoded. Treat `parameters` as immutable: the digest is bound to them.

    `service` is what an agent's `services` list names (`aws:ec2`, `openai`, `stripe`, `http`). `sensitive` lists the
    top-level parameters whose values no log may keep. `reason` says why an action is `unknown`.

    `parts` are the actions it brings about by itself (the resources of a stack, the pods of a manifest, the calls of a
    batch). They follow from its parameters, so the digest covers them. Its own classes include theirs; costs add up.

    `preview` holds members of parameters that are bound as bytes, read for the person who is asked: nothing is decided
    by them.

    `charge_usd_micros` is what the service's own description says this very call costs at once; None: it says nothing.
    """

    operation: str
    service: str
    classes: frozenset[ActionClass]
    endpoint: str
    agent: str
    run: str
    account: str = ""
    region: str = ""
    resources: tuple[str, ...] = ()
    quantity: int = 1
    parameters: Mapping[str, Value] = field(default_factory=dict)
    payment: Payment | None = field(default=None, compare=False)
    charge_usd_micros: int | None = field(default=None, compare=False)
    sensitive: frozenset[str] = field(default=frozenset(), compare=False)
    preview: Mapping[str, Value] = field(default_factory=dict, compare=False)
    parts: tuple[Action, ...] = field(default=(), compare=False)
    reason: str = field(default="", compare=False)
    call: Call = field(default_factory=Call, compare=False)

    @property
    def undecodable(self) -> bool:
        """True where nobody can say what the request would do."""
        return ActionClass.UNKNOWN in self.classes

    @property
    def unbound(self) -> bool:
        """True where a body follows whose content is no part of this action: its digest stands for any content."""
        return any(
            isinstance(value, Mapping)
            and (value.get("$stream") or value.get("stream")) is True
            and (value.get("$sha256") or value.get("sha256")) is None
            for value in self.parameters.values()
        )

    @property
    def host(self) -> str:
        """The endpoint without scheme and port."""
        name = self.endpoint.removeprefix("http://")
        return name.rsplit(":", 1)[0] if name.rpartition(":")[2].isdigit() else name


class Uncanonical(ValueError):
    """A value with no canonical form: the action that holds it is `unknown`."""


def canonical(value: Value, depth: int = 0) -> object:
    """The JSON form of a decoded value as the digest sees it. Raises `Uncanonical`; never recurses past `DEPTH_MAX`."""
    if depth > DEPTH_MAX:
        raise Uncanonical(f"nested deeper than {DEPTH_MAX}")
    if type(value) is str and value.isascii():
        return value  # nearly everything is
    match value:
        case None | bool():
            return value
        case str():
            try:
                value.encode("utf-8")
            except UnicodeEncodeError as error:
                raise Uncanonical("lone surrogate in text") from error
            return value
        case int():
            if -JSON_SAFE_INTEGER_MAX <= value <= JSON_SAFE_INTEGER_MAX:
                return int(value)
            if abs(value) >= 10**INTEGER_DIGITS_MAX:
                raise Uncanonical(f"integer over {INTEGER_DIGITS_MAX} digits")
            return {"$number": str(value)}
        case float() | Decimal():
            number = value if isinstance(value, Decimal) else Decimal(repr(value))
            if not number.is_finite():
                raise Uncanonical("not a finite number")
            if len(number.as_tuple().digits) > INTEGER_DIGITS_MAX or abs(number.adjusted()) > 400:
                raise Uncanonical(f"number over {INTEGER_DIGITS_MAX} digits")
            return {"$number": str(number)}
        case bytes() | bytearray():
            return {"$sha256": hashlib.sha256(value).hexdigest(), "$length": len(value)}
        case datetime():
            aware = value if value.tzinfo else value.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat().replace("+00:00", "Z")
        case Mapping():
            out: dict[str, object] = {}
            for key, member in value.items():
                if not isinstance(key, str):
                    raise Uncanonical("a key that is not text")
                canonical(key)
                # a caller's own `$number` must never read like ours: its first `$` is doubled
                out["$" + key if key.startswith("$") else key] = canonical(member, depth + 1)
            return out
        case Sequence():
            return [canonical(member, depth + 1) for member in value]
        case _:
            raise Uncanonical(f"a {type(value).__name__} has no canonical form")


def canonical_bytes(value: Value) -> bytes:
    """RFC 8785 JCS bytes of a value, in its canonical form."""
    try:
        return jcs(canonical(value), plain=True)
    except NotJson as error:
        raise Uncanonical(str(error)) from error


def digest(action: Action) -> str:
    """The identity of an action that a yes is bound to: `a1:` + hex SHA-256. Raises `Uncanonical`."""
    identity = {
        "operation": action.operation,
        "account": action.account,
        "region": action.region,
        "endpoint": action.endpoint,
        "agent": action.agent,
        "run": action.run,
        "resources": action.resources,
        "quantity": action.quantity,
        "parameters": action.parameters,
    }
    return DIGEST_PREFIX + hashlib.sha256(DIGEST_DOMAIN + canonical_bytes(identity)).hexdigest()
