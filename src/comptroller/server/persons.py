"""Everything by which people are recognised, put together: accounts, tokens, sessions, passkeys."""

from __future__ import annotations

from datetime import datetime

from comptroller.core.account import Account
from comptroller.core.config import Config
from comptroller.core.errors import RefusedError, VerificationError
from comptroller.core.role import Right
from comptroller.core.strong_yes import host_of
from comptroller.server.accounts import Accounts
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller, caller_of, caller_of_account
from comptroller.server.operations import ForbiddenError, demand
from comptroller.server.passkey import Passkeys
from comptroller.server.render import Json, time_text
from comptroller.server.seal import Seal
from comptroller.server.sessions import Session, Sessions
from comptroller.server.tokens import Tokens

LINK = "link"


class Persons:
    """The people of one installation, at its door. `origins`: the addresses of the console, set once it listens."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self.accounts = Accounts(people=desk.people, seal=Seal(desk.sealing_key), config=self._config)
        self.tokens = Tokens(people=desk.people, config=self._config)
        self.sessions = Sessions(desk.clock, know=self.caller_now)
        self.passkeys: Passkeys | None = None

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
        return caller_of_account(person.name, config=self._config(), owner=session.caller.owner, via=person.via)

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
        tokens = await self.tokens.tokens()
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
                    "sessions": len(self.sessions.of(name)),
                    "tokens": sum(token.person == name for token in tokens),
                }
            )
        return {"people": shown}

    async def invite(self, caller: Caller, name: str) -> tuple[str, datetime]:
        """A one-time link's secret for `name`. Administrators invite; everybody else only themself, on the machine."""
        self._may_change(caller, name)
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


def _named(origin: str) -> bool:
    try:
        host = host_of(origin)
    except VerificationError:
        return False
    return not host.replace(".", "").isdigit()
