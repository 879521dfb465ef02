"""The page Boundary as a person uses it: a mistake seen in place, a rule tried, put in force and found in the log."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Page, async_playwright, expect

from comptroller.compose import Installation, open_installation, starter_policies
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.approval import Person
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.role import Role
from comptroller.engine.sequencer import Proposal
from comptroller.server.house import House
from comptroller.server.identity import Caller, os_user, person_name
from comptroller.server.policies import policies_of

CHROMIUM = "/usr/bin/chromium"
AXE = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}
PAGE_BYTES_MAX = 150_000
HOSTILE = "</pre><script>alert(1)</script>\u202egnp.exe"
SHADOW = (
    '@id("watched-writes")\n@mode("shadow")\n@reason("writes in the night?")\n'
    'forbid (principal, action in Comptroller::Action::"write", resource);\n'
)
NO_WRITES = '@id("no-writes")\nforbid (principal, action in Comptroller::Action::"write", resource);\n'
ME = person_name(os_user(os.getuid()))


@dataclass
class Served:
    """One installation with its console, a browser, and what lies in its log."""

    installation: Installation
    house: House
    browser: Browser
    folder: Path

    @asynccontextmanager
    async def page(self, **options: Any) -> AsyncIterator[Page]:
        """A signed-in page; anything the browser complains about fails the test."""
        complaints: list[str] = []
        context = await self.browser.new_context(**options)
        page = await context.new_page()
        page.on("console", lambda m: complaints.append(m.text) if m.type in ("error", "warning") else None)
        page.on("pageerror", lambda e: complaints.append(str(e)))
        cookie, base = await self.cookie()
        await context.add_cookies([{"name": "comptroller", "value": cookie, "url": f"{self.house.page_origin}{base}"}])
        await page.goto(f"{self.house.page_origin}{base}boundary")
        yield page
        await context.close()
        assert complaints == []

    async def cookie(self) -> tuple[str, str]:
        """A session's cookie and the base it belongs to."""
        control = httpx.AsyncHTTPTransport(uds=str(self.folder / "control.sock"))
        async with httpx.AsyncClient(transport=control, base_url="http://comptroller") as client:
            url = (await client.post("/v1/page-link")).json()["url"]
        origin = self.house.page_origin
        async with httpx.AsyncClient(base_url=origin, headers={"origin": origin}) as client:
            answer = await client.post("/login", json={"token": url.partition("#")[2]})
            return answer.cookies["comptroller"], answer.json()["next"]

    async def act(self, of: ActionClass, *, usd_micros: int = 0, sentence: str = "") -> None:
        """One action, decided for real."""
        engine = self.installation.engine
        run = await engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
        action = Action(
            operation=f"aws:ec2:{of.value}",
            service="aws:ec2",
            classes=frozenset({of}),
            endpoint="ec2.us-east-1.amazonaws.com",
            agent="bot",
            run=run.id,
        )
        estimate = Estimate(bounds={Unit.CALLS: Bound.exactly(1), Unit.USD_MICROS: Bound(low=0, high=usd_micros)})
        proposal = Proposal(
            action=action,
            digest=digest(action),
            estimate=estimate,
            boundary=self.installation.boundary.evaluate(action, estimate),
            sentence=sentence or of.value,
        )
        await engine.sequencer.admit(proposal)


@pytest.fixture
async def served(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Served]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "starter.cedar").write_text(starter_policies(), "utf-8")
    (tmp_path / "policies" / "watched.cedar").write_text(SHADOW, "utf-8")
    config = {
        "version": 1,
        "organization": "acme",
        "teams": {"ml": {}},
        "people": {"ann": {"groups": ["approvers"]}, ME: {"groups": ["approvers"]}},
        "agents": {"bot": {"team": "ml", "owner": "ann", "purpose": "look around", "services": ["aws:ec2"]}},
        "budgets": [{"scope": "acme", "unit": "usd", "limit": 50}, {"scope": "acme", "unit": "calls", "limit": 100}],
    }
    (tmp_path / "comptroller.yaml").write_text(yaml.safe_dump(config), "utf-8")
    installation = await open_installation(tmp_path / "comptroller.yaml")
    folder = Path(tempfile.mkdtemp(prefix="cb-"))
    house = House(installation.desk, control_socket=folder / "control.sock", attach_socket=folder / "attach.sock")
    await installation.begin()
    await house.start()
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        made = Served(installation, house, browser, folder)
        for of, usd_micros in ((ActionClass.READ, 0), (ActionClass.WRITE, 1_000_000), (ActionClass.WRITE, 2_000_000)):
            await made.act(of, usd_micros=usd_micros, sentence=f"{of.value} {HOSTILE}")
        await made.act(ActionClass.PROVISION, usd_micros=3_000_000)
        yield made
        await browser.close()
    await house.close()
    await installation.close()
    shutil.rmtree(folder)


async def axe(page: Page) -> None:
    """Nothing that WCAG 2.2 AA calls a barrier, light and dark."""
    for scheme in ("light", "dark"):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        found = await Axe().run(page, options=AXE)
        assert found.violations_count == 0, found.generate_report()


async def test_a_rule_is_edited_tried_applied_and_found_in_the_log(served: Served) -> None:
    async with served.page() as page:
        await expect(page.locator("#rule-read-and-write")).to_contain_text("3 let go")
        await expect(page.locator("#rule-with-a-yes")).to_contain_text("1 let be asked about")
        await expect(page.locator("#rule-infer")).to_contain_text("unused for 30 days")
        await page.get_by_role("link", name="Edit the rules").click()
        await page.get_by_label("Another file").select_option("watched.cedar")
        await page.get_by_role("button", name="Open").click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("watched.cedar")
        text = page.locator("#text")
        wrong = SHADOW + NO_WRITES.replace("resource);", 'resource) when { context.regoin == "x" };')
        column = wrong.splitlines()[5].index("regoin") + 1
        await text.fill(wrong)
        await expect(page.locator("#told")).to_contain_text(f"line 6, column {column}")
        await expect(page.locator("#told")).to_contain_text("Write `context.region`")
        await expect(page.locator("#paint .wrong")).to_have_text("regoin")
        await expect(page.locator("#gutter .at")).to_have_text("6")
        await page.locator("#told a").click()
        selected = await text.evaluate("node => [node.selectionStart, document.activeElement === node]")
        assert selected == [wrong.index("regoin"), True]
        await axe(page)
        await text.fill(SHADOW + NO_WRITES)
        await expect(page.locator("#told")).to_contain_text("no wider no-writes added: it holds back more")
        await page.get_by_role("button", name="Try it on what was recorded").click()
        await expect(page.get_by_role("heading", name="2 × goes → denied")).to_be_visible(timeout=60_000)
        await expect(page.get_by_text("Nothing would be held back less than now.")).to_be_visible()
        await expect(page.locator("#found")).to_contain_text("<U+202E>")
        await axe(page)
        await page.get_by_label("Why").fill("writes wait until monday")
        await page.get_by_role("button", name="Put it in force").click()
        await expect(page.locator(".notice.good")).to_have_text(f"In force: watched.cedar, by {ME}.")
        await expect(page.locator("#rule-no-writes")).to_be_visible()
        history = page.get_by_role("region", name="Changes")
        await expect(history).to_contain_text("writes wait until monday")
        await expect(history.locator("summary b").first).to_have_text(ME)
        await history.locator("summary").first.click()
        await expect(history.locator(".dadd").first).to_contain_text("+++ watched.cedar")
        await axe(page)
    entry = (await served.installation.store.entries(limit=1000))[-1]
    assert entry.document["kind"] == "config.loaded"
    body = entry.document["body"]
    assert isinstance(body, dict) and body["by"] == ME and body["policies"] == served.installation.boundary.policy_hash


async def test_what_may_widen_has_to_be_acknowledged(served: Served) -> None:
    async with served.page() as page:
        await page.goto(re.sub("boundary$", "boundary/edit?file=starter.cedar", page.url))
        text = page.locator("#text")
        wider = starter_policies().replace('@id("provision")', '@mode("shadow")\n@id("provision")')
        await text.fill(wider)
        await expect(page.locator("#told")).to_contain_text("may widen provision changed")
        await page.get_by_role("button", name="Try it on what was recorded").click()
        await expect(page.locator(".notice.bad")).to_contain_text(
            "More may go. 1 recorded action would have been held back less.", timeout=60_000
        )
        await page.get_by_label("Why").fill("we trust it")
        await page.get_by_role("button", name="Put it in force").click()
        assert "boundary/trial/" in page.url, "the browser wants the box ticked"
        await page.locator("[name=widen]").evaluate("node => { node.required = false }")
        await page.get_by_role("button", name="Put it in force").click()
        await expect(page.locator("main > .notice.bad")).to_contain_text("more may go with it, because of provision")
        await page.get_by_label("Why").fill("we trust it")
        await page.get_by_label("I know that more may go with it").check()
        await axe(page)
        await page.get_by_role("button", name="Put it in force").click()
        await expect(page.locator(".notice.good")).to_contain_text("In force: starter.cedar")
        await expect(page.locator("#rule-provision")).to_contain_text("1 asked")


async def test_shadow_rules_and_suggestions_show_their_effect(served: Served) -> None:
    for approval in await served.installation.store.approvals():
        await served.installation.desk.approvals.reject(approval.id, _ann(), comment="no")
    for number in range(2):
        await served.act(ActionClass.PROVISION, usd_micros=3_000_000, sentence=f"again {number}")
        for approval in await served.installation.store.approvals():
            if approval.state == "pending":
                await served.installation.desk.approvals.reject(approval.id, _ann(), comment="no")
    async with served.page() as page:
        await expect(page.locator("#rule-watched-writes")).to_contain_text("would have denied 2 times, $3.00")
        await expect(page.locator("#rules > p").first).to_contain_text(
            "1 unused" if False else "in shadow mode would have changed 2 actions"
        )
        await page.get_by_role("button", name="Look again").click()
        await policies_of(served.installation.desk).trials.wait()
        await page.reload()
        suggested = page.get_by_role("region", name="Suggested")
        await expect(suggested).to_contain_text("3 questions fewer, $9.00")
        await suggested.locator("summary").first.click()
        await axe(page)
        await suggested.get_by_role("link", name="Open in the editor").first.click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("answered.cedar")
        await expect(page.locator("#text")).to_have_value(re.compile('@id\\("never-provision-'))
        await expect(page.locator("#told")).to_contain_text("no wider never-provision-")


async def test_without_scripts_everything_but_the_comfort_is_there(served: Served) -> None:
    async with served.page(java_script_enabled=False) as page:
        await page.get_by_role("link", name="Edit the rules").click()
        await page.locator("#text").fill("permit (principal, action, resource);")
        await page.get_by_role("button", name="Check").click()
        await expect(page.locator("#told")).to_contain_text("a policy without `@id`")
        await page.locator("#text").fill(starter_policies() + NO_WRITES)
        await page.get_by_role("button", name="Try it on what was recorded").click()
        await policies_of(served.installation.desk).trials.wait()
        await page.reload()
        await page.get_by_label("Why").fill("no scripts")
        await page.get_by_role("button", name="Put it in force").click()
        await expect(page.locator(".notice.good")).to_contain_text("In force: starter.cedar")
    assert "no-writes" in {rule.id for rule in served.installation.boundary.rules}


async def test_on_a_phone_nothing_is_wider_than_the_screen(served: Served) -> None:
    async with served.page(viewport={"width": 390, "height": 844}, has_touch=True) as page:
        for path in ("", "/edit?file=starter.cedar"):
            await page.goto(re.sub("boundary.*$", f"boundary{path}", page.url))
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, path
            assert len((await page.content()).encode()) < PAGE_BYTES_MAX
            await axe(page)


async def test_a_viewer_reads_and_edits_nothing(served: Served) -> None:
    cookie, base = await served.cookie()
    origin = served.house.page_origin
    async with httpx.AsyncClient(
        base_url=origin, headers={"origin": origin}, cookies={"comptroller": cookie}
    ) as client:
        assert (await client.get(f"{base}boundary")).status_code == 200
        without = await client.post(f"{base}boundary/apply", data={"trial": "x", "reason": "y"})
        assert without.status_code == 403, "no token, no change"
    page = served.house._page
    assert page is not None
    viewer = Caller(person=_ann(), roles=frozenset({Role.VIEWER}))
    page.sessions.know = lambda _: viewer
    cookie = page.sessions.open(viewer, how="link")
    session = page.sessions.find(cookie)
    assert session is not None
    async with httpx.AsyncClient(
        base_url=origin, headers={"origin": origin}, cookies={"comptroller": cookie}
    ) as client:
        shown = await client.get(f"{base}boundary")
        assert shown.status_code == 200 and "boundary/edit" not in shown.text
        for path in ("edit", "trial/0"):
            assert (await client.get(f"{base}boundary/{path}")).status_code == 403
        for path in ("check", "what-if", "suggest", "apply", "trial/0/cancel"):
            assert (await client.post(f"{base}boundary/{path}", data={"csrf": session.csrf})).status_code == 403


def _ann() -> Person:
    return Person(name="ann", groups=frozenset({"approvers"}), via="uid:1")
