"""The approvals page attacked: replayed links, foreign hosts and origins, missing tokens, hostile sentences."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import httpx
import pytest
from server_kit import ME, Place

from comptroller.core.action import ActionClass
from comptroller.core.approval import ApprovalState, GrantState
from comptroller.core.verdict import Obligation
from comptroller.server.sessions import FAILURES_MAX, LINK_SECONDS_MAX, SESSION_IDLE_SECONDS_MAX, SESSIONS_MAX

FORM = {"content-type": "application/x-www-form-urlencoded"}


async def link(place: Place) -> tuple[str, str]:
    """A fresh link's address and secret."""
    async with place.client() as client:
        url = (await client.post("/v1/page-link")).json()["url"]
    address, _, token = url.partition("#")
    assert address == f"{place.house.page_origin}/login" and len(token) >= 43
    return address, token


async def signed_in(place: Place, browser: httpx.AsyncClient) -> tuple[str, str]:
    """Sign in; returns the page's own path and the form token."""
    _, token = await link(place)
    answer = await browser.post("/login", json={"token": token})
    assert answer.status_code == 200
    base = answer.json()["next"]
    page = await browser.get(base)
    assert page.status_code == 200
    found = re.search(r'name="csrf" value="([^"]+)"', page.text)
    assert found
    return base, found.group(1)


async def test_login_sets_a_strict_cookie_once(place: Place) -> None:
    _, token = await link(place)
    async with place.browser() as browser:
        first = await browser.post("/login", json={"token": token})
        cookie = {part.strip().lower() for part in first.headers["set-cookie"].split(";")[1:]}
        assert {"httponly", "samesite=strict", f"path={first.json()['next'].lower()}"} <= cookie
        again = await browser.post("/login", json={"token": token})
        assert again.status_code == 403
        assert "set-cookie" not in again.headers


async def test_an_old_link_is_refused(place: Place) -> None:
    _, token = await link(place)
    place.clock.ahead += timedelta(seconds=LINK_SECONDS_MAX)
    async with place.browser() as browser:
        assert (await browser.post("/login", json={"token": token})).status_code == 403


async def test_guessing_is_slowed_down_but_locks_nobody_out(place: Place) -> None:
    async with place.browser() as browser:
        codes = [
            (await browser.post("/login", json={"token": f"guess{n}"})).status_code for n in range(FAILURES_MAX + 1)
        ]
        assert codes == [403] * FAILURES_MAX + [429]
        _, token = await link(place)
        assert (await browser.post("/login", json={"token": token})).status_code == 200


async def test_sessions_are_bounded_and_expire(place: Place) -> None:
    async with place.browser() as first:
        base, _ = await signed_in(place, first)
        place.clock.ahead += timedelta(seconds=1)
        for _ in range(SESSIONS_MAX):
            async with place.browser() as other:
                last, _ = await signed_in(place, other)
                kept = dict(other.cookies)
        assert (await first.get(base)).status_code == 401
    async with place.browser() as other:
        other.cookies.update(kept)
        assert (await other.get(last)).status_code == 200
        place.clock.ahead += timedelta(seconds=SESSION_IDLE_SECONDS_MAX)
        assert (await other.get(last)).status_code == 401


async def test_nothing_is_shown_without_a_cookie(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
    async with place.browser() as stranger:
        for path in ("/", base, f"{base}approvals", f"{base}stream", f"{base}?refresh=1"):
            answer = await stranger.get(path)
            assert answer.status_code == 401
            assert held.sentence not in answer.text and held.id not in answer.text
        answer = await stranger.post(f"{base}approvals/{held.id}/approve", data={"csrf": csrf})
        assert answer.status_code == 401
        for path in ("/v1/approvals", "/v1/status", "/v1/entries"):
            assert (await stranger.get(path)).status_code == 404
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.state is ApprovalState.PENDING


@pytest.mark.parametrize(
    "host", ["evil.example:{port}", "localhost.:{port}", "127.0.0.1", "127.0.0.1.:{port}", "127.1:{port}"]
)
async def test_other_hosts_are_refused(place: Place, host: str) -> None:
    _, token = await link(place)
    port = place.house.page_origin.rsplit(":", 1)[1]
    async with place.browser() as browser:
        named = {"host": host.format(port=port)}
        assert (await browser.get("/login", headers=named)).status_code == 421
        assert (await browser.post("/login", json={"token": token}, headers=named)).status_code == 421


async def test_other_origins_are_refused(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        path = f"{base}approvals/{held.id}/approve"
        for origin in ("http://evil.example", "null", "http://localhost:1", place.house.page_origin + ".evil.example"):
            answer = await browser.post(path, data={"csrf": csrf}, headers={"origin": origin})
            assert answer.status_code == 403
            assert (await browser.get(base, headers={"origin": origin})).status_code == 403
        crossed = {"sec-fetch-site": "cross-site"}
        assert (await browser.post(path, data={"csrf": csrf}, headers=crossed)).status_code == 403
        del browser.headers["origin"]
        assert (await browser.post(path, data={"csrf": csrf})).status_code == 403
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.state is ApprovalState.PENDING


async def test_forms_need_their_token(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    async with place.browser() as browser, place.browser() as other:
        base, csrf = await signed_in(place, browser)
        _, foreign = await signed_in(place, other)
        path = f"{base}approvals/{held.id}/approve"
        for data in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": csrf[:-1]}):
            assert (await browser.post(path, content=str(httpx.QueryParams(data)), headers=FORM)).status_code == 403
        assert (await browser.post(path, json={"csrf": csrf})).status_code == 403
        twice = await browser.post(path, content=f"csrf={csrf}&csrf={csrf}", headers=FORM)
        assert twice.status_code == 422
        assert (await browser.get(path)).status_code == 405
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.state is ApprovalState.PENDING


async def test_approve_through_the_page(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        shown = (await browser.get(f"{base}approvals")).text
        for fact in (
            "start 2 x m8g.large in us-east-1",
            "123456789012",
            "us-east-1",
            "$4.00 an hour until stopped",
            "compare instance prices",
            "this brings about cost",
            "$96.00",
            "1 of approvers",
            held.id,
        ):
            assert fact in shown
        answer = await browser.post(f"{base}approvals/{held.id}/approve", data={"csrf": csrf, "comment": "fine"})
        assert answer.status_code == 303 and answer.headers["location"] == f"{base}approvals"
        after = (await browser.get(f"{base}approvals")).text
        assert "Approved, for exactly this and once" in after and "Nothing waits" in after
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.grant is GrantState.UNUSED
    assert (kept.votes[0].person, kept.votes[0].comment) == (ME, "fine")
    entry = (await place.store.entries(run=run.id))[-1]
    assert entry.document["body"]["via"] == "page"  # type: ignore[index]


async def test_quorum_ceiling_and_conflicts_on_the_page(place: Place) -> None:
    run = await place.run()
    two = await place.held(run, obligations=(Obligation(rule="provision", quorum=2),))
    priceless = await place.held(run, quantity=9, usd_micros=None)
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        page = (await browser.get(f"{base}approvals")).text
        assert "cost unknown" in page and 'name="ceiling"' in page

        async def answer(identifier: str, verb: str, **fields: str) -> str:
            done = await browser.post(f"{base}approvals/{identifier}/{verb}", data={"csrf": csrf, **fields})
            assert done.status_code == 303
            return (await browser.get(f"{base}approvals")).text

        assert "more people are needed" in await answer(two.id, "approve")
        assert "must name the most it may cost" in await answer(priceless.id, "approve", ceiling="")
        assert "Approved" in await answer(priceless.id, "approve", ceiling="12.50")
        assert "(consumed)" in await answer(priceless.id, "approve", ceiling="12.50")
        assert "Rejected" in await answer(two.id, "reject", comment="no")
        assert "nothing to answer" in await answer(two.id, "bless")


async def test_who_may_not_answer_is_told_why(place: Place) -> None:
    run = await place.run()
    held = await place.held(run, obligations=(Obligation(rule="pay", approvers="finance"),))
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        assert "is in none of the groups that may answer: finance" in (await browser.get(f"{base}approvals")).text
        await browser.post(f"{base}approvals/{held.id}/approve", data={"csrf": csrf})
        assert "(not_found)" in (await browser.get(f"{base}approvals")).text
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.votes == ()


async def test_a_question_is_withdrawn_by_who_may_and_lies_where_its_link_leads(place: Place) -> None:
    run = await place.run()
    asked = await place.held(run)
    not_mine = await place.held(run, quantity=3, obligations=(Obligation(rule="pay", approvers="finance"),))
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        page = (await browser.get(f"{base}approvals")).text
        for held in (asked, not_mine):
            assert f'id="{held.id}"' in page and f"{base}approvals/{held.id}/withdraw" in page
            body = {"csrf": csrf, "comment": "not needed"}
            assert (await browser.post(f"{base}approvals/{held.id}/withdraw", data=body)).status_code == 303
        assert "The question is taken back" in (await browser.get(f"{base}approvals")).text
    for held in (asked, not_mine):
        kept = await place.store.approval(held.id)
        assert kept is not None and (kept.state, kept.taken_back_why) == (ApprovalState.WITHDRAWN, "not needed")


async def test_a_batch_is_answered_in_one_go_and_says_what_stays(place: Place) -> None:
    run = await place.run()
    mine = [await place.held(run, quantity=n) for n in range(2, 5)]
    other = await place.held(run, quantity=9, obligations=(Obligation(rule="pay", approvers="finance"),))
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)

        async def send(verb: str, *ids: str, comment: str = "") -> str:
            body: dict[str, str | list[str]] = {"csrf": csrf, "verb": verb, "comment": comment, "id": list(ids)}
            assert (await browser.post(f"{base}approvals/batch", data=body)).status_code == 303
            return (await browser.get(f"{base}approvals")).text

        assert "needs a reason" in await send("reject", mine[0].id)
        told = await send("approve", mine[0].id, mine[1].id, mine[1].id, other.id)
        assert "Approved 2 of 3, each for itself; 1 stay: " in told
        assert "already approved" in await send("approve", mine[0].id)
        assert "Rejected 1 of 1" in await send("reject", mine[2].id, comment="too many")
    assert [each.state for each in sorted(await place.store.approvals(), key=lambda each: each.asked_at)] == [
        ApprovalState.APPROVED, ApprovalState.APPROVED, ApprovalState.REJECTED, ApprovalState.PENDING,
    ]  # fmt: skip


async def test_freeze_and_kill_on_the_page(place: Place) -> None:
    run = await place.run()
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        await browser.post(f"{base}brake/freeze", data={"csrf": csrf, "scope": run.id})
        assert "Thaw" in (await browser.get(base)).text
        await browser.post(f"{base}brake/kill", data={"csrf": csrf, "scope": run.id})
        assert "killed" in (await browser.get(base)).text
        assert [brake.state.value for brake in await place.store.brakes()] == ["killed"]


async def test_hostile_text_is_harmless(place: Place) -> None:
    run = await place.run()
    sentence = "pay <script>alert(1)</script> \u202e00.01\u202c \x1b[2J p\u0430ypal \"onmouseover='x'"
    await place.held(run, sentence=sentence, obligations=(Obligation(rule="<b>r</b>", reason="</li><img src=x>"),))
    await place.desk.brakes.freeze(run.id, by=ME, reason="</script><b>")
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
        page = (await browser.get(base)).text + (await browser.get(f"{base}approvals")).text
    for markup in ("<script>alert", "<img src=x", "<b>r</b>", "</script><b>"):
        assert markup not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt; &lt;U+202E&gt;00.01&lt;U+202C&gt; &lt;U+001B&gt;[2J" in page
    assert "p&lt;U+0430&gt;ypal" in page
    assert not re.search(r"<[^>]*\son\w+=", page)


async def test_security_headers_everywhere(place: Place) -> None:
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
        page = (await browser.get(base)).text
        files = re.findall(r'(?:src|href)="(/[^"]*/static/[^"]+)"', page)
        assert len(files) >= 5
        for path in (base, "/", "/login", "/nowhere", "/go/approvals", "/static/x/..%2fhouse.py", *files):
            headers = (await browser.get(path)).headers
            assert headers["x-frame-options"] == "DENY"
            assert ("immutable" in headers["cache-control"]) is (path in files)
            assert path in files or headers["cache-control"] == "no-store"
            assert headers["referrer-policy"] == "same-origin"
            policy = headers["content-security-policy"]
            assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert " style=" not in page and "<style" not in page
        scripts = re.findall(r"<script[^>]*>", page)
        assert scripts and all(f'src="{base}static/' in script for script in scripts)


async def test_the_base_is_told_to_nobody_who_is_not_signed_in(place: Place) -> None:
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
    async with place.browser() as stranger:
        for path in ("/", "/login", "/go/approvals", "/nowhere", base):
            answer = await stranger.get(path)
            assert path == base or base.strip("/") not in answer.text + str(answer.headers)


async def test_files_are_named_by_their_content_and_compressed(place: Place) -> None:
    async with place.browser() as browser:
        page = (await browser.get("/login")).text
        sheet = re.search(r'href="(/static/[0-9a-f]{16}/console\.css)"', page)
        assert sheet
        packed = await browser.get(sheet.group(1), headers={"accept-encoding": "gzip"})
        plain = await browser.get(sheet.group(1), headers={"accept-encoding": "identity"})
        assert packed.headers["content-encoding"] == "gzip" and packed.text == plain.text
        assert "content-encoding" not in plain.headers
        older = await browser.get(sheet.group(1).replace("/static/", "/static/0"))
        assert older.status_code == 200 and older.headers["cache-control"] == "no-store"


async def test_the_page_follows(place: Place) -> None:
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
        run = await place.run()
        after = await place.store.size() - 1
        async with browser.stream("GET", f"{base}stream", params={"after": after}) as stream:
            assert stream.headers["content-type"].startswith("text/event-stream")
            lines = stream.aiter_lines()
            held = await place.propose(run, classes=frozenset({ActionClass.READ}))
            batch = await next_batch(lines)
        assert held.approval is not None
        assert [line["k"] for line in batch["lines"]] == ["action.held"]
        assert batch["topics"] == ["action", "approval"]
        assert batch["id"] == str(after + 1)
        again = {"last-event-id": str(after)}
        async with browser.stream("GET", f"{base}stream", headers=again) as stream:
            assert await next_batch(stream.aiter_lines()) == batch
        assert "held" in (await browser.get(f"{base}?refresh=1")).text


async def test_whoever_is_signed_out_follows_no_longer_however_much_happens(place: Place) -> None:
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
        run = await place.run()
        after = await place.store.size() - 1
        async with browser.stream("GET", f"{base}stream", params={"after": after}) as stream:
            lines = stream.aiter_lines()
            await place.propose(run, classes=frozenset({ActionClass.READ}))
            await next_batch(lines)
            place.house.persons.sessions.revoke_all(ME)
            await place.propose(run, classes=frozenset({ActionClass.READ}), quantity=1)
            with pytest.raises(AssertionError, match="the stream ended"):
                await next_batch(lines)


async def next_batch(lines: AsyncIterator[str]) -> dict[str, Any]:
    """The next batch of a stream, with its id."""
    event: dict[str, str] = {}
    async for line in lines:
        name, _, value = line.partition(": ")
        if line:
            event[name] = value
        elif event.get("event") == "batch":
            return {**json.loads(event["data"]), "id": event["id"]}
        else:
            event = {}
    raise AssertionError("the stream ended")


async def test_logout(place: Place) -> None:
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        assert (await browser.post(f"{base}logout", data={})).status_code == 403
        assert (await browser.post(f"{base}logout", data={"csrf": csrf})).status_code == 200
        assert (await browser.get(base)).status_code == 401
