"""What the server needs of the rest, handed over by whoever composes the installation."""

from __future__ import annotations

import secrets
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, Protocol

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.core.brake import Run
from comptroller.core.config import Config
from comptroller.core.doors import HostService
from comptroller.core.errors import RefusedError
from comptroller.core.holding import Holding
from comptroller.engine.approvals import Approvals
from comptroller.engine.archiving import Removed
from comptroller.engine.brake import Brakes
from comptroller.engine.deputies import Deputies
from comptroller.engine.holdings import Holdings
from comptroller.engine.hub import Hub
from comptroller.engine.ledger import Ledger
from comptroller.engine.narrower import Narrower
from comptroller.engine.people import People
from comptroller.engine.plans import Plans
from comptroller.engine.recorder import Recorder
from comptroller.engine.runs import Runs
from comptroller.engine.standing import StandingGrants
from comptroller.engine.suspense import Suspense
from comptroller.engine.trust import Trust
from comptroller.ports import Clock, Store
from comptroller.server.policy_files import PolicyEdit
from comptroller.server.seal import KEY_BYTES

SocketRole = Literal["tcp", "dns-udp", "dns-tcp", "proxy"]


class Attached(Protocol):
    """A box whose sockets are served."""

    def cut(self) -> None:
        """End what streams without being understood: its scope is frozen."""
        ...

    async def close(self) -> None:
        """Stop serving the box: whatever it sends from now on meets a closed door."""
        ...


class Door(Protocol):
    """The gateway as the server sees it."""

    @property
    def ca_pem(self) -> str:
        """The certificate boxes trust, as PEM text."""
        ...

    def placeholders(self, agent: str) -> Mapping[str, str]:
        """Environment variables that stand for the agent's credentials: worthless outside this gateway."""
        ...

    def hosts(self, agent: str) -> Sequence[str]:
        """Host names the agent may know about."""
        ...

    @property
    def own_ports(self) -> set[int]:
        """Ports of this machine on which Comptroller itself listens: whoever listens adds its own, and no box is led
        there."""
        ...

    async def attach(
        self,
        run: Run,
        *,
        hold_seconds: float,
        sockets: Sequence[tuple[SocketRole, socket.socket]],
        host_services: Sequence[HostService] = (),
        proxy_secret: str = "",
    ) -> Attached:
        """Serve a box through its own sockets; takes ownership of them, also when it raises. `host_services` are
        the machine's own that this run may reach; `proxy_secret` is what clients of a `proxy` socket have to show."""
        ...


class Keeper(Protocol):
    """Who stops holdings, and asks providers what is there."""

    async def stop(self, holding: Holding, *, by: str, why: str, delete: bool = False) -> None:
        """Stop it now, on a person's word. Raises `RefusedError`."""
        ...

    async def reconcile(self) -> tuple[Mapping[str, object], ...]:
        """What providers list and the books do not, and the other way round."""
        ...


class Notices(Protocol):
    """What carries news to people."""

    def status(self) -> Mapping[str, object]:
        """Each channel: what it sent, what waits, what failed and why."""
        ...

    async def test(self, channel: str, *, by: str) -> None:
        """Send a test message now. Raises `ComptrollerError` with what is wrong."""
        ...


class NoNotices:
    """No channel at all."""

    def status(self) -> Mapping[str, object]:
        """None."""
        return {"channels": [], "waiting": 0, "failed": 0, "routes": 0}

    async def test(self, channel: str, *, by: str) -> None:
        """Raises `RefusedError`."""
        raise RefusedError(f"there is no channel `{channel}`", hint="add it to notify.channels in comptroller.yaml")


async def _nothing() -> None:
    """A configuration that never changes."""


async def _keeps_everything(file: Path, by: str) -> Removed:
    raise RefusedError("nothing leaves this store")


class RulesInForce(Protocol):
    """The policies of the installation: what is in force, the files it came from, and the way to change them."""

    @property
    def boundary(self) -> CedarBoundary:
        """What is in force."""
        ...

    @property
    def folder(self) -> Path:
        """Where the files lie."""
        ...

    def texts(self) -> tuple[PolicyText, ...]:
        """The files as they are. Raises `ConfigError`."""
        ...

    def read(self, texts: Sequence[PolicyText]) -> CedarBoundary:
        """What these would be, by the loader that enforces. Raises `PolicyError` with every mistake."""
        ...

    async def apply(self, edit: PolicyEdit) -> None:
        """Exchange a file and put it in force, with an entry that says who did it. Raises `ConfigError` and
        `RefusedError`; then everything is as it was."""
        ...


@dataclass(slots=True, kw_only=True)
class Desk:
    """One installation, as the server sees it. `owner_uid` is the operating-system user it belongs to.

    `config` and `complaint` are replaced when the files changed while the server runs; nothing else is. `complaint` is
    what a person must know of an edit that is not in force; `refresh` looks for edits at once. `remove_archived` takes
    the path of an archive and who asks, and removes from the store what may go. `rules` are the policies; None where
    they cannot be edited here. `made` holds what parts of the server share and make when first asked, by its type.
    `sealing_key` closes what accounts have to read again. `said` is in which of its groups an OpenID provider last said
    each person is; the engine reads it too.
    """

    config: Config
    config_path: str
    owner_uid: int
    store: Store
    approvals: Approvals
    deputies: Deputies
    standing: StandingGrants
    brakes: Brakes
    ledger: Ledger
    suspense: Suspense
    runs: Runs
    trust: Trust
    holdings: Holdings
    keeper: Keeper
    recorder: Recorder
    people: People
    hub: Hub
    clock: Clock
    door: Door
    said: dict[str, tuple[str, ...]] = field(default_factory=dict)
    sealing_key: bytes = field(default_factory=lambda: secrets.token_bytes(KEY_BYTES), repr=False)
    narrower: Narrower | None = None
    plans: Plans | None = None
    complaint: str = ""
    refresh: Callable[[], Awaitable[None]] = _nothing
    remove_archived: Callable[[Path, str], Awaitable[Removed]] = _keeps_everything
    rules: RulesInForce | None = None
    notices: Notices = field(default_factory=NoNotices)
    made: dict[type, object] = field(default_factory=dict, compare=False, repr=False)
