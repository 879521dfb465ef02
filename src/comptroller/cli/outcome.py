"""What became of a run, for CI: an exit code for verdicts (`--fail-on`), a summary as Markdown or JUnit (`--summary`).

All of it is read from the log's entries of this run. What the agent wrote is hostile: it is neutral and escaped here.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from comptroller.cli.client import Client
from comptroller.core.errors import UsageError
from comptroller.core.estimate import usd_text
from comptroller.core.neutral import neutral, neutral_name

PAGE_ENTRIES = 1_000
ROWS_SHOWN_MAX = 1_000
"""Actions that a summary lists; those that were denied or held come first. All are counted."""
SENTENCE_CHARS_MAX = 300
FAILED = 1
_VERDICTS = {"action.allowed": "allow", "action.held": "hold", "action.denied": "deny"}
_ANSWERS = {
    "approval.approved": "approved",
    "approval.rejected": "rejected",
    "approval.expired": "expired",
    "approval.withdrawn": "withdrawn",
}
_ORDER = ("deny", "hold", "allow")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:@/])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One action: its verdict, what it would do, why, and the approval it asked for."""

    index: int
    verdict: str
    what: str
    why: str
    approval: str = ""


@dataclass(slots=True, kw_only=True)
class Outcome:
    """One run as its entries tell it. Costs in micro-dollars."""

    run: str
    rows: list[Row] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(_ORDER, 0))
    answers: dict[str, str] = field(default_factory=dict)
    settled_usd_micros: int = 0
    unconfirmed: int = 0

    def take(self, entry: Mapping[str, Any]) -> None:
        """One entry into account."""
        kind, body = str(entry.get("kind")), _map(entry.get("body"))
        if verdict := _VERDICTS.get(kind):
            self.counts[verdict] += 1
            beside = _map(entry.get("beside"))
            reasons = body.get("reasons")
            texts = [str(_map(each).get("text", "")) for each in reasons] if isinstance(reasons, list) else []
            approval = str(body.get("approval") or "") if verdict == "hold" else ""
            if approval:
                self.answers.setdefault(approval, "pending")
            kept = sum(row.verdict == verdict for row in self.rows)
            if kept < ROWS_SHOWN_MAX:
                what = neutral(beside.get("sentence") or body.get("operation") or "", chars_max=SENTENCE_CHARS_MAX)
                why = neutral("; ".join(texts), chars_max=SENTENCE_CHARS_MAX)
                self.rows.append(
                    Row(index=int(entry["index"]), verdict=verdict, what=what, why=why, approval=neutral_name(approval))
                )
        elif answer := _ANSWERS.get(kind):
            self.answers[str(body.get("approval") or "")] = answer
        elif kind == "action.settled":
            cost = _map(body.get("actual")).get("usd_micros")
            self.settled_usd_micros += cost if isinstance(cost, int) else 0
        elif kind == "action.suspense":
            self.unconfirmed += 1

    def shown(self) -> list[Row]:
        """The rows of a summary: what was refused or asked first, then in order."""
        ranked = sorted(self.rows, key=lambda row: (_ORDER.index(row.verdict), row.index))
        return ranked[:ROWS_SHOWN_MAX]

    def failing(self, verdicts: Sequence[str]) -> str:
        """What of `verdicts` (deny, hold) the run had, in words; empty where it had none."""
        words = {"deny": "denied", "hold": "held"}
        return ", ".join(f"{self.counts[each]} {words[each]}" for each in verdicts if self.counts[each])


def parse_fail_on(text: str | None) -> tuple[str, ...]:
    """`deny,hold` as its parts. Raises `UsageError`."""
    parts = tuple(dict.fromkeys(part.strip() for part in (text or "").split(",") if part.strip()))
    if wrong := [part for part in parts if part not in ("deny", "hold")]:
        raise UsageError(
            f"`{wrong[0]}` is no verdict to fail on", hint="--fail-on deny, --fail-on hold or both: deny,hold"
        )
    if text is not None and not parts:
        raise UsageError("--fail-on names no verdict", hint="--fail-on deny,hold")
    return parts


def check_summary(path: Path | None) -> None:
    """Refuse a summary of a kind that nobody writes. Raises `UsageError`."""
    if path is not None and path.suffix not in ("", ".md", ".xml"):
        raise UsageError(
            f"`{path.name}` is neither .md nor .xml", hint="--summary report.md (Markdown) or .xml (JUnit)"
        )


def read_outcome(config: Path, run: str) -> Outcome:
    """The entries of a run, from its server. Raises `ComptrollerError`."""
    found = Outcome(run=run)
    with Client(config) as client:
        for entry in _entries(client, run):
            if entry.get("kind") == "run.started":  # resumed: what came before was told then
                found = Outcome(run=run)
            found.take(entry)
    return found


def _entries(client: Client, run: str) -> Iterator[Mapping[str, Any]]:
    after = -1
    while page := client.get("/v1/entries", run=run, after=after, limit=PAGE_ENTRIES)["entries"]:
        yield from page
        after = page[-1]["index"]


def write_summary(path: Path, outcome: Outcome, *, exit_code: int) -> None:
    """Write it as what the name says; Markdown is added to a file that is there, as CI servers expect it."""
    if path.suffix == ".xml":
        path.write_bytes(junit(outcome, exit_code=exit_code))
        return
    with path.open("a", encoding="utf-8") as file:
        file.write(markdown(outcome, exit_code=exit_code))


def markdown(outcome: Outcome, *, exit_code: int) -> str:
    """The summary as Markdown: figures, then a table of actions, what was refused first."""
    counts = outcome.counts
    asked = ", ".join(f"{_escaped(state)} {n}" for state, n in sorted(_counted(outcome.answers.values()).items()))
    lines = [
        "## Comptroller",
        "",
        f"Run `{neutral_name(outcome.run)}` ended with code {exit_code}.",
        "",
        "| allowed | held | denied | cost | questions |",
        "|---:|---:|---:|---:|---|",
        f"| {counts['allow']} | {counts['hold']} | {counts['deny']} | {usd_text(outcome.settled_usd_micros)} | "
        f"{asked or 'none'} |",
        "",
    ]
    if outcome.unconfirmed:
        lines += [f"{outcome.unconfirmed} actions have no known outcome: their money stays held.", ""]
    shown = outcome.shown()
    if shown:
        lines += ["| verdict | action | why | answer |", "|---|---|---|---|"]
        lines += [
            f"| {row.verdict} | {_escaped(row.what)} | {_escaped(row.why)} | {_escaped(_answer(outcome, row))} |"
            for row in shown
        ]
        more = sum(counts.values()) - len(shown)
        lines += ["", f"and {more} more: `comptroller tail --run {neutral_name(outcome.run)}`"] if more > 0 else []
    return "\n".join(lines) + "\n\n"


def junit(outcome: Outcome, *, exit_code: int) -> bytes:
    """The summary as JUnit XML: a case an action; denied is a failure, held and not approved is skipped."""
    shown = outcome.shown()
    failures = sum(row.verdict == "deny" for row in shown)
    waiting = [row for row in shown if row.verdict == "hold" and outcome.answers.get(row.approval) != "approved"]
    suite = ElementTree.Element(
        "testsuite",
        name="comptroller",
        tests=str(len(shown)),
        failures=str(failures),
        skipped=str(len(waiting)),
        errors="0",
    )
    properties = ElementTree.SubElement(suite, "properties")
    figures = {
        "run": outcome.run,
        "exit_code": str(exit_code),
        "settled_usd_micros": str(outcome.settled_usd_micros),
        "unconfirmed": str(outcome.unconfirmed),
        **{f"actions_{name}": str(count) for name, count in outcome.counts.items()},
    }
    for name, value in figures.items():
        ElementTree.SubElement(properties, "property", name=name, value=_plain(value))
    for row in shown:
        case = ElementTree.SubElement(
            suite, "testcase", classname="comptroller", name=f"{row.index} {_plain(row.what)}", time="0"
        )
        if row.verdict == "deny":
            ElementTree.SubElement(case, "failure", type="deny", message=_plain(row.why or "no rule permits it"))
        elif row in waiting:
            told = f"{_answer(outcome, row)}: {row.why}"
            ElementTree.SubElement(case, "skipped", message=_plain(told))
    return b"%s\n" % ElementTree.tostring(suite, encoding="utf-8", xml_declaration=True)


def _answer(outcome: Outcome, row: Row) -> str:
    return outcome.answers.get(row.approval, "") if row.verdict == "hold" else ""


def _counted(values: Sequence[str] | Any) -> dict[str, int]:
    counts: dict[str, int] = {}
    for value in values:
        counts[value] = counts.get(value, 0) + 1
    return counts


def _escaped(text: str) -> str:
    """Harmless in a cell of a Markdown table, whatever renders it: no markup, link or mention, no end of the row."""
    safe = _plain(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _MARKDOWN.sub(r"\\\1", safe).replace("\n", " ")


def _plain(text: str) -> str:
    """Only characters that XML has."""
    return "".join(c if c == " " or (c.isprintable() and not 0xD800 <= ord(c) <= 0xDFFF) else "�" for c in text)


def _map(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
