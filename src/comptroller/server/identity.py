"""Who asks: by the kernel's word on a unix socket (SO_PEERCRED), by a session or by a token; never by the caller's."""

from __future__ import annotations

import pwd
import re
import socket
import struct
from collections.abc import Sequence
from dataclasses import dataclass, replace

from comptroller.core.api_token import ApiToken
from comptroller.core.approval import Assurance, Person
from comptroller.core.config import Config
from comptroller.core.role import Right, Role, rights_of

_UCRED = struct.Struct("iII")
NAME_CHARS_MAX = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A recognised person, and what they are to this installation.

    `owner`: the installation is theirs, by the kernel's word or by an account they made for themself that way. A token
    narrows what its person may: to `only` some rights, and to what lies within `scopes` (paths; none: no narrowing).
    """

    person: Person
    roles: frozenset[Role]
    owner: bool = False
    only: frozenset[Right] | None = None
    scopes: tuple[str, ...] = ()

    def may(self, right: Right) -> bool:
        """Whether any of their roles carries `right`, and their token does not leave it out."""
        return right in rights_of(self.roles) and (self.only is None or right in self.only)

    def covers(self, path: str) -> bool:
        """Whether the scope `path` lies within what their token is for."""
        return not self.scopes or any(path == scope or path.startswith(f"{scope}/") for scope in self.scopes)

    @property
    def operator(self) -> bool:
        """Whether they may let agents go on, set budgets and settle."""
        return self.may(Right.OPERATE)


def peer_uid(connection: socket.socket) -> int:
    """The user id of the process that connected."""
    _, uid, _ = _UCRED.unpack(connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    return int(uid)


def os_user(uid: int) -> str:
    """The operating-system name of `uid`, or empty where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def person_name(user: str) -> str:
    """The name under which `user` stands in `comptroller.yaml`: lower case, other characters as `-`."""
    name = re.sub(r"[^a-z0-9-]", "-", user.lower()).strip("-")[:NAME_CHARS_MAX]
    return name or "owner"


def caller_of(uid: int, *, config: Config, owner_uid: int) -> Caller | None:
    """Who `uid` is: a configured person; its owner or root, who have every role; None for anyone else."""
    user = os_user(uid)
    owner = uid in (0, owner_uid)
    name = person_name(user) if owner else user
    known = config.people.get(name)
    if known is None and not owner:
        return None
    return _caller(name, config, owner=owner, via=f"uid:{uid}", assurance=Assurance.SOCKET)


def caller_of_account(name: str, *, config: Config, owner: bool, via: str) -> Caller | None:
    """The person who signed in as `name`; None where `comptroller.yaml` no longer knows them."""
    if name not in config.people and not owner:
        return None
    return _caller(name, config, owner=owner, via=via, assurance=Assurance.SESSION)


def caller_of_provider(name: str, said: Sequence[str], *, config: Config) -> Caller | None:
    """Who an OpenID provider says somebody is: with what `people` gives the name, and what its groups mean here. None
    where neither gives anything, and where no provider is configured any more."""
    oidc = config.console.oidc
    if oidc is None:
        return None
    groups, roles = oidc.means(said)
    known = config.people.get(name)
    if known is not None:
        groups, roles = groups | set(known.groups), roles | set(known.roles)
    if known is None and not roles:
        return None
    person = Person(name=name, groups=groups, via="session:oidc", assurance=Assurance.SESSION)
    return Caller(person=person, roles=roles)


def voice_of(name: str, said: Sequence[str], *, config: Config, owner: bool) -> frozenset[str] | None:
    """The groups in whose name somebody may answer now: by `people`, and by what the provider last said of them
    (`said`). None for who may answer nothing."""
    known, oidc = config.people.get(name), config.console.oidc
    groups, roles = oidc.means(said) if oidc is not None else (frozenset(), frozenset())
    if known is not None:
        groups, roles = groups | set(known.groups), roles | set(known.roles)
    return groups if Right.ANSWER in rights_of(frozenset(Role) if owner else roles) else None


def caller_of_token(token: ApiToken, *, config: Config) -> Caller | None:
    """For whom a token acts, and how far: never further than the person may now."""
    if token.person not in config.people and not token.owner:
        return None
    via = f"token:{token.name}"
    caller = _caller(token.person, config, owner=token.owner, via=via, assurance=Assurance.TOKEN)
    return replace(caller, owner=False, only=token.rights, scopes=token.scopes)


def _caller(name: str, config: Config, *, owner: bool, via: str, assurance: Assurance) -> Caller:
    known = config.people.get(name)
    groups = frozenset(known.groups) if known else frozenset()
    roles = frozenset(Role if owner else known.roles if known else ())
    return Caller(person=Person(name=name, groups=groups, via=via, assurance=assurance), roles=roles, owner=owner)
