"""The console as a person uses it, in a real Chromium: it follows, answers by one key, stops, works without
scripts."""

from __future__ import annotations

import asyncio
import os
import re
from dataclasses import replace
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import expect
from tests.console.conftest import LIKE_QUESTIONS, Seen
from tests.server.server_kit import proposal

from comptroller.core.action import ActionClass
from comptroller.core.approval import ApprovalState, GrantState
from comptroller.core.narrow import Narrowing, NarrowKind
from comptroller.core.pattern import pattern_json, proposed
from comptroller.core.verdict import VerdictKind
from comptroller.server.console.pages import PAGES

PAGE_BYTES_MAX = 150_000
PICTURE_BYTES_MAX = 300_000
PICTURES = os.environ.get("COMPTROLLER_PICTURES", "")
RULES = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
LOOKS = {
    "light": {"width": 1280, "height": 860},
    "dark": {"width": 1280, "height": 860},
    "phone": {"width": 390, "height": 844},
}


def paths(console: Seen) -> dict[str, str]:
    """Every page of the navigation, and those below approvals."""
    found = {page.PAGE.name: page.PAGE.path for page in PAGES}
    return {
        **found,
        "answered": "approvals/answered",
        "question": f"approvals/{console.single.id}",
        "standing": "approvals/standing",
    }


@pytest.mark.parametrize("look", LOOKS)
async def test_every_page_is_accessible_and_fits(console: Seen, look: str, tmp_path: Path) -> None:
    page = console.page
    await page.set_viewport_size(LOOKS[look])
    await page.emulate_media(color_scheme="dark" if look == "dark" else "light", reduced_motion="reduce")
    folder = Path(PICTURES) if PICTURES else tmp_path
    folder.mkdir(parents=True, exist_ok=True)
    for name, path in paths(console).items():
        await console.open(path)
        found = await Axe().run(page, options=RULES)
        broken = [(rule["id"], [node["target"] for node in rule["nodes"]]) for rule in found.response["violations"]]
        assert broken == [], f"{name} in {look}"
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0, f"{name} in {look} is {wide} pixels too wide"
        await page.screenshot(path=folder / f"{name}-{look}.png")
        assert (folder / f"{name}-{look}.png").stat().st_size < PICTURE_BYTES_MAX
    assert console.errors == []


async def test_no_page_is_large(console: Seen) -> None:
    for name, path in paths(console).items():
        answer = await console.page.request.get(console.url(path))
        assert answer.status == 200 and len(await answer.body()) < PAGE_BYTES_MAX, name


async def test_what_happens_comes_up_by_itself_and_can_be_paused(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open()
    read = frozenset({ActionClass.READ})
    await place.propose(console.run, kind=VerdictKind.ALLOW, classes=read, sentence="list the <b>new</b> objects")
    await expect(page.locator("#feed li").first).to_contain_text("list the <b>new</b> objects")
    await page.keyboard.press("p")
    await place.propose(console.run, kind=VerdictKind.ALLOW, classes=read, sentence="while it was paused")
    await expect(page.locator("#pause")).to_contain_text("1 new")
    await expect(page.locator("#feed")).not_to_contain_text("while it was paused")
    await page.keyboard.press("p")
    await expect(page.locator("#feed li").first).to_contain_text("while it was paused")
    await page.locator("#feed a.text").first.click()
    await expect(page.locator("#feed .entry")).to_contain_text("aws:ec2:RunInstances")
    assert console.errors == []


async def test_the_feed_is_a_bounded_window_however_much_happens(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open()
    read = frozenset({ActionClass.READ})
    for start in range(0, 600, 50):
        doing = (
            place.propose(
                console.run, kind=VerdictKind.ALLOW, classes=read, usd_micros=0, quantity=n + 1, sentence=f"action {n}"
            )
            for n in range(start, start + 50)
        )
        await asyncio.gather(*doing)
    await expect(page.locator("#feed")).to_contain_text("action 599")
    assert await page.locator("#feed li").count() <= 200


async def test_filters_hold_for_what_was_and_for_what_comes(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open()
    await page.select_option("select[name=class]", "read")
    await page.wait_for_url(re.compile("class=read"))
    await expect(page.locator("#feed li").first).to_contain_text("list objects")
    await place.propose(console.run, kind=VerdictKind.DENY, sentence="this one is no read")
    read = frozenset({ActionClass.READ})
    await place.propose(console.run, kind=VerdictKind.ALLOW, classes=read, sentence="this one is")
    await expect(page.locator("#feed li").first).to_contain_text("this one is")
    await expect(page.locator("#feed")).not_to_contain_text("no read")


async def test_freeze_thaw_and_kill(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open()
    run = page.locator("article.run").first
    await run.get_by_placeholder("why").fill("looks wrong")
    await run.get_by_role("button", name="Freeze").click()
    await expect(page.locator("#brakes")).to_contain_text("looks wrong")
    await run.get_by_role("button", name="Thaw").click()
    await expect(page.locator("#brakes .banner")).to_have_count(0)
    await run.get_by_role("button", name="Kill").click()
    assert await place.store.brakes() == ()
    await run.get_by_role("button", name="Sure? Kill it").click()
    await expect(page.locator("#brakes")).to_contain_text("killed")
    assert [brake.state.value for brake in await place.store.brakes()] == ["killed"]


async def test_a_question_shows_what_differs_and_is_answered_by_one_key(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open("approvals")
    card = page.locator("article.card", has_text=console.single.sentence)
    for fact in ("$4.00", "differs", "Who may", "it is denied", "compare instance prices"):
        await expect(card).to_contain_text(fact)
    await expect(card.locator(".diff")).to_contain_text("quantity 1 2")
    for _ in range(20):
        await page.keyboard.press("j")
        if await card.get_attribute("data-chosen") is not None:
            break
    await page.keyboard.press("a")
    await expect(card).to_have_count(0)
    await expect(page.locator(".toasts")).to_contain_text("Approved, for exactly this and once")
    kept = await place.store.approval(console.single.id)
    assert kept is not None and kept.grant is GrantState.UNUSED
    await console.open(f"approvals/{console.single.id}")
    await expect(page.locator("main")).to_contain_text("Not used yet")
    await page.get_by_role("button", name="Take the yes back").click()
    await page.get_by_role("button", name="Sure? Take it back").click()
    await expect(page.locator("main")).not_to_contain_text("Not used yet")
    assert console.errors == []


async def test_a_no_needs_its_reason(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open(f"approvals/{console.single.id}")
    await page.keyboard.press("r")
    field = page.locator("input[name=comment]")
    await expect(field).to_be_focused()
    await field.fill("one is enough")
    await page.get_by_role("button", name="Reject").click()
    await expect(page.locator("main")).to_contain_text("one is enough")
    kept = await place.store.approval(console.single.id)
    assert kept is not None and (kept.state, kept.comment) == (ApprovalState.REJECTED, "one is enough")


async def test_less_than_was_asked_is_a_form_of_what_can_be_lowered(console: Seen) -> None:
    page, place = console.page, console.place
    count = Narrowing(path="MaxCount", kind=NarrowKind.COUNT, value="8")
    asked = await place.sequencer.admit(
        replace(proposal(console.run, quantity=8, sentence="start 8 machines"), narrowings=(count,))
    )
    assert asked.approval is not None
    await console.open(f"approvals/{asked.approval.id}")
    await page.keyboard.press("n")
    field = page.get_by_label("count MaxCount")
    await expect(field).to_be_focused()
    await field.fill("1")
    await page.get_by_role("button", name="Approve only that").click()
    # Nothing is held by a gateway in this installation: the engine says so, and the question stays.
    await expect(page.locator(".toasts")).to_contain_text("could be lowered")
    kept = await place.store.approval(asked.approval.id)
    assert kept is not None and kept.state is ApprovalState.PENDING


async def test_like_questions_are_a_table_answered_at_once(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open("approvals")
    table = page.locator("article.card", has_text="like things at once")
    await table.locator("input[type=checkbox]").first.uncheck()
    await table.get_by_role("button", name="Approve those ticked").click()
    await table.get_by_role("button", name="Sure? All that are ticked").click()
    await expect(page.locator(".toasts")).to_contain_text(f"Approved {LIKE_QUESTIONS - 1} of {LIKE_QUESTIONS - 1}")
    found = [each for each in await place.store.approvals() if each.sentence.startswith("delete the object")]
    assert sorted(each.state for each in found) == ["approved"] * (LIKE_QUESTIONS - 1) + ["pending"]


async def test_a_link_to_a_question_arrives_at_it_and_a_question_is_withdrawn(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open(f"approvals#{console.single.id}")
    card = page.locator(f"article.card[id='{console.single.id}']")
    await expect(card).to_have_attribute("data-chosen", "")
    await expect(card).to_be_in_viewport()
    await card.get_by_role("button", name="Withdraw").click()
    await card.get_by_role("button", name="Sure? Nobody is asked any more").click()
    await expect(page.locator(".toasts")).to_contain_text("The question is taken back")
    await expect(card).to_have_count(0)
    kept = await place.store.approval(console.single.id)
    assert kept is not None and kept.state is ApprovalState.WITHDRAWN
    await page.goto("about:blank")
    await page.goto(console.url(f"approvals#{console.answered.id}"))
    await page.wait_for_url(f"**/approvals/{console.answered.id}")
    await expect(page.locator("h1")).to_contain_text(console.answered.sentence)
    assert console.errors == []


async def test_a_standing_grant_is_read_given_and_revoked(console: Seen) -> None:
    page, place = console.page, console.place
    made = proposal(console.run, quantity=5, sentence="start 5 machines")
    pattern = proposed(made.action, made.estimate, frozenset())
    assert pattern is not None
    asked = await place.sequencer.admit(replace(made, like=pattern_json(pattern)))
    assert asked.approval is not None
    await page.set_viewport_size(LOOKS["phone"])
    await console.open(f"approvals/{asked.approval.id}")
    await page.get_by_role("link", name="a standing grant").click()
    await page.get_by_label("How many").fill("3")
    await page.get_by_role("button", name="Show it").click()
    await expect(page.locator("h1")).to_contain_text("the next 3 like this: aws:ec2:RunInstances")
    for _ in range(2):
        found = await Axe().run(page, options=RULES)
        assert [(rule["id"], rule["nodes"]) for rule in found.response["violations"]] == []
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        if await page.get_by_role("button", name="Grant it").count():
            await page.get_by_label("I read it").check()
            await page.get_by_role("button", name="Grant it").click()
            await expect(page.locator(".notice").first).to_contain_text("Granted: the next 3")
    (given,) = await place.desk.standing.listed()
    assert given.count == 3
    await page.get_by_role("button", name="Revoke").click()
    await expect(page.locator("main")).to_contain_text("None in force")
    assert await place.desk.standing.listed() == ()
    assert console.errors == []


async def test_somebody_elses_answer_is_heard(console: Seen) -> None:
    page, place = console.page, console.place
    await console.open("approvals")
    async with place.client() as client:
        await client.post(f"/v1/approvals/{console.single.id}/reject", json={"comment": "no"})
    await expect(page.locator("article.card", has_text=console.single.sentence)).to_have_count(0)


async def test_everything_can_be_read_and_answered_without_scripts(console: Seen) -> None:
    cookies = await console.page.context.cookies()
    context = await console.browser.new_context(java_script_enabled=False)
    await context.add_cookies([{**cookie} for cookie in cookies])  # type: ignore[typeddict-item]
    page = await context.new_page()
    await page.goto(console.url("approvals"))
    card = page.locator("article.card", has_text=console.single.sentence)
    await card.get_by_role("button", name="Approve once").click()
    await expect(page.locator(".notice")).to_contain_text("Approved, for exactly this and once")
    await context.close()


async def test_colours_are_chosen_and_kept(console: Seen) -> None:
    page = console.page
    await page.emulate_media(color_scheme="light")
    await console.open()
    light = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await page.locator(".menu summary").click()
    await page.get_by_role("button", name="dark").click()
    dark = await page.evaluate("getComputedStyle(document.body).backgroundColor")
    await console.open("approvals")
    assert await page.evaluate("getComputedStyle(document.body).backgroundColor") == dark != light


async def test_keys_lead_to_pages_and_are_listed(console: Seen) -> None:
    page = console.page
    await console.open()
    await page.keyboard.press("?")
    await expect(page.locator("dialog#keys")).to_contain_text("pause the feed")
    await page.keyboard.press("Escape")
    await page.keyboard.press("g")
    await page.keyboard.press("a")
    await expect(page.locator("h1")).to_have_text("Approvals")
