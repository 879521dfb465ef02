"""Who is on the other end of a unix socket: the kernel's word (SO_PEERCRED), never the caller's."""

from __future__ import annotations

import pwd
import re
import socket
import struct
from dataclasses import dataclass

from comptroller.core.approval import Person
from comptroller.core.config import Config

_UCRED = struct.Struct("iII")
NAME_CHARS_MAX = 63


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """A recognised person. `operator` owns the installation (or is root): may set budgets, thaw and stop the server."""

    person: Person
    operator: bool


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
    """Who `uid` is: a configured person, the installation's owner or root; None for anyone else."""
    user = os_user(uid)
    operator = uid in (0, owner_uid)
    name = person_name(user) if operator else user
    known = config.people.get(name)
    if known is None and not operator:
        return None
    groups = frozenset(known.groups) if known else frozenset()
    return Caller(person=Person(name=name, groups=groups, via=f"uid:{uid}"), operator=operator)
