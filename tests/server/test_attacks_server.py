"""Attacks on the server from a box's or another user's point of view: forged runs, fixed sessions, hostile words."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from server_kit import ME, Place, proposal
from test_attach import START, attached, connected
from test_page import signed_in

from comptroller.cli.lazy import report
from comptroller.cli.show import approval_row, approval_text
from comptroller.core.approval import Person
from comptroller.core.errors import VerificationError
from comptroller.core.estimate import Bound, Unit
from comptroller.server.render import approval_json

HOSTILE = "x\x1b[2J\u009b31m\u202e</dd><script>alert(1)</script>\r\nbudget after  $1,000,000"
PERSON = Person(name=ME, groups=frozenset({"approvers"}), via="uid:0")


def plain(text: str) -> str:
    """Without the colours that are ours."""
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


async def test_hostile_parameters_are_harmless_on_terminal_and_page(place: Place) -> None:
    run = await place.run()
    held = await place.held(run, parameters={f"A{HOSTILE}": HOSTILE, "list": [HOSTILE, {"deep": HOSTILE}]})
    text = plain(approval_text(approval_json(held, person=PERSON)) + approval_row(approval_json(held, person=PERSON)))
    for bad in ("\x1b", "\u009b", "\u202e", "\r"):
        assert bad not in text
    assert not any(line.startswith("budget after") for line in text.splitlines())
    assert "<U+001B>[2J<U+009B>31m<U+202E>" in text
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
        page = (await browser.get(f"{base}approvals")).text
    assert "<script>alert" not in page and "\u202e" not in page and "&lt;/dd&gt;" in page


async def test_parts_are_shown_on_terminal_and_page_and_harmless(place: Place) -> None:
    run = await place.run()
    line = {"text": HOSTILE, "count": 3, "usd_micros": 96_000, "usd_micros_per_hour": 96_000, "price_unknown": False}
    asked = proposal(run)
    effort = {Unit.MILLIWATT_HOURS: Bound(low=0, high=6_420_000), Unit.MILLIGRAMS_CO2E: Bound(low=0, high=None)}
    estimate = replace(asked.estimate, bounds={**asked.estimate.bounds, **effort})
    done = await place.sequencer.admit(replace(asked, estimate=estimate, parts={"lines": [line], "more": 460}))
    assert done.approval is not None
    text = plain(approval_text(approval_json(done.approval, person=PERSON)))
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
        page = (await browser.get(f"{base}approvals")).text
    for shown in (text, page):
        assert "each $0.10 an hour" in shown and "and 460 more" in shown
        assert "at most 6.42 kWh; carbon unknown" in shown
        assert not any(bad in shown for bad in ("\x1b", "\u009b", "\u202e", "\r"))
    assert "<script>alert" not in page


def test_an_error_that_quotes_somebody_else_s_file_is_harmless(capsys: pytest.CaptureFixture[str]) -> None:
    report(VerificationError(f"line 1: `{HOSTILE}` is wrong\nline 2", hint=f"look at {HOSTILE}"))
    shown = plain(capsys.readouterr().err)
    assert all(bad not in shown for bad in ("\x1b", "\u009b", "\u202e", "\r")) and "line 2" in shown


async def test_the_reason_of_a_kill_is_harmless(place: Place) -> None:
    async with connected(place) as client:
        started = await attached(client)
        await place.desk.brakes.kill(started["run"], by=ME, reason=HOSTILE)
        message = await client.receive()
        while message is not None and message["op"] != "end":
            message = await client.receive()
        assert message is not None
        assert all(bad not in message["reason"] for bad in ("\x1b", "\u009b", "\u202e", "\r", "\n"))


@pytest.mark.parametrize(
    "forged",
    [
        {"run": "01900000-0000-7000-8000-000000000001"},
        {"resume": "01900000-0000-7000-8000-999999999999"},
        {"resume": "../../etc"},
        {"resume": "x" * 65},
        {"agent": "nobody"},
        {"agent": "research\n"},
        {"hold_seconds": 10**9},
        {"per_run": {"usd": 10**9}},
        {"op": "attach"},
        {"purpose": "p" * 501},
    ],
)
async def test_a_run_cannot_name_its_own_identity_or_limits(place: Place, forged: dict[str, object]) -> None:
    async with connected(place) as client:
        await client.send(START | forged)
        answer = await client.receive()
        assert answer is not None and answer["op"] == "error"
    assert not await place.store.runs()


async def test_a_live_run_cannot_be_taken_over(place: Place) -> None:
    async with connected(place) as first, connected(place) as second:
        started = await attached(first)
        await second.send(START | {"resume": started["run"]})
        answer = await second.receive()
        assert answer is not None and answer["op"] == "error" and "still active" in answer["message"]


async def test_a_cookie_given_by_somebody_else_is_not_adopted(place: Place) -> None:
    async with place.browser() as browser:
        browser.cookies.set("comptroller", "fixed-by-an-attacker", domain="127.0.0.1")
        base, _ = await signed_in(place, browser)
        assert "fixed-by-an-attacker" not in {c.value for c in browser.cookies.jar if c.path == base}
    async with place.browser() as other:
        other.cookies.set("comptroller", "fixed-by-an-attacker", domain="127.0.0.1")
        assert (await other.get(base)).status_code == 401


async def test_a_token_of_another_session_is_no_token(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    async with place.browser() as one, place.browser() as two:
        base, _ = await signed_in(place, one)
        _, foreign = await signed_in(place, two)
        answer = await one.post(f"{base}approvals/{held.id}/approve", data={"csrf": foreign})
        assert answer.status_code == 403
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.state.value == "pending" and not kept.votes


@pytest.mark.parametrize("verb", ["approve", "reject"])
async def test_reading_never_answers(place: Place, verb: str) -> None:
    run = await place.run()
    held = await place.held(run)
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        for method in ("GET", "HEAD", "PUT", "OPTIONS"):
            answer = await browser.request(method, f"{base}approvals/{held.id}/{verb}", params={"csrf": csrf})
            assert answer.status_code in (401, 403, 405)
    kept = await place.store.approval(held.id)
    assert kept is not None and kept.state.value == "pending"
