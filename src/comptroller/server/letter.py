"""The weekly letter: one page about what agents asked, spent and were kept from; a fold of the log, as all reports."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from comptroller.core.audit import Entry, PrivateField
from comptroller.core.budget import BudgetState
from comptroller.core.document import Document, DocumentKind
from comptroller.core.estimate import Unit, usd_text
from comptroller.core.holding import Holding
from comptroller.core.letter import WeekFold, week_of
from comptroller.core.neutral import neutral, neutral_name
from comptroller.core.spend import Dimension, Principal, Query, SpendRow
from comptroller.server.render import Json, burn_json
from comptroller.server.spend.gather import gather
from comptroller.server.words import amount_text, seconds_text

PEOPLE_SHOWN = 8
TEAMS_SHOWN = 8
LIMITS_SHOWN = 8
STANDING_SHOWN = 8
SENTENCE_CHARACTERS_MAX = 120
_MARKS = re.compile(r"([\\`*_{}\[\]()#+!|~<>&-])")


class Log(Protocol):
    """What a letter needs of the reader of a log."""

    def entries(self, *, after: int = -1, limit: int = 1000) -> tuple[Entry, ...]:
        """Entries above `after`, in order."""
        ...

    def size(self) -> int:
        """Number of entries."""
        ...

    def private(self, index: int) -> tuple[PrivateField, ...]:
        """What lies beside an entry."""
        ...

    def budgets(self, now: datetime) -> tuple[BudgetState, ...]:
        """Limits, with what their windows hold."""
        ...

    def holdings(self, *, every: bool = False) -> tuple[Holding, ...]:
        """What lives."""
        ...

    def documents(self, kind: DocumentKind, *, scope: str | None = None, every: bool = False) -> tuple[Document, ...]:
        """Documents of a kind that are open."""
        ...


class _Tapped:
    """A log that is folded on its way by."""

    def __init__(self, log: Log, take: Callable[[Entry], None]) -> None:
        self._log = log
        self._take = take
        self.size = log.size

    def entries(self, *, after: int = -1, limit: int = 1000) -> tuple[Entry, ...]:
        """As the log's own."""
        page = self._log.entries(after=after, limit=limit)
        for entry in page:
            self._take(entry)
        return page


@dataclass(frozen=True, slots=True, kw_only=True)
class WeeklyLetter:
    """One letter. `sections` are headings with their lines, already neutral; `figures` the same for scripts."""

    title: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]
    figures: Json

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each line of every section."""
        return tuple(f"{name}: {line}" for name, lines in self.sections for line in lines)


def weekly_letter(
    log: Log,
    week: str,
    *,
    organization: str,
    now: datetime,
    known: Callable[[str], Principal | None] = lambda _: None,
) -> WeeklyLetter:
    """The letter about an ISO week (`2026-W47`). Raises `UsageError`, `StoreError`."""
    begins, ends = week_of(week)
    fold = WeekFold(begins=begins, ends=ends)
    tapped = _Tapped(log, lambda entry: fold.take(entry.index, entry.document))
    found = gather(tapped, (Dimension.TEAM,), Query(since=begins, until=ends), known=known)
    budgets = [state for state in log.budgets(now) if state.budget.unit is Unit.USD_MICROS]
    standing = log.documents(DocumentKind.STANDING)
    burn = burn_json(log.holdings(), log.budgets(now))
    sentences = {item.index: _beside(log, item.index, "sentence") for item in fold.big}
    reasons = {stop.index: _beside(log, stop.index, "reason") for stop in fold.stops}
    sections = (
        ("asked", tuple(_asked(fold))),
        ("spent", tuple(_spent(found.rows, found.total, budgets, burn))),
        ("prevented", tuple(_prevented(fold))),
        ("frozen", tuple(_frozen(fold, reasons))),
        ("biggest", tuple(_biggest(fold, sentences))),
        ("standing grants", tuple(_standing(standing))),
    )
    shown = f"{begins:%d %b} to {ends.fromtimestamp(ends.timestamp() - 1, ends.tzinfo):%d %b %Y}"
    title = f"{neutral_name(organization)}: week {week} ({shown})"
    figures = _figures(fold, found.total, week=week, begins=begins, ends=ends)
    return WeeklyLetter(title=title, sections=sections, figures={**figures, "standing": len(standing)})


# ---------------------------------------------------------------- the words


def _asked(fold: WeekFold) -> list[str]:
    if not fold.asked and not fold.by_person:
        return [f"nothing was asked; {fold.allowed:,} actions went, {fold.denied:,} were denied"]
    parts = [f"{fold.approved:,} approved", f"{fold.rejected:,} rejected", f"{fold.expired:,} expired"]
    if fold.taken_back:
        parts.append(f"{fold.taken_back:,} taken back")
    lines = [f"{fold.asked:,} of {fold.asked + fold.allowed + fold.denied:,} actions · {', '.join(parts)}"]
    if fold.median_seconds is not None:
        people = fold.by_person.most_common(PEOPLE_SHOWN)
        who = ", ".join(f"{neutral_name(name)} {count:,}" for name, count in people)
        lines.append(f"answered by {who} · half of them within {seconds_text(fold.median_seconds)}")
    if fold.self_approved:
        lines.append(f"{fold.self_approved:,} by the agent's own owner")
    return lines


def _spent(rows: Sequence[SpendRow], total: SpendRow, budgets: Sequence[BudgetState], burn: Json) -> list[str]:
    whole = total.tallies[Unit.USD_MICROS]
    open_parts = [
        f"{usd_text(amount)} {word}"
        for amount, word in ((whole.held, "may follow"), (whole.unconfirmed, "is unconfirmed"))
        if amount
    ]
    lines = [f"{usd_text(whole.settled)}{f' · {chr(44).join(open_parts)}' if open_parts else ''}"]
    dear = sorted(rows, key=lambda row: -row.tallies[Unit.USD_MICROS].total)[:TEAMS_SHOWN]
    teams = [f"{neutral_name(row.key[0]) or '-'} {usd_text(row.tallies[Unit.USD_MICROS].total)}" for row in dear]
    if len(teams) > 1:
        lines.append(f"by team: {', '.join(teams)}")
    for state in sorted(budgets, key=lambda each: (each.budget.scope.count("/"), each.budget.scope))[:LIMITS_SHOWN]:
        if state.budget.scope.count("/") < 3:
            limit, window = amount_text(Unit.USD_MICROS, state.budget.limit), state.budget.window.value
            lines.append(
                f"limit {neutral_name(state.budget.scope)}: {usd_text(state.account.taken)} of {limit}"
                f"{'' if window == 'total' else f' per {window}'} is taken now"
            )
    rate = burn["usd_micros_per_hour"]
    if isinstance(rate, int) and rate:
        lines.append(f"what lives costs {usd_text(rate)} an hour now")
    return lines


def _prevented(fold: WeekFold) -> list[str]:
    if not fold.prevented:
        return ["nothing had to be kept back"]
    unknown = f", and {fold.prevented_unknown:,} whose cost nobody knows" if fold.prevented_unknown else ""
    return [f"{usd_text(fold.prevented_usd_micros)} at most, in {fold.prevented:,} different actions{unknown}"]


def _frozen(fold: WeekFold, reasons: dict[int, str]) -> list[str]:
    if not fold.stopped:
        return ["nothing was frozen or killed"]
    lines = []
    for stop in fold.stops:
        why = f": {reasons[stop.index]}" if reasons.get(stop.index) else ""
        lines.append(f"{stop.at} {neutral_name(stop.scope)} {stop.word} by {neutral_name(stop.by)}{why}")
    more = fold.stopped - len(fold.stops)
    return [*lines, *([f"and {more:,} more: comptroller tail"] if more > 0 else [])]


def _biggest(fold: WeekFold, sentences: dict[int, str]) -> list[str]:
    return [
        f"{usd_text(item.usd_micros)} {neutral_name(item.agent)}: "
        f"{sentences.get(item.index) or neutral(item.operation, chars_max=SENTENCE_CHARACTERS_MAX)}"
        for item in fold.big
    ] or ["nothing cost anything"]


def _standing(documents: Sequence[Document]) -> list[str]:
    if not documents:
        return ["none is in force"]
    lines = []
    for document in documents[:STANDING_SHOWN]:
        body = document.body
        usd, count, used = (body.get(name) for name in ("usd_micros", "count", "used"))
        money = f", up to {usd_text(usd)}" if isinstance(usd, int) else ""
        left = f"{used} of {count} used" if isinstance(count, int) and isinstance(used, int) else "in force"
        until = neutral_name(body.get("expires_at") or "")[:16].replace("T", " ")
        who, agent = neutral_name(body.get("person") or "somebody"), neutral_name(body.get("agent") or "")
        lines.append(f"{agent} by {who}: {left}{money}{f', until {until} UTC' if until else ''}")
    more = len(documents) - len(lines)
    return [*lines, *([f"and {more:,} more"] if more > 0 else [])]


def _beside(log: Log, index: int, name: str) -> str:
    found = next((item.value for item in log.private(index) if item.name == name), "")
    return neutral(found, chars_max=SENTENCE_CHARACTERS_MAX) if found else ""


def _figures(fold: WeekFold, total: SpendRow, *, week: str, begins: datetime, ends: datetime) -> Json:
    spent = total.tallies[Unit.USD_MICROS]
    return {
        "week": week,
        "begins": begins.isoformat().replace("+00:00", "Z"),
        "ends": ends.isoformat().replace("+00:00", "Z"),
        "actions": {"allowed": fold.allowed, "asked": fold.asked, "denied": fold.denied},
        "answers": {
            "approved": fold.approved,
            "rejected": fold.rejected,
            "expired": fold.expired,
            "taken_back": fold.taken_back,
            "self_approved": fold.self_approved,
            "by_person": dict(fold.by_person.most_common()),
            "median_seconds": fold.median_seconds,
        },
        "spent_usd_micros": {"settled": spent.settled, "held": spent.held, "unconfirmed": spent.unconfirmed},
        "prevented": {
            "actions": fold.prevented,
            "usd_micros": fold.prevented_usd_micros,
            "cost_unknown": fold.prevented_unknown,
        },
        "stopped": fold.stopped,
        "biggest": [
            {"entry": b.index, "agent": b.agent, "operation": b.operation, "usd_micros": b.usd_micros} for b in fold.big
        ],
    }


# ---------------------------------------------------------------- its forms


def letter_text(letter: WeeklyLetter) -> str:
    """For a terminal or a mail."""
    parts = [f"{name}\n" + "\n".join(f"  {line}" for line in lines) for name, lines in letter.sections]
    return "\n\n".join((letter.title, *parts)) + "\n"


def letter_markdown(letter: WeeklyLetter) -> str:
    """CommonMark; whatever is text stays text."""

    def plain(text: str) -> str:
        return _MARKS.sub(r"\\\1", text)

    parts = [f"## {name}\n\n" + "\n".join(f"- {plain(line)}" for line in lines) for name, lines in letter.sections]
    return "\n\n".join((f"# {plain(letter.title)}", *parts)) + "\n"


def letter_html(letter: WeeklyLetter) -> str:
    """One page without a script or anything from elsewhere."""
    parts = "".join(
        f"<h2>{html.escape(name)}</h2><ul>{''.join(f'<li>{html.escape(line)}</li>' for line in lines)}</ul>"
        for name, lines in letter.sections
    )
    title = html.escape(letter.title)
    style = (
        "body{font:16px/1.5 system-ui,sans-serif;max-width:44rem;margin:2rem auto;padding:0 1rem}"
        ":root{color-scheme:light dark}"
        "h1{font-size:1.3rem}h2{font-size:1rem;margin:1.2rem 0 .2rem}ul{margin:0;padding-left:1.2rem}"
    )
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width"><meta http-equiv="content-security-policy" '
        f"content=\"default-src 'none'; style-src 'unsafe-inline'\"><style>{style}</style></head>"
        f"<body><h1>{title}</h1>{parts}</body></html>\n"
    )
