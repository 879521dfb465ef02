"""Accounts of configured people: enrolment by a one-time link, passwords with a second factor, passkeys, recovery.

Every answer to a stranger is the same and takes as long, whoever exists. Every change is an entry.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

import pyotp
from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

from comptroller.core.account import (
    RECOVERY_CODES,
    Account,
    Invite,
    Passkey,
    account_id,
    account_of,
    counted,
    document_of,
    with_passkey,
    without_passkey,
)
from comptroller.core.audit import EntryKind
from comptroller.core.config import NAME_PATTERN, Config
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.password import LENGTH_MAX, normal, weakness
from comptroller.core.strong_yes import padless
from comptroller.engine.people import Note, People, Step
from comptroller.server.passkey import Assertion
from comptroller.server.seal import Seal
from comptroller.server.throttle import Throttle

INVITE_SECONDS_MAX = 24 * 3600
INVITE_BYTES = 32
HANDLE_BYTES = 32
CODE_SECONDS = 30
CODE_STEPS = (0, -1, 1)
"""A clock may be half a minute off, either way."""
RECOVERY_BYTES = 10
HASHES_AT_ONCE_MAX = 2
"""Each takes 64 MiB and a tenth of a second: strangers at the door shall not take the machine."""
BURST = 5
AGENT_CHARS_MAX = 200

T = TypeVar("T")
_NAME = re.compile(NAME_PATTERN)


class WrongError(RefusedError):
    """Name, password or code is wrong: which of them is not said."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """From where somebody comes: the address, and what their browser calls itself."""

    address: str = ""
    agent: str = ""

    def beside(self) -> dict[str, object]:
        """What lies beside the leaf."""
        return {"address": self.address, "agent": self.agent[:AGENT_CHARS_MAX]}


NOWHERE = Where()


class Accounts:
    """The accounts of one installation. `config` gives the people as they are configured now."""

    def __init__(self, *, people: People, seal: Seal, config: Callable[[], Config]) -> None:
        self._people = people
        self._seal = seal
        self._config = config
        self.throttle = Throttle(clock=people.clock)
        self._hasher = PasswordHasher()
        self._hashing = asyncio.Semaphore(HASHES_AT_ONCE_MAX)
        self._nobody = self._hasher.hash(secrets.token_urlsafe())
        self._nobodys_secret = pyotp.random_base32()

    # ------------------------------------------------------------ reading

    async def account(self, name: str) -> Account | None:
        """The account of a person; None before they were ever invited, and for what is no name."""
        if _NAME.fullmatch(name) is None:
            return None
        document = await self._people.document(account_id(name))
        return None if document is None else account_of(document)

    async def accounts(self) -> dict[str, Account]:
        """Every account by name."""
        found = [account_of(each) for each in await self._people.documents(DocumentKind.ACCOUNT)]
        return {account.name: account for account in found}

    async def of_passkey(self, credential: str) -> tuple[Account, Passkey] | None:
        """Whose passkey this is, where its person is still configured."""
        for account in (await self.accounts()).values():
            key = account.passkey(credential)
            if key is not None and self._known(account):
                return account, key
        return None

    # ------------------------------------------------------------ enrolment

    async def invite(self, name: str, *, by: str, owner: bool = False) -> tuple[str, datetime]:
        """A one-time link's secret for `name`, and until when it works; an older one stops. `owner`: the installation's
        owner asks for themself. Raises `UsageError` for who is not configured."""
        return await self._invite(name, by=by, owner=owner, reset=False)

    async def reset(self, name: str, *, by: str, owner: bool = False) -> tuple[str, datetime]:
        """Take away every way to sign in, and invite anew."""
        return await self._invite(name, by=by, owner=owner, reset=True)

    async def _invite(self, name: str, *, by: str, owner: bool, reset: bool) -> tuple[str, datetime]:
        if name not in self._config().people and not owner:
            raise UsageError(
                f"there is no person `{name}`", hint=f"add people.{name} to comptroller.yaml: it says who there is"
            )
        secret = secrets.token_urlsafe(INVITE_BYTES)
        until = self._now() + timedelta(seconds=INVITE_SECONDS_MAX)
        invite = Invite(digest=_digest(secret), expires_at=until, by=by)

        def decide(account: Account) -> tuple[Account, list[Note], None]:
            if reset:
                account = new_account(name)
            kind = EntryKind.PERSON_RESET if reset else EntryKind.PERSON_INVITED
            note = Note(kind=kind, body={"person": name, "by": by})
            return replace(account, invite=invite, owner=owner or account.owner), [note], None

        await self._change(name, decide)
        return secret, until

    async def invited(self, secret: str) -> Account:
        """Whose link this is. Raises `RefusedError` for a link that was used, is too old, or never was."""
        digest, now = _digest(secret), self._now()
        for account in (await self.accounts()).values():
            if _fresh(account.invite, digest, now) and self._known(account):
                return account
        raise _used_link()

    async def enrol_passkey(self, secret: str, passkey: Passkey, where: Where = NOWHERE) -> Account:
        """Use the link up: this passkey signs in from now on."""
        name = (await self.invited(secret)).name

        def decide(account: Account) -> tuple[Account, list[Note], Account]:
            done = with_passkey(self._use(account, secret), passkey)
            return done, [_enrolled(done, "passkey", where), _added(done, passkey, where)], done

        return await self._change(name, decide)

    async def enrol_password(
        self, secret: str, password: str, factor: str, code: str, where: Where = NOWHERE
    ) -> tuple[Account, Sequence[str]]:
        """Use the link up: this password and the authenticator app that has `factor` sign in from now on. Returns the
        recovery codes, which are shown once."""
        invited = await self.invited(secret)
        encoded, step = await self._checked(invited.name, password, factor, code)
        codes, hashes = _codes()

        def decide(account: Account) -> tuple[Account, list[Note], Account]:
            used = self._use(account, secret)
            done = self._with_password(used, encoded, factor, step, hashes)
            return done, [_enrolled(done, "password and code", where), _password_set(done, where)], done

        return await self._change(invited.name, decide), codes

    def _use(self, account: Account, secret: str) -> Account:
        """Without its invitation. Under the store's lock, so that a link works once."""
        if not _fresh(account.invite, _digest(secret), self._now()):
            raise _used_link()
        return replace(account, invite=None, signed_in_at=self._now())

    # ------------------------------------------------------------ signing in

    async def sign_in(self, name: str, password: str, code: str, where: Where = NOWHERE) -> Account:
        """Password and code, or password and a recovery code. Raises `WrongError`, or `TooManyError` for a while after
        too many of them."""
        self.throttle.check(name, where.address)
        account = await self.account(name)
        known = account if account is not None and account.has_password and self._known(account) else None
        right = await self._matches(known.password if known else self._nobody, password)
        # Others may have closed the way in while this one waited for its hash: guesses at once count as in turn.
        self.throttle.check(name, where.address)
        factor = self._factor(known)
        step = matching_step(factor, code, self._now())
        recovery = _digest(_plain_code(code))
        usable = known is not None and (step > known.totp_step or _among(recovery, known.recovery))
        if not (right and usable) or known is None:
            await self._refused(name if account is not None else "", name, where)
            raise _wrong()

        def decide(account: Account) -> tuple[Account, list[Note], Account]:
            if account.password != known.password:
                raise _wrong()
            if step > account.totp_step:
                done, how = replace(account, totp_step=step), "password and code"
            elif recovery in account.recovery:
                left = tuple(each for each in account.recovery if each != recovery)
                done, how = replace(account, recovery=left), f"password and recovery code, {len(left)} left"
            else:
                raise _wrong()
            done = replace(done, signed_in_at=self._now())
            return done, [_signed_in(done, how, where)], done

        done = await self._change(known.name, decide)
        self.throttle.passed(name)
        return done

    async def sign_in_passkey(self, name: str, assertion: Assertion, where: Where = NOWHERE) -> Account:
        """A passkey signed the sign-in. Raises `RefusedError` where its counter did not grow."""

        def decide(account: Account) -> tuple[Account, list[Note], Account]:
            done = counted(account, assertion.credential, assertion.count, self._now())
            done = replace(done, signed_in_at=self._now())
            return done, [_signed_in(done, "passkey", where)], done

        return await self._change(name, decide)

    async def sign_in_provider(
        self, name: str, said: tuple[str, ...], groups: Sequence[str], where: Where = NOWHERE
    ) -> Account:
        """An OpenID provider said who it is, and in which of its groups (`said`); `groups` are what those mean here."""

        def decide(account: Account) -> tuple[Account, list[Note], Account]:
            done = replace(account, said=said, signed_in_at=self._now())
            body = {"person": name, "how": "OpenID", "groups": sorted(groups)}
            return done, [Note(kind=EntryKind.PERSON_SIGNED_IN, body=body, private=where.beside())], done

        return await self._change(name, decide)

    async def signed(self, name: str, assertion: Assertion) -> None:
        """A passkey signed something else: its counter moves on. Raises `RefusedError` where it did not grow."""

        def decide(account: Account) -> tuple[Account, list[Note], None]:
            return counted(account, assertion.credential, assertion.count, self._now()), [], None

        await self._change(name, decide)

    async def tell_refused(self, what: str, where: Where, *, person: str = "") -> None:
        """Somebody was refused for another reason than a wrong password: a passkey that does not hold."""
        burst = self.throttle.counted(where.address)
        if burst == 1 or burst % BURST == 0:
            body = {"person": person, "what": what, "count": burst}
            await self._people.note(Note(kind=EntryKind.PERSON_REFUSED, body=body, private=where.beside()))

    async def _refused(self, person: str, typed: str, where: Where) -> None:
        """Count it; every burst and every lock is an entry. What was typed for a name is not kept: it may be a
        password."""
        locked, closed = self.throttle.failed(typed, where.address)
        if locked or closed:
            what = "its password is refused for a while" if locked else "passwords from its address are refused"
            body = {"person": person, "what": what}
            await self._people.note(Note(kind=EntryKind.PERSON_LOCKED, body=body, private=where.beside()))

    # ------------------------------------------------------------ changes

    async def add_passkey(self, name: str, passkey: Passkey, where: Where = NOWHERE, *, owner: bool = False) -> None:
        """One more passkey, for somebody who is signed in and proved it just now."""

        def decide(account: Account) -> tuple[Account, list[Note], None]:
            done = with_passkey(replace(account, owner=owner or account.owner), passkey)
            return done, [_added(done, passkey, where)], None

        await self._change(name, decide)

    async def remove_passkey(self, name: str, credential: str, where: Where = NOWHERE) -> None:
        """Raises `RefusedError` where nothing else would sign in."""

        def decide(account: Account) -> tuple[Account, list[Note], None]:
            key = account.passkey(credential)
            done = without_passkey(account, credential)
            body = {"person": name, "name": key.name if key else "", "credential": credential, "by": name}
            note = Note(kind=EntryKind.PERSON_PASSKEY_REMOVED, body=body, private=where.beside())
            return done, [note], None

        await self._change(name, decide)

    async def set_password(
        self, name: str, password: str, factor: str, code: str, where: Where = NOWHERE, *, owner: bool = False
    ) -> Sequence[str]:
        """Set password and second factor anew. Returns new recovery codes."""
        encoded, step = await self._checked(name, password, factor, code)
        codes, hashes = _codes()

        def decide(account: Account) -> tuple[Account, list[Note], None]:
            account = replace(account, owner=owner or account.owner)
            done = self._with_password(account, encoded, factor, step, hashes)
            return done, [_password_set(done, where)], None

        await self._change(name, decide)
        return codes

    async def make_codes(self, name: str, where: Where = NOWHERE) -> Sequence[str]:
        """New recovery codes; the old ones stop."""
        codes, hashes = _codes()

        def decide(account: Account) -> tuple[Account, list[Note], None]:
            if not account.has_password:
                raise RefusedError("recovery codes stand in for the code beside a password: there is none")
            note = Note(kind=EntryKind.PERSON_CODES_MADE, body={"person": name, "by": name}, private=where.beside())
            return replace(account, recovery=hashes), [note], None

        await self._change(name, decide)
        return codes

    async def note(self, kind: EntryKind, body: dict[str, object], where: Where = NOWHERE) -> None:
        """An entry about a person that changes no account."""
        await self._people.note(Note(kind=kind, body=body, private=where.beside()))

    def new_factor(self, name: str) -> tuple[str, str]:
        """A secret for an authenticator app, and the address that its QR code says."""
        secret = pyotp.random_base32()
        issuer = f"Comptroller {self._config().organization}"
        return secret, pyotp.TOTP(secret).provisioning_uri(name=name, issuer_name=issuer)

    # ------------------------------------------------------------ within

    def _now(self) -> datetime:
        return self._people.clock.now()

    def _known(self, account: Account) -> bool:
        return account.owner or account.name in self._config().people

    async def _change(self, name: str, decide: Callable[[Account], tuple[Account, list[Note], T]]) -> T:
        def under_lock(document: Document | None, _: Sequence[Document]) -> Step[T]:
            before = account_of(document) if document is not None else new_account(name)
            after, notes, result = decide(before)
            return Step(result=result, documents=(document_of(after, self._now()),), notes=tuple(notes))

        return await self._people.change(under_lock, document=account_id(name))

    async def _checked(self, name: str, password: str, factor: str, code: str) -> tuple[str, int]:
        """The password's hash and the code's time step. Raises `RefusedError` for a weak one, or a wrong code."""
        if why := weakness(password, (name, self._config().organization)):
            raise RefusedError(f"this password is not taken: {why}", hint="several words that do not belong together")
        step = matching_step(factor, code, self._now())
        if not step:
            raise RefusedError("this is not the code your authenticator app shows now", hint="type the next one")
        async with self._hashing:
            return await asyncio.to_thread(self._hasher.hash, _bytes(password)), step

    def _factor(self, account: Account | None) -> str:
        """The secret of a second factor; one that no code fits for nobody, and for a seal that cannot be opened."""
        if account is not None:
            with contextlib.suppress(RefusedError):
                return self._seal.open(account.totp, account.name)
        return self._nobodys_secret

    async def _matches(self, encoded: str, password: str) -> bool:
        async with self._hashing:
            return await asyncio.to_thread(self._verify, encoded, _bytes(password[: LENGTH_MAX + 1]))

    def _verify(self, encoded: str, password: bytes) -> bool:
        try:
            return self._hasher.verify(encoded, password)
        except (Argon2Error, InvalidHashError):
            return False

    def _with_password(
        self, account: Account, encoded: str, factor: str, step: int, recovery: tuple[str, ...]
    ) -> Account:
        sealed = self._seal.close(factor, account.name)
        return replace(account, password=encoded, totp=sealed, totp_step=step, recovery=recovery)


def matching_step(factor: str, code: str, now: datetime) -> int:
    """The time step whose code this is, 0 for none. Every step is compared, however early one fits."""
    digits = "".join(code.split())
    current, found = int(now.timestamp()) // CODE_SECONDS, 0
    totp = pyotp.TOTP(factor)
    for offset in CODE_STEPS:
        if hmac.compare_digest(totp.generate_otp(current + offset).encode(), digits.encode("utf-8", "replace")):
            found = max(found, current + offset)
    return found


def _bytes(password: str) -> bytes:
    return normal(password).encode("utf-8", "surrogatepass")


def _fresh(invite: Invite | None, digest: str, now: datetime) -> bool:
    return invite is not None and hmac.compare_digest(invite.digest, digest) and now < invite.expires_at


def _used_link() -> RefusedError:
    return RefusedError("this link was used or is too old", hint="ask for another: comptroller people invite NAME")


def _wrong() -> WrongError:
    return WrongError("name, password or code is wrong", hint="a code works once, and for half a minute")


def new_account(name: str) -> Account:
    """An account without any way to sign in yet."""
    return Account(name=name, handle=padless(secrets.token_bytes(HANDLE_BYTES)))


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _codes() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Recovery codes for people (`abcd-efgh-ijkl-mnop`), and their hashes."""
    raw = [pyotp.random_base32(32)[: RECOVERY_BYTES * 8 // 5].lower() for _ in range(RECOVERY_CODES)]
    shown = tuple("-".join(code[at : at + 4] for at in range(0, len(code), 4)) for code in raw)
    return shown, tuple(_digest(code) for code in raw)


def _plain_code(code: str) -> str:
    return "".join(code.split()).replace("-", "").lower()


def _among(digest: str, digests: Sequence[str]) -> bool:
    return sum(hmac.compare_digest(digest, each) for each in digests) > 0


# ---------------------------------------------------------------- entries


def _enrolled(account: Account, how: str, where: Where) -> Note:
    return Note(kind=EntryKind.PERSON_ENROLLED, body={"person": account.name, "how": how}, private=where.beside())


def _signed_in(account: Account, how: str, where: Where) -> Note:
    return Note(kind=EntryKind.PERSON_SIGNED_IN, body={"person": account.name, "how": how}, private=where.beside())


def _password_set(account: Account, where: Where) -> Note:
    body = {"person": account.name, "by": account.name}
    return Note(kind=EntryKind.PERSON_PASSWORD_SET, body=body, private=where.beside())


def _added(account: Account, passkey: Passkey, where: Where) -> Note:
    """With the public key: from here on, whoever has the log knows whose signatures it makes."""
    body = {
        "person": account.name,
        "name": passkey.name,
        "credential": passkey.id,
        "public_key": passkey.public_key,
        "rp_id": passkey.rp_id,
        "by": account.name,
    }
    return Note(kind=EntryKind.PERSON_PASSKEY_ADDED, body=body, private=where.beside())
