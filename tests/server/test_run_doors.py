"""The doors of a run as the server records them: before the command starts, and when the run ends."""

from __future__ import annotations

from typing import Any

import pytest
from server_kit import Place
from test_attach import START, attached, connected, ended

from comptroller.core.audit import EntryKind
from comptroller.core.doors import HostService
from comptroller.server.words import entry_line

LISTEN = "127.0.0.1:8888"
DOORS = {"publish": [{"listen": LISTEN, "wide": False}], "host_services": ["ollama=11434", "db=5432/tcp"]}
USED = {"connections": 2, "failed": 1, "in_bytes": 10, "out_bytes": 20}


async def entries(place: Place, kind: EntryKind) -> list[dict[str, Any]]:
    found = [entry.document for entry in await place.store.entries(limit=1000)]
    return [dict(document["body"]) for document in found if document["kind"] == kind.value]  # type: ignore[arg-type]


async def test_doors_are_recorded_before_the_command_may_start_and_counted_at_the_end(place: Place) -> None:
    async with connected(place) as client:
        await attached(client, doors=DOORS)
        assert await entries(place, EntryKind.DOOR_OPENED) == [
            {"door": "publish", "listen": LISTEN, "wide": False},
            {
                "door": "host-service",
                "host": "ollama.host.comptroller.internal",
                "to": "127.0.0.1:11434",
                "protocol": "http",
            },
            {"door": "host-service", "host": "db.host.comptroller.internal", "to": "127.0.0.1:5432", "protocol": "tcp"},
        ]
        (box,) = place.door.boxes
        assert box.host_services == (
            HostService(name="ollama", port=11434),
            HostService(name="db", port=5432, tcp=True),
        )
        await client.send({"op": "doors", "published": {LISTEN: USED}})
        await client.send({"op": "exited", "code": 0})
        answer = await client.receive()
        assert answer is not None and answer["op"] == "summary"
    closed = await entries(place, EntryKind.DOOR_CLOSED)
    assert closed[0] == {"door": "publish", "listen": LISTEN, "wide": False, **USED}
    assert len(closed) == 3


async def test_a_run_that_breaks_off_closes_its_doors_with_what_was_told_last(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client, doors=DOORS)
        await client.send({"op": "doors", "published": {LISTEN: USED}})
    await ended(place, started["run"])
    assert (await entries(place, EntryKind.DOOR_CLOSED))[0]["connections"] == 2


async def test_a_freeze_reaches_what_streams(place: Place) -> None:
    async with connected(place) as client:
        await attached(client)
        (box,) = place.door.boxes
        await place.desk.brakes.freeze("acme", by="ann", reason="enough")
        assert box.cuts == 1
        await client.send({"op": "exited", "code": 0})


async def test_a_kill_cuts_what_streams_without_waiting_for_the_run_to_end(place: Place) -> None:
    async with connected(place) as client:
        await attached(client)
        (box,) = place.door.boxes
        await place.desk.brakes.kill("acme", by="ann", reason="enough")
        # Nothing was read of what the run was told.
        assert box.cuts >= 1
        await client.send({"op": "exited", "code": 0})


@pytest.mark.parametrize(
    "doors",
    [
        {"publish": [{"listen": LISTEN}]},
        {"publish": [{"listen": "x" * 65, "wide": False}]},
        {"publish": [{"listen": LISTEN, "wide": False}] * 17},
        {"host_services": ["ollama"]},
        {"host_services": ["OLLAMA=1"]},
        {"host_services": ["ollama=0"]},
        {"host_services": ["ollama=1/udp"]},
        {"host_services": ["ollama=1", "ollama=2"]},
        {"host_services": [f"s{n}=1" for n in range(17)]},
        {"more": 1},
    ],
)
async def test_doors_that_are_none_start_nothing(place: Place, doors: object) -> None:
    async with connected(place) as client:
        await client.send({**START, "doors": doors})
        answer = await client.receive()
        assert answer is not None and answer["op"] == "error"
    assert not await place.store.runs()


@pytest.mark.parametrize(
    "message",
    [
        {"published": {"127.0.0.1:9999": USED}},
        {"published": {LISTEN: {**USED, "connections": -1}}},
        {"published": {LISTEN: {"connections": 1}}},
        {"published": 4},
        {},
    ],
)
async def test_a_count_of_what_was_not_opened_ends_the_run(place: Place, message: dict[str, object]) -> None:
    async with connected(place) as client:
        await attached(client, doors=DOORS)
        await client.send({"op": "doors", **message})
        answer = await client.receive()
        assert answer is not None and answer["op"] == "error"


def test_doors_have_lines_for_people() -> None:
    wide = {"door": "publish", "listen": "0.0.0.0:80", "wide": True}
    assert "anybody who reaches this machine" in entry_line({"kind": "door.opened", "body": wide}).text
    closed = {"door": "publish", "listen": LISTEN, "wide": False, **USED}
    assert entry_line({"kind": "door.closed", "body": closed}).text == f"{LISTEN} leads into the box · 2 connections"
    carried = {"kind": "action.settled", "body": {"operation": "tcp:h:1", "status": 0, "ok": True}}
    assert entry_line(carried).text == "tcp:h:1 · connection ended"
