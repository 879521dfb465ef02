"""API tokens: shown once, kept as a hash, narrower than their person, and over by themselves."""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from comptroller.core.api_token import (
    DAYS_DEFAULT,
    DAYS_MAX,
    SECRET_BYTES,
    TOKENS_MAX,
    ApiToken,
    digest_of,
    document_of,
    token_id,
    token_of,
    token_text,
    well_formed,
)
from comptroller.core.audit import EntryKind
from comptroller.core.config import NAME_PATTERN, Config
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.role import Right
from comptroller.engine.people import Note, People, Step
from comptroller.server.identity import Caller, caller_of_token

SCOPES_MAX = 16
_SCOPE = re.compile(r"[a-z0-9][a-z0-9-]{0,62}(/[a-z0-9][a-z0-9-]{0,62}){0,3}")
_NAME = re.compile(NAME_PATTERN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tokens:
    """The tokens of one installation. `config` gives the people as they are configured now."""

    people: People
    config: Callable[[], Config]

    async def make(
        self,
        caller: Caller,
        *,
        name: str,
        rights: Sequence[str] = (),
        scopes: Sequence[str] = (),
        days: int = DAYS_DEFAULT,
    ) -> tuple[str, ApiToken]:
        """A token for the caller themself: its text, which is nowhere afterwards. Without `rights` it may what they
        may, except to administer. Raises `UsageError`, and `RefusedError` for a caller who came with a token."""
        if caller.only is not None:
            raise RefusedError("a token makes no tokens", hint="comptroller people tokens make, on the machine itself")
        if _NAME.fullmatch(name) is None:
            raise UsageError(f"`{name}` is no name for a token", hint="lower case, digits and `-`: build-server")
        if not 1 <= days <= DAYS_MAX:
            raise UsageError(f"a token lives for 1 to {DAYS_MAX} days")
        wanted = _rights(rights) or frozenset(right for right in Right if caller.may(right)) - {Right.ADMINISTER}
        if beyond := sorted(right for right in wanted if not caller.may(right)):
            raise RefusedError(f"`{caller.person.name}` may not {', '.join(beyond)}, so no token of theirs may")
        text = token_text(secrets.token_bytes(SECRET_BYTES))
        now = self.people.clock.now()
        token = ApiToken(
            id=token_id(digest_of(text)),
            person=caller.person.name,
            name=name,
            digest=digest_of(text),
            rights=wanted,
            scopes=self._scopes(scopes),
            created_at=now,
            expires_at=now + timedelta(days=days),
            owner=caller.owner,
        )

        def decide(taken: Document | None, mine: Sequence[Document]) -> Step[None]:
            alive = [each for each in map(token_of, mine) if each.alive(now)]
            if taken is not None or any(each.name == name for each in alive):
                raise RefusedError(f"there is a token `{name}` already", hint="revoke it first, or take another name")
            if len(alive) >= TOKENS_MAX:
                raise RefusedError(f"a person has at most {TOKENS_MAX} tokens", hint="revoke one nobody uses")
            body = {**_body(token), "by": caller.person.name}
            return Step(
                result=None,
                documents=(document_of(token),),
                notes=(Note(kind=EntryKind.PERSON_TOKEN_MADE, body=body),),
            )

        await self.people.change(decide, document=token.id, among=(DocumentKind.TOKEN, token.person))
        return text, token

    async def tokens(self, person: str | None = None, *, every: bool = False) -> list[ApiToken]:
        """Tokens that work, of one person or of all; with `every` also those that are over."""
        found = [token_of(each) for each in await self.people.documents(DocumentKind.TOKEN, person, every=every)]
        now = self.people.clock.now()
        return [token for token in found if every or token.alive(now)]

    async def revoke(self, caller: Caller, token: str) -> ApiToken:
        """End a token, by its id or its name: one's own, or anybody's for who may administer. Raises `RefusedError`."""
        mine = [each for each in await self.tokens() if token in (each.id, each.name)]
        allowed = [t for t in mine if t.person == caller.person.name or caller.may(Right.ADMINISTER)]
        own = [each for each in allowed if each.person == caller.person.name or each.id == token]
        found = own or allowed
        if len(found) != 1:
            raise RefusedError(f"there is no token `{token}` of yours", hint="comptroller people tokens")
        return await self._end(found[0], by=caller.person.name)

    async def revoke_all(self, person: str, *, by: str) -> int:
        """End every token of a person. Returns how many."""
        found = await self.tokens(person)
        for token in found:
            await self._end(token, by=by)
        return len(found)

    async def caller(self, text: str) -> Caller | None:
        """For whom a token acts now; None for any that does not work, without a reason."""
        if not well_formed(text):
            return None
        digest = digest_of(text)
        document = await self.people.document(token_id(digest))
        if document is None or document.kind is not DocumentKind.TOKEN:
            return None
        token, now = token_of(document), self.people.clock.now()
        if not hmac.compare_digest(token.digest, digest) or not token.alive(now):
            return None
        caller = caller_of_token(token, config=self.config())
        if caller is not None and token.used_on != now.date():
            await self._used(token.id, now)
        return caller

    async def _used(self, identifier: str, now: datetime) -> None:
        """Kept to the day: enough to see which nobody uses."""

        def decide(document: Document | None, _: Sequence[Document]) -> Step[None]:
            if document is None:
                return Step(result=None)
            token = token_of(document)
            if token.used_on == now.date():
                return Step(result=None)
            return Step(result=None, documents=(document_of(replace(token, used_on=now.date())),))

        await self.people.change(decide, document=identifier)

    async def _end(self, token: ApiToken, *, by: str) -> ApiToken:
        def decide(document: Document | None, _: Sequence[Document]) -> Step[ApiToken]:
            current = token if document is None else token_of(document)
            if current.revoked_by:
                return Step(result=current)
            ended = replace(current, revoked_by=by)
            note = Note(kind=EntryKind.PERSON_TOKEN_REVOKED, body={**_body(ended), "by": by})
            return Step(result=ended, documents=(document_of(ended),), notes=(note,))

        return await self.people.change(decide, document=token.id)

    def _scopes(self, scopes: Sequence[str]) -> tuple[str, ...]:
        """Scope paths; the name of an agent means its path. Raises `UsageError`."""
        config = self.config()
        found = []
        for scope in scopes:
            path = config.path_of(scope) if scope in config.agents else scope
            if _SCOPE.fullmatch(path) is None or path.split("/")[0] != config.organization:
                raise UsageError(f"`{scope}` is neither an agent nor a path such as {config.organization}/TEAM/AGENT")
            found.append(path)
        if len(found) > SCOPES_MAX:
            raise UsageError(f"a token has at most {SCOPES_MAX} scopes")
        return tuple(dict.fromkeys(found))


def _rights(names: Sequence[str]) -> frozenset[Right]:
    try:
        return frozenset(Right(name) for name in names)
    except ValueError as error:
        raise UsageError(f"{error}", hint=f"rights: {', '.join(Right)}") from error


def _body(token: ApiToken) -> dict[str, object]:
    return {
        "person": token.person,
        "name": token.name,
        "token": token.id,
        "rights": sorted(token.rights),
        "scopes": list(token.scopes),
        "expires_at": token.expires_at,
    }
