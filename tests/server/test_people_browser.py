"""People in a real Chromium with a virtual authenticator: they enrol, sign in and out, sign a yes, and are refused."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass

import pyotp
import pytest
from people_kit import GOOD
from playwright.async_api import Browser, CDPSession, Page, async_playwright, expect
from server_kit import ME, Place

from comptroller.core.strong_yes import verify_vote
from comptroller.core.verdict import Obligation

pytestmark = pytest.mark.skipif(shutil.which("chromium") is None, reason="chromium is not installed")

STRONG = Obligation(rule="pay", reason="this pays", approvers="approvers", assurance="passkey")


@dataclass
class Seat:
    """A person before a browser."""

    place: Place
    page: Page
    protocol: CDPSession
    authenticator: str
    errors: list[str]

    async def open(self, path: str) -> None:
        await self.page.goto(f"{self.place.house.page_origin}{path}")

    async def by_link(self) -> None:
        async with self.place.client() as client:
            url = (await client.post("/v1/page-link")).json()["url"]
        await self.page.goto(url)
        await expect(self.page.locator("nav.rail")).to_be_visible()

    async def invitation(self, name: str) -> str:
        async with self.place.client() as client:
            return str((await client.post(f"/v1/people/{name}/invite")).json()["url"])

    async def kinds(self) -> list[str]:
        return [str(entry.document["kind"]) for entry in await self.place.store.entries()]


@pytest.fixture
async def seat(place: Place) -> AsyncIterator[Seat]:
    async with async_playwright() as playwright:
        browser: Browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page()
        errors: list[str] = []
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        protocol = await page.context.new_cdp_session(page)
        await protocol.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        made = await protocol.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        yield Seat(place, page, protocol, made["authenticatorId"], errors)
        await browser.close()


async def test_a_passkey_is_enrolled_signs_in_and_signs_a_yes(seat: Seat) -> None:
    page, place = seat.page, seat.place
    await page.goto(await seat.invitation(ME))
    await expect(page.locator("#who")).to_have_text(ME)
    assert "#" not in page.url
    await page.click("#passkey")
    await expect(page.locator("nav.rail")).to_be_visible()
    await page.locator(".menu summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("link", name="Sign in").click()
    await page.click("#passkey")
    await expect(page.locator("nav.rail")).to_be_visible()

    asked = await place.held(await place.run(), obligations=(STRONG,))
    await page.get_by_role("link", name="Approvals").first.click()
    card = page.locator("article.card", has_text=asked.sentence)
    await card.get_by_role("button", name="Approve once").click()
    await expect(page.locator(".toasts .notice")).to_contain_text("Signed and approved")
    await expect(card).to_have_count(0)
    entries = await place.store.entries()
    vote = next(entry for entry in entries if entry.document["kind"] == "approval.approved")
    beside = {item.name: item.value for item in await place.store.private(vote.index)}
    signed = verify_vote(vote.document, beside)
    assert signed.person == ME and signed.document["sentence"] == asked.sentence
    assert signed.origin == place.house.page_origin
    assert [kind for kind in await seat.kinds() if kind.startswith("person.")] == [
        *("person.invited", "person.enrolled", "person.passkey_added", "person.signed_out", "person.signed_in"),
    ]
    assert seat.errors == []


async def test_a_yes_without_the_persons_own_gesture_is_refused(seat: Seat) -> None:
    page, place = seat.page, seat.place
    await seat.by_link()
    await page.get_by_role("link", name="You").first.click()
    await page.get_by_role("button", name="Add a passkey").click()
    await expect(page.locator(".notice")).to_contain_text("signs you in")
    await place.held(await place.run(), obligations=(STRONG,))
    await page.get_by_role("link", name="Approvals").first.click()
    unverified = {"authenticatorId": seat.authenticator, "isUserVerified": False}
    await seat.protocol.send("WebAuthn.setUserVerified", unverified)
    await page.get_by_role("button", name="Approve once").click()
    await expect(page.locator(".toasts .notice")).to_contain_text("passkey was not used", timeout=60_000)
    assert "approval.approved" not in await seat.kinds()


async def test_a_password_and_its_codes(seat: Seat) -> None:
    page = seat.page
    await page.goto(await seat.invitation("dana"))
    await page.fill("#password input[name=password]", "password1234")
    factor = await page.locator("#factor").inner_text()
    await expect(page.locator("#picture svg")).to_be_visible()
    await page.fill("#password input[name=code]", pyotp.TOTP(factor).at(seat.place.clock.now()))
    await page.get_by_role("button", name="Set up").click()
    await expect(page.locator("#told")).to_contain_text("guessers try first")
    await page.fill("#password input[name=password]", GOOD)
    await page.fill("#password input[name=code]", pyotp.TOTP(factor).at(seat.place.clock.now()))
    await page.get_by_role("button", name="Set up").click()
    await expect(page.locator("#codes li")).to_have_count(10)
    codes = await page.locator("#codes li").all_inner_texts()
    assert len(set(codes)) == 10
    await page.click("#go")
    await page.locator(".menu summary").click()
    await page.get_by_role("button", name="Sign out").click()
    await page.get_by_role("link", name="Sign in").click()
    wrong = ("wrong password here", "000000", "name, password or code is wrong")
    for password, code, told in (wrong, (GOOD, codes[0], "")):
        await page.fill("input[name=name]", "dana")
        await page.fill("input[name=password]", password)
        await page.fill("input[name=code]", code)
        await page.get_by_role("button", name="Sign in", exact=True).click()
        if told:
            await expect(page.locator("#told")).to_contain_text(told)
    await expect(page.locator("nav.rail")).to_be_visible()
    await page.get_by_role("link", name="You").first.click()
    await expect(page.locator("#account")).to_contain_text("9 recovery codes are left")
    await page.fill("#make-token input[name=name]", "build")
    await page.get_by_role("button", name="Make a token").click()
    text = await page.locator("#token li").inner_text()
    found = await seat.place.house.persons.tokens.caller(text)
    assert found is not None and found.person.name == "dana"
