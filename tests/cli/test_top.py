"""`comptroller top`, driven by keys against the real control socket."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.server.server_kit import ME, Place, configured, make_place, open_place
from textual.pilot import Pilot
from textual.widgets import RichLog, Static

from comptroller.cli import main
from comptroller.cli.client import Client
from comptroller.cli.top_app import Asking, Top
from comptroller.cli.top_lines import bar, feed_line
from comptroller.core.approval import ApprovalState
from comptroller.core.brake import BrakeState
from comptroller.server.place import Paths

PICTURE = Path(__file__).resolve().parents[2] / "docs" / "pictures" / "top.svg"
HOSTILE = "start [bold red]x[/] [@click=app.quit]here[/] \x1b]0;owned\x07\x1b[2J \u202egpj.exe :smile:"


@pytest.fixture
async def place(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    folder = Path(tempfile.mkdtemp(prefix="top-"))
    monkeypatch.setenv("XDG_STATE_HOME", str(folder / "s"))
    (folder / "comptroller.yaml").write_text("{}")
    paths = Paths.of(folder / "comptroller.yaml")
    paths.folder.mkdir(parents=True)
    made = make_place(paths.folder, configured())
    await open_place(made)
    made.desk.config_path = str(folder / "comptroller.yaml")
    yield made
    await made.house.close()
    shutil.rmtree(folder)


@asynccontextmanager
async def running(place: Place, size: tuple[int, int] = (80, 24)) -> AsyncIterator[tuple[Top, Pilot[None]]]:
    config = Path(place.desk.config_path)
    with Client(config) as client, Client(config) as feed:
        app = Top(client, feed)
        try:
            async with app.run_test(size=size) as pilot:
                yield app, pilot
        finally:
            await asyncio.to_thread(app.join)


async def until(pilot: Pilot[None], true: Callable[[], object]) -> None:
    async with asyncio.timeout(20):
        while not true():
            await pilot.pause(0.02)


def text_of(app: Top, selector: str) -> str:
    return str(app.query_one(selector, Static).render())


def feed_of(app: Top) -> str:
    return "\n".join(strip.text for strip in app.query_one("#feed", RichLog).lines)


async def state(place: Place, approval: str) -> ApprovalState:
    found = await place.store.approval(approval)
    assert found is not None
    return found.state


async def test_a_question_is_answered_by_key(place: Place) -> None:
    run = await place.run()
    held = await place.held(run)
    async with running(place) as (app, pilot):
        await until(pilot, lambda: "1 waiting" in text_of(app, "#head"))
        for view in "54321":
            await pilot.press(view)
            await pilot.pause()
            assert app.query_one("#keys").region.bottom == 24 and app.query_one("#head").region.y == 0
        assert "acme" in text_of(app, "#head")
        await pilot.press("2")
        await until(pilot, lambda: "m8g.large" in text_of(app, "#question"))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        await pilot.press("escape")
        assert await state(place, held.id) is ApprovalState.PENDING
        await pilot.press("a", *"fine", "enter")
        await until(pilot, lambda: "approved" in text_of(app, "#said"))
        await until(pilot, lambda: "0 waiting" in text_of(app, "#head"))
    found = await place.store.approval(held.id)
    assert found is not None and found.state is ApprovalState.APPROVED and found.comment == "fine"


async def test_a_no_needs_its_reason(place: Place) -> None:
    held = await place.held(await place.run())
    async with running(place) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: "m8g.large" in text_of(app, "#question"))
        await pilot.press("r", "enter")
        assert isinstance(app.screen, Asking)
        await pilot.press(*"smaller", "enter")
        await until(pilot, lambda: "rejected" in text_of(app, "#said"))
    found = await place.store.approval(held.id)
    assert found is not None and found.comment == "smaller"


async def test_an_unknown_cost_needs_its_limit(place: Place) -> None:
    held = await place.held(await place.run(), usd_micros=None)
    async with running(place) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: "m8g.large" in text_of(app, "#question"))
        await pilot.press("a", "enter")
        assert isinstance(app.screen, Asking)
        await pilot.press("7", "enter", "enter")
        await until(pilot, lambda: "approved" in text_of(app, "#said"))
    found = await place.store.approval(held.id)
    assert found is not None and found.ceiling_usd_micros == 7_000_000


async def test_a_run_is_frozen_and_killed_only_once_it_is_typed(place: Place) -> None:
    run = await place.run()

    async def brakes() -> list[tuple[str, BrakeState]]:
        return [(brake.scope, brake.state) for brake in await place.store.brakes()]

    async with running(place) as (app, pilot):
        await pilot.press("f")
        assert "choose what to freeze first" in text_of(app, "#said")
        await pilot.press("5")
        await until(pilot, lambda: app._rows["runs"])
        await pilot.press("f", "enter", *"no", "enter")
        await until(pilot, lambda: "nothing was done" in text_of(app, "#said"))
        assert await brakes() == []
        await pilot.press("f", *"odd", "enter", *"freeze", "enter")
        await until(pilot, lambda: "freeze: acme/ml/research" in text_of(app, "#said"))
        assert await brakes() == [(run.path, BrakeState.FROZEN)]
        await pilot.press("k", "enter", *"kill", "enter")
        await until(pilot, lambda: "kill: acme" in text_of(app, "#said"))
        assert await brakes() == [(run.path, BrakeState.KILLED)]


async def test_what_an_agent_writes_does_nothing(place: Place) -> None:
    held = await place.held(await place.run(), sentence=HOSTILE)
    async with running(place, (120, 40)) as (app, pilot):
        await until(pilot, lambda: "held" in feed_of(app))
        assert "[bold red]x[/] [@click=app.quit]here[/]" in feed_of(app)
        await pilot.press("2")
        await until(pilot, lambda: "[@click=app.quit]" in text_of(app, "#question"))
        await pilot.press("a")
        await until(pilot, lambda: isinstance(app.screen, Asking))
        picture = app.export_screenshot()
        await pilot.press("escape")
        await pilot.click("#question")
        assert app.is_running
    for shown in (picture, feed_line({"kind": "action.held", "body": {}, "beside": {"sentence": HOSTILE}}).plain):
        assert "\x1b" not in shown and "\u202e" not in shown and "\x07" not in shown
    assert await state(place, held.id) is ApprovalState.PENDING


async def test_the_feed_waits_and_goes_on(place: Place) -> None:
    async with running(place) as (app, pilot):
        run = await place.run()
        await until(pilot, lambda: "run started" in feed_of(app))
        await pilot.press("p")
        await place.desk.brakes.freeze(run.path, by=ME, reason="look")
        await until(pilot, lambda: app._kept)
        assert "frozen" not in feed_of(app)
        await pilot.press("p")
        await until(pilot, lambda: "frozen" in feed_of(app))


# The HTTP library leaves a socket that could not connect to the collector.
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
async def test_a_lost_server_is_said_and_found_again(place: Place) -> None:
    async with running(place) as (app, pilot):
        await until(pilot, lambda: "acme" in text_of(app, "#head"))
        await place.house.close()
        await until(pilot, lambda: "is not running" in text_of(app, "#said"))
        assert app.is_running


async def test_the_picture_in_the_documentation(place: Place) -> None:
    """The screen at 80 x 24, with a question; written where the documentation shows it."""
    run = await place.run()
    await place.held(run)
    await place.held(run, sentence="start 8 x p4d.24xlarge in us-east-1", quantity=8, usd_micros=40_000_000)
    async with running(place, (100, 30)) as (app, pilot):
        await pilot.press("2")
        await until(pilot, lambda: "2 waiting" in text_of(app, "#head"))
        await until(pilot, lambda: "us-east-1" in text_of(app, "#question"))
        assert app.query_one("#keys").region.bottom == 30 and app.query_one("#head").region.y == 0
        picture = app.export_screenshot(title="comptroller top")
    picture = re.sub(r"@font-face \{[^}]*\}", "", picture)
    assert "p4d.24xlarge" in picture.replace("&#160;", " ")
    assert not re.search(r"url\(|href", picture.replace("url(#", "#")), "the picture fetches nothing"
    shown = picture.replace("&#160;", " ")
    assert "2 waiting" in shown and "q quit" in shown, "the lines above and below are in view"
    if os.environ.get("COMPTROLLER_PICTURES") or not PICTURE.exists():
        PICTURE.write_text(picture, "utf-8")


@pytest.mark.parametrize(("percent", "shown"), [(0, "-" * 16), (50, "#" * 8 + "-" * 8), (300, "#" * 16)])
def test_bars_are_ascii(percent: int, shown: str) -> None:
    assert bar(percent) == shown


def test_without_the_library_the_command_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "comptroller.yaml").write_text("{}")
    monkeypatch.delitem(sys.modules, "comptroller.cli.top_app")
    monkeypatch.setitem(sys.modules, "textual", None)
    monkeypatch.setitem(sys.modules, "textual.app", None)
    done = CliRunner().invoke(main, ["top", "--config", str(tmp_path / "comptroller.yaml")])
    assert done.exit_code == 2 and "pip install 'comptroller[top]'" in done.output
