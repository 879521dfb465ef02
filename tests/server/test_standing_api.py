"""Standing grants and batches over the control socket: shown first, listed, taken back, answered at once."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from server_kit import Place, proposal

from comptroller.core.approval import Approval
from comptroller.core.brake import Run
from comptroller.core.errors import UsageError
from comptroller.core.pattern import pattern_json, proposed
from comptroller.engine.sequencer import Proposal
from comptroller.server.standing import until_of

NOW = datetime(2026, 11, 23, 12, 30, tzinfo=UTC)


def alike(run: Run, **change: object) -> Proposal:
    made = proposal(run, **change)
    pattern = proposed(made.action, made.estimate, frozenset({"MaxCount"}))
    return replace(made, like=None if pattern is None else pattern_json(pattern))


async def held(place: Place, run: Run, **change: object) -> Approval:
    answer = await place.sequencer.admit(alike(run, **change))
    assert answer.approval is not None
    return answer.approval


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("18:00", "2026-11-23T18:00:00+00:00"),
        ("12:30", "2026-11-24T12:30:00+00:00"),
        ("2h", "2026-11-23T14:30:00+00:00"),
        ("30m", "2026-11-23T13:00:00+00:00"),
        ("1d", "2026-11-24T12:30:00+00:00"),
        ("", "2026-11-23T20:30:00+00:00"),
        ("2026-11-24T18:00Z", "2026-11-24T18:00:00+00:00"),
    ],
)
def test_until_as_people_write_it(text: str, expected: str) -> None:
    assert until_of(text, NOW).isoformat() == expected


@pytest.mark.parametrize("text", ["soon", "0h", "25:00", "-1h", "18", "9" * 50])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(UsageError):
        until_of(text, NOW)


async def test_a_standing_grant_is_shown_given_listed_and_taken_back(place: Place) -> None:
    run = await place.run()
    question = await held(place, run)
    async with place.client() as client:
        one = (await client.get(f"/v1/approvals/{question.id}")).json()
        assert one["like"]["sentence"].startswith("aws:ec2:RunInstances")
        url = f"/v1/approvals/{question.id}/standing"
        shown = (await client.post(url, json={"count": 2, "until": "2h", "preview": True})).json()
        assert shown["state"] == "proposed" and shown["id"] == ""
        assert (await client.get("/v1/standing")).json()["standing"] == []
        wrong = await client.post(url, json={"count": 3, "until": shown["expires_at"], "sentence": shown["sentence"]})
        assert wrong.status_code == 422 and "not be the one" in wrong.json()["title"]
        done = await client.post(url, json={"count": 2, "until": shown["expires_at"], "sentence": shown["sentence"]})
        assert done.status_code == 200, done.text
        given = done.json()
        assert (given["state"], given["left"], given["run"]) == ("open", 2, run.id)
        answer = await place.sequencer.admit(alike(run))
        assert answer.permit is not None
        (listed,) = (await client.get("/v1/standing")).json()["standing"]
        assert listed["used"] == 1 and listed["left"] == 1
        revoked = (await client.post(f"/v1/standing/{given['id']}/revoke", json={"reason": "enough"})).json()
        assert revoked["state"] == "revoked"
        again = await client.post(f"/v1/standing/{given['id']}/revoke", json={})
        assert again.status_code == 409 and again.json()["kind"] == "expired"
        assert (await client.get("/v1/standing?every=true")).json()["standing"][0]["ended_why"].startswith("revoked by")


async def test_what_is_wrong_is_a_problem_and_no_grant(place: Place) -> None:
    run = await place.run()
    question = await held(place, run)
    async with place.client() as client:
        url = f"/v1/approvals/{question.id}/standing"
        for body in (
            {},
            {"count": 0},
            {"count": 1, "free": ["Nothing"]},
            {"count": 1, "until": "soon"},
            {"count": 1, "include": ["write"]},
            {"count": 1, "usd": "lots"},
            {"count": 1, "at_most": {"MaxCount": 0}},
            {"count": 1, "prefixes": [""]},
        ):
            assert (await client.post(url, json=body)).status_code in (422, 409), body
        assert (await client.post("/v1/approvals/none-such/standing", json={"count": 1})).status_code == 404
        assert (await client.post("/v1/standing/none-such/revoke", json={})).status_code == 404
        assert (await client.get("/v1/standing")).json()["standing"] == []


async def test_a_batch_is_answered_at_once_each_by_its_own_digest(place: Place) -> None:
    run = await place.run()
    for n in range(1, 4):
        await held(place, run, parameters={"InstanceType": "t3.micro", "MaxCount": n})
    other = await held(place, run, parameters={"InstanceType": "t3.large", "MaxCount": 1})
    async with place.client() as client:
        batches = (await client.get("/v1/batches")).json()["batches"]
        assert [batch["count"] for batch in batches] == [3, 1]
        first = batches[0]
        assert first["differs"] == ["MaxCount"] and ["InstanceType", "t3.micro"] in first["common"]
        assert sorted(row["own"][0][1] for row in first["rows"]) == ["1", "2", "3"]
        ids = [row["id"] for row in first["rows"]]
        await client.post(f"/v1/approvals/{ids[0]}/reject", json={"comment": "not this one"})
        before = await place.store.size()
        done = (await client.post("/v1/batches", json={"ids": ids, "yes": True})).json()
        assert (done["answered"], done["asked"]) == (2, 3)
        assert "already rejected" in next(row["why"] for row in done["answers"] if not row["answered"])
        assert await place.store.size() == before + 2
        passed = [
            (await place.sequencer.admit(alike(run, parameters={"InstanceType": "t3.micro", "MaxCount": n}))).permit
            for n in range(1, 4)
        ]
        assert sum(permit is not None for permit in passed) == 2
        assert (await client.get(f"/v1/approvals/{other.id}")).json()["state"] == "pending"
        assert (await client.post("/v1/batches", json={"ids": [], "yes": True})).status_code == 422
