"""Everything by which people are recognised, put together: accounts, tokens, sessions, passkeys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from comptroller.core.account import Account
from comptroller.core.api_token import ApiToken
from comptroller.core.asking import Deputy, deputy_of
from comptroller.core.audit import EntryKind
from comptroller.core.config import Config
from comptroller.core.document import DocumentKind
from comptroller.core.errors import RefusedError, VerificationError
from comptroller.core.role import Right
from comptroller.core.strong_yes import host_of
from comptroller.server.accounts import Accounts, Where, new_account
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller, caller_of, caller_of_account, caller_of_provider
from comptroller.server.oidc import Provider, Recognised
from comptroller.server.operations import ForbiddenError, NotFoundError, demand
from comptroller.server.passkey import Passkeys
from comptroller.server.render import Json, time_text
from comptroller.server.seal import Seal
from comptroller.server.sessions import Session, Sessions
from comptroller.server.tokens import Tokens

LINK = "link"
OIDC = "oidc"


class Persons:
    """The people of one installation, at its door. `origins`: the addresses of the console, set once it listens."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.accounts = Accounts(people=desk.people, seal=Seal(desk.sealing_key), config=self._config)
        self.tokens = Tokens(people=desk.people, config=self._config)
        self.sessions = Sessions(desk.clock, know=self.caller_now)
        self.passkeys: Passkeys | None = None
        self._provider: Provider | None = None

    def at(self, origins: tuple[str, ...]) -> None:
        """Passkeys belong to the first of these hosts that can have any: not to an IP address."""
        usable = tuple(origin for origin in origins if _named(origin))
        hosts = [host_of(origin) for origin in usable]
        same = tuple(origin for origin, host in zip(usable, hosts, strict=True) if host == hosts[0])
        self.passkeys = Passkeys(clock=self._desk.clock, origins=same) if same else None

    def caller_now(self, session: Session) -> Caller | None:
        """Who the person of a session is by the configuration as it is now; None where they are no longer let in."""
        person = session.caller.person
        if session.how == LINK and person.via.startswith("uid:"):
            uid = int(person.via.removeprefix("uid:"))
            return caller_of(uid, config=self._config(), owner_uid=self._desk.owner_uid)
        if session.how == OIDC:
            return caller_of_provider(person.name, session.said, config=self._config())
        return caller_of_account(person.name, config=self._config(), owner=session.caller.owner, via=person.via)

    def provider(self, redirect_uri: str) -> Provider | None:
        """The OpenID provider as it is configured now; what is under way stays as long as that does."""
        config = self._config().console.oidc
        if config is None:
            self._provider = None
        elif self._provider is None or (self._provider.config, self._provider.redirect_uri) != (config, redirect_uri):
            folder = Path(self._desk.config_path).parent
            self._provider = Provider(config=config, clock=self._desk.clock, redirect_uri=redirect_uri, folder=folder)
        return self._provider

    def caller_of_provider(self, found: Recognised) -> Caller:
        """Who came back from the provider. Raises `ForbiddenError` for who has no place here."""
        caller = caller_of_provider(found.name, found.said, config=self._config())
        if caller is None:
            raise ForbiddenError(
                f"`{found.name}` is known to the provider, and is no person here",
                hint="an administrator names them under people, or one of their groups under console.oidc.groups",
            )
        return caller

    async def came_from_provider(self, found: Recognised, caller: Caller, where: Where) -> None:
        """Remember what the provider said of them: what they answered counts by it until it says otherwise."""
        await self.accounts.sign_in_provider(found.name, found.said, sorted(caller.person.groups), where)
        self._desk.said[found.name] = found.said

    def where(self, session: Session) -> Where:
        """From where a session came."""
        return Where(address=session.address, agent=session.agent)

    async def account_or_new(self, name: str) -> Account:
        """The account of somebody who is signed in, also before they have any."""
        return await self.accounts.account(name) or new_account(name)

    def caller_of_account(self, account: Account, how: str) -> Caller:
        """Who signed in to an account. Raises `ForbiddenError` for who is no longer configured."""
        caller = caller_of_account(account.name, config=self._config(), owner=account.owner, via=f"session:{how}")
        if caller is None:
            raise ForbiddenError(f"`{account.name}` is no person of this installation any more")
        return caller

    # ------------------------------------------------------------ what people may ask

    async def people(self, caller: Caller) -> Json:
        """Everybody who is configured or has an account: how they sign in, when they last did, roles and groups."""
        accounts, config = await self.accounts.accounts(), self._config()
        tokens, deputies = await self.tokens.tokens(), await self._deputies()
        shown = []
        for name in sorted(config.people.keys() | accounts.keys()):
            known, account = config.people.get(name), accounts.get(name)
            shown.append(
                {
                    "name": name,
                    "configured": known is not None,
                    "roles": sorted(known.roles) if known else [],
                    "groups": sorted(known.groups) if known else [],
                    "ways": list(account.ways) if account else [],
                    "invited_until": time_text(account.invite.expires_at) if account and account.invite else None,
                    "signed_in_at": time_text(account.signed_in_at) if account else None,
                    "deputies": sorted(each.person for each in deputies if each.stands_for == name),
                    "sessions": len(self.sessions.of(name)),
                    "tokens": sum(token.person == name for token in tokens),
                }
            )
        return {"people": shown}

    async def _deputies(self) -> list[Deputy]:
        """Whoever answers for somebody else now."""
        now = self._desk.clock.now()
        found = await self._desk.people.documents(DocumentKind.DEPUTY)
        made = [deputy_of(each.body, each.id) for each in found]
        configured = [each.deputy(name) for name, person in self._config().people.items() for each in person.deputies]
        return [each for each in (*made, *configured) if each is not None and each.holds(now)]

    async def invite(self, caller: Caller, name: str) -> tuple[str, datetime]:
        """A one-time link's secret for `name`. Administrators invite; everybody else only themself, on the machine."""
        self._may_change(caller, name)
        account = await self.accounts.account(name)
        if account is not None and account.owner and not caller.owner:
            raise ForbiddenError(
                f"the account of `{name}` has every role: a further way into it is theirs alone to make",
                hint="they ask for it on the machine itself; `comptroller people reset` takes every way and that mark",
            )
        return await self.accounts.invite(name, by=caller.person.name, owner=self._own(caller, name))

    async def reset(self, caller: Caller, name: str) -> tuple[str, datetime]:
        """Take away how `name` signs in, with all sessions and tokens, and invite them anew."""
        self._may_change(caller, name)
        if name not in self._config().people and await self.accounts.account(name) is None:
            raise RefusedError(f"there is no person `{name}`", hint="comptroller people list")
        done = await self.accounts.reset(name, by=caller.person.name, owner=self._own(caller, name))
        self.sessions.revoke_all(name)
        await self.tokens.revoke_all(name, by=caller.person.name)
        return done

    def sessions_shown(self, caller: Caller) -> Json:
        """The caller's own sessions, or everybody's for who administers."""
        found = self.sessions.of("" if caller.may(Right.ADMINISTER) else caller.person.name)
        return {"sessions": [session_json(each) for each in found]}

    async def end_session(self, caller: Caller, identifier: str) -> int:
        """End one session of the caller's, or anybody's for who administers. Raises `NotFoundError`."""
        _by_themself(caller, "end a session")
        found = next((each for each in self.sessions.of() if each.id == identifier), None)
        mine = found is not None and found.caller.person.name == caller.person.name
        if found is None or not (mine or caller.may(Right.ADMINISTER)):
            raise NotFoundError(f"there is no session `{identifier}`", hint="comptroller people sessions")
        self.sessions.revoke(identifier)
        await self._told_signed_out(found.caller.person.name, "one session", caller)
        return 1

    async def sign_out(self, caller: Caller, name: str, *, but: Session | None = None) -> int:
        """End every session of `name`, except `but`."""
        _by_themself(caller, "sign people out")
        if name != caller.person.name:
            demand(caller, Right.ADMINISTER, "sign somebody else out")
        ended = self.sessions.revoke_all(name, but=but)
        if ended:
            await self._told_signed_out(name, "everywhere", caller)
        return ended

    async def _told_signed_out(self, name: str, how: str, caller: Caller) -> None:
        body: dict[str, object] = {"person": name, "how": how, "by": caller.person.name}
        await self.accounts.note(EntryKind.PERSON_SIGNED_OUT, body)

    async def tokens_shown(self, caller: Caller, *, every: bool = False) -> Json:
        """The caller's own tokens, or everybody's for who administers."""
        person = None if caller.may(Right.ADMINISTER) else caller.person.name
        now = self._desk.clock.now()
        return {"tokens": [token_json(each, now) for each in await self.tokens.tokens(person, every=every)]}

    async def make_token(
        self, caller: Caller, *, name: str, rights: Sequence[str], scopes: Sequence[str], days: int
    ) -> Json:
        """A token for the caller, with its text."""
        text, token = await self.tokens.make(caller, name=name, rights=rights, scopes=scopes, days=days)
        return {"token": token_json(token, self._desk.clock.now()), "text": text}

    async def revoke_token(self, caller: Caller, name: str) -> Json:
        """End a token of the caller's, or anybody's for who administers."""
        _by_themself(caller, "end a token")
        return token_json(await self.tokens.revoke(caller, name), self._desk.clock.now())

    def _may_change(self, caller: Caller, name: str) -> None:
        """Raise `ForbiddenError`: for others it takes an administrator, for oneself the machine itself."""
        if name == caller.person.name and caller.person.via.startswith("uid:"):
            return
        demand(caller, Right.ADMINISTER, "change how somebody else signs in")

    def _own(self, caller: Caller, name: str) -> bool:
        """Whether the installation's owner asks for themself, by the kernel's word."""
        return caller.owner and caller.person.name == name and caller.person.via == f"uid:{self._desk.owner_uid}"

    def _config(self) -> Config:
        return self._desk.config


def _by_themself(caller: Caller, what: str) -> None:
    """Raise `ForbiddenError` for a token that was not given the right to administer: it is no key to its person."""
    if caller.only is not None:
        demand(caller, Right.ADMINISTER, f"{what} with a token")


def session_json(session: Session) -> Json:
    """One session, without anything that could be used."""
    return {
        "id": session.id,
        "person": session.caller.person.name,
        "how": session.how,
        "began_at": time_text(session.began_at),
        "seen_at": time_text(session.seen_at),
        "expires_at": time_text(session.expires_at),
        "address": session.address,
        "agent": session.agent,
    }


def token_json(token: ApiToken, now: datetime) -> Json:
    """One token, without its text and its hash."""
    return {
        "id": token.id,
        "person": token.person,
        "name": token.name,
        "rights": sorted(token.rights),
        "scopes": list(token.scopes),
        "created_at": time_text(token.created_at),
        "expires_at": time_text(token.expires_at),
        "used_on": None if token.used_on is None else token.used_on.isoformat(),
        "alive": token.alive(now),
        "revoked_by": token.revoked_by,
    }


def _named(origin: str) -> bool:
    try:
        host = host_of(origin)
    except VerificationError:
        return False
    return not host.replace(".", "").isdigit()
