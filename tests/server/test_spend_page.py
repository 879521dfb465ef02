"""The spend page: one small file, no script, nothing from elsewhere, readable, and harmless whatever names hold."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from html.parser import HTMLParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz
from tests.server.spend_kit import Installation, installation, ordinary
from tools import build_spend_picture

from comptroller.core.currency import Display
from comptroller.core.estimate import Unit
from comptroller.core.spend import Dimension, Query
from comptroller.server.spend.gather import gather
from comptroller.server.spend.page import Groupings, spend_page
from comptroller.server.spend.plots import COLUMNS_MAX, OTHER, SERIES_MAX, columns, meter, nice, series_of
from comptroller.stores.reader import SqliteReader
from comptroller.stores.sqlite import SqliteStore

PAGE_BYTES_MAX = 150_000
VOID = {"meta", "br", "hr", "img", "input", "link"}
HOSTILE = (
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    '"><svg onload=alert(1)>',
    "javascript:alert(1)",
    "\u202egnp.exe",
    "a\x1b[2Jb\x00c\r\n",
    "{{ 7 * 7 }}{% raw %}",
    "</style><style>body{display:none}",
    "x" * 5_000,
    OTHER,
)


class Page(HTMLParser):
    """What a page holds: every element with its attributes, balanced; and its text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, Mapping[str, str]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == [], self._open

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.elements.append((tag, {name: value or "" for name, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open and self._open[-1] == tag, (tag, self._open[-3:])
        self._open.pop()

    def handle_data(self, data: str) -> None:
        if "style" not in self._open:
            self.text.append(data)

    def of(self, tag: str) -> list[Mapping[str, str]]:
        return [attributes for name, attributes in self.elements if name == tag]


async def _page(
    tmp_path: Path, by: Sequence[Dimension], fill: str = "ordinary", query: Query | None = None
) -> tuple[str, Page]:
    path = tmp_path / f"{fill}.sqlite"
    store = await SqliteStore.open(path)
    made = await installation(store)
    if fill == "ordinary":
        await ordinary(made, 30)
    elif fill == "hostile":
        await _hostile(made)
    now = made.clock.now()
    await store.close()
    groupings = Groupings(by)
    with SqliteReader(path) as log:
        found = gather(log, by, query or Query(), others=groupings.all)
        text = spend_page(found, groupings, log.budgets(now), organization="acme", shown=Display())
    return text, Page(text)


async def _hostile(made: Installation) -> None:
    for name in HOSTILE:
        await made.act("shop", name, operation=name, region=name, account=name)
        await made.settle(-1, 0.5)


AGENT_SERVICE = (Dimension.AGENT, Dimension.SERVICE)


async def test_one_small_file_that_needs_nothing_else(tmp_path: Path) -> None:
    text, page = await _page(tmp_path, AGENT_SERVICE)
    assert len(text.encode()) < PAGE_BYTES_MAX
    assert not page.of("script") and not page.of("link") and not page.of("img")
    assert not re.search(r"\bon\w+\s*=|https?://|javascript:", text)
    assert not [name for _, attributes in page.elements for name in attributes if name in ("src", "href", "style")]
    (policy,) = [each["content"] for each in page.of("meta") if each.get("http-equiv") == "content-security-policy"]
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    assert "@media (prefers-color-scheme: dark)" in text
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")


async def test_every_plot_has_a_name_and_a_table_with_its_figures(tmp_path: Path) -> None:
    _, page = await _page(tmp_path, AGENT_SERVICE)
    assert page.of("html") == [{"lang": "en"}]
    identifiers = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(set(identifiers)) == len(identifiers)
    plots = [each for each in page.of("svg") if each.get("role") == "img"]
    assert len(plots) == 4, "money, tokens, energy, carbon"
    for plot in plots:
        assert plot["aria-labelledby"] in identifiers and plot["aria-describedby"] in identifiers
    assert all(each.get("aria-hidden") == "true" for each in page.of("svg") if each.get("role") != "img")
    assert len(page.of("table")) == len(page.of("details")) + 1 == 4 + 2 + 1
    assert all(each.get("scope") in ("row", "col") for each in page.of("th"))
    said = "".join(page.text)
    for words in (
        "Spend per day, by agent",
        "By service",
        "Budgets now",
        "Tokens per day",
        "Energy per day",
        "trainer",
    ):
        assert words in said


async def test_figures_of_the_page_are_those_of_the_log(tmp_path: Path) -> None:
    _, page = await _page(tmp_path, AGENT_SERVICE)
    with SqliteReader(tmp_path / "ordinary.sqlite") as log:
        total = gather(log, (), Query()).total.tallies
    said = "".join(page.text)
    for amount in (total[Unit.USD_MICROS].settled, total[Unit.USD_MICROS].held, total[Unit.USD_MICROS].unconfirmed):
        assert f"${amount / 1e6:.2f}" in said
    assert f"{total[Unit.TOKENS].total:,}" in said


async def test_nothing_was_spent(tmp_path: Path) -> None:
    text, page = await _page(tmp_path, AGENT_SERVICE, "empty")
    assert "nothing was spent" in text and "nan" not in text.lower()
    assert not [each for each in page.of("svg") if each.get("role") == "img"]


@pytest.mark.parametrize("by", [(), (Dimension.DAY,), (Dimension.WEEK, Dimension.APPROVER), tuple(Dimension)])
async def test_any_grouping_makes_a_page(tmp_path: Path, by: tuple[Dimension, ...]) -> None:
    text, page = await _page(tmp_path, by)
    assert page.of("table") and "$" in text


@pytest.mark.parametrize("by", [(Dimension.SERVICE,), (Dimension.OPERATION, Dimension.REGION, Dimension.ACCOUNT)])
async def test_names_are_harmless(tmp_path: Path, by: tuple[Dimension, ...]) -> None:
    text, page = await _page(tmp_path, by, "hostile")
    assert {tag for tag, _ in page.elements} & {"script", "img", "iframe", "a"} == set()
    assert len(page.of("style")) == 1
    assert not [name for _, attributes in page.elements for name in attributes if name.startswith("on")]
    assert {character for character in text if not " " <= character <= "~"} <= {"\n", "·", "…"}
    assert "<U+202E>" in "".join(page.text) and "{{ 7 * 7 }}" in "".join(page.text)
    assert "x" * 100 not in text
    assert len(text.encode()) < PAGE_BYTES_MAX


def test_a_long_report_is_cut_and_says_so(tmp_path: Path) -> None:
    async def many() -> str:
        path = tmp_path / "many.sqlite"
        store = await SqliteStore.open(path)
        made = await installation(store)
        for number in range(230):
            await made.act("shop", "stripe", operation=f"stripe:op-{number}")
        await store.close()
        groupings = Groupings((Dimension.OPERATION,))
        with SqliteReader(path) as log:
            found = gather(log, (Dimension.OPERATION,), Query(), others=groupings.all)
        return spend_page(found, groupings, (), organization="acme", shown=Display())

    text = asyncio.run(many())
    assert "and 30 more groups" in text and len(text.encode()) < PAGE_BYTES_MAX


async def test_the_picture_in_the_documentation_is_made_of_a_real_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_spend_picture, "DAYS", 2)
    text = await build_spend_picture.page(tmp_path)
    Page(text)
    assert "Spend per day, by agent" in text and "reviewer" in text and len(text.encode()) < PAGE_BYTES_MAX
    with SqliteReader(tmp_path / "store.sqlite") as log:
        total = gather(log, (), Query()).total.tallies[Unit.USD_MICROS]
    assert min(total.settled, total.held, total.unconfirmed) > 0
    assert build_spend_picture.main(["one", "two"]) == 2
    for scheme in ("light", "dark"):
        assert (build_spend_picture.PICTURES / f"spend-{scheme}.png").read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"


# ---------------------------------------------------------------- geometry


DAYS = st.integers(0, 4000).map(lambda count: (date(2025, 1, 1) + timedelta(days=count)).isoformat())


@fuzz(60)
@given(
    st.dictionaries(
        st.tuples(DAYS, st.sampled_from([*"abcdefghij", OTHER])), st.integers(0, 10**18), min_size=1, max_size=40
    )
)
def test_columns_lie_within_the_plot_and_lose_nothing(amounts: dict[tuple[str, str], int]) -> None:
    days = sorted(day for day, _ in amounts)
    step, series = series_of(amounts, first=days[0], last=days[-1])
    assert step is Dimension.MONTH or len(series.times) <= COLUMNS_MAX
    assert list(series.times) == sorted(set(series.times))
    assert len(series.names) == len(set(series.names)) <= SERIES_MAX + 1
    assert sum(series.total(name) for name in series.names) == sum(amounts.values())
    plot = columns(series, str)
    for box in plot.boxes:
        assert box.x >= 0 and box.x + box.width <= 100.01
        assert box.y >= -0.01 and box.y + box.height <= plot.height + 0.02
    assert len({(box.x, box.kind) for box in plot.boxes}) == len(plot.boxes), "no colour twice in a column"


@given(st.integers(0, 10**24))
def test_an_axis_ends_a_little_above_the_tallest(amount: int) -> None:
    top = nice(amount)
    assert amount <= top and (top <= 2 * amount or amount <= 1)


@given(*(st.integers(0, 10**18) for _ in range(4)))
def test_a_bar_stays_within_its_track(settled: int, held: int, unconfirmed: int, whole: int) -> None:
    boxes = meter(settled, held, unconfirmed, whole)
    assert [box.kind for box in boxes] == [
        kind for kind, amount in (("settled", settled), ("held", held), ("unconfirmed", unconfirmed)) if amount
    ]
    assert all(box.x >= 0 and box.x + box.width <= 100.01 for box in boxes)
