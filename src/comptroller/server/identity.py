"""Who is on the other end of a unix socket: the kernel's word (SO_PEERCRED), never the caller's."""

from __future__ import annotations

import pwd
import re
import socket
import struct
from dataclasses import dataclass

from comptroller.core.approval import Person
from comptroller.core.config import Config
from comptroller.core.role import Right, Role, rights_of

_UCRED = struct.Struct("iII")
NAME_CHARS_MAX = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A recognised person, and what they are to this installation."""

    person: Person
    roles: frozenset[Role]

    def may(self, right: Right) -> bool:
        """Whether any of their roles carries `right`."""
        return right in rights_of(self.roles)

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
    groups = frozenset(known.groups) if known else frozenset()
    roles = frozenset(Role if owner else known.roles if known else ())
    return Caller(person=Person(name=name, groups=groups, via=f"uid:{uid}"), roles=roles)
