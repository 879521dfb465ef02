"""API tokens: 256 random bits with a prefix and a checksum, so that secret scanners find them; kept as SHA-256."""

from __future__ import annotations

import hashlib
import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import cast

from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import StoreError
from comptroller.core.role import Right

VERSION = 1
PREFIX = "cmp_"
SECRET_BYTES = 32
TOKEN_PATTERN = r"cmp_[0-9A-Za-z]{49}"  # noqa: S105 - what one looks like
DAYS_DEFAULT = 90
DAYS_MAX = 365
TOKENS_MAX = 50
"""Of one person, at a time."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_SECRET_CHARS, _CHECK_CHARS = 43, 6
_TOKEN = re.compile(TOKEN_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """A token that acts for a person: never more than `rights`, nowhere but within `scopes` (paths; none: everywhere
    the person may). `digest` is SHA-256 in hex, `used_on` the last day it was used. `owner`: the installation's owner
    made it for themself."""

    id: str
    person: str
    name: str
    digest: str
    rights: frozenset[Right]
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime
    owner: bool = False
    used_on: date | None = None
    revoked_by: str = ""

    def alive(self, now: datetime) -> bool:
        """Whether it still works."""
        return not self.revoked_by and now < self.expires_at


def token_text(secret: bytes) -> str:
    """The token made of 32 random bytes."""
    body = _base62(int.from_bytes(secret, "big"), _SECRET_CHARS)
    return f"{PREFIX}{body}{_base62(zlib.crc32(body.encode()), _CHECK_CHARS)}"


def well_formed(text: str) -> bool:
    """Whether it looks like a token and its checksum fits: what does not never meets the store."""
    if _TOKEN.fullmatch(text) is None:
        return False
    body, check = text[len(PREFIX) : -_CHECK_CHARS], text[-_CHECK_CHARS:]
    return _base62(zlib.crc32(body.encode()), _CHECK_CHARS) == check


def digest_of(text: str) -> str:
    """What the store keeps of a token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def token_id(digest: str) -> str:
    """The id by which a token is listed and revoked: it leads to the document, and says nothing about the token."""
    return f"token:{digest[:16]}"


def _base62(number: int, size: int) -> str:
    digits = []
    for _ in range(size):
        number, rest = divmod(number, 62)
        digits.append(_DIGITS[rest])
    assert not number
    return "".join(reversed(digits))


def document_of(token: ApiToken) -> Document:
    """The token as the store keeps it."""
    body = {
        "v": VERSION,
        "name": token.name,
        "digest": token.digest,
        "rights": sorted(token.rights),
        "scopes": list(token.scopes),
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "used_on": None if token.used_on is None else token.used_on.isoformat(),
        "owner": token.owner,
        "revoked_by": token.revoked_by,
    }
    return Document(
        id=token.id,
        kind=DocumentKind.TOKEN,
        scope=token.person,
        open=not token.revoked_by,
        at=token.created_at,
        body=body,
    )


def token_of(document: Document) -> ApiToken:
    """The token in a document. Raises `StoreError` for one of another version, or that is broken."""
    body = document.body
    if document.kind is not DocumentKind.TOKEN or body.get("v") != VERSION:
        raise StoreError(f"the document `{document.id}` is no token of this version")
    try:
        used = cast(str | None, body["used_on"])
        return ApiToken(
            id=document.id,
            person=document.scope,
            name=str(body["name"]),
            digest=str(body["digest"]),
            rights=frozenset(map(Right, cast(Sequence[str], body["rights"]))),
            scopes=tuple(map(str, cast(Sequence[str], body["scopes"]))),
            created_at=datetime.fromisoformat(str(body["created_at"])),
            expires_at=datetime.fromisoformat(str(body["expires_at"])),
            owner=body["owner"] is True,
            used_on=None if used is None else date.fromisoformat(used),
            revoked_by=str(body["revoked_by"]),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"the document `{document.id}` cannot be read") from error
