"""A restored installation cannot spend before a person thaws it, and its log says where it was cut."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller import compose, compose_state
from comptroller.cli import main
from comptroller.compose import Installation, open_installation, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.approval import ApprovalState, GrantState
from comptroller.core.brake import RESTORE
from comptroller.core.errors import MissingError, RefusedError, StoreError, UsageError, VerificationError
from comptroller.core.request import Request
from comptroller.core.reservation import ReservationState
from comptroller.engine.gatekeeper import Refused, Released
from comptroller.ports import Changes
from comptroller.server.place import Paths
from comptroller.stores.reader import SqliteReader
from comptroller.testing import store_conformance as samples

CONFIG = """\
version: 1
organization: acme
teams: {ml: {}}
people: {ann: {groups: [approvers]}}
agents: {bot: {team: ml, owner: ann, purpose: look around, hosts: [pypi.org], workspace: work}}
budgets:
  - {scope: acme, unit: usd, limit: 50}
  - {scope: acme, unit: calls, limit: 100}
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # A socket's path is short.
    state = tempfile.mkdtemp(prefix="k", dir="/tmp")
    monkeypatch.setenv("XDG_STATE_HOME", state)
    (tmp_path / "p" / "policies").mkdir(parents=True)
    (tmp_path / "p" / "policies" / "starter.cedar").write_text(starter_policies(), "utf-8")
    (tmp_path / "p" / "comptroller.yaml").write_text(CONFIG, "utf-8")
    monkeypatch.chdir(tmp_path / "p")
    yield tmp_path / "p" / "comptroller.yaml"
    shutil.rmtree(state)


@asynccontextmanager
async def running(place: Path) -> AsyncIterator[Installation]:
    installation = await open_installation(place)
    try:
        await installation.begin()
        yield installation
    finally:
        await installation.close()


async def admit(installation: Installation) -> Released | Refused:
    """One real action of an active run through the whole engine; it stays dispatched."""
    number = SystemIds().new()
    path = f"{installation.engine.runbook.path_of('bot')}/{number}"
    run = replace(samples.run(), id=number, agent="bot", path=path)
    await samples.write(installation.store, Changes(runs=(run,)))
    request = Request(
        scheme="https", method="GET", host="pypi.org", port=443, target="/", headers=(("accept", "*/*"),), body=b"",
        agent="bot", run=run.id,
    )  # fmt: skip
    return await installation.engine.gatekeeper.admit(request, hold_seconds=0)


def cli(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def backed_up(place: Path, *, name: str = "b.tar.gz") -> Path:
    file = place.parent.parent / name
    compose_state.make_backup(Paths.of(place), file, with_keys=False)
    return file


def restored(place: Path, file: Path | None, *checkpoints: Path) -> compose.Restored:
    return compose_state.restore(Paths.of(place), file, by="ann", reason="the disk failed", checkpoints=checkpoints)


def verified(*words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(cli("audit", "verify", "--json", *words).stdout)
    return found


async def live(place: Path, actions: int) -> None:
    async with running(place) as installation:
        for _ in range(actions):
            assert isinstance(await admit(installation), Released)


async def ended_hard(place: Path) -> None:
    """A serve that ends with an action on its way, and without a last checkpoint."""
    installation = await open_installation(place)
    await installation.begin()
    assert isinstance(await admit(installation), Released)
    await installation.store.close()
    installation._lock.close()


def test_nothing_is_spent_after_a_restore_before_a_person_thaws(place: Path) -> None:
    asyncio.run(ended_hard(place))
    file = backed_up(place)
    with SqliteReader(Paths.of(place).store) as reader:
        kept_size = reader.size()
    asyncio.run(live(place, 5))
    paths = Paths.of(place)
    newest = paths.checkpoint.read_bytes()
    done = restored(place, file)
    assert done.unsettled.dispatched == 1 and done.unsettled.entries == kept_size and done.aside is not None
    assert done.restore.newest is not None and done.restore.newest.size > kept_size

    async def attack() -> None:
        async with running(place) as installation:
            frozen = await admit(installation)
            assert isinstance(frozen, Refused) and frozen.verdict.reasons[0].code == "frozen"
            with pytest.raises(RefusedError, match="frozen"):
                await installation.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
            assert [brake.by for brake in await installation.store.brakes()] == [RESTORE]
            # What was dispatched in the backup is in suspense, and stays held.
            assert {item.state for item in await installation.store.open_reservations()} == {ReservationState.SUSPENSE}
            for reason in ("", "  "):
                with pytest.raises(RefusedError, match="what was reconciled"):
                    await installation.engine.brakes.thaw("acme", by="ann", reason=reason)
            with pytest.raises(RefusedError, match="since a restore"):
                await installation.engine.brakes.freeze("acme", by="mallory", reason="so that a thaw needs no reason")
            await installation.engine.brakes.thaw("acme/ml", by="ann", reason="a narrower scope")
            assert isinstance(await admit(installation), Refused)
            first, second, *_ = await installation.store.entries(after=kept_size - 1)
            assert (first.index, first.document["kind"]) == (kept_size, "store.restored")
            assert second.document["kind"] == "brake.frozen"
            body = first.document["body"]
            assert isinstance(body, dict)
            assert body["epoch"] == 2 and body["newest"]["size"] - body["kept"]["size"] == body["lost_at_least"]
            assert {item.name: item.value for item in await installation.store.private(kept_size)} == {
                "reason": "the disk failed"
            }
        # Neither a restart nor an edit of the file lets go.
        place.write_text(CONFIG.replace("acme", "other"))
        async with running(place) as installation:
            assert isinstance(await admit(installation), Refused)
        place.write_text(CONFIG)
        async with running(place) as installation:
            assert isinstance(await admit(installation), Refused)
            await installation.engine.brakes.thaw("acme", by="ann", reason="compared with the bills")
            assert isinstance(await admit(installation), Released)
        async with running(place) as installation:
            assert isinstance(await admit(installation), Released)

    asyncio.run(attack())
    assert verified()["verified"] is True
    # The log that was lost lies aside, whole.
    with SqliteReader(done.aside / "store.sqlite") as reader:
        assert reader.size() >= done.restore.newest.size
    lost = place.parent / "newest.note"
    lost.write_bytes(newest)
    report = verified("--checkpoint", str(lost))
    assert report["verified"] is False and "of them are lost, which it names" in str(report["problems"])


def test_earlier_checkpoints_prove_what_was_kept_and_the_epochs_are_told(place: Path, tmp_path: Path) -> None:
    asyncio.run(live(place, 1))
    paths = Paths.of(place)
    (tmp_path / "old.note").write_bytes(paths.checkpoint.read_bytes())
    (tmp_path / "old.pub").write_bytes(paths.log_public.read_bytes())
    asyncio.run(live(place, 1))
    file = backed_up(place)
    asyncio.run(live(place, 1))
    for _ in range(2):
        restored(place, file)
        waiting = cli("audit", "verify")
        assert waiting.exit_code == 1 and "start the server" in waiting.stderr
        asyncio.run(frozen(place))
    for key in ([], ["--public-key", str(tmp_path / "old.pub")]):
        report = verified("--checkpoint", str(tmp_path / "old.note"), *key)
        assert report["verified"] is True, report
        assert str(report["origin"]).endswith("/epoch-3")
        assert [epoch["epoch"] for epoch in report["epochs"]] == [3]  # type: ignore[attr-defined]
    told = cli("audit", "verify").stdout
    assert "epoch 3 begins at entry" in told and "newer entries are lost" in told
    export = tmp_path / "log.jsonl"
    assert cli("audit", "export", "-o", str(export), "--checkpoint", str(tmp_path / "old.note")).exit_code == 0
    report = verified(
        str(export), "--public-key", str(tmp_path / "old.pub"), "--checkpoint", str(tmp_path / "old.note")
    )
    assert report["verified"] is True and report["epochs"]


async def frozen(place: Path) -> None:
    async with running(place) as installation:
        assert isinstance(await admit(installation), Refused)


def test_a_silent_rollback_is_still_refused(place: Path) -> None:
    asyncio.run(live(place, 1))
    paths = Paths.of(place)
    older = paths.store.read_bytes()
    asyncio.run(live(place, 1))
    paths.store.write_bytes(older)
    with pytest.raises(StoreError, match="not the one that was signed last"):
        asyncio.run(begun(place))
    # Declared, it is a restore like any other.
    done = restored(place, None)
    assert done.aside is None
    asyncio.run(frozen(place))
    assert verified()["verified"] is True


def test_the_restored_store_cannot_be_swapped_before_it_is_served(place: Path) -> None:
    asyncio.run(live(place, 1))
    paths = Paths.of(place)
    older = paths.store.read_bytes()
    asyncio.run(live(place, 1))
    restored(place, backed_up(place))
    paths.store.write_bytes(older)
    with pytest.raises(StoreError, match="not the one that was restored"):
        asyncio.run(begun(place))


async def begun(place: Path) -> None:
    installation = await open_installation(place)
    try:
        await installation.begin()
    finally:
        await installation.store.close()
        installation._lock.close()


def test_what_was_granted_or_asked_before_is_taken_back(place: Path) -> None:
    async def ask() -> None:
        async with running(place) as installation:
            waiting = samples.approval(1)
            granted = replace(samples.approval(2), state=ApprovalState.APPROVED, grant=GrantState.UNUSED)
            await samples.write(installation.store, Changes(approvals=(waiting, granted)))

    async def look() -> None:
        async with running(place) as installation:
            found = {item.id: item for item in await installation.store.approvals()}
            assert found["approval-1"].state is ApprovalState.WITHDRAWN
            assert found["approval-2"].grant is GrantState.REVOKED

    asyncio.run(ask())
    done = restored(place, backed_up(place))
    assert (done.unsettled.grants, done.unsettled.questions) == (1, 1)
    asyncio.run(look())


def test_a_running_server_and_a_foreign_backup_are_refused(place: Path, tmp_path: Path) -> None:
    asyncio.run(live(place, 1))
    file = backed_up(place)

    async def beside() -> None:
        async with running(place):
            with pytest.raises(UsageError, match="another `comptroller serve`"):
                restored(place, file)
            # A backup beside it is fine.
            await asyncio.to_thread(backed_up, place, name="beside.tar.gz")

    asyncio.run(beside())
    other = tmp_path / "other" / "comptroller.yaml"
    (other.parent / "policies").mkdir(parents=True)
    (other.parent / "policies" / "starter.cedar").write_text(starter_policies(), "utf-8")
    other.write_text(CONFIG)
    asyncio.run(live(other, 1))
    with pytest.raises(VerificationError, match="another installation"):
        restored(other, file)
    asyncio.run(live(other, 1))


def test_a_lost_machine_is_restored_with_its_key(place: Path, tmp_path: Path) -> None:
    asyncio.run(live(place, 1))
    paths = Paths.of(place)
    bare, full = backed_up(place), tmp_path / "full.tar.gz"
    compose_state.make_backup(paths, full, with_keys=True)
    assert full.stat().st_mode & 0o777 == 0o600
    key = paths.log_key.read_bytes()
    paths.folder.rename(tmp_path / "lost")
    with pytest.raises(MissingError, match="log key"):
        restored(place, bare)
    assert not paths.store.exists()
    paths.log_key.write_bytes(key)
    paths.log_key.chmod(0o600)
    restored(place, bare)
    asyncio.run(frozen(place))
    paths.folder.rename(tmp_path / "lost again")
    restored(place, full)
    asyncio.run(frozen(place))
    assert paths.ca_key.read_bytes() == (tmp_path / "lost" / "ca.key").read_bytes()


def test_limits_set_by_hand_come_back_with_the_store(place: Path) -> None:
    async def limits() -> dict[str, int]:
        async with running(place) as installation:
            states = await installation.store.budgets(installation.clock.now())
            return {state.budget.unit.value: state.budget.limit for state in states}

    async def lower() -> None:
        async with running(place) as installation:
            await installation.engine.ledger.set_budget(samples.budget(limit=7), by="ann")

    asyncio.run(lower())
    file = backed_up(place)
    place.write_text(CONFIG.replace("limit: 100", "limit: 90"))
    assert asyncio.run(limits())["calls"] == 90
    place.write_text(CONFIG)
    restored(place, file)
    assert asyncio.run(limits())["calls"] == 7


# ---------------------------------------------------------------- kill -9

STEPS = ("fsync", "link", "rename", "replace", "unlink", "rmdir")


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process that kills itself before its `step`th change of names or sync; True where it was."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(name: str) -> None:
            real = getattr(os, name)

            def change(*arguments: object, **options: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            setattr(os, name, change)

        try:
            for name in STEPS:
                counted(name)
            work()
            os._exit(0)
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def test_a_killed_restore_leaves_the_old_state_or_the_new_one(place: Path, tmp_path: Path) -> None:
    asyncio.run(live(place, 1))
    file = backed_up(place)
    asyncio.run(ended_hard(place))
    folder, saved = Paths.of(place).folder, tmp_path / "saved"
    folder.rename(saved)
    seen = {"old": 0, "new": 0}
    step = 0
    while True:
        os.system(f"cp -a {saved} {folder}")
        again = killed_at(step, lambda: restored(place, file))
        if not (folder / "restored.json").exists():
            asyncio.run(live(place, 1))
            seen["old"] += 1
        else:
            # A server that is killed while it opens the epoch opens it once.
            killed_at(step % 12, lambda: asyncio.run(begun(place)))
            asyncio.run(frozen(place))
            with SqliteReader(folder / "store.sqlite") as reader:
                entries = [entry.document["kind"] for entry in reader.entries(limit=10_000)]
            assert entries.count("store.restored") == 1 and entries.count("brake.frozen") == 1
            seen["new"] += 1
        assert verified()["verified"] is True, step
        os.system(f"rm -rf {folder}")
        if not again:
            break
        step += 1
    assert seen["old"] > 5 and seen["new"] > 5, seen
