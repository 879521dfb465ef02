"""The weekly letter: right figures out of a log that the real engine wrote, and hostile text stays text."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from server_kit import ME, Place, configured

from comptroller.core.approval import Person
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.budget import BudgetState
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import UsageError
from comptroller.core.holding import Holding
from comptroller.core.letter import WeekFold, week_before, week_of
from comptroller.core.verdict import VerdictKind
from comptroller.server.letter import letter_html, letter_markdown, letter_text, weekly_letter


class Log:
    """What a reader gives, out of a memory store."""

    def __init__(
        self, entries: tuple[Entry, ...], private: dict[int, tuple[PrivateField, ...]], budgets: tuple[BudgetState, ...]
    ) -> None:
        self._entries, self._private, self._budgets = entries, private, budgets

    def entries(self, *, after: int = -1, limit: int = 1000) -> tuple[Entry, ...]:
        return tuple(each for each in self._entries if each.index > after)[:limit]

    def size(self) -> int:
        return len(self._entries)

    def private(self, index: int) -> tuple[PrivateField, ...]:
        return self._private[index]

    def budgets(self, now: datetime) -> tuple[BudgetState, ...]:
        return self._budgets

    def holdings(self, *, every: bool = False) -> tuple[Holding, ...]:
        return ()

    def documents(self, kind: DocumentKind, *, scope: str | None = None, every: bool = False) -> tuple[Document, ...]:
        return ()


async def log_of(place: Place) -> Log:
    entries = tuple(await place.store.entries(limit=10_000))
    private = {each.index: tuple(await place.store.private(each.index)) for each in entries}
    return Log(entries, private, tuple(await place.store.budgets(place.clock.now())))


def this_week(now: datetime) -> str:
    year, week, _ = now.isocalendar()
    return f"{year}-W{week:02d}"


async def test_a_week_in_figures(place: Place) -> None:
    you = Person(name="dana", groups=frozenset({"approvers"}), via="uid:1")
    place.desk.approvals._people.config = configured(  # type: ignore[attr-defined]
        people={ME: {"groups": ["approvers"]}, "dana": {"groups": ["approvers"]}}
    )
    run = await place.run()
    hostile = "start <script>alert(1)</script> [x](http://evil) \u202e"
    held = await place.held(run, sentence=hostile)
    await place.desk.approvals.approve(held.id, you)
    assert (await place.propose(run, sentence=hostile)).permit is not None
    no = await place.held(run, quantity=5, usd_micros=9_000_000, sentence="start five")
    await place.desk.approvals.reject(no.id, you, comment="too many")
    for _ in range(3):
        await place.propose(run, quantity=7, usd_micros=11_000_000, kind=VerdictKind.DENY)
    await place.propose(run, quantity=8, usd_micros=None, kind=VerdictKind.DENY)
    await place.desk.brakes.freeze(run.path, by=ME, reason="enough <b>")
    now = place.clock.now()
    letter = weekly_letter(await log_of(place), this_week(now), organization="acme", now=now)
    figures = json.loads(json.dumps(letter.figures))
    assert figures["actions"] == {"allowed": 1, "asked": 2, "denied": 4}
    answers = figures["answers"]
    assert (answers["approved"], answers["rejected"], answers["by_person"]) == (1, 1, {"dana": 2})
    # What was tried three times is counted once; what was refused counts too; what nobody can price is named beside.
    assert figures["prevented"] == {"actions": 3, "usd_micros": 20_000_000, "cost_unknown": 1}
    assert figures["stopped"] == 1 and figures["biggest"][0]["usd_micros"] == 4_000_000
    assert figures["spent_usd_micros"]["held"] == 4_000_000
    text = letter_text(letter)
    assert "$20.00 at most, in 3 different actions, and 1 whose cost nobody knows" in text
    assert "frozen by" in text and "enough <b>" in text and "\u202e" not in text
    page, marks = letter_html(letter), letter_markdown(letter)
    assert "<script>" not in page and "&lt;script&gt;" in page and "<b>" not in page
    assert r"\<script\>" in marks and "[x](http" not in marks
    other = weekly_letter(await log_of(place), week_before(now), organization="acme", now=now)
    assert other.figures["actions"] == {"allowed": 0, "asked": 0, "denied": 0}
    assert "nothing was asked" in letter_text(other)


@pytest.mark.parametrize("week", ["2026-W54", "2026-47", "2026-W1", "W47", "", "2026-W00", "20266-W10", "２026-W10"])
def test_what_is_no_week_is_refused(week: str) -> None:
    with pytest.raises(UsageError):
        week_of(week)


@given(st.datetimes(min_value=datetime(2000, 1, 1), max_value=datetime(2200, 1, 1)))
def test_the_week_before_is_over_and_the_next_one_is_not(moment: datetime) -> None:
    now = moment.replace(tzinfo=UTC)
    begins, ends = week_of(week_before(now))
    assert ends <= now < ends + timedelta(days=7) and begins.weekday() == 0


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@given(
    st.lists(
        st.fixed_dictionaries(
            {"kind": st.sampled_from(["action.held", "action.denied", "action.allowed", "approval.approved"]) | _JSON},
            optional={"body": _JSON, "at": st.just("2026-11-17T10:00:00Z") | _JSON, "run": _JSON},
        ),
        max_size=8,
    )
)
def test_no_entry_breaks_the_fold(documents: list[dict[str, object]]) -> None:
    begins, ends = week_of("2026-W47")
    fold = WeekFold(begins=begins, ends=ends)
    for index, document in enumerate(documents):
        fold.take(index, document)
    assert fold.asked + fold.allowed + fold.denied <= len(documents)
