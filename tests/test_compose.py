"""One installation, put together and changed while it runs: budgets, policies and settings are taken over as told."""

from __future__ import annotations

import itertools
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from comptroller.compose import Installation, open_installation, starter_policies
from comptroller.core.budget import Budget
from comptroller.core.errors import ConfigError, StoreError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.request import Request
from comptroller.core.window import Window
from comptroller.engine.gatekeeper import Refused
from comptroller.server.place import Paths
from comptroller.server.tally import notice_of

CONFIG = """\
version: 1
organization: acme
teams: {ml: {}}
people: {ann: {groups: [approvers]}}
agents: {bot: {team: ml, owner: ann, purpose: look around}}
budgets:
  - {scope: acme, unit: usd, limit: 50}
  - {scope: acme, unit: calls, limit: 100}
"""

Write = Callable[[str], None]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "starter.cedar").write_text(starter_policies(), "utf-8")
    return tmp_path / "comptroller.yaml"


@pytest.fixture
def write(place: Path) -> Write:
    """Writes the configuration, each time with another time stamp."""
    moments = itertools.count(1_700_000_000)

    def save(text: str) -> None:
        place.write_text(text, "utf-8")
        moment = next(moments)
        os.utime(place, (moment, moment))

    save(CONFIG)
    return save


@asynccontextmanager
async def running(place: Path) -> AsyncIterator[Installation]:
    installation = await open_installation(place)
    try:
        await installation.begin()
        yield installation
    finally:
        await installation.close()


async def limits(installation: Installation) -> dict[str, int]:
    states = await installation.store.budgets(installation.clock.now())
    return {state.budget.unit.value: state.budget.limit for state in states}


async def kinds(installation: Installation) -> list[str]:
    return [str(entry.document["kind"]) for entry in await installation.store.entries(limit=1000)]


async def test_a_limit_set_by_hand_survives_a_restart(place: Path, write: Write) -> None:
    raised = Budget(scope="acme", unit=Unit.USD_MICROS, window=Window.TOTAL, limit=70_000_000)
    async with running(place) as installation:
        assert await limits(installation) == {"usd_micros": 50_000_000, "calls": 100}
        await installation.engine.ledger.set_budget(raised, by="ann")
    async with running(place) as installation:
        assert await limits(installation) == {"usd_micros": 70_000_000, "calls": 100}


async def test_an_edit_of_the_budgets_is_applied_and_is_an_entry(place: Path, write: Write) -> None:
    async with running(place) as installation:
        before = (await kinds(installation)).count("budget.set")
    write(CONFIG.replace("limit: 50}", "limit: 20}"))
    async with running(place) as installation:
        assert (await limits(installation))["usd_micros"] == 20_000_000
        assert (await kinds(installation)).count("budget.set") > before


async def test_an_edit_of_something_else_leaves_the_limits_alone(place: Path, write: Write) -> None:
    async with running(place) as installation:
        budget = Budget(scope="acme", unit=Unit.CALLS, window=Window.TOTAL, limit=7)
        await installation.engine.ledger.set_budget(budget, by="ann")
        write(CONFIG.replace("look around", "look elsewhere"))
        assert await installation.reload()
        assert (await limits(installation))["calls"] == 7


async def test_a_budget_that_left_the_file_stays(place: Path, write: Write) -> None:
    async with running(place):
        pass
    write(CONFIG.replace("  - {scope: acme, unit: calls, limit: 100}\n", ""))
    async with running(place) as installation:
        assert (await limits(installation))["calls"] == 100


async def test_a_broken_edit_leaves_the_old_configuration_in_force(place: Path, write: Write) -> None:
    async with running(place) as installation:
        hash_before = installation.boundary.policy_hash
        write(CONFIG.replace("team: ml", "team: nowhere"))
        with pytest.raises(ConfigError, match="nowhere"):
            await installation.reload()
        write(CONFIG)
        (place.parent / "policies" / "own.cedar").write_text("permit (principal, action, resource);", "utf-8")
        with pytest.raises(ConfigError, match="@id"):
            await installation.reload()
        assert installation.config.agents["bot"].team == "ml"
        assert installation.boundary.policy_hash == hash_before


async def test_a_refused_edit_is_an_entry_and_stands_until_it_is_mended(place: Path, write: Write) -> None:
    async with running(place) as installation:
        await installation.desk.refresh()
        assert installation.desk.complaint == ""
        write(CONFIG.replace("purpose:", "purposes:"))
        await installation.desk.refresh()
        assert "did you mean `purpose`?" in installation.desk.complaint
        write(CONFIG)
        await installation.desk.refresh()
        assert installation.desk.complaint == ""
        assert (await kinds(installation))[-2:] == ["config.refused", "config.loaded"]
        refused = (await installation.store.entries(limit=1000))[-2]
        assert "purposes" not in str(refused.document["body"])


async def test_an_edit_that_could_not_be_recorded_is_tried_again(
    place: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StoreError("the disk is full")

    async with running(place) as installation:
        write(CONFIG.replace("look around", "look elsewhere"))
        with monkeypatch.context() as patch:
            patch.setattr(installation.engine.recorder, "record", full)
            with pytest.raises(StoreError):
                await installation.reload()
        assert installation.config.agents["bot"].purpose == "look around"
        assert await installation.reload()
        assert installation.config.agents["bot"].purpose == "look elsewhere"


async def test_a_full_disk_is_told_to_the_person_and_its_place_to_no_agent(
    place: Path, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> None:
        raise StoreError(f"the store `{place}` failed: disk is full", hint="free some space")

    request = Request(
        scheme="https", method="GET", host="pypi.org", port=443, target="/", headers=(), body=b"", agent="bot", run="r"
    )
    async with running(place) as installation:
        heard: list[tuple[str, object]] = []
        installation.engine.hub.subscribe(lambda kind, summary: heard.append((kind, summary)))
        with monkeypatch.context() as patch:
            patch.setattr(installation.store, "commit", full)
            answer = await installation.engine.gatekeeper.admit(request, hold_seconds=0)
    assert isinstance(answer, Refused) and answer.verdict.reasons[0].code == "store_lost"
    assert str(place) not in answer.message and "until a person has mended it" in answer.message
    (kind, summary), *_ = heard
    assert kind == "store.lost" and isinstance(summary, dict) and summary["run"] == "r"
    notice = notice_of(kind, summary, agent="bot", hosts=(), services=())
    assert notice is not None and notice.text == (
        f"nothing passes: the store `{place}` failed: disk is full\n  next: free some space"
    )


async def test_what_the_gateway_is_built_with_waits_for_a_restart(
    place: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    async with running(place) as installation:
        write(CONFIG.replace("look around", "look elsewhere") + "private: [intranet.example]\n")
        assert await installation.reload()
        assert installation.config.private == ()
        assert installation.config.agents["bot"].purpose == "look elsewhere"
        told = capsys.readouterr().err
        assert "private" in told and "will change when `serve` is started anew" in told


BANK = "version: 1\nhosts: [api.bank.example]\noperations:\n  POST /v1/pay: pay.create pay\n  GET /v1/pay: pay.list\n"


async def test_a_described_service_is_judged_by_its_description_and_a_change_waits_for_a_restart(
    place: Path, write: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = place.parent / "services"
    folder.mkdir()
    (folder / "bank.yaml").write_text(BANK)
    write(CONFIG.replace("look around}", "look around, services: [bank]}"))
    (place.parent / "policies" / "own.cedar").write_text(
        '@id("own") forbid (principal, action == Comptroller::Action::"bank:pay.list", resource);'
    )
    asked = Request(
        scheme="https", method="POST", host="api.bank.example", port=443, target="/v1/pay", headers=(), body=b"",
        agent="bot", run="r",
    )  # fmt: skip
    async with running(place) as installation:
        action, verdict = installation.engine.gatekeeper.preview(asked)
        assert (action.operation, verdict.kind.value) == ("bank:pay.create", "require_approval")
        assert not await installation.reload()
        (folder / "bank.yaml").write_text(BANK.replace("pay.create pay", "pay.create read"))
        (folder / "more.yaml").write_text(BANK.replace("api.bank", "api.more"))
        assert await installation.reload()
        assert "services/ will change when `serve` is started anew" in capsys.readouterr().err
        assert installation.engine.gatekeeper.preview(asked)[1].kind.value == "require_approval"
        (folder / "more.yaml").write_text("version: 1\nhosts: []\n")
        with pytest.raises(ConfigError, match=r"more\.yaml:2"):
            await installation.reload()
    (folder / "more.yaml").write_text(BANK)
    with pytest.raises(ConfigError, match="is that of `bank` and of `more`"):
        await open_installation(place)


async def test_a_second_serve_is_told_which_one_to_end(place: Path, write: Write) -> None:
    async with running(place):
        with pytest.raises(UsageError, match="another `comptroller serve`") as caught:
            await open_installation(place)
    assert str(os.getpid()) in caught.value.hint


async def test_an_older_copy_of_the_log_is_refused(place: Path, write: Write) -> None:
    async with running(place):
        pass
    store = Paths.of(place).store
    kept = store.read_bytes()
    async with running(place):
        pass
    store.write_bytes(kept)
    installation = await open_installation(place)
    try:
        with pytest.raises(StoreError, match="not the one that was signed last"):
            await installation.begin()
    finally:
        await installation.store.close()
        installation._lock.close()


async def test_a_log_without_its_key_is_not_given_a_new_one(place: Path, write: Write) -> None:
    async with running(place):
        pass
    Paths.of(place).log_key.unlink()
    with pytest.raises(StoreError, match="is missing beside an existing log"):
        await open_installation(place)
