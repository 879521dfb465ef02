"""After a restore, on every store: one entry, one epoch, nothing free, nothing granted; however often it is opened."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from comptroller.compose_state import SystemClock, SystemIds
from comptroller.core.approval import ApprovalState, GrantState
from comptroller.core.audit import EntryDraft, EntryKind
from comptroller.core.brake import RESTORE, Brake, BrakeState
from comptroller.core.checkpoint import Checkpoint
from comptroller.core.epoch import Head, Restore, origin_at
from comptroller.core.errors import StoreError
from comptroller.core.verification import verify_log
from comptroller.core.walk import Record
from comptroller.engine.brake import Brakes
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.engine.keeping import Keeper
from comptroller.ports import Changes, Store
from comptroller.testing.store_conformance import ORIGIN, STORES, approval, budget, draft, run, write

NEWEST = Head(origin=ORIGIN, size=9, root="ab" * 32)


def restore_of(kept: Head | None) -> Restore:
    return Restore(
        id="one", epoch=2, origin=origin_at(ORIGIN, 2), by="ann", reason="lost", at="", kept_origin=ORIGIN, kept=kept,
        newest=NEWEST,
    )  # fmt: skip


async def records(store: Store) -> list[Record]:
    return [Record(index=entry.index, leaf=entry.leaf) for entry in await store.entries(limit=10_000)]


@pytest.mark.parametrize("name", STORES)
async def test_a_restore_is_recorded_once_and_frees_nothing(name: str, tmp_path: Path) -> None:
    store = await STORES[name](tmp_path).open()
    clock, scribe, hub = SystemClock(), Scribe(SystemIds()), Hub()
    keeper = Keeper(store=store, clock=clock, scribe=scribe, hub=hub)
    killed = Brake(scope="gone", state=BrakeState.KILLED, reason="x", by="ann", at=datetime.now(UTC))
    granted = replace(approval(2), state=ApprovalState.APPROVED, grant=GrantState.UNUSED)
    await write(
        store,
        Changes(
            entries=(draft("a"), draft("b")),
            budgets=(budget("acme"), budget("gone"), budget("older/team")),
            runs=(run(1),),
            approvals=(approval(1), granted),
            brakes=(killed,),
        ),
    )
    kept = Head(origin=ORIGIN, size=2, root=(await store.root(2)).hex())
    with pytest.raises(StoreError, match="not the one that was restored"):
        await keeper.restored(restore_of(replace(kept, size=1)), organization="new")
    assert await store.size() == 2
    assert await keeper.restored(restore_of(kept), organization="new") == 2
    size = await store.size()
    for _ in range(2):
        assert await keeper.restored(restore_of(kept), organization="new") == 2
        await keeper.hold("new")
    assert await store.size() == size
    held = {brake.scope: brake for brake in await store.brakes()}
    assert {scope for scope, brake in held.items() if brake.by == RESTORE} == {"acme", "new", "older"}
    assert held["gone"] == killed
    unsettled = await keeper.unsettled()
    assert (unsettled.grants, unsettled.questions, unsettled.runs) == (0, 0, ("run-1",))
    # Another name of the organization is held too, until one of them is thawed for a reason.
    await keeper.hold("newer")
    brakes = Brakes(store=store, clock=clock, scribe=scribe, hub=hub, scopes=lambda: ("newer",))
    await brakes.thaw("newer", by="ann", reason="compared")
    await keeper.hold("newest")
    assert [brake.scope for brake in await store.brakes()] == ["gone"]
    signed = Checkpoint(origin=origin_at(ORIGIN, 2), size=await store.size(), root=await store.root(await store.size()))
    old = Checkpoint(origin=ORIGIN, size=2, root=bytes.fromhex(kept.root))
    report = verify_log(await records(store), signed, earlier=(old,))
    assert report.ok and [(each.number, each.index, each.lost_at_least) for each in report.epochs] == [(2, 2, 7)]
    await store.close()


@pytest.mark.parametrize(
    ("signed_epoch", "change", "wrong"),
    [
        (1, {}, "do not begin the epoch"),
        (3, {}, "do not begin the epoch"),
        (2, {"epoch": 3}, "can follow"),
        (2, {"kept": {"origin": ORIGIN, "size": 2, "root": "00" * 32}}, "as it is"),
        (2, {"kept": {"origin": "another", "size": 2, "root": "00" * 32}}, "as it is"),
        (2, {"kept": None}, "cannot be understood"),
        (2, {"lost_at_least": "none"}, "cannot be understood"),
        (2, {"origin": ORIGIN}, "can follow"),
    ],
)
async def test_no_epoch_is_believed_that_the_entries_do_not_begin(
    signed_epoch: int, change: dict[str, object], wrong: str
) -> None:
    store = await STORES["memory"](Path()).open()
    await write(store, Changes(entries=(draft("a"), draft("b"))))
    body: dict[str, object] = {
        "epoch": 2,
        "origin": origin_at(ORIGIN, 2),
        "kept": {"origin": ORIGIN, "size": 2, "root": (await store.root(2)).hex()},
        "newest": None,
        "lost_at_least": 0,
    }
    entry = EntryDraft(kind=EntryKind.STORE_RESTORED, at=datetime.now(UTC), body={**body, **change})
    await write(store, Changes(entries=(entry,)))
    signed = Checkpoint(origin=origin_at(ORIGIN, signed_epoch), size=3, root=await store.root(3))
    report = verify_log(await records(store), signed)
    assert not report.ok
    assert wrong in str(report.problems), report.problems
    # As it is, it verifies; and the old epoch does not reach over its end.
    right = EntryDraft(kind=EntryKind.STORE_RESTORED, at=datetime.now(UTC), body=body)
    store = await STORES["memory"](Path()).open()
    await write(store, Changes(entries=(draft("a"), draft("b"))))
    await write(store, Changes(entries=(right,)))
    signed = Checkpoint(origin=origin_at(ORIGIN, 2), size=3, root=await store.root(3))
    assert verify_log(await records(store), signed).ok
    over = Checkpoint(origin=ORIGIN, size=3, root=await store.root(3))
    assert "of them are lost" in str(verify_log(await records(store), signed, earlier=(over,)).problems)
