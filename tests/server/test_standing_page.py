"""Standing grants on the page Approvals: offered, read before they are given, given as read, revoked."""

from __future__ import annotations

import re

import httpx
from server_kit import ME, Place
from test_page import signed_in
from test_standing_api import alike, held

from comptroller.core.approval import Person
from comptroller.core.standing import OFFERED_AFTER

HOSTILE = "t3<script>alert(1)</script>\u202eevil"


def fields(page: str) -> dict[str, str]:
    """The hidden fields of the form that grants."""
    form = page[page.index('name="read"') - 200 :]
    return dict(re.findall(r'<input type="hidden" name="([a-z_]+)" value="([^"]*)">', form))


async def yeses(place: Place, run: object, number: int, **change: object) -> str:
    """The caller's equal yeses; each is used, so that the next one is asked again."""
    me = Person(name=ME, groups=frozenset({"approvers"}), via="test")
    name = ""
    for _ in range(number):
        asked = await held(place, run, **change)  # type: ignore[arg-type]
        await place.desk.approvals.approve(asked.id, me)
        assert (await place.sequencer.admit(alike(run, **change))).permit is not None  # type: ignore[arg-type]
        name = asked.id
    return name


async def test_ten_equal_yeses_offer_one_that_is_read_granted_used_and_revoked(place: Place) -> None:
    run = await place.run()
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)

        async def read(path: str) -> str:
            answer = await browser.get(f"{base}{path}")
            assert answer.status_code == 200, answer.text
            return answer.text

        async def post(path: str, **body: str) -> httpx.Response:
            return await browser.post(f"{base}{path}", data={"csrf": csrf, **body})

        await yeses(place, run, OFFERED_AFTER - 1)
        assert "A standing grant is offered" not in await read("approvals")
        name = await yeses(place, run, 1)
        offer = await read("approvals")
        assert f"You said yes to this {OFFERED_AFTER} times" in offer and f"{base}approvals/{name}/standing" in offer
        assert "the next 20 like this: aws:ec2:RunInstances" in offer and "$80.00 in all" in offer

        shown = await read(f"approvals/{name}/standing?count=2&until=2h")
        assert "the next 2 like this" in shown and "this run only" in shown and "$8.00 in all" in shown
        wanted = fields(shown)
        assert await place.desk.standing.listed(every=True) == ()
        for wrong in (
            {**wanted},
            {**wanted, "sure": "yes", "count": "3"},
            {**wanted, "sure": "yes", "every_run": "yes"},
            {**wanted, "sure": "yes", "usd": "999"},
            {**wanted, "sure": "yes", "read": ""},
        ):
            assert (await post(f"approvals/{name}/standing", **wrong)).status_code == 303
            assert await place.desk.standing.listed(every=True) == (), wrong
        strange = {**wanted, "sure": "yes", "csrf": "x"}
        assert (await browser.post(f"{base}approvals/{name}/standing", data=strange)).status_code == 403
        await post(f"approvals/{name}/standing", **wanted, sure="yes")
        (given,) = await place.desk.standing.listed()
        assert (given.count, given.run, given.person) == (2, run.id, ME)
        listed = await read("approvals/standing")
        assert "Granted: the next 2 like this" in listed and "0 of 2" in listed
        assert "A standing grant is offered" not in listed, "who has it is not offered it again"
        assert (await place.sequencer.admit(alike(run))).permit is not None
        assert "1 of 2" in await read("approvals/standing")

        await post(f"approvals/standing/{given.id}/revoke", reason="enough")
        after = await read("approvals/standing")
        assert "Taken back after 1 of 2" in after and "None in force" in after
        assert "revoked by" in await read("approvals/standing?all=yes")
        assert (await place.sequencer.admit(alike(run))).permit is None
        await post(f"approvals/standing/{given.id}/revoke")
        assert "over already" in await read("approvals/standing")


async def test_terms_that_nothing_has_are_told_and_an_agents_text_is_text(place: Place) -> None:
    run = await place.run()
    question = await held(place, run, parameters={"InstanceType": HOSTILE, "MaxCount": 1}, sentence=HOSTILE)
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        url = f"{base}approvals/{question.id}/standing"
        for query in ("count=0", "count=x", "count=99999", "usd=lots", "until=soon", "usd=-1", "include=write"):
            answer = await browser.get(f"{url}?{query}")
            assert answer.status_code == 200 and "Grant it" not in answer.text, query
        shown = (await browser.get(url)).text
        await browser.post(url, data={"csrf": csrf, **fields(shown), "sure": "yes"})
        pages = shown + (await browser.get(f"{base}approvals/standing")).text
        assert "0 of 20" in pages and "&lt;script&gt;" in pages
        assert "<script>alert" not in pages and "\u202e" not in pages
        assert not re.search(r"<[^>]*\s(on\w+|style)=", pages)
        assert (await browser.get(f"{base}approvals/none-such/standing")).status_code == 404
