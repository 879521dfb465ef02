"""Holdings over the control socket: who may do what to them, and what everybody is shown."""

from __future__ import annotations

import pytest
from server_kit import Place

from comptroller.core.approval import Person
from comptroller.server.identity import Caller
from comptroller.server.operations import ForbiddenError, Operations
from comptroller.server.pulse import Pulse

ADOPT = {"kind": "aws:ec2:instance", "resource": "i-0abc", "agent": "bot", "region": "us-east-1", "reason": "found"}


async def test_only_an_operator_takes_on_takes_off_and_deletes(place: Place) -> None:
    operations = Operations(desk=place.desk, pulse=Pulse(place.desk.hub))
    nobody = Caller(person=Person(name="cleo", groups=frozenset(), via="uid:7"), roles=frozenset())
    for work in (
        operations.adopt_holding(nobody, **ADOPT),
        operations.forget_holding(nobody, "x", reason="r"),
        operations.stop_holding(nobody, "x", delete=True),
    ):
        with pytest.raises(ForbiddenError):
            await work


async def test_hostile_names_and_bodies_are_refused(place: Place) -> None:
    async with place.client() as client:
        for body in (
            {**ADOPT, "kind": ""},
            {**ADOPT, "resource": "x" * 3000},
            {**ADOPT, "more": "x"},
            {**ADOPT, "agent": "nobody"},
            {**ADOPT, "reason": "   "},
        ):
            assert (await client.post("/v1/holdings", json=body)).status_code == 422
        assert (await client.get("/v1/holdings/nothing-like-it")).status_code == 404
        assert (await client.post("/v1/holdings/nothing-like-it/stop", json={})).status_code == 404


async def test_what_cannot_be_reached_is_said_and_stays_on_the_books(place: Place) -> None:
    agent = next(iter(place.desk.config.agents))
    async with place.client() as client:
        made = (await client.post("/v1/holdings", json={**ADOPT, "agent": agent})).json()
        body = {"reason": "enough"}
        failed = await client.post(f"/v1/holdings/{made['id']}/stop", json=body)
        assert failed.status_code == 409 and "did not reach" in failed.json()["title"]
        (item,) = (await client.get("/v1/holdings")).json()["holdings"]
        assert item["state"] == "stopping" and item["why"] == "enough"
