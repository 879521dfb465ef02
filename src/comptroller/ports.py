"""What the engine needs of the world, as Protocols: a store, a clock, ids, a boundary, a pricer, codecs."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Protocol, TypeVar

from comptroller.core.action import Action
from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.asking import Deputy, QuestionLimits
from comptroller.core.audit import Entry, EntryDraft, PrivateField
from comptroller.core.brake import Brake, Run
from comptroller.core.budget import Budget, BudgetState
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.escrow import Note
from comptroller.core.estimate import Estimate, Outcome, Unit
from comptroller.core.holding import Holding
from comptroller.core.request import Request
from comptroller.core.reservation import AccountDelta, Reservation
from comptroller.core.verdict import BoundaryResult, Obligation
from comptroller.decode.codec import Codec

T = TypeVar("T")

ENTRIES_AT_MAX = 2_000
"""How many entries are read by their indices at once."""


class Clock(Protocol):
    """Time, handed in."""

    def now(self) -> datetime:
        """Aware UTC time."""
        ...


class Ids(Protocol):
    """Unpredictable values, handed in."""

    def new(self) -> str:
        """A UUIDv7 as text."""
        ...

    def salt(self) -> bytes:
        """16 random bytes."""
        ...


# ---------------------------------------------------------------- the store


@dataclass(frozen=True, slots=True, kw_only=True)
class Wants:
    """Which facts a decision needs; all are read under one lock. Empty members are not read.

    `scopes`: budgets (with the account of the window that `now` lies in) and brakes of these paths.
    `digest_of`: (run, digest) -> its approvals, newest first. `call`: (run, digest, retry token) -> its reservations.
    `holdings_of`: a run -> what it made that is still there. `documents`: (kind, scope) -> those that are open.
    `patient`: nobody waits for it, so it may wait a few milliseconds to be written together with others.
    """

    now: datetime
    scopes: tuple[str, ...] = ()
    run: str = ""
    digest_of: tuple[str, str] | None = None
    call: tuple[str, str, str] | None = None
    approval: str = ""
    reservation: str = ""
    holding: str = ""
    holdings_of: str = ""
    document: str = ""
    documents: tuple[tuple[DocumentKind, str], ...] = ()
    patient: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What the store knows, read under the lock of the transaction that will write the decision."""

    budgets: tuple[BudgetState, ...] = ()
    brakes: tuple[Brake, ...] = ()
    run: Run | None = None
    approvals: tuple[Approval, ...] = ()
    calls: tuple[Reservation, ...] = ()
    approval: Approval | None = None
    reservation: Reservation | None = None
    holding: Holding | None = None
    holdings: tuple[Holding, ...] = ()
    document: Document | None = None
    documents: tuple[Document, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Changes:
    """One durable change. Rows replace those with the same key; deltas are added; entries are appended in order.

    `erase` names (entry index, field) whose values beside the leaf are deleted. `archived` are runs of neighbours, by
    first and last index, whose leaves and private values are removed, while their hashes stay; the first entry of the
    same change stands behind it.
    """

    entries: tuple[EntryDraft, ...] = ()
    runs: tuple[Run, ...] = ()
    budgets: tuple[Budget, ...] = ()
    budgets_removed: tuple[Budget, ...] = ()
    accounts: tuple[AccountDelta, ...] = ()
    reservations: tuple[Reservation, ...] = ()
    approvals: tuple[Approval, ...] = ()
    brakes: tuple[Brake, ...] = ()
    distrusts: tuple[Distrust, ...] = ()
    holdings: tuple[Holding, ...] = ()
    documents: tuple[Document, ...] = ()
    erase: tuple[tuple[int, str], ...] = ()
    archived: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Committed(Generic[T]):
    """The result of a decision whose changes are durable, and the indices its entries received."""

    result: T
    indices: tuple[int, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Stranded:
    """What a `serve` that is gone left behind: actions without an outcome, and runs that nobody ended."""

    reservations: tuple[Reservation, ...] = ()
    runs: tuple[Run, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """What another gateway changed in a shared store: ids of approvals, scopes of brakes, ids of runs that ended, keys
    of prices, scopes of budgets, ids of standing grants given or ended. `anything`: nobody knows what was missed."""

    approvals: tuple[str, ...] = ()
    brakes: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    distrusts: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ()
    standings: tuple[str, ...] = ()
    anything: bool = False


class Store(Protocol):
    """One writer, many readers. Whatever `commit` returned is durable; what it raised left no trace."""

    async def commit(self, wants: Wants, decide: Callable[[Facts], tuple[Changes, T]]) -> Committed[T]:
        """Read facts under lock, call `decide` (pure, quick), write all of its changes, or nothing. Decisions are
        serialised: each sees what the one before it wrote. An exception of `decide` is raised to this caller alone
        and writes nothing. Raises `StoreError` when the changes could not be made durable, `StoreLostError` where
        that is so for everybody's."""
        ...

    async def runs(self) -> Sequence[Run]:
        """All runs, newest first."""
        ...

    async def approvals(self, state: ApprovalState | None = None) -> Sequence[Approval]:
        """Approvals, newest first, in one state or all."""
        ...

    async def approvals_page(
        self, state: ApprovalState | None = None, *, after: str = "", limit: int
    ) -> Sequence[Approval]:
        """At most `limit` approvals by their ids, the last first, in one state or all: those before the id `after`, or
        the very last. Others are not read."""
        ...

    async def unused_grants(self) -> Sequence[Approval]:
        """Approvals whose yes was given and not used, newest first, without reading the others."""
        ...

    async def approvals_count(self, state: ApprovalState) -> int:
        """How many are in one state, without reading them."""
        ...

    async def answered(self, *, limit: int) -> Sequence[Approval]:
        """Approvals that are no longer pending, the newest questions first, at most `limit`."""
        ...

    async def approval(self, approval_id: str) -> Approval | None:
        """One approval."""
        ...

    async def budgets(self, now: datetime) -> Sequence[BudgetState]:
        """Every budget with the account of its current window, by scope."""
        ...

    async def brakes(self) -> Sequence[Brake]:
        """Every brake that is not free."""
        ...

    async def distrusts(self) -> Sequence[Distrust]:
        """Every price that was ever distrusted, confirmed ones too, by key."""
        ...

    async def open_reservations(self) -> Sequence[Reservation]:
        """Reservations that hold money (`HELD_STATES`), oldest first."""
        ...

    async def stranded(self, *, own: bool = True) -> Stranded:
        """What is dispatched or active although its `serve` is gone: of this installation, where nothing was begun yet
        (`own`), and of other machines that are certainly dead."""
        ...

    async def holdings(self, *, every: bool = False) -> Sequence[Holding]:
        """What is still there, oldest first; with `every` also what is closed or forgotten."""
        ...

    async def documents(
        self, kind: DocumentKind, *, scope: str | None = None, every: bool = False
    ) -> Sequence[Document]:
        """Documents of a kind (and of one scope) that are open, in the order they were first written; with `every` also
        what is over."""
        ...

    async def document(self, document_id: str) -> Document | None:
        """One document, open or not."""
        ...

    async def entries(self, *, after: int = -1, limit: int = 1000, run: str = "") -> Sequence[Entry]:
        """Entries with an index above `after`, in order; those whose leaves were removed are left out."""
        ...

    async def entries_at(self, indices: Sequence[int]) -> Sequence[tuple[Entry, tuple[PrivateField, ...]]]:
        """The entries with these indices, in their order, each with what lies beside it and was not erased; those that
        are not there, or whose leaves were removed, are left out. At most `ENTRIES_AT_MAX`, else `StoreError`."""
        ...

    async def private(self, index: int) -> Sequence[PrivateField]:
        """What lies beside entry `index` and was not erased."""
        ...

    async def size(self) -> int:
        """Number of leaves."""
        ...

    async def root(self, size: int) -> bytes:
        """RFC 6962 root of the first `size` leaves."""
        ...

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """RFC 6962 inclusion proof of leaf `index` in the first `size` leaves."""
        ...

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """RFC 6962 consistency proof between two sizes."""
        ...

    async def close(self) -> None:
        """Finish what was committed and let go of the files."""
        ...


class Journal(Protocol):
    """A local record for the time in which the store is lost. Whatever `append` returned from is durable."""

    @property
    def id(self) -> str:
        """Of the journal as it is since it was last renewed."""
        ...

    @property
    def head(self) -> str:
        """A hash over all notes, in hexadecimal."""
        ...

    @property
    def notes(self) -> Sequence[Note]:
        """All notes that are durable, in order."""
        ...

    @property
    def crowded(self) -> bool:
        """Whether it should be renewed as soon as that can be done."""
        ...

    async def append(self, note: Note) -> None:
        """Make `note` durable. Raises `StoreError`; after a crash it may be there all the same, and until the journal
        is renewed nothing more can be appended. Near its end only what closes or stops something is taken."""
        ...

    async def renew(self, notes: Sequence[Note]) -> None:
        """Begin a new journal with `notes`, in the place of this one or not at all. Raises `StoreError`."""
        ...

    async def close(self) -> None:
        """Let go of the file."""
        ...


class SharedStore(Store, Protocol):
    """A store that gateways on several machines use at once; each writes a log of its own in it."""

    def listen(self, heard: Callable[[Notice], None]) -> None:
        """From now on, tell `heard` what other gateways changed; it must not block."""
        ...

    async def publish_checkpoint(self, signed: Checkpoint, note: bytes) -> None:
        """Put our newest signed checkpoint where every other installation sees it."""
        ...

    async def checkpoints_elsewhere(self) -> Mapping[str, tuple[int, bytes]]:
        """Every other installation's newest checkpoint: origin -> (size, signed note)."""
        ...


# ---------------------------------------------------------------- decode, price, boundary


class Registry(Protocol):
    """Finds the codec for a host. Any named host has one: the generic `http` at the least."""

    def codec_for(self, request: Request) -> Codec:
        """The codec that decodes this request; by host, never by what the caller claims."""
        ...


class Pricer(Protocol):
    """Action -> Estimate, and Outcome -> what was paid."""

    def estimate(self, action: Action) -> Estimate:
        """Upper bounds in every unit that applies. Never raises; unknown is `None`, never free."""
        ...

    def actual(self, action: Action, outcome: Outcome) -> Mapping[Unit, int]:
        """What was really paid, as far as `outcome` proves it; a unit left out keeps its whole reservation."""
        ...

    def key(self, action: Action) -> str:
        """The name under which the price of `action` is distrusted and confirmed."""
        ...

    def trust(self, key: str, *, trusted: bool) -> None:
        """From now on, believe the price called `key`, or say of it that nobody knows."""
        ...

    def affordable_output(self, action: Action, room: Mapping[Unit, int]) -> int | None:
        """The most tokens a model call may write within `room`; None where it cannot be made to fit."""
        ...


class Boundary(Protocol):
    """The Cedar policies, loaded."""

    @property
    def policy_hash(self) -> str:
        """SHA-256 over all policies and the schema."""
        ...

    def evaluate(self, action: Action, estimate: Estimate, *, owned: bool = False) -> BoundaryResult:
        """What the policies say; `owned`: all that the action ends was made by its own run. Any error is a deny."""
        ...


class RunBook(Protocol):
    """What is configured for agents: the engine asks it for scope paths and owners."""

    def path_of(self, agent: str) -> str:
        """`organization/team/agent`."""
        ...

    def owner_of(self, agent: str) -> str:
        """The accountable person."""
        ...

    def purpose_of(self, agent: str) -> str:
        """The stated purpose."""
        ...

    def names(self, agent: str, service: str, host: str) -> bool:
        """Whether the service or the host is named for the agent."""
        ...

    def requester_of(self, run: str, agent: str) -> str:
        """The person who started the run; the agent's owner where that is not known."""
        ...

    def launched(self, run: str, by: str) -> None:
        """Remember who started a run."""
        ...

    def voice_of(self, person: str) -> frozenset[str] | None:
        """The groups in whose name somebody may answer now; None for who may answer nothing, or is not there."""
        ...

    def author(self) -> str:
        """Who last changed the policies; empty where nobody is known."""
        ...

    def questions_of(self, agent: str) -> QuestionLimits:
        """How much the agent may ask people."""
        ...

    def asking(self) -> Obligation:
        """Whom we ask about what no policy speaks of; its rule is left empty."""
        ...


class People(Protocol):
    """What is configured for people."""

    def known(self, person: str) -> bool:
        """Whether there is such a person."""
        ...

    def groups_of(self, person: str) -> frozenset[str]:
        """The groups a person is in; none for a stranger."""
        ...

    def voice_of(self, person: str) -> frozenset[str] | None:
        """The groups in whose name somebody may answer now; None for who may answer nothing, or is not there."""
        ...

    def deputies(self) -> Sequence[Deputy]:
        """Who is configured to answer in somebody's place, whenever."""
        ...


Listener = Callable[[str, Mapping[str, object]], None]
"""Called after an entry is durable, with its kind and a summary; must not block."""
