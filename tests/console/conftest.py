"""A seeded installation and a real Chromium in which somebody is signed in to its console."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.async_api import Browser, Page, async_playwright, expect
from tests.server.server_kit import Place, configured, make_place, open_place

from comptroller.core.action import ActionClass
from comptroller.core.approval import Approval, Person
from comptroller.core.brake import Run
from comptroller.core.verdict import VerdictKind

LIKE_QUESTIONS = 4


@dataclass
class Seen:
    """Somebody in front of the console. `errors`: what the browser complained about."""

    place: Place
    browser: Browser
    page: Page
    base: str
    run: Run
    single: Approval
    answered: Approval
    errors: list[str] = field(default_factory=list)

    def url(self, path: str = "") -> str:
        """The whole address of a path under the base."""
        return f"{self.place.house.page_origin}{self.base}{path}"

    async def open(self, path: str = "") -> None:
        """Go there, and wait until the page follows."""
        await self.page.goto(self.url(path))
        await expect(self.page.locator("#live")).to_have_text("live")


async def seed(place: Place) -> tuple[Run, Approval, Approval]:
    """Two runs, what they did, one question, one of unknown price, several alike, and one that was answered."""
    run, other = await place.run(), await place.run()
    read = frozenset({ActionClass.READ})
    for number in range(12):
        await place.propose(
            run, kind=VerdictKind.ALLOW, classes=read, usd_micros=1_000 * number, sentence=f"list objects {number}"
        )
    await place.propose(run, kind=VerdictKind.DENY, sentence="open port 22 to the whole internet")
    before = await place.held(run, sentence="start 1 x m8g.large in us-east-1", quantity=1)
    name = next(iter(place.desk.config.people))
    await place.desk.approvals.approve(
        before.id, Person(name=name, groups=frozenset({"approvers"}), via="test"), comment="as planned"
    )
    single = await place.held(run)
    for number in range(LIKE_QUESTIONS):
        await place.held(
            other, sentence=f"delete the object backup-{number}", quantity=number + 1, parameters={"Key": f"b-{number}"}
        )
    await place.held(run, sentence="buy a listing of unknown price", quantity=9, usd_micros=None)
    return run, single, before


@pytest.fixture
async def console() -> AsyncIterator[Seen]:
    """Signed in, on the first page."""
    folder = Path(tempfile.mkdtemp(prefix="cs-"))
    place = make_place(folder, configured())
    await open_place(place)
    run, single, answered = await seed(place)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1280, "height": 860})
        async with place.client() as client:
            url = (await client.post("/v1/page-link")).json()["url"]
        await page.goto(url)
        await expect(page.locator("nav.rail")).to_be_visible()
        base = await page.evaluate("document.body.dataset.base + '/'")
        seen = Seen(place, browser, page, base, run, single, answered)
        page.on("console", lambda told: seen.errors.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: seen.errors.append(str(error)))
        yield seen
        await browser.close()
    await place.house.close()
    shutil.rmtree(folder)
