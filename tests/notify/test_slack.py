"""Slack, through the real slack-bolt against a workspace on this machine: who may answer there, and who not."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from tests.notify.notify_kit import Told, notifying, told, until
from tests.server.server_kit import ME

from comptroller.core.approval import ApprovalState, Assurance, Person
from comptroller.core.verdict import Obligation
from comptroller.notify.slack import APPROVE, REJECT
from comptroller.testing.slack_server import APP_TOKEN, BOT_TOKEN, FakeSlack

MEMBER, STRANGER = "U0ME", "U0OTHER"


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as made:
        yield made


def channel(slack: FakeSlack) -> dict[str, object]:
    def secret(name: str) -> dict[str, str]:
        return {"source": "env", "variable": name}

    tokens = {"bot_token": secret("BOT"), "app_token": secret("APP")}
    return {"kind": "slack", "channel": "C0OPS", "api": slack.api, **tokens}


@pytest.fixture
async def t(tmp_path: Path, slack: FakeSlack) -> AsyncIterator[Told]:
    people = {
        ME: {"groups": ["approvers"], "slack": MEMBER},
        "dana": {"groups": ["approvers"], "roles": ["viewer"], "slack": "U0VIEWER"},
        "eve": {"groups": ["finance"], "slack": "U0FINANCE"},
    }
    config = notifying({"ops": channel(slack)}, [{"channels": ["ops"]}])
    config = config.model_validate({**config.model_dump(by_alias=True), "people": people})
    async with told(tmp_path, config, environment={"BOT": BOT_TOKEN, "APP": APP_TOKEN}) as made:
        yield made


async def posted(slack: FakeSlack, count: int = 1) -> Mapping[str, Any]:
    await until(lambda: len(slack.called("chat.postMessage")) >= count)
    return slack.called("chat.postMessage")[count - 1]


async def settled(t: Told) -> None:
    await until(lambda: t.notifier.status()["waiting"] == 0)


async def state(t: Told, approval: str) -> ApprovalState:
    found = await t.place.store.approval(approval)
    assert found is not None
    return found.state


async def test_a_yes_by_button(t: Told, slack: FakeSlack) -> None:
    held = await t.place.held(await t.place.run())
    message = await posted(slack)
    await settled(t)
    assert message["channel"] == "C0OPS"
    assert "start 2 x m8g.large" in message["blocks"][0]["text"]["text"]
    await asyncio.to_thread(slack.press, message, APPROVE, user=MEMBER)
    await until(lambda: slack.called("chat.update"))
    found = await t.place.store.approval(held.id)
    assert found is not None and found.state is ApprovalState.APPROVED
    (vote,) = found.votes
    assert vote.person == ME and vote.assurance is Assurance.CHAT
    (update,) = slack.called("chat.update")
    assert update["ts"] == message["ts"]
    assert not [block for block in update["blocks"] if block["type"] == "actions"]
    assert f"approved by {ME}" in str(update["blocks"])
    entries = await t.place.store.entries(limit=1000)
    (yes,) = [each.document["body"] for each in entries if each.document["kind"] == "approval.approved"]
    assert yes["via"] == f"slack:{MEMBER}"


async def test_a_no_needs_its_reason(t: Told, slack: FakeSlack) -> None:
    held = await t.place.held(await t.place.run())
    message = await posted(slack)
    await settled(t)
    await asyncio.to_thread(slack.press, message, REJECT, user=MEMBER)
    await until(lambda: slack.called("views.open"))
    view = slack.called("views.open")[0]["view"]
    wrong = await asyncio.to_thread(slack.submit, view, "   ", user=MEMBER)
    assert wrong["response_action"] == "errors" and await state(t, held.id) is ApprovalState.PENDING
    await asyncio.to_thread(slack.submit, view, "take the smaller one", user=MEMBER)
    found = await t.place.store.approval(held.id)
    assert found is not None and found.state is ApprovalState.REJECTED and found.comment == "take the smaller one"
    again = await asyncio.to_thread(slack.submit, view, "twice", user=MEMBER)
    assert again["response_action"] == "errors"


@pytest.mark.parametrize("member", [STRANGER, "U0VIEWER", "U0FINANCE", ""])
async def test_nobody_else_answers(t: Told, slack: FakeSlack, member: str) -> None:
    held = await t.place.held(await t.place.run())
    message = await posted(slack)
    await settled(t)
    await asyncio.to_thread(slack.press, message, APPROVE, user=member)
    await until(lambda: slack.called("chat.postEphemeral"))
    await asyncio.to_thread(slack.press, message, REJECT, user=member)
    await until(lambda: slack.called("views.open"))
    view = slack.called("views.open")[0]["view"]
    assert (await asyncio.to_thread(slack.submit, view, "no", user=member))["response_action"] == "errors"
    assert await state(t, held.id) is ApprovalState.PENDING


async def test_only_our_own_message_about_this_question_counts(t: Told, slack: FakeSlack) -> None:
    run = await t.place.run()
    first = await t.place.held(run, sentence="start one")
    second = await t.place.held(run, sentence="start another", quantity=9)
    one = await posted(slack, 1)
    await posted(slack, 2)
    await settled(t)
    forged = [
        ({**one, "ts": "1600000000.000001"}, first.id),
        ({**one, "channel": "C0ELSEWHERE"}, first.id),
        ({**one, "ts": ""}, first.id),
        (one, second.id),
        (one, "01900000-0000-7000-8000-999999999999"),
        (one, ""),
    ]
    for count, (message, value) in enumerate(forged, 1):
        await asyncio.to_thread(slack.press, message, APPROVE, user=MEMBER, value=value)
        await until(lambda count=count: len(slack.called("chat.postEphemeral")) == count)
    assert await state(t, first.id) is await state(t, second.id) is ApprovalState.PENDING


async def test_a_question_for_a_passkey_has_no_buttons_and_takes_no_answer(t: Told, slack: FakeSlack) -> None:
    strong = Obligation(rule="pay", reason="money", assurance="passkey")
    held = await t.place.held(await t.place.run(), obligations=(strong,))
    message = await posted(slack)
    await settled(t)
    assert not [block for block in message["blocks"] if block["type"] == "actions"]
    await asyncio.to_thread(slack.press, message, APPROVE, user=MEMBER, value=held.id)
    await until(lambda: slack.called("chat.postEphemeral"))
    assert "passkey" in slack.called("chat.postEphemeral")[0]["text"]
    found = await t.place.store.approval(held.id)
    assert found is not None and not found.votes


async def test_an_unknown_cost_cannot_be_approved_by_a_button(t: Told, slack: FakeSlack) -> None:
    held = await t.place.held(await t.place.run(), usd_micros=None)
    message = await posted(slack)
    await settled(t)
    ids = [e["action_id"] for b in message["blocks"] if b["type"] == "actions" for e in b["elements"]]
    assert ids == [REJECT]
    await asyncio.to_thread(slack.press, message, APPROVE, user=MEMBER, value=held.id)
    await until(lambda: slack.called("chat.postEphemeral"))
    assert await state(t, held.id) is ApprovalState.PENDING


async def test_an_answer_given_elsewhere_takes_the_buttons_away(t: Told, slack: FakeSlack) -> None:
    held = await t.place.held(await t.place.run())
    message = await posted(slack)
    await settled(t)
    you = Person(name="pat", groups=frozenset({"approvers"}), via="uid:5")
    await t.place.desk.approvals.reject(held.id, you, comment="not today")
    await until(lambda: slack.called("chat.update"))
    (update,) = slack.called("chat.update")
    assert update["ts"] == message["ts"] and "rejected by pat: not today" in str(update["blocks"])
    await asyncio.to_thread(slack.press, message, APPROVE, user=MEMBER)
    await until(lambda: slack.called("chat.postEphemeral"))
    assert await state(t, held.id) is ApprovalState.REJECTED


async def test_what_an_agent_writes_has_no_effect_there(t: Told, slack: FakeSlack) -> None:
    hostile = "pay <!channel> <@U0ME> *now* <https://evil.example|see> & https://evil.example @everyone \u202egpj"
    await t.place.held(await t.place.run(), sentence=hostile)
    message = await posted(slack)
    shown = str(message["blocks"])
    assert "'mrkdwn'" not in shown and "\u202e" not in shown and "<U+202E>" in shown
    assert "https://evil" not in shown and "https[:]//evil" in shown
    assert "<!channel>" not in message["text"] and "&lt;!channel&gt;" in message["text"]


async def test_after_a_restart_the_buttons_still_work(t: Told, slack: FakeSlack, tmp_path: Path) -> None:
    held = await t.place.held(await t.place.run())
    message = await posted(slack)
    await settled(t)
    await t.notifier.close()
    slack._connected.clear()
    async with told(tmp_path, t.config, place=t.place, environment={"BOT": BOT_TOKEN, "APP": APP_TOKEN}):
        await asyncio.to_thread(slack.press, message, APPROVE, user=MEMBER)
        await until(lambda: slack.called("chat.update"))
        assert await state(t, held.id) is ApprovalState.APPROVED
    assert len(slack.called("chat.postMessage")) == 1


async def test_a_wrong_token_is_named_and_not_shown(tmp_path: Path, slack: FakeSlack) -> None:
    config = notifying({"ops": channel(slack)}, [{"channels": ["ops"]}])
    async with told(tmp_path, config, environment={"BOT": "xoxb-wrong-secret", "APP": APP_TOKEN}) as t:
        await until(lambda: t.notifier.status()["channels"][0]["last_failure"])
        failure = t.notifier.status()["channels"][0]["last_failure"]
    assert failure == "Slack answered invalid_auth"
