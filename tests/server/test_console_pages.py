"""Spend, Holdings, Audit, Findings and Settings over HTTP: what they say, to whom, and what hostile text becomes."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import re
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from bench.console_fill import Who, fill
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from server_kit import ME, Place, configured, make_place, open_place
from test_page import FORM, signed_in

from comptroller.core import checkpoint as notes
from comptroller.core import merkle
from comptroller.core.approval import Person
from comptroller.core.audit import EntryDraft, EntryKind, PrivateField
from comptroller.core.made import Made
from comptroller.core.role import Right, Role
from comptroller.core.sample import sampled
from comptroller.core.verification import verify_export
from comptroller.ports import Changes, Wants
from comptroller.server.api.notices import ChannelStatus
from comptroller.server.console import audit, findings, holdings, settings, spend
from comptroller.server.desk import NoNotices
from comptroller.server.identity import Caller
from comptroller.server.place import Paths

PAGES = (spend, holdings, audit, findings, settings)
PAGE_BYTES_MAX = 150_000
HOSTILE = "<script>alert(1)</script>\u202eevil\x1b[31m\u2066"
FORMULA = "=cmd|' /C calc'!A0"


@dataclass
class Visited:
    """A signed-in browser at a place with a signed log."""

    place: Place
    browser: httpx.AsyncClient
    base: str
    csrf: str
    key: str
    private_key: Ed25519PrivateKey

    async def get(self, path: str) -> httpx.Response:
        return await self.browser.get(self.base + path)

    async def read(self, path: str) -> str:
        """A page once all of the log is in it."""
        for _ in range(200):
            answer = await self.get(path)
            assert answer.status_code == 200, answer.text
            if "The log is being read" not in answer.text:
                return answer.text
        raise AssertionError("the log was never read to its end")

    async def post(self, path: str, **fields: str) -> httpx.Response:
        return await self.browser.post(self.base + path, data={"csrf": self.csrf, **fields}, headers=FORM)

    async def write(self, *drafts: EntryDraft) -> None:
        now = self.place.clock.now()
        await self.place.store.commit(Wants(now=now), lambda _: (Changes(entries=drafts), None))

    async def sign(self) -> notes.Checkpoint:
        """What `serve` does every few seconds."""
        size = await self.place.store.size()
        signed = notes.Checkpoint(origin="test-log", size=size, root=await self.place.store.root(size))
        Paths.of(Path(self.place.desk.config_path)).checkpoint.write_bytes(notes.sign(signed, self.private_key))
        return signed


@pytest.fixture
async def visited(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, short_folder: Path) -> AsyncIterator[Visited]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    place = make_place(short_folder, configured())
    (tmp_path / "comptroller.yaml").write_text("version: 1\norganization: acme\n", "utf-8")
    place.desk.config_path = str(tmp_path / "comptroller.yaml")
    paths = Paths.of(Path(place.desk.config_path))
    paths.folder.mkdir(parents=True)
    key = Ed25519PrivateKey.generate()
    vkey = notes.verifier_key("test-log", key.public_key())
    paths.log_public.write_text(vkey, "utf-8")
    await open_place(place)
    who = Who(agent="research", path="acme/ml/research", owner=ME)
    await fill(place.store, entries=1_200, pending=2, holdings=3, now=place.clock.now(), agents=[who])
    async with place.browser() as browser:
        base, csrf = await signed_in(place, browser)
        made = Visited(place, browser, base, csrf, vkey, key)
        await made.sign()
        yield made
    await place.house.close()


def draft(visited: Visited, kind: EntryKind, body: dict[str, object], **private: object) -> EntryDraft:
    fields = tuple(PrivateField(name=name, salt=b"0" * 16, value=value) for name, value in private.items())
    return EntryDraft(kind=kind, at=visited.place.clock.now(), agent="research", run="r", body=body, private=fields)


async def test_every_page_is_whole_and_small_and_in_the_navigation(visited: Visited) -> None:
    for module in PAGES:
        text = await visited.read(module.PAGE.path)
        assert "<h1>" in text and len(text.encode()) < PAGE_BYTES_MAX
        for other in PAGES:
            assert f'href="{visited.base}{other.PAGE.path}"' in text
        assert not re.search(r"<[^>]*\sstyle=|<script>|\son[a-z]+=", text), "the policy of the page allows none"


async def test_pages_of_a_new_installation_teach(tmp_path: Path, short_folder: Path) -> None:
    place = make_place(short_folder, configured(agents={}))
    await place.house.start()
    async with place.browser() as browser:
        base, _ = await signed_in(place, browser)
        for module in PAGES:
            answer = await browser.get(base + module.PAGE.path)
            assert answer.status_code == 200, answer.text
        assert "comptroller run" in (await browser.get(f"{base}spend")).text
        assert "Nothing lives" in (await browser.get(f"{base}holdings")).text
        assert (await browser.get(f"{base}audit/checkpoint")).status_code == 404
    await place.house.close()


async def test_the_agent_s_own_text_is_text_everywhere(visited: Visited) -> None:
    await visited.write(
        draft(visited, EntryKind.BOX_REFUSED, {"look": HOSTILE, "destination": HOSTILE, "count": 1}, detail=HOSTILE),
        draft(visited, EntryKind.ACTION_DENIED, {"operation": HOSTILE, "reasons": [{"text": HOSTILE}]}, note=HOSTILE),
        draft(visited, EntryKind.BRAKE_FROZEN, {"scope": HOSTILE, "by": HOSTILE}, reason=HOSTILE),
        draft(
            visited,
            EntryKind.ACTION_ALLOWED,
            {"operation": HOSTILE, "service": HOSTILE, "reservation": "h", "reserved": {"usd_micros": 5_000_000}},
        ),
    )  # fmt: skip
    made = Made(kind=HOSTILE, resource=HOSTILE, account=HOSTILE, region=HOSTILE, endpoint="ec2.amazonaws.com")
    await visited.place.desk.holdings.adopt(made, agent="research", by=ME, reason=HOSTILE)
    size = await visited.place.store.size()
    paths = ["spend?by=service&days=7", "spend?by=operation", "spend?by=run", "holdings", "audit", "findings?all=yes"]
    for path in [*paths, "settings", *(f"audit/{size - 1 - n}" for n in range(5))]:
        text = await visited.read(path)
        assert "alert(1)" in text or path == "settings" or path.startswith(("audit/", "spend?by=run")), path
        for bad in ("<script>alert", "\u202e", "\x1b", "\u2066"):
            assert bad not in text, (path, bad)


async def test_a_spreadsheet_runs_no_formula(visited: Visited) -> None:
    body = {"operation": FORMULA, "service": FORMULA, "reservation": "h", "reserved": {"usd_micros": 5_000_000}}
    await visited.write(draft(visited, EntryKind.ACTION_ALLOWED, body))
    await visited.read("spend")
    for by in ("service", "operation"):
        answer = await visited.get(f"spend/export?format=csv&by={by}&days=7")
        assert answer.headers["content-type"].startswith("text/csv")
        rows = list(csv.reader(io.StringIO(answer.text, newline="")))
        assert any(cell.startswith("'=cmd") for row in rows for cell in row)
        assert not any(cell[:1] in "=+-@\t\r" for row in rows for cell in row if cell)


async def test_spend_says_what_the_accounts_say(visited: Visited) -> None:
    await visited.read("spend")
    found = (await visited.get("spend/export?format=json&by=agent&days=all")).json()
    (row,) = found["rows"]
    state = next(
        state
        for state in await visited.place.store.budgets(visited.place.clock.now())
        if (state.budget.scope, state.budget.unit, state.budget.window.value) == ("acme/ml", "usd_micros", "total")
    )
    assert row["group"] == {"agent": "research"}
    assert row["units"]["usd_micros"]["settled"] == state.account.settled > 0
    inner = (await visited.get("spend/export?format=json&scope=acme/ml/research&by=service&days=all")).json()
    assert inner["total"]["units"] == found["total"]["units"]
    elsewhere = (await visited.get("spend/export?format=json&scope=acme/other&days=all")).json()
    assert elsewhere["rows"] == []


@pytest.mark.parametrize("query", ["by=x", "unit=x", "days=12", "scope=other", "scope=acme/a/b/c/d", "by=day"])
async def test_a_query_that_means_nothing_is_told(visited: Visited, query: str) -> None:
    assert (await visited.get(f"spend?{query}")).status_code == 422


async def test_a_search_finds_and_goes_on(visited: Visited) -> None:
    await visited.read("audit")
    seen: list[int] = []
    path = "audit?kind=action.denied"
    while path:
        text = await visited.read(path)
        seen += [int(found) for found in re.findall(r'<th scope="row" class="n"><a [^>]*>(\d+)</a>', text)]
        found = re.search(r'href="(\?[^"]+)" rel="next"', text)
        path = "audit" + found.group(1).replace("&amp;", "&") if found else ""
    whole = [item.index for item in await visited.place.store.entries(limit=10_000)
             if item.document["kind"] == "action.denied"]  # fmt: skip
    assert seen == whole[::-1] and len(seen) > 10
    for bad in ("before=x", "first=-1", "since=yesterday", "last=99999999999999999999", "until=9999-99-99"):
        text = await visited.read(f"audit?{bad}")
        assert 'class="notice bad"' in text


async def test_a_proof_is_one(visited: Visited) -> None:
    signed = await visited.sign()
    for index in (0, 700, signed.size - 1):
        found = (await visited.get(f"audit/{index}/proof")).json()
        assert notes.verify(found["note"].encode(), notes.parse_verifier_key(found["key"])) == signed
        merkle.verify_inclusion(
            leaf=merkle.leaf_hash(found["leaf"].encode()),
            index=index,
            size=signed.size,
            proof=[bytes.fromhex(each) for each in found["proof"]],
            root=signed.root,
        )
    await visited.write(draft(visited, EntryKind.SERVE_STOPPED, {}))
    assert (await visited.get(f"audit/{signed.size}/proof")).status_code == 404
    assert (await visited.get(f"audit/{signed.size + 9}")).status_code == 404
    later = await visited.sign()
    between = (await visited.get(f"audit/consistency?size={signed.size}")).json()
    merkle.verify_consistency(
        old=signed.size,
        old_root=signed.root,
        new=later.size,
        new_root=later.root,
        proof=[bytes.fromhex(each) for each in between["proof"]],
    )
    assert (await visited.get(f"audit/consistency?size={later.size + 1}")).status_code == 422


async def test_a_sample_is_drawn_again_and_proves_itself(visited: Visited) -> None:
    signed = await visited.sign()
    page = await visited.read("audit/sample?seed=dice-42&count=20")
    expected = sampled(signed.root, "dice-42", size=signed.size, count=20)
    shown = [int(found) for found in re.findall(r'<th scope="row" class="n"><a [^>]*>(\d+)</a>', page)]
    assert shown == list(expected) and signed.root.hex() in page
    first = (await visited.get("audit/sample/export?seed=dice-42&count=20")).content
    assert first == (await visited.get("audit/sample/export?seed=dice-42&count=20")).content
    report = verify_export(first.splitlines(keepends=True), public_key=visited.key)
    assert report.ok and report.entries == 20 and "dice-42" in report.query and signed.root.hex() in report.query
    lines = [json.loads(line) for line in first.splitlines()]
    lines[1]["leaf"] = lines[1]["leaf"].replace('"v":1', '"v":2')
    broken = [json.dumps(line).encode() + b"\n" for line in lines]
    assert not verify_export(broken, public_key=visited.key).ok
    other = await visited.read("audit/sample?seed=dice-43&count=20")
    assert other != page
    for bad in ("count=0", "count=1001", "count=x", "seed=" + "a" * 101, "seed=%00"):
        assert (await visited.get(f"audit/sample?{bad}")).status_code == 422


def test_a_sample_is_fair_and_never_repeats() -> None:
    counts = [0] * 10
    for seed in range(2_000):
        found = sampled(b"r" * 32, str(seed), size=10, count=3)
        assert len(set(found)) == 3 and list(found) == sorted(found)
        for index in found:
            counts[index] += 1
    assert all(480 < count < 720 for count in counts), counts


async def test_holdings_are_ended_only_on_purpose(visited: Visited) -> None:
    (item, *_) = await visited.place.store.holdings()
    page = await visited.read("holdings")
    assert item.resource in page and "an hour" in page
    unsure = await visited.post(f"holdings/{item.id}/forget", reason="gone")
    assert unsure.status_code == 303 and "tick the box" in await visited.read("holdings")
    assert (await visited.place.store.holdings())[0].id == item.id
    no_reason = await visited.post(f"holdings/{item.id}/forget", sure="yes", reason=" ")
    assert no_reason.status_code == 303 and "needs a reason" in await visited.read("holdings")
    await visited.post(f"holdings/{item.id}/forget", sure="yes", reason="it is the lab's")
    assert "Off the books" in await visited.read("holdings")
    assert item.id not in {each.id for each in await visited.place.store.holdings()}
    fields = {"kind": "aws:ec2:instance", "resource": "i-new", "agent": "research", "reason": "found by hand"}
    await visited.post("holdings/adopt", **fields)
    assert "i-new" in await visited.read("holdings")
    forged = await visited.browser.post(
        f"{visited.base}holdings/adopt", data={**fields, "csrf": "x" * 43}, headers=FORM
    )
    assert forged.status_code == 403


async def test_rights_are_those_of_the_table(visited: Visited) -> None:
    people = {ME: {"groups": ["approvers"]}, "dana": {"groups": [], "roles": ["viewer"]}}
    visited.place.desk.config = configured(people=people)
    viewer = Caller(person=Person(name="dana", groups=frozenset(), via="test"), roles=frozenset({Role.VIEWER}))
    assert not viewer.may(Right.AUDIT)
    token = visited.place.house.link(viewer)["url"].partition("#")[2]  # type: ignore[attr-defined]
    base = (await visited.browser.post("/login", json={"token": token})).json()["next"]
    visited.csrf = re.findall(r'name="csrf" value="([^"]+)"', (await visited.browser.get(base)).text)[0]
    index = await visited.place.store.size()
    for path in ("audit/sample", "audit/sample/export", "holdings/drift"):
        assert (await visited.get(path)).status_code == 403, path
    for verb in ("stop", "delete", "forget"):
        answer = await visited.post(f"holdings/x/{verb}", sure="yes", reason="because")
        assert answer.status_code == 403
    assert (await visited.post("holdings/adopt", reason="because")).status_code == 403
    await visited.sign()
    allowed = [n for n in range(index) if (await visited.place.store.private(n))][-1]
    page = await visited.read(f"audit/{allowed}")
    assert "only their salted hashes" in page
    assert (await visited.get(f"audit/{allowed}/proof")).json()["private"] == []
    found = await visited.read("audit?text=compare+instance")
    assert "Nothing like that is there" in found, "what one may not read one cannot search"
    assert (await visited.read("holdings")).count("End it") == 0


async def test_settings_show_lines_and_no_secret(visited: Visited) -> None:
    visited.place.desk.config = configured(
        agents={
            "research": {
                "team": "ml",
                "owner": ME,
                "purpose": "compare",
                "environment": {"API_TOKEN": "sk-very-secret-1", "MODE": "plain-secret-2"},
                "per_run": {"tokens": 5},
            }
        },
        store="postgresql://user@db.example/ledger?passfile=/secret-3",
        upstreams={"api.example.com": "http://127.0.0.1:9/secret-4"},
    )
    path = Path(visited.place.desk.config_path)
    path.write_text(
        "version: 1\norganization: acme\nagents:\n  research:\n    team: ml\n    per_run:\n      tokens: 5\n"
    )
    text = await visited.read("settings")
    assert "comptroller.yaml:5" in text and "comptroller.yaml:7" in text
    assert "agents.research.environment.API_TOKEN" in text and visited.key in text.replace("&#43;", "+")
    for secret in ("very-secret-1", "plain-secret-2", "secret-3", "secret-4"):
        assert secret not in text


async def test_settings_show_what_channels_did(visited: Visited) -> None:
    ever = {"sent": 7, "failed": 0, "overtaken": 0, "waiting": 0, "retrying": 0, "why": "", "oldest_waiting_at": ""}
    ever |= {"next_due_at": "", "last_sent_at": "2031-03-01T08:00:00+00:00", "last_failure_at": "", "last_failure": ""}
    mended = {"last_failure_at": "2031-02-01T08:00:00+00:00", "last_failure": "was away"}
    failing = {
        "waiting": 3,
        "retrying": 1,
        "oldest_waiting_at": "2031-03-01T07:00:00+00:00",
        "why": "gone\u202e<script>",
    }

    class Told(NoNotices):
        def status(self) -> Mapping[str, object]:
            rows = [
                {"channel": "ops", "kind": "webhook", **ever, **mended},
                {"channel": "chat", "kind": "slack", **ever, **failing},
            ]
            return {
                "channels": [ChannelStatus(**row).model_dump() for row in rows],
                "waiting": 3,
                "failed": 0,
                "routes": 1,
            }

    assert "what waits for people is seen only by who looks" in await visited.read("settings")
    visited.place.desk.notices = Told()
    text = await visited.read("settings")
    assert "last 2031-03-01T08:00:00" in text and "since 2031-03-01T07:00:00" in text
    assert "gone" in text and "\u202e" not in text and "<script>alert" not in text and "&lt;script&gt;" in text
    assert "was away" not in text, "it went through since"


async def test_a_page_waits_for_nobody(visited: Visited) -> None:
    """While the log is read a page shows what there is and says so."""
    many = [draft(visited, EntryKind.ACTION_DENIED, {"operation": "http:a.example.com:GET"}) for _ in range(20_000)]
    await visited.read("audit")
    for start in range(0, len(many), 5_000):
        await visited.write(*many[start : start + 5_000])
    answers = await asyncio.gather(*(visited.get("findings") for _ in range(4)))
    assert {answer.status_code for answer in answers} == {200}
    assert "Many denials" in await visited.read("findings")
