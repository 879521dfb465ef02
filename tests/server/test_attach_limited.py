"""A box that went over a limit is recorded, once, by what its `run` says of it."""

from __future__ import annotations

import pytest
from server_kit import Place
from test_attach import attached, connected

from comptroller.server.words import entry_line

LIMITED = {"op": "limited", "limit": "memory_bytes", "value": 64, "used": 100, "why": ""}


async def entries(place: Place) -> list[dict[str, object]]:
    found = [dict(entry.document) for entry in await place.store.entries(limit=1000)]
    return [each for each in found if each["kind"] == "box.limited"]


async def test_a_breach_becomes_an_entry_of_its_run(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client)
        await client.send(LIMITED)
        await client.send({"op": "exited", "code": 124})
        told = await client.receive()
        assert told is not None and told["op"] == "summary"
    (entry,) = await entries(place)
    assert (entry["agent"], entry["run"]) == ("research", started["run"])
    assert entry["body"] == {"limit": "memory_bytes", "value": 64, "used": 100}
    assert "memory_bytes: 100 used, 64 allowed" in entry_line(entry).text


@pytest.mark.parametrize(
    "change",
    [{"limit": "unheard"}, {"value": "64"}, {"used": -1}, {"used": 1 << 70}, {"limit": ["processes"]}, {"limit": None}],
)
async def test_nonsense_is_refused_and_recorded_as_nothing(place: Place, change: dict[str, object]) -> None:
    async with connected(place) as client:
        await attached(client)
        await client.send({**LIMITED, **change})
        told = await client.receive()
        assert told is not None and told["op"] == "error" and "says once which limit" in told["message"]
    assert await entries(place) == []


async def test_only_the_first_breach_counts(place: Place) -> None:
    async with connected(place) as client:
        await attached(client)
        await client.send(LIMITED)
        await client.send(LIMITED)
        told = await client.receive()
        assert told is not None and told["op"] == "error"
    assert len(await entries(place)) == 1
