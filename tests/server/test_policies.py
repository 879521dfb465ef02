"""Policies edited through a running installation: checked by the loader that enforces, tried, put in force by name."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml

from comptroller.boundary import PolicyError
from comptroller.compose import Installation, open_installation, starter_policies
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.approval import Assurance, Person
from comptroller.core.errors import ComptrollerError, ConfigError, RefusedError, StoreError, UsageError
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.role import Role
from comptroller.engine.sequencer import Proposal
from comptroller.server.identity import Caller
from comptroller.server.operations import ForbiddenError, NotFoundError
from comptroller.server.policies import Policies, policies_of
from comptroller.server.policy_files import DIFF_CHARS_MAX, EDITED_CHARS_MAX, PolicyEdit, diff_text, set_hash

CONFIG = {
    "version": 1,
    "organization": "acme",
    "teams": {"ml": {}},
    "people": {"ann": {"groups": ["approvers"]}},
    "agents": {"bot": {"team": "ml", "owner": "ann", "purpose": "look around", "services": ["aws:ec2"]}},
    "budgets": [{"scope": "acme", "unit": "usd", "limit": 50}, {"scope": "acme", "unit": "calls", "limit": 100}],
}
NO_WRITES = '@id("no-writes")\nforbid (principal, action in Comptroller::Action::"write", resource);\n'


def caller(name: str, *roles: Role) -> Caller:
    person = Person(name=name, groups=frozenset(), via="session:1", assurance=Assurance.SESSION)
    return Caller(person=person, roles=frozenset(roles))


EVA, VIC = caller("eva", Role.POLICY_AUTHOR), caller("vic", Role.VIEWER, Role.OPERATOR, Role.APPROVER)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "starter.cedar").write_text(starter_policies(), "utf-8")
    (tmp_path / "comptroller.yaml").write_text(yaml.safe_dump(CONFIG), "utf-8")
    return tmp_path / "comptroller.yaml"


@pytest.fixture
async def installation(config: Path) -> AsyncIterator[Installation]:
    opened = await open_installation(config)
    try:
        await opened.begin()
        yield opened
    finally:
        await opened.close()


@pytest.fixture
async def policies(installation: Installation) -> AsyncIterator[Policies]:
    made = Policies(desk=installation.desk)
    yield made
    await made.close()


async def act(installation: Installation, of: ActionClass, *, usd_micros: int = 0) -> None:
    """One action of a fresh run, decided for real."""
    run = await installation.engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    action = Action(
        operation=f"aws:ec2:{of.value}",
        service="aws:ec2",
        classes=frozenset({of}),
        endpoint="ec2.us-east-1.amazonaws.com",
        agent="bot",
        run=run.id,
    )
    estimate = Estimate(bounds={Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=usd_micros)})
    result = installation.boundary.evaluate(action, estimate)
    proposal = Proposal(action=action, digest=digest(action), estimate=estimate, boundary=result, sentence=of.value)
    await installation.engine.sequencer.admit(proposal)


async def loaded(installation: Installation) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Body and private fields of every `config.loaded` entry."""
    found = []
    for entry in await installation.store.entries(limit=1000):
        if entry.document["kind"] == "config.loaded":
            private = {item.name: item.value for item in await installation.store.private(entry.index)}
            found.append((dict(entry.document["body"]), private))  # type: ignore[call-overload]
    return found


async def test_an_edit_is_in_force_with_an_entry_of_who_why_and_what(
    installation: Installation, policies: Policies, config: Path
) -> None:
    before = await policies.files()
    done = await policies.apply(EVA, name="own.cedar", text=NO_WRITES, expected=str(before["set"]), reason="a freeze")
    ((body, private),) = await loaded(installation)
    assert (body["by"], body["via"]) == ("eva", "session:1")
    assert body["policies_before"] == before["in_force"] == done["policies_before"]
    assert body["policies"] == installation.boundary.policy_hash == done["policies"] != before["in_force"]
    assert list(body["files"]) == ["own.cedar"] and body["files"]["own.cedar"][0] == ""
    assert private["reason"] == "a freeze" and "+forbid (principal" in str(private["diff"])
    assert (config.parent / "policies" / "own.cedar").read_text() == NO_WRITES
    assert "no-writes" in {rule.id for rule in installation.boundary.rules}
    assert not await installation.reload(), "it is in force: nothing is left to be taken over"
    (told,) = (await policies.history())["changes"]  # type: ignore[misc]
    assert told["body"]["by"] == "eva"


async def test_a_file_edited_by_hand_is_told_with_its_owner(installation: Installation, config: Path) -> None:
    (config.parent / "policies" / "own.cedar").write_text(NO_WRITES)
    assert await installation.reload()
    ((body, private),) = await loaded(installation)
    assert body["via"] == "file" and body["by"], "whoever owns the file"
    assert "reason" not in private and "no-writes" in str(private["diff"])


async def test_what_changed_meanwhile_is_not_overwritten(
    installation: Installation, policies: Policies, config: Path
) -> None:
    seen = str((await policies.files())["set"])
    starter = config.parent / "policies" / "starter.cedar"
    starter.write_text(starter.read_text() + "\n// somebody else\n")
    with pytest.raises(RefusedError, match="somebody else"):
        await policies.apply(EVA, name="starter.cedar", text=NO_WRITES, expected=seen, reason="x", widen=True)
    assert starter.read_text().endswith("// somebody else\n") and await loaded(installation) == []


async def test_rules_that_cannot_be_used_are_never_written(
    installation: Installation, policies: Policies, config: Path
) -> None:
    seen = str((await policies.files())["set"])
    before = installation.boundary.policy_hash
    with pytest.raises(PolicyError, match="@id"):
        await installation.desk.rules.apply(  # type: ignore[union-attr]
            PolicyEdit(
                name="own.cedar", text="permit (principal, action, resource);", expected=seen, by="", via="", reason=""
            )
        )
    with pytest.raises(PolicyError, match="@id"):
        await policies.apply(
            EVA, name="own.cedar", text="permit (principal, action, resource);", expected=seen, reason="x"
        )
    assert not (config.parent / "policies" / "own.cedar").exists()
    assert installation.boundary.policy_hash == before and installation.desk.complaint == ""


async def test_an_edit_that_cannot_be_recorded_leaves_the_file_as_it_was(
    installation: Installation, policies: Policies, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def full(*_: object, **__: object) -> int:
        raise StoreError("the disk is full")

    seen, before = str((await policies.files())["set"]), installation.boundary.policy_hash
    starter = config.parent / "policies" / "starter.cedar"
    starter.chmod(0o640)
    text = starter.read_text()
    with monkeypatch.context() as patch:
        patch.setattr(installation.engine.recorder, "record", full)
        for name in ("starter.cedar", "own.cedar"):
            with pytest.raises(StoreError):
                await policies.apply(EVA, name=name, text=NO_WRITES, expected=seen, reason="x", widen=True)
    assert starter.read_text() == text and installation.boundary.policy_hash == before
    assert [file.name for file in sorted(starter.parent.iterdir())] == ["starter.cedar"], "no rests either"
    await policies.apply(EVA, name="starter.cedar", text=text + "// mine\n", expected=seen, reason="a comment")
    assert starter.stat().st_mode & 0o777 == 0o640, "it keeps its rights"
    assert (await loaded(installation))[-1][0]["by"] == "eva", "a comment is a change too"


async def test_a_broken_configuration_stops_an_edit_as_well(
    installation: Installation, policies: Policies, config: Path
) -> None:
    seen = str((await policies.files())["set"])
    config.write_text("version: 2\n")
    with pytest.raises(ConfigError):
        await policies.apply(EVA, name="own.cedar", text=NO_WRITES, expected=seen, reason="x")
    assert not (config.parent / "policies" / "own.cedar").exists()


@pytest.mark.parametrize(
    "name", ["../x.cedar", "x.txt", "", ".cedar", "a/b.cedar", "x.cedar\n", "-x.cedar", "a" * 70 + ".cedar"]
)
async def test_only_a_policy_file_of_this_folder_is_written(policies: Policies, name: str, config: Path) -> None:
    seen = str((await policies.files())["set"])
    before = sorted(config.parent.rglob("*"))
    with pytest.raises(UsageError):
        await policies.apply(EVA, name=name, text=NO_WRITES, expected=seen, reason="x")
    assert sorted(config.parent.rglob("*")) == before


async def test_a_link_is_not_followed(policies: Policies, config: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.txt"
    elsewhere.write_text(NO_WRITES)
    (config.parent / "policies" / "link.cedar").symlink_to(elsewhere)
    seen = str((await policies.files())["set"])
    with pytest.raises(ConfigError, match="no ordinary file"):
        await policies.apply(EVA, name="link.cedar", text=NO_WRITES + "// x", expected=seen, reason="x")
    assert elsewhere.read_text() == NO_WRITES


async def test_only_a_policy_author_may(policies: Policies) -> None:
    seen = str((await policies.files())["set"])
    for asked in (
        policies.check(VIC, name="own.cedar", text=NO_WRITES),
        policies.what_if(VIC, name="own.cedar", text=NO_WRITES, days=7),
        policies.suggest(VIC, days=7),
        policies.apply(VIC, name="own.cedar", text=NO_WRITES, expected=seen, reason="x"),
    ):
        with pytest.raises(ForbiddenError):
            await asked
    for reason in ("", "  ", "x" * 501):
        with pytest.raises(UsageError):
            await policies.apply(EVA, name="own.cedar", text=NO_WRITES, expected=seen, reason=reason)
    with pytest.raises(UsageError, match="24,000"):
        await policies.check(EVA, name="own.cedar", text="/" * (EDITED_CHARS_MAX + 1))


async def test_a_check_tells_place_and_suggestion_and_what_may_widen(policies: Policies) -> None:
    wrong = NO_WRITES.replace("resource);", 'resource) when { context.regoin == "x" };')
    told = await policies.check(EVA, name="own.cedar", text=wrong.replace("\n", "\r\n"))
    problem = told["problems"][0]  # type: ignore[index]
    assert not told["ok"] and (problem["file"], problem["line"], problem["length"]) == ("own.cedar", 2, 6)
    assert problem["write"] == "`context.region`"
    good = await policies.check(EVA, name="own.cedar", text=NO_WRITES)
    assert good["ok"] and not good["may_widen"]
    gone = await policies.check(EVA, name="starter.cedar", text='@id("all") permit (principal, action, resource);')
    assert gone["ok"] and gone["may_widen"]
    assert {"rule": "all", "change": "added", "may_widen": True, "why": "it permits more"} in gone["changes"]  # type: ignore[operator]


async def test_what_may_widen_is_applied_only_by_who_says_to_know(
    installation: Installation, policies: Policies
) -> None:
    seen = str((await policies.files())["set"])
    wider = '@id("all") permit (principal, action, resource);'
    with pytest.raises(RefusedError, match="because of all"):
        await policies.apply(EVA, name="own.cedar", text=wider, expected=seen, reason="x")
    await policies.apply(EVA, name="own.cedar", text=wider, expected=seen, reason="x", widen=True)
    assert "all" in {rule.id for rule in installation.boundary.rules}
    assert policies_of(installation.desk) is policies_of(installation.desk)


async def test_what_if_runs_beside_the_server_and_changes_nothing(
    installation: Installation, policies: Policies
) -> None:
    for of in (ActionClass.READ, ActionClass.WRITE, ActionClass.WRITE):
        await act(installation, of, usd_micros=1000)
    entries = await installation.store.size()
    trial = await policies.what_if(EVA, name="own.cedar", text=NO_WRITES, days=7)
    with pytest.raises(RefusedError, match="`eva` is trying"):
        await policies.what_if(EVA, name="own.cedar", text=NO_WRITES, days=7)
    await policies.trials.wait()
    assert trial.state == "done", trial.complaint
    assert (trial.found["actions"], trial.found["changed"], trial.found["wider"]) == (3, 2, 0)
    assert policies.trial(trial.id) is trial and await installation.store.size() == entries
    with pytest.raises(NotFoundError):
        policies.trial("other")


def children() -> list[str]:
    """Our own processes."""
    found = Path(f"/proc/{os.getpid()}/task").glob("*/children")
    return [child for each in found for child in each.read_text().split()]


async def test_a_trial_can_be_cancelled_and_its_process_ends(installation: Installation, policies: Policies) -> None:
    trial = await policies.what_if(EVA, name="own.cedar", text=NO_WRITES, days=7)
    await policies.cancel(EVA, trial.id)
    assert trial.state == "cancelled"
    begun = await policies.what_if(EVA, name="own.cedar", text=NO_WRITES, days=7)
    while not children():
        await asyncio.sleep(0.01)
    await policies.cancel(EVA, begun.id)
    assert begun.state == "cancelled" and not children()
    again = await policies.what_if(EVA, name="own.cedar", text=NO_WRITES, days=7)
    await policies.trials.wait()
    assert again.state == "done", again.complaint
    assert not children()


async def test_each_rule_is_shown_with_what_it_did(installation: Installation, policies: Policies) -> None:
    await act(installation, ActionClass.READ)
    await act(installation, ActionClass.PROVISION, usd_micros=5)
    told = await policies.overview()
    rows = {row["rule"]: row for row in told["rules"]}  # type: ignore[attr-defined]
    assert rows["read-and-write"]["week"]["actions"]["allowed"] == 1 and not rows["read-and-write"]["unused"]
    assert rows["provision"]["effect"] == "ask" and rows["provision"]["week"]["usd_micros"] == {"asked": 5}
    assert rows["infer"]["unused"] and rows["infer"]["file"] == "starter.cedar"
    assert told["read"] == told["to_read"]
    await act(installation, ActionClass.READ)
    rows = {row["rule"]: row for row in (await policies.overview())["rules"]}  # type: ignore[attr-defined]
    assert [day["actions"]["allowed"] for day in rows["read-and-write"]["days"]] == [0, 0, 0, 0, 0, 0, 2]


async def test_a_log_that_is_long_is_read_behind_the_page(
    installation: Installation, policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("comptroller.server.rule_log.AT_ONCE_ENTRIES", 2)
    monkeypatch.setattr("comptroller.server.rule_log.PAGE_ENTRIES", 3)
    for _ in range(8):
        await act(installation, ActionClass.READ)
    read, total = await policies.log.refresh()
    assert read == 3 and total == await installation.store.size()
    assert policies.log._behind is not None
    await policies.log._behind
    told = await policies.overview()
    assert told["read"] == told["to_read"]
    rows = {row["rule"]: row for row in told["rules"]}  # type: ignore[attr-defined]
    assert rows["read-and-write"]["week"]["actions"]["allowed"] == 8


async def test_only_the_last_days_are_read(
    installation: Installation, policies: Policies, monkeypatch: pytest.MonkeyPatch
) -> None:
    for _ in range(3):
        await act(installation, ActionClass.READ)
    now = installation.clock.now()
    monkeypatch.setattr(type(installation.clock), "now", lambda _: now + timedelta(days=40))
    old = await installation.store.size()
    await act(installation, ActionClass.WRITE)
    await policies.log.refresh()
    assert policies.log.begin == old
    assert policies.log.use.of("read-and-write", policies.log.use.since).total == 1


async def test_without_policies_of_its_own_a_server_says_so(installation: Installation) -> None:
    installation.desk.rules = None
    with pytest.raises(ComptrollerError, match="not edited here"):
        await Policies(desk=installation.desk).check(EVA, name="own.cedar", text=NO_WRITES)
    assert (await Policies(desk=installation.desk).files())["files"] == []


def test_a_long_difference_is_cut_and_says_so(config: Path) -> None:
    from comptroller.boundary import PolicyText

    after = PolicyText(file="a.cedar", text="\n".join(f"// {number}" for number in range(20_000)))
    told = diff_text([PolicyText(file="a.cedar", text="")], [after])
    assert len(told) < DIFF_CHARS_MAX + 100 and "… cut" in told
    assert set_hash([after]) != set_hash([PolicyText(file="b.cedar", text=after.text)])
