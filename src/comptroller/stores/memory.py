"""The reference store: dictionaries, one event loop, nothing durable. What it does is what every store must do."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from comptroller.core import merkle
from comptroller.core.approval import Approval, ApprovalState, GrantState
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.brake import Brake, BrakeState, Run, RunState
from comptroller.core.budget import Account, AccountKey, Budget, BudgetState, budget_states
from comptroller.core.distrust import Distrust
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import StoreError
from comptroller.core.holding import Holding
from comptroller.core.jcs import jcs
from comptroller.core.reservation import HELD_STATES, Reservation, ReservationState
from comptroller.ports import Changes, Committed, Facts, Stranded, Wants
from comptroller.stores.facts import FACT_ROWS_MAX, wanted_at
from comptroller.stores.prepared import Prepared, prepare

T = TypeVar("T")


class MemoryStore:
    """`ports.Store` in memory. Nothing awaits inside `commit`, so decisions cannot interleave."""

    def __init__(self) -> None:
        self.batches = 0
        self.fsyncs = 0
        self._closed = False
        self._edge = merkle.Edge()
        self._nodes: dict[tuple[int, int], bytes] = {}
        self._entries: list[Entry] = []
        self._private: dict[int, dict[str, PrivateField]] = {}
        self._archived: set[int] = set()
        self._runs: dict[str, Run] = {}
        self._budgets: dict[tuple[str, str, str], Budget] = {}
        self._accounts: dict[AccountKey, Account] = {}
        self._reservations: dict[str, Reservation] = {}
        self._approvals: dict[str, Approval] = {}
        self._brakes: dict[str, Brake] = {}
        self._distrusts: dict[str, Distrust] = {}
        self._holdings: dict[str, Holding] = {}
        self._documents: dict[str, Document] = {}

    # ------------------------------------------------------------ writing

    async def commit(self, wants: Wants, decide: Callable[[Facts], tuple[Changes, T]]) -> Committed[T]:
        """As `ports.Store.commit`."""
        self._check_open()
        changes, result = decide(self._facts(wants))
        prepared = prepare(changes, self._edge, self._accounts_of)
        self._apply(changes, prepared)
        self.batches += 1
        return Committed(result=result, indices=prepared.indices)

    def _facts(self, wants: Wants) -> Facts:
        return Facts(
            budgets=tuple(s for s in self._budget_states(wants.now) if s.budget.scope in wants.scopes),
            brakes=tuple(b for b in self._held_brakes() if b.scope in wants.scopes),
            run=self._runs.get(wants.run),
            approvals=tuple(
                _newest(
                    (item for item in self._approvals.values() if (item.run, item.digest) == wants.digest_of),
                    lambda item: item.asked_at,
                )
            )[:FACT_ROWS_MAX],
            calls=tuple(
                _newest(
                    (n for n in self._reservations.values() if (n.run, n.digest, n.retry_token) == wants.call),
                    lambda item: item.created_at,
                )
            )[:FACT_ROWS_MAX],
            approval=self._approvals.get(wants.approval),
            reservation=self._reservations.get(wants.reservation),
            holding=self._holdings.get(wants.holding),
            holdings=tuple(n for n in self._holdings.values() if n.run == wants.holdings_of and n.open),
            document=self._documents.get(wants.document),
            documents=tuple(n for n in self._documents.values() if n.open and (n.kind, n.scope) in wants.documents),
        )

    def _apply(self, changes: Changes, prepared: Prepared) -> None:
        """Nothing here can fail: `prepare` has checked it all."""
        for (index, _, leaf), draft in zip(prepared.entries, changes.entries, strict=True):
            # INVARIANT: the next entry's index is the size of the tree.
            assert index == len(self._entries)
            self._entries.append(Entry(index=index, leaf=leaf, document=json.loads(leaf)))
            self._private[index] = {
                item.name: PrivateField(name=item.name, salt=item.salt, value=json.loads(jcs(item.value)))
                for item in sorted(draft.private, key=lambda item: item.name)
            }
        self._nodes |= {(node.level, node.position): node.hash for node in prepared.nodes}
        self._edge = prepared.edge
        self._runs |= {run.id: run for run in changes.runs}
        self._budgets |= {budget.key: budget for budget in changes.budgets}
        for budget in changes.budgets_removed:
            self._budgets.pop(budget.key, None)
        for scope, unit, window, start, settled, dispatched, reserved, suspense in prepared.accounts:
            self._accounts[scope, unit, window, start] = Account(
                settled=settled, dispatched=dispatched, reserved=reserved, suspense=suspense
            )
        self._reservations |= {item.id: item for item in changes.reservations}
        self._approvals |= {item.id: item for item in changes.approvals}
        self._brakes |= {brake.scope: brake for brake in changes.brakes}
        self._distrusts |= {item.key: item for item in changes.distrusts}
        self._holdings |= {item.id: item for item in changes.holdings}
        self._documents |= {item.id: item for item in changes.documents}
        for index, name in changes.erase:
            self._private.get(index, {}).pop(name, None)
        for _, first, last in prepared.archived:
            for index in range(first, last + 1):
                self._archived.add(index)
                self._private.pop(index, None)

    # ------------------------------------------------------------ reading

    def _check_open(self) -> None:
        if self._closed:
            raise StoreError("the store is closed")

    def _budget_states(self, now: datetime) -> tuple[BudgetState, ...]:
        return budget_states(self._budgets.values(), now, self._accounts_of)

    def _accounts_of(self, keys: Sequence[AccountKey]) -> dict[AccountKey, Account]:
        return {key: self._accounts[key] for key in keys if key in self._accounts}

    def _held_brakes(self) -> list[Brake]:
        return [brake for _, brake in sorted(self._brakes.items()) if brake.state is not BrakeState.FREE]

    def _newest_approvals(self) -> list[Approval]:
        return _newest(self._approvals.values(), lambda item: item.asked_at)

    async def runs(self) -> Sequence[Run]:
        """As `ports.Store.runs`."""
        self._check_open()
        return tuple(sorted(self._runs.values(), key=lambda run: (run.started_at, run.id), reverse=True))

    async def approvals(self, state: ApprovalState | None = None) -> Sequence[Approval]:
        """As `ports.Store.approvals`."""
        self._check_open()
        return tuple(item for item in self._newest_approvals() if state is None or item.state is state)

    async def approvals_page(
        self, state: ApprovalState | None = None, *, after: str = "", limit: int
    ) -> Sequence[Approval]:
        """As `ports.Store.approvals_page`."""
        found = [item for item in await self.approvals(state) if not after or item.id < after]
        return tuple(sorted(found, key=lambda item: item.id, reverse=True)[:limit])

    async def unused_grants(self) -> Sequence[Approval]:
        """As `ports.Store.unused_grants`."""
        return tuple(item for item in await self.approvals() if item.grant is GrantState.UNUSED)

    async def approvals_count(self, state: ApprovalState) -> int:
        """As `ports.Store.approvals_count`."""
        return len(await self.approvals(state))

    async def answered(self, *, limit: int) -> Sequence[Approval]:
        """As `ports.Store.answered`."""
        return [item for item in await self.approvals() if item.state is not ApprovalState.PENDING][:limit]

    async def approval(self, approval_id: str) -> Approval | None:
        """As `ports.Store.approval`."""
        self._check_open()
        return self._approvals.get(approval_id)

    async def budgets(self, now: datetime) -> Sequence[BudgetState]:
        """As `ports.Store.budgets`."""
        self._check_open()
        return self._budget_states(now)

    async def brakes(self) -> Sequence[Brake]:
        """As `ports.Store.brakes`."""
        self._check_open()
        return tuple(self._held_brakes())

    async def distrusts(self) -> Sequence[Distrust]:
        """As `ports.Store.distrusts`."""
        self._check_open()
        return tuple(item for _, item in sorted(self._distrusts.items()))

    async def open_reservations(self) -> Sequence[Reservation]:
        """As `ports.Store.open_reservations`."""
        self._check_open()
        return tuple(item for item in self._reservations.values() if item.state in HELD_STATES)

    async def stranded(self, *, own: bool = True) -> Stranded:
        """As `ports.Store.stranded`."""
        self._check_open()
        if not own:
            return Stranded()
        return Stranded(
            reservations=tuple(n for n in self._reservations.values() if n.state is ReservationState.DISPATCHED),
            runs=tuple(run for run in self._runs.values() if run.state is RunState.ACTIVE),
        )

    async def holdings(self, *, every: bool = False) -> Sequence[Holding]:
        """As `ports.Store.holdings`."""
        self._check_open()
        return tuple(item for item in self._holdings.values() if every or item.open)

    async def documents(
        self, kind: DocumentKind, *, scope: str | None = None, every: bool = False
    ) -> Sequence[Document]:
        """As `ports.Store.documents`."""
        self._check_open()
        found = (item for item in self._documents.values() if item.kind is kind and scope in (None, item.scope))
        return tuple(item for item in found if every or item.open)

    async def document(self, document_id: str) -> Document | None:
        """As `ports.Store.document`."""
        self._check_open()
        return self._documents.get(document_id)

    async def entries(self, *, after: int = -1, limit: int = 1000, run: str = "") -> Sequence[Entry]:
        """As `ports.Store.entries`."""
        self._check_open()
        later = self._entries[max(after + 1, 0) :]
        here = (entry for entry in later if entry.index not in self._archived)
        return tuple(entry for entry in here if not run or entry.document["run"] == run)[: max(limit, 0)]

    async def entries_at(self, indices: Sequence[int]) -> Sequence[tuple[Entry, tuple[PrivateField, ...]]]:
        """As `ports.Store.entries_at`."""
        self._check_open()
        wanted = wanted_at(indices)
        here = (index for index in wanted if index < len(self._entries) and index not in self._archived)
        return tuple(
            (self._entries[index], tuple(value for _, value in sorted(self._private.get(index, {}).items())))
            for index in here
        )

    async def private(self, index: int) -> Sequence[PrivateField]:
        """As `ports.Store.private`."""
        self._check_open()
        return tuple(self._private.get(index, {}).values())

    async def size(self) -> int:
        """As `ports.Store.size`."""
        self._check_open()
        return self._edge.size

    async def root(self, size: int) -> bytes:
        """As `ports.Store.root`."""
        self._check_size(size)
        return merkle.root_at(size, self._node)

    async def inclusion(self, index: int, size: int) -> Sequence[bytes]:
        """As `ports.Store.inclusion`."""
        self._check_size(size)
        if not 0 <= index < size:
            raise StoreError(f"no leaf {index} in a tree of {size}")
        return merkle.inclusion_proof(index, size, self._node)

    async def consistency(self, old: int, new: int) -> Sequence[bytes]:
        """As `ports.Store.consistency`."""
        self._check_size(new)
        if not 0 <= old <= new:
            raise StoreError(f"a tree of {new} does not extend one of {old}")
        return merkle.consistency_proof(old, new, self._node)

    def _node(self, level: int, position: int) -> bytes:
        return self._nodes[level, position]

    def _check_size(self, size: int) -> None:
        self._check_open()
        if not 0 <= size <= self._edge.size:
            raise StoreError(f"the log has {self._edge.size} entries, not `{size}`")

    async def close(self) -> None:
        """As `ports.Store.close`."""
        self._closed = True


def _newest(items: Iterable[T], time: Callable[[T], datetime]) -> list[T]:
    """Newest first; of equal times, what was stored later comes first."""
    found = list(items)[::-1]
    found.sort(key=time, reverse=True)
    return found
