"""Turns a decision's `Changes` into rows, checking everything that could fail before the first byte is written.

What passes here can fail afterwards only because of the disk; so a bad decision never harms its neighbours in a batch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from comptroller.core import merkle
from comptroller.core.audit import EntryDraft, leaf_bytes
from comptroller.core.budget import Account, AccountKey, AccountsOf
from comptroller.core.errors import StoreError
from comptroller.core.reservation import AccountDelta
from comptroller.ports import Changes
from comptroller.stores import rows
from comptroller.stores.rows import Row

INTEGER_MAX = 2**63 - 1
LEAF_BYTES_MAX = 1 << 20
PRIVATE_BYTES_MAX = 1 << 20
CHANGES_MAX = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """One decision as rows: nothing left to compute, nothing left to refuse."""

    edge: merkle.Edge
    indices: tuple[int, ...]
    entries: tuple[Row, ...]
    nodes: tuple[merkle.Node, ...]
    private: tuple[Row, ...]
    runs: tuple[Row, ...]
    budgets: tuple[Row, ...]
    budgets_removed: tuple[Row, ...]
    accounts: tuple[Row, ...]
    reservations: tuple[Row, ...]
    approvals: tuple[Row, ...]
    brakes: tuple[Row, ...]
    distrusts: tuple[Row, ...]
    holdings: tuple[Row, ...]
    documents: tuple[Row, ...]
    erase: tuple[Row, ...]
    archived: tuple[Row, ...]
    """(entry that says so, first, last)."""


@dataclass(slots=True)
class Pending:
    """Rows not written yet, by key: the last version of each, in the order of their first."""

    runs: dict[object, Row] = field(default_factory=dict)
    budgets: dict[object, Row] = field(default_factory=dict)
    accounts: dict[object, Row] = field(default_factory=dict)
    reservations: dict[object, Row] = field(default_factory=dict)
    approvals: dict[object, Row] = field(default_factory=dict)
    brakes: dict[object, Row] = field(default_factory=dict)
    distrusts: dict[object, Row] = field(default_factory=dict)
    holdings: dict[object, Row] = field(default_factory=dict)
    documents: dict[object, Row] = field(default_factory=dict)
    budgets_removed: dict[object, Row] = field(default_factory=dict)


def prepare(changes: Changes, edge: merkle.Edge, accounts_of: AccountsOf) -> Prepared:
    """Rows for `changes` on a tree that ends in `edge`. Raises `StoreError` for what no store could hold."""
    try:
        return _prepare(changes, edge, accounts_of)
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise StoreError(f"a change cannot be written: {error}", hint="nothing was recorded or released") from error


def _prepare(changes: Changes, edge: merkle.Edge, accounts_of: AccountsOf) -> Prepared:
    if sum(len(getattr(changes, name)) for name in Changes.__dataclass_fields__) > CHANGES_MAX:
        raise ValueError(f"more than {CHANGES_MAX} rows in one decision")
    first = edge.size
    leaves = [_leaf(draft, first + offset) for offset, draft in enumerate(changes.entries)]
    after, nodes = merkle.append(edge, map(merkle.leaf_hash, leaves))
    # INVARIANT: the tree grows by exactly the entries appended.
    assert after.size == first + len(leaves)
    prepared = Prepared(
        edge=after,
        indices=tuple(range(first, after.size)),
        entries=tuple(
            (first + n, d.run, leaf) for n, (d, leaf) in enumerate(zip(changes.entries, leaves, strict=True))
        ),
        nodes=nodes,
        private=tuple(row for n, draft in enumerate(changes.entries) for row in _private(draft, first + n)),
        runs=tuple(map(rows.run_row, changes.runs)),
        budgets=tuple(map(rows.budget_row, changes.budgets)),
        budgets_removed=tuple(budget.key for budget in changes.budgets_removed),
        accounts=_accounts(changes.accounts, accounts_of),
        reservations=tuple(map(rows.reservation_row, changes.reservations)),
        approvals=tuple(map(rows.approval_row, changes.approvals)),
        brakes=tuple(map(rows.brake_row, changes.brakes)),
        distrusts=tuple(map(rows.distrust_row, changes.distrusts)),
        holdings=tuple(map(rows.holding_row, changes.holdings)),
        documents=tuple(map(rows.document_row, changes.documents)),
        erase=tuple((index, name) for index, name in changes.erase),
        archived=_archived(changes, first),
    )
    for table in (
        prepared.entries, prepared.private, prepared.runs, prepared.budgets, prepared.budgets_removed,
        prepared.accounts, prepared.reservations, prepared.approvals, prepared.brakes, prepared.distrusts,
        prepared.holdings, prepared.documents, prepared.erase, prepared.archived,
    ):  # fmt: skip
        _check_columns(table)
    return prepared


def _leaf(draft: EntryDraft, index: int) -> bytes:
    if draft.at.tzinfo is None:
        raise ValueError("a time without a zone")
    names = [item.name for item in draft.private]
    if len(set(names)) != len(names):
        raise ValueError("two private fields of one name")
    leaf = leaf_bytes(draft, index)
    if len(leaf) > LEAF_BYTES_MAX:
        raise ValueError(f"an entry over {LEAF_BYTES_MAX} bytes")
    return leaf


def _archived(changes: Changes, size: int) -> tuple[Row, ...]:
    """Only entries that were there before can be removed, and an entry stands behind it."""
    if changes.archived and not changes.entries:
        raise ValueError("entries are removed and no entry says so")
    for start, end in changes.archived:
        if not 0 <= start <= end < size:
            raise ValueError(f"entries {start} to {end} of {size} cannot be removed")
    return tuple((size, start, end) for start, end in changes.archived)


def _private(draft: EntryDraft, index: int) -> Iterable[Row]:
    for item in draft.private:
        if len(item.encoded) > PRIVATE_BYTES_MAX:
            raise ValueError(f"a private field over {PRIVATE_BYTES_MAX} bytes")
        yield (index, item.name, item.salt, item.encoded.decode())


def _accounts(deltas: Sequence[AccountDelta], accounts_of: AccountsOf) -> tuple[Row, ...]:
    """The new state of every account touched, as whole rows."""
    sums: dict[AccountKey, tuple[int, int, int, int]] = {}
    for delta in deltas:
        key = (delta.scope, delta.unit.value, delta.window, delta.start)
        settled, dispatched, reserved, suspense = sums.get(key, (0, 0, 0, 0))
        sums[key] = (
            settled + delta.settled,
            dispatched + delta.dispatched,
            reserved + delta.reserved,
            suspense + delta.suspense,
        )
    if not sums:
        return ()
    known = accounts_of(tuple(sums))
    found = []
    for key, (settled, dispatched, reserved, suspense) in sums.items():
        old = known.get(key, Account())
        new = (old.settled + settled, old.dispatched + dispatched, old.reserved + reserved, old.suspense + suspense)
        # INVARIANT: no account is ever negative, nor larger than a store can count.
        if min(new) < 0 or sum(new) > INTEGER_MAX:
            raise ValueError(f"account `{key[0]}` {key[1]} would not add up")
        found.append((*key, *new))
    return tuple(found)


def _check_columns(table: Iterable[Row]) -> None:
    """Every column has a type and size that a database takes, and its text is Unicode."""
    for row in table:
        for column in row:
            kind = type(column)
            if kind is bytes or column is None or (kind is str and column.isascii()):
                continue
            match column:
                case str():
                    column.encode("utf-8")
                case bool():
                    raise TypeError("a truth value where a number belongs")
                case int():
                    if not -INTEGER_MAX <= column <= INTEGER_MAX:
                        raise ValueError("a number over 63 bits")
                case _:
                    raise TypeError(f"a {kind.__name__} where text, a number or bytes belong")
