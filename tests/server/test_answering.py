"""Answers over the control socket: progress, taking back, deputies; every answer fits the model that is published."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pytest
from server_kit import ME, Place, configured

from comptroller.core.approval import GrantState, Person
from comptroller.core.asking import Deputy
from comptroller.core.role import Role
from comptroller.core.verdict import Escalation, Obligation, Stage
from comptroller.server.api.approvals import Approval as Published
from comptroller.server.api.deputies import Deputies
from comptroller.server.deputies import DeputyOperations
from comptroller.server.identity import Caller, caller_of
from comptroller.server.operations import ForbiddenError
from comptroller.server.progress import progress_text

STAGED = Obligation(
    rule="pay",
    approvers="approvers",
    stages=(Stage(group="approvers"), Stage(group="finance", quorum=2)),
    escalations=(Escalation(group="heads", after_seconds=600),),
    delay_seconds=60,
)
KIM = Person(name="kim", groups=frozenset({"finance"}), via="uid:9")


async def test_progress_says_who_is_asked_and_what_is_missing(place: Place) -> None:
    people = {
        ME: {"groups": ["approvers"]},
        "kim": {"groups": ["finance"]},
        "lee": {"groups": ["finance", "heads"]},
        "mia": {"groups": ["finance"]},
    }
    place.desk.config = place.desk.approvals._people.config = configured(people=people)  # type: ignore[attr-defined]
    held = await place.held(await place.run(), obligations=(STAGED,))
    async with place.client() as client:

        async def shown() -> dict[str, Any]:
            found = (await client.get(f"/v1/approvals/{held.id}")).json()
            Published.model_validate(found)
            return dict(found)

        before = await shown()
        assert before["progress"] == "0 of 1 from approvers; waiting for stage 1 of 2"
        assert before["answerable_by"] == [{"group": "approvers", "people": [ME]}] and before["obstacle"] == ""
        first = (await client.post(f"/v1/approvals/{held.id}/approve", json={})).json()
        assert first["progress"] == "0 of 2 from finance; waiting for stage 2 of 2" and first["answered_already"]
        assert first["answerable_by"] == [{"group": "finance", "people": ["kim", "lee", "mia"]}]
        await place.desk.approvals.approve(held.id, KIM)
        (rule,) = (await shown())["rules"]
        assert [stage["votes"] for stage in rule["stages"]] == [[ME], ["kim"]] and rule["stage"] == 2
        assert rule["escalations"][0]["due"] is False
        place.clock.ahead += timedelta(seconds=600)
        later = await shown()
        assert {each["group"]: each["people"] for each in later["answerable_by"]} == {
            "finance": ["lee", "mia"],
            "heads": ["lee"],
        }
        await place.desk.approvals.approve(held.id, replace(KIM, name="mia"))
        done = await shown()
        assert done["state"] == "approved" and done["delayed"] and done["progress"] == ""
        back = await client.post(f"/v1/approvals/{held.id}/revoke", json={"comment": "the wrong account"})
        assert back.json()["grant"] == "revoked" and back.json()["taken_back_why"] == "the wrong account"
    stored = await place.store.approval(held.id)
    assert stored is not None and stored.grant is GrantState.REVOKED and progress_text(stored) == ""


async def test_taking_back_and_a_no_without_a_reason(place: Place) -> None:
    held = await place.held(await place.run())
    async with place.client() as client:
        empty = await client.post(f"/v1/approvals/{held.id}/reject", json={"comment": " "})
        assert empty.status_code == 422 and "needs a reason" in empty.json()["title"] + empty.json().get("detail", "")
        early = await client.post(f"/v1/approvals/{held.id}/revoke", json={})
        assert early.status_code in (403, 409) and "withdraw" in early.text
        done = (await client.post(f"/v1/approvals/{held.id}/withdraw", json={"comment": "not needed"})).json()
        assert done["state"] == "withdrawn" and done["taken_back_by"] == ME
        late = await client.post(f"/v1/approvals/{held.id}/withdraw", json={})
        assert late.status_code == 409
        assert (await client.post(f"/v1/approvals/{held.id}/approve", json={})).status_code == 409


async def test_deputies_are_made_listed_and_ended(place: Place) -> None:
    place.desk.config = place.desk.deputies._people.config = configured(  # type: ignore[attr-defined]
        people={ME: {"groups": ["approvers"]}, "kim": {}}
    )
    until = (place.clock.now() + timedelta(days=7)).date().isoformat()
    async with place.client() as client:

        async def post(path: str, **body: str) -> httpx.Response:
            return await client.post(f"/v1/deputies{path}", json=body)

        made = await post("", person="kim", until=until, groups="approvers")
        assert made.status_code == 200 and made.json()["stands_for"] == ME and made.json()["holds"] is True
        listed = (await client.get("/v1/deputies")).json()
        Deputies.model_validate(listed)
        assert [each["person"] for each in listed["deputies"]] == ["kim"]
        for wrong in ({"person": "nobody"}, {"until": "soon"}, {"until": "2020-01-01"}, {"groups": "finance"}):
            refused = await post("", **{"person": "kim", "until": until, **wrong})
            assert refused.status_code == 422, wrong
        assert (await post("/kim/end")).json()["ended"][0]["id"] == made.json()["id"]
        assert (await post("/kim/end")).status_code == 404
        assert (await client.get("/v1/deputies")).json() == {"deputies": []}


async def test_only_oneself_and_an_administrator_name_a_deputy(place: Place) -> None:
    config = configured(people={ME: {"groups": ["approvers"]}, "kim": {}, "lee": {"groups": ["approvers"]}})
    place.desk.config = place.desk.deputies._people.config = config  # type: ignore[attr-defined]
    operations = DeputyOperations(desk=place.desk)
    kim = Caller(person=KIM, roles=frozenset({Role.APPROVER}))
    until = (place.clock.now() + timedelta(days=7)).date().isoformat()
    with pytest.raises(ForbiddenError):
        await operations.set(kim, person="kim", until=until, of="lee")
    owner = caller_of(0, config=config, owner_uid=0)
    assert owner is not None
    made = await operations.set(owner, person="kim", until=until, of="lee")
    with pytest.raises(ForbiddenError):
        await operations.end(kim, str(made["id"]))
    now = place.clock.now()
    assert [each.person for each in await place.desk.deputies.all()] == ["kim"]
    assert isinstance((await place.desk.deputies.all())[0], Deputy) and (await place.desk.deputies.all())[0].until > now
