"""Spend, Holdings, Audit, Findings and Settings in a real Chromium: for everybody's eyes, and proofs made there."""

from __future__ import annotations

import os
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.async_playwright import Axe
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from playwright.async_api import Page, async_playwright, expect
from test_console_pages import PAGES, Visited, visited

from comptroller.core import checkpoint as notes
from comptroller.core import merkle
from comptroller.core.audit import EntryKind
from comptroller.server.place import Paths

__all__ = ["visited"]

WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
SHOTS = os.environ.get("COMPTROLLER_PICTURES", "")
"""A folder: pictures of every page are put there."""


@dataclass
class Seen:
    visited: Visited
    page: Page
    errors: list[str]

    async def open(self, path: str) -> None:
        await self.visited.read(path)
        await self.page.goto(f"{self.visited.place.house.page_origin}{self.visited.base}{path}")

    async def script(self, body: str, argument: Any = None) -> Any:
        """Run `body` with the verifier as `v` in the page."""
        source = await self.page.evaluate("document.querySelector('script[src*=\"console/audit.js\"]').src")
        module = source.replace("audit.js", "verify.js")
        return await self.page.evaluate(f"async (a) => {{ const v = await import('{module}'); {body} }}", argument)


@pytest.fixture
async def seen(visited: Visited) -> AsyncIterator[Seen]:
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        errors: list[str] = []
        page.on("console", lambda told: errors.append(told.text) if told.type == "error" else None)
        page.on("pageerror", lambda error: errors.append(str(error)))
        async with visited.place.client() as client:
            await page.goto((await client.post("/v1/page-link")).json()["url"])
        await expect(page.locator("nav.rail")).to_be_visible()
        yield Seen(visited, page, errors)
        await browser.close()


async def test_every_page_is_for_everybody(seen: Seen) -> None:
    page, write = seen.page, seen.visited
    await write.write(
        *(await drafts(write)),
    )
    await write.sign()
    paths = {
        **{module.PAGE.name: module.PAGE.path for module in PAGES},
        "entry": "audit/5",
        "sample": "audit/sample?seed=dice&count=10",
        "spend-by-service": "spend?by=service&unit=tokens&days=90",
    }
    for scheme, width in (("light", 1280), ("dark", 1280), ("light", 375)):
        await page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        await page.set_viewport_size({"width": width, "height": 900 if width > 400 else 760})
        for name, path in paths.items():
            await seen.open(path)
            if SHOTS:
                look = "phone" if width < 400 else scheme
                await page.screenshot(path=str(Path(SHOTS) / f"{name}-{look}.png"))
            await page.evaluate("document.querySelectorAll('details.more').forEach((each) => { each.open = true })")
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{name} at {width} pixels scrolls sideways by {wide}"
            found = await Axe().run(page, options={"runOnly": {"type": "tag", "values": WCAG}})
            told = [(each["id"], each["nodes"][0]["html"]) for each in found.response["violations"]]
            assert not told, (name, scheme, width, told)
    assert not seen.errors


async def drafts(visited: Visited) -> list[Any]:
    from test_console_pages import draft

    return [
        draft(visited, EntryKind.BRAKE_FROZEN, {"scope": "acme/ml", "by": "ann"}, reason="it loops"),
        draft(
            visited,
            EntryKind.BUDGET_THRESHOLD,
            {"scope": "acme", "unit": "usd_micros", "window": "month", "percent": 80, "taken": 80, "limit": 100},
        ),
    ]


async def test_an_entry_is_proven_in_the_browser(seen: Seen) -> None:
    page = seen.page
    signed = await seen.visited.sign()
    await seen.open("audit/700")
    await page.get_by_role("button", name="Prove it here").click()
    told = page.locator("#proof output")
    await expect(told).to_contain_text(f"lead from it to the root of {signed.size} entries")
    await expect(told).to_contain_text("the checkpoint is signed by the key that this server names")
    await expect(told.locator(".bad, .wait")).to_have_count(0)

    await page.fill("#proof [name=key]", seen.visited.key)
    await page.get_by_role("button", name="Prove it here").click()
    await expect(told).to_contain_text("signed by the key that you brought")

    other = notes.verifier_key("test-log", Ed25519PrivateKey.generate().public_key())
    await page.fill("#proof [name=key]", other)
    await page.get_by_role("button", name="Prove it here").click()
    await expect(told.locator(".bad")).to_contain_text("not signed by this key")
    assert not seen.errors


async def test_a_server_that_lies_is_caught_by_the_browser(seen: Seen) -> None:
    page = seen.page
    await seen.open("audit/700")

    async def lie(route: Any) -> None:
        answer = await route.fetch()
        body = await answer.json()
        body["leaf"] = body["leaf"].replace('"kind":"', '"kind":"not.')
        await route.fulfill(response=answer, json=body)

    await page.route("**/audit/700/proof", lie)
    await page.get_by_role("button", name="Prove it here").click()
    await expect(page.locator("#proof output .bad")).to_contain_text("does not lead to the checkpoint's root")


async def test_a_kept_checkpoint_is_compared_in_the_browser(seen: Seen) -> None:
    page = seen.page
    await seen.visited.sign()
    kept = Paths.of(Path(seen.visited.place.desk.config_path)).checkpoint.read_text("utf-8")
    await seen.visited.write(*(await drafts(seen.visited)))
    await seen.visited.sign()
    await seen.open("audit")
    told = page.locator("#consistency output")
    await page.fill("#consistency textarea", kept)
    await page.get_by_role("button", name="Prove it here").click()
    await expect(told).to_contain_text("nothing before it was changed")
    await expect(told.locator(".bad, .wait")).to_have_count(0)

    size = notes.verify(kept.encode(), notes.parse_verifier_key(seen.visited.key)).size
    forged = notes.Checkpoint(origin="test-log", size=size, root=b"\1" * 32)
    await page.fill("#consistency textarea", notes.sign(forged, seen.visited.private_key).decode())
    await page.get_by_role("button", name="Prove it here").click()
    await expect(told.locator(".bad")).to_contain_text("not of one history")
    for text in (kept.replace(str(size), str(size - 1), 1), "nonsense", kept[:-20]):
        await page.fill("#consistency textarea", text)
        await page.get_by_role("button", name="Prove it here").click()
        await expect(told.locator(".bad")).to_have_count(1)


async def test_the_browser_computes_what_the_core_does(seen: Seen) -> None:
    """Every proof of many trees, and every change of one byte of it."""
    chosen = random.Random(20261123)
    nodes: dict[tuple[int, int], bytes] = {}
    edge, roots = merkle.Edge(), [merkle.EMPTY_ROOT]
    for number in range(70):
        edge, added = merkle.append(edge, [merkle.leaf_hash(f"leaf {number}".encode())])
        nodes |= {(node.level, node.position): node.hash for node in added}
        roots.append(merkle.root(edge))
    cases = []
    for size in range(1, 71):
        for index in {0, size - 1, chosen.randrange(size), chosen.randrange(size)}:
            proof = [each.hex() for each in merkle.inclusion_proof(index, size, lambda *at: nodes[at])]
            between = [each.hex() for each in merkle.consistency_proof(index, size, lambda *at: nodes[at])]
            cases.append([index, size, proof, between, roots[size].hex(), roots[index].hex()])
    await seen.open("audit")
    told = await seen.script(
        """
        const wrong = [];
        const flip = (hash) => hash.map((byte, place) => (place === 7 ? byte ^ 1 : byte));
        const refuses = async (work) => { try { await work(); return false; } catch { return true; } };
        for (const [index, size, proof, between, root, oldRoot] of a) {
          const hash = await v.leafHash(new TextEncoder().encode(`leaf ${index}`));
          const one = { hash, index, size, proof: proof.map(v.fromHex), root: v.fromHex(root) };
          const two = {
            oldSize: index, oldRoot: v.fromHex(oldRoot), size, root: one.root, proof: between.map(v.fromHex),
          };
          try {
            await v.verifyInclusion(one);
            await v.verifyConsistency(two);
          } catch (error) { wrong.push([index, size, error.message]); }
          const spoilt = [
            () => v.verifyInclusion({ ...one, hash: flip(hash) }),
            () => v.verifyInclusion({ ...one, root: flip(one.root) }),
            () => v.verifyInclusion({ ...one, proof: [...one.proof, hash] }),
            () => v.verifyInclusion({ ...one, index: size }),
            () => v.verifyConsistency({ ...two, oldRoot: flip(two.oldRoot) }),
            () => v.verifyConsistency({ ...two, oldSize: size + 1 }),
            () => v.verifyConsistency({ ...two, proof: [...two.proof, hash] }),
          ];
          const [head, ...rest] = one.proof;
          if (head) spoilt.push(() => v.verifyInclusion({ ...one, proof: [flip(head), ...rest] }));
          if (two.proof.length) spoilt.push(() => v.verifyConsistency({ ...two, proof: two.proof.slice(1) }));
          for (const [number, work] of spoilt.entries()) if (!(await refuses(work))) wrong.push([index, size, number]);
        }
        return wrong;
        """,
        cases,
    )
    assert told == []


async def test_keys_and_forms_work_without_a_mouse(seen: Seen) -> None:
    page = seen.page
    await seen.open("holdings")
    await page.locator(".holdings summary").first.focus()
    await page.keyboard.press("Enter")
    forget = page.locator(".holdings li").first.locator("form[action$='/forget']")
    await forget.locator("[name=reason]").fill("it is the lab's")
    await forget.locator("[name=sure]").focus()
    await page.keyboard.press("Space")
    await forget.locator("button").focus()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("alert")).to_contain_text("Off the books")
    for key, title in (("s", "Spend"), ("h", "Holdings"), ("u", "Audit"), ("f", "Findings"), ("e", "Settings")):
        await expect(page.locator("html[data-keys]")).to_be_attached()  # the heading is there before the keys are
        await page.keyboard.press("g")
        await page.keyboard.press(key)
        await expect(page.locator("h1")).to_have_text(title)
