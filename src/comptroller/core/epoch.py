"""Epochs of the log: after a restore it goes on under another origin, in an entry that names the log before it.

A tree that continued from the backup under the old origin would contradict checkpoints that were already given away.
Positions and leaves of what the backup holds stay, so that earlier checkpoints, up to there, still prove it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from comptroller.core.errors import VerificationError

_EPOCH = re.compile(r"/epoch-([1-9][0-9]{0,8})$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """What a log was at one moment: its origin, number of entries and root as hex."""

    origin: str
    size: int
    root: str

    def as_dict(self) -> dict[str, object]:
        """JSON values."""
        return {"origin": self.origin, "size": self.size, "root": self.root}

    @classmethod
    def of(cls, value: Any) -> Head:
        """The head that `as_dict` wrote. Raises `ValueError`, `TypeError` or `KeyError`."""
        origin, size, root = value["origin"], value["size"], value["root"]
        if not isinstance(origin, str) or not isinstance(root, str) or len(bytes.fromhex(root)) != 32:
            raise ValueError("not the head of a log")
        if not isinstance(size, int) or isinstance(size, bool) or size < 0:
            raise ValueError("not a size")
        return cls(origin=origin, size=size, root=root)


@dataclass(frozen=True, slots=True, kw_only=True)
class Restore:
    """A restore that a person decided: what `serve` records first. `kept` None: whatever the store holds then.

    `newest` is the newest signed head that is known of the log; `present_size` how many entries the store had that was
    put aside, as far as it could be read. `backup` is the SHA-256 of the backup's file, `aside` the name of the folder
    where what was there is kept, `beside` which files came with the store.
    """

    id: str
    epoch: int
    origin: str
    by: str
    reason: str
    at: str
    kept_origin: str
    kept: Head | None = None
    newest: Head | None = None
    present_size: int = 0
    backup: str = ""
    aside: str = ""
    beside: tuple[str, ...] = ()

    def encoded(self) -> bytes:
        """The mark's JSON text."""
        whole = {name: getattr(self, name) for name in self.__dataclass_fields__}
        heads = {name: None if whole[name] is None else whole[name].as_dict() for name in ("kept", "newest")}
        return json.dumps({"version": 1, **whole, **heads}, indent=1).encode() + b"\n"

    @classmethod
    def decoded(cls, data: bytes) -> Restore:
        """The restore in a mark. Raises `VerificationError` for one that cannot be read."""
        try:
            whole = json.loads(data)
            if whole.pop("version") != 1:
                raise ValueError("another version")
            for name in ("kept", "newest"):
                whole[name] = None if whole[name] is None else Head.of(whole[name])
            return cls(**{**whole, "beside": tuple(whole["beside"])})
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise VerificationError(
                "the mark of a restore cannot be read", hint="repeat the restore: comptroller restore FILE"
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A new epoch as its first entry, `store.restored`, tells it. `index` is where the kept part ends."""

    index: int
    number: int
    origin: str
    newest: Head | None
    lost_at_least: int

    def as_dict(self) -> dict[str, object]:
        """JSON values."""
        newest = self.newest.as_dict() if self.newest is not None else None
        return {
            "epoch": self.number,
            "origin": self.origin,
            "begins_at": self.index,
            "lost_at_least": self.lost_at_least,
            "newest_known": newest,
        }


def epoch_of(origin: str) -> int:
    """1 for an installation's first log; its number after a restore."""
    found = _EPOCH.search(origin)
    return int(found[1]) if found else 1


def installation_of(origin: str) -> str:
    """The installation id in an origin: the origin of the first epoch."""
    return _EPOCH.sub("", origin)


def origin_at(origin: str, number: int) -> str:
    """The origin of epoch `number` of the installation that `origin` belongs to."""
    return installation_of(origin) if number == 1 else f"{installation_of(origin)}/epoch-{number}"


def same_installation(first: str, second: str) -> bool:
    """Whether two origins are epochs of one installation's log."""
    return installation_of(first) == installation_of(second)


def begun(body: Mapping[str, Any], *, index: int, root: bytes, origin: str) -> Begun:
    """The epoch that a `store.restored` entry at `index` begins, where `root` is that of the leaves before it and
    `origin` that of the epoch before. Raises `VerificationError` where the entry does not say what is so.
    """
    try:
        number, kept = body["epoch"], Head.of(body["kept"])
        newest = None if body["newest"] is None else Head.of(body["newest"])
        lost = body["lost_at_least"]
        if not isinstance(number, int) or not isinstance(lost, int):
            raise TypeError("not a number")
    except (ValueError, TypeError, KeyError) as error:
        raise VerificationError("begins an epoch and cannot be understood") from error
    if number <= epoch_of(origin) or body.get("origin") != origin_at(origin, number):
        raise VerificationError(f"does not begin an epoch that can follow `{origin}`")
    if kept != Head(origin=origin, size=index, root=root.hex()):
        raise VerificationError("begins an epoch and does not name the log before it as it is")
    return Begun(index=index, number=number, origin=origin_at(origin, number), newest=newest, lost_at_least=lost)
