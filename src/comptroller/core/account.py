"""Accounts: how a configured person signs in on this installation. Values only; secrets are hashes, or sealed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import cast

from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import RefusedError, StoreError

VERSION = 1
PASSKEYS_MAX = 16
PASSKEY_NAME_CHARS_MAX = 64
RECOVERY_CODES = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Passkey:
    """One passkey: its id and COSE public key as base64url, and the highest sign counter seen. `synced`: its provider
    copies it between machines, so that it lives on more than one."""

    id: str
    public_key: str
    count: int
    name: str
    rp_id: str
    synced: bool
    added_at: datetime
    used_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Invite:
    """A one-time link by which the person sets up how they sign in: its SHA-256 in hex, and who made it."""

    digest: str
    expires_at: datetime
    by: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """How one person signs in.

    `handle` is what authenticators call them. `owner`: enrolled by the installation's owner for themself, so it has
    every role. `password` is an argon2id hash, `totp` a sealed secret and `totp_step` the last time step that was used;
    `recovery` holds SHA-256 of codes. `said` is in which of its groups an OpenID provider last said they are.
    """

    name: str
    handle: str
    owner: bool = False
    password: str = ""
    totp: str = ""
    totp_step: int = 0
    recovery: tuple[str, ...] = ()
    passkeys: tuple[Passkey, ...] = ()
    invite: Invite | None = None
    signed_in_at: datetime | None = None
    said: tuple[str, ...] = ()

    @property
    def enrolled(self) -> bool:
        """Whether there is any way to sign in."""
        return bool(self.passkeys) or self.has_password

    @property
    def has_password(self) -> bool:
        """Whether a password signs in: never without its second factor."""
        return bool(self.password and self.totp)

    @property
    def ways(self) -> tuple[str, ...]:
        """How they can sign in, for people."""
        passkeys = len(self.passkeys)
        found = [f"{passkeys} passkey{'s' * (passkeys != 1)}"] if passkeys else []
        return (*found, "password and code") if self.has_password else tuple(found)

    def passkey(self, credential: str) -> Passkey | None:
        """The passkey of this id."""
        return next((key for key in self.passkeys if key.id == credential), None)


def account_id(name: str) -> str:
    """The id of a person's document."""
    return f"account:{name}"


def with_passkey(account: Account, passkey: Passkey) -> Account:
    """`account` with one more passkey. Raises `RefusedError` for one too many, or one that is there."""
    if len(account.passkeys) >= PASSKEYS_MAX:
        raise RefusedError(f"an account has at most {PASSKEYS_MAX} passkeys", hint="remove one you no longer use")
    if account.passkey(passkey.id) is not None:
        raise RefusedError("this passkey is there already")
    return replace(account, passkeys=(*account.passkeys, passkey))


def without_passkey(account: Account, credential: str) -> Account:
    """`account` without the passkey. Raises `RefusedError` where it is not there, or nothing else signs in."""
    if account.passkey(credential) is None:
        raise RefusedError("there is no such passkey")
    left = replace(account, passkeys=tuple(key for key in account.passkeys if key.id != credential))
    if not left.enrolled:
        raise RefusedError("this is the only way you can sign in", hint="add another passkey or a password first")
    return left


def counted(account: Account, credential: str, count: int, now: datetime) -> Account:
    """`account` after a passkey signed. Raises `RefusedError` where its counter did not grow: somebody copied it."""
    known = account.passkey(credential)
    if known is None:
        raise RefusedError("there is no such passkey")
    if (count or known.count) and count <= known.count:
        raise RefusedError("the passkey's counter went back: a copy of it may be in other hands")
    used = replace(known, count=count, used_at=now)
    return replace(account, passkeys=tuple(used if key.id == credential else key for key in account.passkeys))


# ---------------------------------------------------------------- as a document


def document_of(account: Account, at: datetime) -> Document:
    """The account as the store keeps it."""
    invite = account.invite
    body = {
        "v": VERSION,
        "name": account.name,
        "handle": account.handle,
        "owner": account.owner,
        "password": account.password,
        "totp": account.totp,
        "totp_step": account.totp_step,
        "recovery": list(account.recovery),
        "passkeys": [_passkey_body(key) for key in account.passkeys],
        "invite": None
        if invite is None
        else {"digest": invite.digest, "expires_at": invite.expires_at.isoformat(), "by": invite.by},
        "signed_in_at": _text(account.signed_in_at),
        "said": list(account.said),
    }
    return Document(
        id=account_id(account.name), kind=DocumentKind.ACCOUNT, scope=account.name, open=True, at=at, body=body
    )


def account_of(document: Document) -> Account:
    """The account in a document. Raises `StoreError` for one of another version, or that is broken."""
    body = document.body
    if document.kind is not DocumentKind.ACCOUNT or body.get("v") != VERSION:
        raise StoreError(f"the document `{document.id}` is no account of this version")
    try:
        invite = cast(Mapping[str, str] | None, body["invite"])
        return Account(
            name=str(body["name"]),
            handle=str(body["handle"]),
            owner=body["owner"] is True,
            password=str(body["password"]),
            totp=str(body["totp"]),
            totp_step=cast(int, body["totp_step"]),
            recovery=tuple(map(str, cast(Sequence[str], body["recovery"]))),
            passkeys=tuple(map(_passkey_of, cast(Sequence[Mapping[str, object]], body["passkeys"]))),
            invite=None
            if invite is None
            else Invite(digest=invite["digest"], expires_at=_time(invite["expires_at"]), by=invite["by"]),
            signed_in_at=_moment(body["signed_in_at"]),
            said=tuple(map(str, cast(Sequence[str], body.get("said", ())))),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise StoreError(f"the document `{document.id}` cannot be read") from error


def _passkey_body(key: Passkey) -> dict[str, object]:
    return {
        "id": key.id,
        "public_key": key.public_key,
        "count": key.count,
        "name": key.name,
        "rp_id": key.rp_id,
        "synced": key.synced,
        "added_at": key.added_at.isoformat(),
        "used_at": _text(key.used_at),
    }


def _passkey_of(body: Mapping[str, object]) -> Passkey:
    return Passkey(
        id=str(body["id"]),
        public_key=str(body["public_key"]),
        count=cast(int, body["count"]),
        name=str(body["name"]),
        rp_id=str(body["rp_id"]),
        synced=body["synced"] is True,
        added_at=_time(body["added_at"]),
        used_at=_moment(body["used_at"]),
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(text: object) -> datetime:
    return datetime.fromisoformat(str(text))


def _moment(text: object) -> datetime | None:
    return None if text is None else _time(text)
