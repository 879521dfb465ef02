"""The console's bench measures what it says, on a sample."""

from __future__ import annotations

from bench import console


def test_a_click_reaches_the_service_outside() -> None:
    assert 0 < console.decision(2) < 60_000


def test_what_an_agent_does_is_seen_in_a_browser() -> None:
    assert 0 < console.feed(1) < 60_000


def test_every_page_is_fetched() -> None:
    slow, name = console.pages(1, 400, 3)
    assert slow > 0 and name in {each.PAGE.name for each in console.PAGES}
