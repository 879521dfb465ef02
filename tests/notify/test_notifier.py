"""From the entry to the receiver: routes, quiet, digests, equal questions, failures, restarts; over real sockets."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.notify.notify_kit import Receiver, notifying, told, until, webhook
from tests.server.server_kit import ME

from comptroller.core.approval import Person
from comptroller.core.document import Document
from comptroller.core.errors import ComptrollerError
from comptroller.engine.hub import Hub
from comptroller.stores.memory import MemoryStore

YOU = Person(name="dana", groups=frozenset({"approvers"}), via="uid:1")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def other() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


async def test_a_question_and_its_answer_are_told(tmp_path: Path, receiver: Receiver) -> None:
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"]}])
    async with told(tmp_path, config) as t:
        held = await t.place.held(await t.place.run())
        await until(lambda: len(receiver.seen) == 1)
        (asked,) = receiver.bodies
        assert asked["event"] == "asked" and asked["question"]["id"] == held.id
        assert asked["question"]["usd_micros"] == 4_000_000
        assert asked["title"] == "research asks: start 2 x m8g.large in us-east-1"
        assert {"name": "who may answer", "value": "approvers"} in asked["facts"]
        assert asked["command"] == f"comptroller approvals show {held.id}"
        await t.place.desk.approvals.reject(held.id, YOU, comment="use the smaller one")
        await until(lambda: len(receiver.seen) == 2)
        answered = receiver.bodies[1]
        assert answered["event"] == "answered"
        assert answered["lines"] == ["rejected by dana: use the smaller one"]
        await until(lambda: t.notifier.status()["channels"][0]["sent"] == 2)
        assert t.notifier.status()["waiting"] == 0


async def test_routes_narrow_by_group_class_cost_agent_and_event(tmp_path: Path, receiver: Receiver) -> None:
    routes = [
        {"channels": ["dear"], "events": ["asked"], "usd_min": 5},
        {"channels": ["none"], "events": ["asked"], "groups": ["finance"]},
        {"channels": ["paid"], "events": ["asked"], "classes": ["pay"]},
        {"channels": ["frozen"], "events": ["frozen"], "groups": ["finance"]},
    ]
    hooks = {name: webhook(f"{receiver.url}/{name}") for name in ("dear", "none", "paid", "frozen")}
    async with told(tmp_path, notifying(hooks, routes)) as t:
        run = await t.place.run()
        await t.place.held(run)
        dear = await t.place.held(run, quantity=9, usd_micros=9_000_000, sentence="start nine")
        unknown = await t.place.held(run, quantity=8, usd_micros=None, sentence="start eight")
        await t.place.desk.brakes.freeze(run.path, by=ME, reason="enough")
        await until(lambda: len(receiver.seen) == 3)
        pairs = zip(receiver.seen, receiver.bodies, strict=True)
        found = {(each.path.rsplit("/")[-1], body["event"]) for each, body in pairs}
        assert found == {("dear", "asked"), ("frozen", "frozen")}
        questions = {body["question"]["id"] for body in receiver.bodies if body["question"]}
        assert questions == {dear.id, unknown.id}
        status = {row["channel"]: row for row in t.notifier.status()["channels"]}
    assert status["none"]["waiting"] == status["paid"]["waiting"] == 0


async def test_it_is_tried_again_and_counted(tmp_path: Path, receiver: Receiver) -> None:
    receiver.status = 503
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"], "events": ["asked"]}])
    async with told(tmp_path, config) as t:
        await t.place.held(await t.place.run())
        await until(lambda: t.notifier.status()["channels"][0]["retrying"])
        row = t.notifier.status()["channels"][0]
        assert row["why"] == "the receiver answered with status 503" and row["waiting"] == 1
        receiver.status = 204
        t.ahead(minutes=5)
        t.notifier.poke()
        await until(lambda: t.notifier.status()["channels"][0]["sent"] == 1)
    first, last = receiver.seen[0], receiver.seen[-1]
    assert first.headers["webhook-id"] == last.headers["webhook-id"]
    assert len(receiver.seen) >= 2


async def test_what_cannot_be_delivered_becomes_an_entry(tmp_path: Path, receiver: Receiver, other: Receiver) -> None:
    receiver.status = 500
    routes = [{"channels": ["hook"], "events": ["frozen"]}, {"channels": ["mail", "hook"], "events": ["undelivered"]}]
    config = notifying({"hook": webhook(receiver.url), "mail": webhook(other.url)}, routes)
    async with told(tmp_path, config) as t:
        run = await t.place.run()
        await t.place.desk.brakes.freeze(run.path, by=ME, reason="enough")
        hook = lambda: t.notifier.status()["channels"][0]  # noqa: E731
        await until(lambda: hook()["retrying"])
        t.ahead(hours=25)
        await t.place.desk.brakes.thaw(run.path, by=ME, reason="")
        t.notifier.poke()
        await until(lambda: hook()["failed"] == 1)
        await until(lambda: other.seen)
    (body,) = other.bodies
    assert body["event"] == "undelivered"
    assert "frozen to hook · the receiver answered with status 500" in body["title"]
    entries = await t.place.store.entries(limit=1000)
    (failed,) = [each.document for each in entries if each.document["kind"] == "delivery.failed"]
    assert failed["body"]["channel"] == "hook" and failed["body"]["attempts"] == 2


async def test_a_channel_that_hangs_delays_no_other(tmp_path: Path, receiver: Receiver, other: Receiver) -> None:
    receiver.gate.clear()
    config = notifying({"slow": webhook(receiver.url), "quick": webhook(other.url)}, [{"channels": ["slow", "quick"]}])
    async with told(tmp_path, config) as t:
        run = await t.place.run()
        for number in range(5):
            await t.place.held(run, quantity=number + 1, sentence=f"start {number}")
        await until(lambda: len(other.seen) == 5)
        assert not receiver.seen
        assert t.notifier.status()["waiting"] == 5
        receiver.gate.set()
        await until(lambda: len(receiver.seen) == 5)


async def test_equal_questions_are_one_message(tmp_path: Path, receiver: Receiver) -> None:
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"], "events": ["asked"]}])
    async with told(tmp_path, config) as t:
        run = await t.place.run()
        first, *more = [await t.place.held(run, parameters={"InstanceType": "m8g.large", "N": n}) for n in range(5)]
        await until(lambda: t.notifier.status()["waiting"] == 0 and receiver.seen)
        assert [body["question"]["id"] for body in receiver.bodies] == [first.id]
        # Once the first is answered the others are not forgotten: one message stands for them.
        await t.place.desk.approvals.reject(first.id, YOU, comment="no")
        await until(lambda: len(receiver.seen) == 2)
        again = receiver.bodies[1]
        assert again["question"]["id"] == more[0].id
        assert again["lines"] == ["and 3 more questions just like it"]


async def test_what_was_answered_before_it_was_told_is_not_told(tmp_path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"], "events": ["asked"]}])
    async with told(tmp_path, config) as t:
        held = await t.place.held(await t.place.run())
        await until(lambda: receiver.seen)
        await t.place.desk.approvals.reject(held.id, YOU, comment="no")
        receiver.status = 200
        sent = len(receiver.seen)
        t.ahead(minutes=5)
        t.notifier.poke()
        await until(lambda: t.notifier.status()["channels"][0]["overtaken"] == 1)
    assert len(receiver.seen) == sent


async def test_a_digest_gathers_and_what_is_urgent_passes(tmp_path: Path, receiver: Receiver) -> None:
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"], "digest": "15m"}])
    async with told(tmp_path, config) as t:
        run = await t.place.run()
        for number in range(3):
            await t.place.held(run, quantity=number + 1, sentence=f"start number {number}")
        await t.place.desk.brakes.freeze(run.path, by=ME, reason="stop it")
        await until(lambda: len(receiver.seen) == 1)
        assert receiver.bodies[0]["event"] == "frozen" and receiver.bodies[0]["urgent"] is True
        assert "stop it" in receiver.bodies[0]["title"]
        await until(lambda: t.notifier.status()["waiting"] == 1)
        t.ahead(minutes=15)
        t.notifier.poke()
        await t.place.desk.brakes.thaw(run.path, by=ME, reason="")
        await until(lambda: len(receiver.seen) == 2)
    digest = receiver.bodies[1]
    assert digest["title"] == "3 things happened" and "number 2" in digest["lines"][2]


async def test_a_question_that_runs_out_is_told_again_through_quiet_hours(tmp_path: Path, receiver: Receiver) -> None:
    now = datetime.now(UTC)
    begins, ends = (f"{now + timedelta(hours=hours):%H:%M}" for hours in (-2, 6))
    quiet = {"from": begins, "until": ends, "zone": "UTC"}
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"], "quiet_hours": quiet}])
    async with told(tmp_path, config) as t:
        held = await t.place.held(await t.place.run())
        await until(lambda: t.notifier.status()["waiting"] == 1)
        assert not receiver.seen
        left = held.expires_at - t.place.clock.now()
        t.ahead(seconds=left.total_seconds() - 30)
        await t.notifier.tick()
        await t.notifier.tick()
        await until(lambda: receiver.seen)
        await until(lambda: "reminded" in [body["event"] for body in receiver.bodies])
        await until(lambda: t.notifier.status()["waiting"] == 0)
        assert sorted(body["event"] for body in receiver.bodies) == ["message", "reminded"]


async def test_two_gateways_over_one_store_tell_again_once(
    tmp_path: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = MemoryStore.document

    async def read_from_afar(store: MemoryStore, document_id: str) -> Document | None:
        found = await read(store, document_id)
        await asyncio.sleep(0)
        return found

    monkeypatch.setattr(MemoryStore, "document", read_from_afar)
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"]}])
    async with told(tmp_path, config) as t:
        run = await t.place.run()
        held = [await t.place.held(run, quantity=each, sentence=f"start number {each}") for each in range(1, 4)]
        await until(lambda: len(receiver.bodies) == 3)
        other = told(tmp_path, config, place=t.place, origin="comptroller/other", hub=Hub())
        await other.notifier.begin()
        t.ahead(seconds=(held[0].expires_at - t.place.clock.now()).total_seconds() - 30)
        await asyncio.gather(*(each.notifier.tick() for each in (t, other, t, other)))
        await until(lambda: t.notifier.status()["waiting"] == other.notifier.status()["waiting"] == 0)
        await other.notifier.close()
        assert Counter(body["event"] for body in receiver.bodies) == {"asked": 3, "reminded": 3}


async def test_the_next_serve_carries_what_was_left(tmp_path: Path, receiver: Receiver) -> None:
    receiver.status = 500
    config = notifying({"hook": webhook(receiver.url)}, [{"channels": ["hook"], "events": ["asked"]}])
    async with told(tmp_path, config) as t:
        first = await t.place.held(await t.place.run())
        await until(lambda: t.notifier.status()["channels"][0]["retrying"])
    # Its entry is written while nobody listens: as when `serve` is killed between entry and outbox.
    second = await t.place.held(await t.place.run(), quantity=7, sentence="start seven")
    receiver.status = 200
    receiver.seen.clear()
    t.ahead(minutes=5)
    async with told(tmp_path, config, place=t.place) as again:
        await until(lambda: len(receiver.seen) == 2)
        assert {body["question"]["id"] for body in receiver.bodies} == {first.id, second.id}
        await until(lambda: again.notifier.status()["channels"][0]["sent"] == 2)
    async with told(tmp_path, config, place=t.place) as third:
        await until(lambda: third.notifier.status()["waiting"] == 0)
    assert len(receiver.seen) == 2


async def test_letters_go_out_once_a_week(tmp_path: Path, receiver: Receiver) -> None:
    weekly = {"channels": ["hook"], "day": "monday", "at": "00:00"}
    config = notifying({"hook": webhook(receiver.url)}, [], weekly=weekly)
    async with told(tmp_path, config) as t:
        now = t.place.clock.now()
        t.ahead(days=(7 - now.weekday()) % 7, hours=1 - now.hour)
        await t.notifier.tick()
        await t.notifier.tick()
        await until(lambda: receiver.seen)
        await until(lambda: t.notifier.status()["waiting"] == 0)
    (letter,) = receiver.bodies
    assert letter["title"].startswith("week 20") and letter["lines"][0] == "asked: nothing"
    assert letter["lines"][1] == "frozen: see https[:]//evil.example @ everyone"


async def test_a_test_says_what_is_wrong_without_the_secret(tmp_path: Path, receiver: Receiver) -> None:
    config = notifying({"hook": webhook(receiver.url)}, [])
    async with told(tmp_path, config, environment={"HOOK_KEY": "whsec_not!base64-SECRET"}) as t:
        with pytest.raises(ComptrollerError) as wrong:
            await t.notifier.test("hook", by=ME)
    assert "SECRET" not in str(wrong.value) and "whsec_" in str(wrong.value)
    async with told(tmp_path, config, environment={"HOOK_KEY": ""}) as t:
        with pytest.raises(ComptrollerError, match="HOOK_KEY is not set"):
            await t.notifier.test("hook", by=ME)
    assert not receiver.seen
