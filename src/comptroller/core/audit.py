"""Entries of the audit log: what is in the leaf, and what lies salted beside it where it can be erased."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from comptroller.core.action import canonical
from comptroller.core.jcs import NotJson, jcs

LEAF_VERSION = 1
PRIVATE_FIELD_BYTES_MAX = 16 << 10


class EntryKind(StrEnum):
    """What happened. Every change of configuration, budget, policy and brake is an entry as well."""

    SERVE_STARTED = "serve.started"
    SERVE_STOPPED = "serve.stopped"
    CONFIG_LOADED = "config.loaded"
    CONFIG_REFUSED = "config.refused"
    BUDGET_SET = "budget.set"
    BUDGET_THRESHOLD = "budget.threshold"
    BUDGET_SUSPENSE_HIGH = "budget.suspense_high"
    SUSPENSE_SETTLED = "suspense.settled"
    SHARE_TAKEN = "share.taken"
    SHARE_RETURNED = "share.returned"
    STORE_RECOVERED = "store.recovered"
    PRICE_CHANGED = "price.changed"
    PRICE_CONFIRMED = "price.confirmed"
    RUN_STARTED = "run.started"
    RUN_ENDED = "run.ended"
    ACTION_ALLOWED = "action.allowed"
    ACTION_HELD = "action.held"
    ACTION_DENIED = "action.denied"
    ACTION_SETTLED = "action.settled"
    ACTION_SUSPENSE = "action.suspense"
    APPROVAL_VOTED = "approval.voted"
    APPROVAL_APPROVED = "approval.approved"
    APPROVAL_REJECTED = "approval.rejected"
    APPROVAL_EXPIRED = "approval.expired"
    APPROVAL_WITHDRAWN = "approval.withdrawn"
    APPROVAL_REVOKED = "approval.revoked"
    APPROVAL_ESCALATED = "approval.escalated"
    DEPUTY_SET = "deputy.set"
    DEPUTY_ENDED = "deputy.ended"
    APPROVAL_NARROWED = "approval.narrowed"
    STANDING_GRANTED = "standing.granted"
    STANDING_REVOKED = "standing.revoked"
    STANDING_EXPIRED = "standing.expired"
    PLAN_APPROVED = "plan.approved"
    HOLDING_OPENED = "holding.opened"
    HOLDING_ADOPTED = "holding.adopted"
    HOLDING_RENEWED = "holding.renewed"
    HOLDING_OVERRUN = "holding.overrun"
    HOLDING_MARKED = "holding.marked"
    HOLDING_STOPPING = "holding.stopping"
    HOLDING_ORDERED = "holding.ordered"
    HOLDING_STOPPED = "holding.stopped"
    HOLDING_CLOSED = "holding.closed"
    HOLDING_FORGOTTEN = "holding.forgotten"
    HOLDING_DRIFT = "holding.drift"
    BRAKE_FROZEN = "brake.frozen"
    BRAKE_THAWED = "brake.thawed"
    BRAKE_KILLED = "brake.killed"
    BOX_REFUSED = "box.refused"
    BOX_LIMITED = "box.limited"
    DOOR_OPENED = "door.opened"
    DOOR_CLOSED = "door.closed"
    PERSON_INVITED = "person.invited"
    PERSON_ENROLLED = "person.enrolled"
    PERSON_RESET = "person.reset"
    PERSON_SIGNED_IN = "person.signed_in"
    PERSON_SIGNED_OUT = "person.signed_out"
    PERSON_REFUSED = "person.refused"
    PERSON_LOCKED = "person.locked"
    PERSON_PASSKEY_ADDED = "person.passkey_added"
    PERSON_PASSKEY_REMOVED = "person.passkey_removed"
    PERSON_PASSWORD_SET = "person.password_set"  # noqa: S105 (a kind)
    PERSON_CODES_MADE = "person.codes_made"
    PERSON_TOKEN_MADE = "person.token_made"  # noqa: S105 (a kind)
    PERSON_TOKEN_REVOKED = "person.token_revoked"  # noqa: S105 (a kind)
    PERSON_CHANGED = "person.changed"
    FIELD_ERASED = "field.erased"
    STORE_RESTORED = "store.restored"
    AUDIT_ARCHIVED = "audit.archived"
    LOG_WITNESSED = "log.witnessed"
    DELIVERY_FAILED = "delivery.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PrivateField:
    """A value kept beside the leaf; the leaf holds only SHA-256(salt || JCS(value)). `salt` is 16 random bytes.

    `value` holds JSON values only (see `core.action.canonical`): it comes back from a store as it went in.
    """

    name: str
    salt: bytes
    value: object
    _encoded: bytes | None = field(default=None, init=False, compare=False, repr=False)

    @property
    def encoded(self) -> bytes:
        """The RFC 8785 bytes of `value`, made once. Raises `NotJson`."""
        if self._encoded is None:
            object.__setattr__(self, "_encoded", jcs(self.value))
        assert self._encoded is not None
        return self._encoded

    @property
    def commitment(self) -> str:
        """What the leaf holds: `sha256:` + hex SHA-256(salt || RFC 8785 JCS(value))."""
        return "sha256:" + hashlib.sha256(self.salt + self.encoded).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class EntryDraft:
    """An entry before the store gave it its index. `body` holds JSON values without secrets or free text."""

    kind: EntryKind
    at: datetime
    agent: str = ""
    run: str = ""
    body: Mapping[str, object] = field(default_factory=dict)
    private: tuple[PrivateField, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line of the log. `leaf` is the exact bytes that were hashed; `document` is its parsed form."""

    index: int
    leaf: bytes
    document: Mapping[str, object]


def leaf_bytes(draft: EntryDraft, index: int) -> bytes:
    """The RFC 8785 bytes that become leaf `index` of the tree."""
    document = {
        "v": LEAF_VERSION,
        "index": index,
        "kind": draft.kind.value,
        "at": canonical(draft.at),
        "agent": draft.agent,
        "run": draft.run,
        "body": draft.body,
        "private": {item.name: item.commitment for item in draft.private},
    }
    try:
        return jcs(document)
    except NotJson:
        # A time, or an integer that JSON numbers cannot carry.
        return jcs({**document, "body": canonical(draft.body)})
