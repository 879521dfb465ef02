"""Documents: small JSON values that people made and that are neither money nor a question: accounts, tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


class DocumentKind(StrEnum):
    """What a document is about; its `body` says so in members of its own and carries its version as `v`."""

    ACCOUNT = "account"
    TOKEN = "token"  # noqa: S105 (a kind)
    DEPUTY = "deputy"
    STANDING = "standing"
    PLAN = "plan"
    DELIVERY = "delivery"
    SETTING = "setting"
    REPLY = "reply"


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """One document. `scope` is what it belongs to and is found by: a person, a run, an agent's path, empty for all.

    `open` is false for what is over (revoked, used up, delivered): decisions do not see it any more. `body` holds JSON
    values only, and no secret that could be used: hashes at most.
    """

    id: str
    kind: DocumentKind
    scope: str
    open: bool
    at: datetime
    body: Mapping[str, object]
