"""What an incident of the demo came to, read from its audit entries alone: tried, would have cost, let through."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from comptroller.core.estimate import USD_MICROS_PER_USD, usd_text

Entry = Mapping[str, Any]

ALLOWED, HELD, DENIED, SETTLED, REFUSED = (
    "action.allowed",
    "action.held",
    "action.denied",
    "action.settled",
    "box.refused",
)
ANSWER_WORDS = {"approval.rejected": "a person said no", "approval.approved": "a yes, never used"}
NUMBERS_WIDTH, WHY_WIDTH = 34, 24
REFUSED_WORDS = {
    "ssh": "a way out by SSH",
    "stratum": "mining (stratum)",
    "tls-unknown": "TLS to a stranger",
    "raw": "bytes that are no protocol we know",
    "silent": "a connection that said nothing",
}


@dataclass(slots=True)
class Row:
    """One line of the table: equal attempts together. Costs are for all attempts, in micro-dollars."""

    what: str
    alike: set[str] = field(default_factory=set)
    attempts: int = 0
    would_usd_micros: int = 0
    let_usd_micros: int = 0
    let: int = 0
    unknown_cost: bool = False
    why: str = ""

    def heading(self, room: int) -> str:
        """What was tried, cut to `room` characters."""
        more = f" (and {len(self.alike) - 1} like it)" if len(self.alike) > 1 else ""
        return _cut(self.what, room - len(more)) + more

    @property
    def costs(self) -> bool:
        """Whether money is at stake."""
        return bool(self.would_usd_micros or self.unknown_cost)


@dataclass(frozen=True, slots=True, kw_only=True)
class LetThrough:
    """One action that was released: what it made, by the log."""

    operation: str
    quantity: int
    usd_micros: int
    kind: str = ""


@dataclass(slots=True)
class Incident:
    """All that one run tried. `verdicts` counts entries: allow, require_approval, deny, and refused connections."""

    name: str
    title: str
    rows: list[Row] = field(default_factory=list)
    verdicts: dict[str, int] = field(default_factory=dict)
    released: list[LetThrough] = field(default_factory=list)
    per_hour_usd_micros: int = 0

    @property
    def attempted_usd_micros(self) -> int:
        """What everything tried would have cost for its term."""
        return sum(row.would_usd_micros for row in self.rows)

    @property
    def let_through_usd_micros(self) -> int:
        """What was really let through."""
        return sum(row.let_usd_micros for row in self.rows)


@dataclass(slots=True)
class _Same:
    """All entries of one digest."""

    entries: list[Entry] = field(default_factory=list)

    def of(self, kind: str) -> list[Entry]:
        return [entry for entry in self.entries if entry["kind"] == kind]


def incident_of(name: str, title: str, entries: Sequence[Entry]) -> Incident:
    """Fold one run's entries. A held call and the decision that followed it are one attempt."""
    incident = Incident(name=name, title=title)
    for word, kind in (("allow", ALLOWED), ("require_approval", HELD), ("deny", DENIED)):
        incident.verdicts[word] = sum(entry["kind"] == kind for entry in entries)
    incident.verdicts["refused"] = sum(entry["body"]["count"] for entry in entries if entry["kind"] == REFUSED)
    settled = {e["body"]["reservation"]: e["body"]["actual"] for e in entries if e["kind"] == SETTLED}
    answers = {e["body"]["approval"]: e["kind"] for e in entries if e["kind"] in ANSWER_WORDS}
    groups: dict[str, _Same] = {}
    rows: dict[str, Row] = {}
    for entry in entries:
        if entry["kind"] in (ALLOWED, HELD, DENIED):
            groups.setdefault(entry["body"]["digest"], _Same()).entries.append(entry)
        elif entry["kind"] == REFUSED:
            _refused(rows, entry)
    for same in groups.values():
        _add(incident, rows, same, settled, answers)
    incident.rows = list(rows.values())
    return incident


def _refused(rows: dict[str, Row], entry: Entry) -> None:
    body = entry["body"]
    words = REFUSED_WORDS.get(body["look"], body["look"])
    row = rows.setdefault(f"{body['look']} {body['destination']}", Row(what=f"{words}: {body['destination']}"))
    row.attempts += body["count"]
    row.why = "refused and recorded"


def _add(
    incident: Incident,
    rows: dict[str, Row],
    same: _Same,
    settled: Mapping[str, Mapping[str, int]],
    answers: Mapping[str, str],
) -> None:
    """Add one digest's attempts to the row of what is like them: same operation, same cost, same answer."""
    first = same.entries[0]
    allowed, denied, held = same.of(ALLOWED), same.of(DENIED), same.of(HELD)
    attempts = max(1, len(allowed) + len(denied))
    high, why = _high(first, "usd_micros"), _why(allowed, denied, held, answers)
    row = rows.setdefault(f"{first['body']['operation']} {high} {why}", Row(what=_heading(first)))
    row.alike.add(_heading(first))
    row.attempts += attempts
    row.let += len(allowed)
    row.unknown_cost = row.unknown_cost or high is None
    row.would_usd_micros += attempts * (high or 0)
    for entry in allowed:
        released = _released(entry, settled)
        incident.released.append(released)
        row.let_usd_micros += released.usd_micros
    row.why = why
    incident.per_hour_usd_micros += attempts * (_high(first, "usd_micros_per_hour") or 0)


def _released(entry: Entry, settled: Mapping[str, Mapping[str, int]]) -> LetThrough:
    body = entry["body"]
    actual = settled.get(body["reservation"], {})
    parameters = entry.get("beside", {}).get("parameters") or {}
    return LetThrough(
        operation=body["operation"],
        quantity=body["quantity"],
        usd_micros=actual.get("usd_micros", body.get("reserved", {}).get("usd_micros", 0)),
        kind=str(parameters.get("InstanceType", "")),
    )


def _heading(entry: Entry) -> str:
    """The sentence a person is shown; equal kinds of calls share one."""
    if "read" in entry["body"]["classes"] and len(entry["body"]["classes"]) == 1:
        return f"look: {entry['body']['operation']}"
    return str(entry.get("beside", {}).get("sentence") or entry["body"]["operation"])


def _high(entry: Entry, unit: str) -> int | None:
    """The upper bound of `unit`: 0 where it does not apply, None where it is not known."""
    bounds: Mapping[str, Sequence[int | None]] = entry["body"]["estimate"]["bounds"]
    return bounds[unit][1] if unit in bounds else 0


def _why(allowed: Sequence[Entry], denied: Sequence[Entry], held: Sequence[Entry], answers: Mapping[str, str]) -> str:
    codes = {reason["code"] for entry in denied for reason in entry["body"]["reasons"]}
    if any(entry["body"].get("approval") for entry in allowed):
        return "a person said yes"
    if allowed:
        return "allowed by policy"
    if "budget_exceeded" in codes:
        return "over budget"
    if "rejected" in codes:
        return ANSWER_WORDS["approval.rejected"]
    if held:
        return ANSWER_WORDS.get(answers.get(held[-1]["body"]["approval"], ""), "nobody answered")
    return "no rule permits it"


# ---------------------------------------------------------------- showing it


def table(incidents: Iterable[Incident], *, width: int = 100) -> list[str]:
    """The table as lines of text."""
    room = max(24, width - NUMBERS_WIDTH - WHY_WIDTH)
    lines = [f"{'':<{room}}{'tried':>6}{'would have cost':>17}{'let through':>13}"]
    for incident in incidents:
        lines += ["", f"{incident.title}"]
        for row in incident.rows:
            cost = _cost(row)
            let = usd_text(row.let_usd_micros) if row.costs and row.let else str(row.let) if row.let else "nothing"
            lines.append(f"  {row.heading(room - 4):<{room - 2}}{row.attempts:>6}{cost:>17}{let:>13}  {row.why}")
        would, let = usd_text(incident.attempted_usd_micros), usd_text(incident.let_through_usd_micros)
        lines.append(f"  {'in all':<{room - 2}}{'':>6}{would:>17}{let:>13}")
    return lines


def _cost(row: Row) -> str:
    if row.unknown_cost:
        return "not known"
    return usd_text(row.would_usd_micros) if row.would_usd_micros else "-"


def _cut(text: str, room: int) -> str:
    return text if len(text) <= room else text[: room - 1] + "…"


def usd(usd_micros: int) -> float:
    """Micro-dollars as a JSON number of dollars."""
    return usd_micros / USD_MICROS_PER_USD
