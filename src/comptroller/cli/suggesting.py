"""What `policy suggest` looks at, a run, a file of `replay` or the last days, and how it is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from comptroller.boundary import Denied, Suggestions, suggest
from comptroller.boundary.answered import Answered, Lesson, lessons
from comptroller.boundary.suggest import DENIED_MAX, Refusal
from comptroller.cli.client import Client, config_path, print_json
from comptroller.cli.judging import Judge, judge_of
from comptroller.cli.replay import BadLines, cases
from comptroller.compose import load_boundary, policy_texts, registry_of
from comptroller.compose_state import open_log
from comptroller.core.audit import EntryKind
from comptroller.core.errors import RefusedError
from comptroller.core.estimate import FREE_CALL
from comptroller.core.verdict import VerdictKind
from comptroller.decode.records import Case, Recorded, Who, case_of, read
from comptroller.server.descriptions import described_services
from comptroller.server.looking_back import newest_first
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.place import Paths, load_config

PAGE_ENTRIES = 500
OPERATIONS_SHOWN_MAX = 5


def found(
    run: str | None, file: Path | None, policies: Path | None, agent: str | None, config: Path | None
) -> Suggestions:
    """Suggestions for a run of the installation or for a file. Raises where either cannot be read."""
    if file is not None:
        judge = judge_of(config, policies, agent)
        denied = list(_of_file(file, judge))
    else:
        entries = list(_of_run(run or "", config))
        judge = judge_of(config, policies, agent or next((case.agent for case in entries), None))
        denied = [item for entry in entries for item in _of_entry(entry.case, judge)]
    if len(denied) > DENIED_MAX:
        raise RefusedError(f"more than {DENIED_MAX} actions were denied", hint="split the file, or mend these first")
    return suggest(judge.boundary, judge.texts, denied, classes_of=judge.registry.classes_of)


class _Entry:
    """A denied entry and the agent it names."""

    def __init__(self, case: Case) -> None:
        self.case = case
        self.agent = str(case.members.get("agent") or "") or None


def _of_run(run: str, config: Path | None) -> Iterator[_Entry]:
    """Denied entries of a run, from its server."""
    after = -1
    with Client(config) as client:
        while True:
            page = client.get("/v1/entries", after=after, limit=PAGE_ENTRIES, run=run)
            for entry in page["entries"]:
                if _was_denied(entry) and (case := case_of(entry, 0)) is not None:
                    yield _Entry(case)
            after = page["next"]
            if len(page["entries"]) < PAGE_ENTRIES:
                return


def _of_file(file: Path, judge: Judge) -> Iterator[Denied]:
    bad = BadLines()
    for case in cases(file, bad):
        if _was_denied(case.members):
            yield from _of_entry(case, judge)
            continue
        for recorded in read(case, judge.who).actions:
            item = judge.judge(recorded)
            if item.result.kind is VerdictKind.DENY:
                yield Denied(action=item.action, estimate=item.estimate)


def _was_denied(entry: Mapping[str, Any]) -> bool:
    """Whether an entry tells of a denied action, or of one that would have been and went in an observed run."""
    body = entry.get("body")
    would = isinstance(body, Mapping) and body.get("would") == VerdictKind.DENY.value
    return would or entry.get("kind") == EntryKind.ACTION_DENIED.value


def _of_entry(case: Case, judge: Judge) -> Iterator[Denied]:
    """A denied entry with the reasons it was denied for."""
    body = case.members.get("body")
    reasons = body.get("reasons") if isinstance(body, Mapping) else None
    told = [reason for reason in reasons if isinstance(reason, Mapping)] if isinstance(reasons, list) else []
    for recorded in read(case, judge.who).actions:
        yield Denied(
            action=judge.as_agent(recorded.action),
            estimate=_estimate(judge, recorded),
            codes=tuple(str(reason.get("code", "")) for reason in told),
            text="; ".join(str(reason.get("text", "")) for reason in told),
        )


def _estimate(judge: Judge, recorded: Recorded) -> Any:
    return recorded.estimate or judge.prices.estimate(judge.as_agent(recorded.action))


def show(suggestions: Suggestions, as_json: bool) -> None:
    """Print them: policies as they can be saved, refusals as comments."""
    if as_json:
        print_json(_document(suggestions))
    else:
        for item in suggestions.suggested:
            click.echo(item.cedar)
        for refusal in suggestions.refused:
            for line in _refusal_lines(refusal):
                click.echo(f"// {line}")
        if suggestions.settled:
            click.echo(f"// {suggestions.settled} of the denied actions would go, or be asked about, by now.")
        if not suggestions.suggested and not suggestions.refused and not suggestions.settled:
            click.echo("// nothing was denied")
    if suggestions.refused and not suggestions.suggested:
        sys.exit(1)


def _refusal_lines(refusal: Refusal) -> list[str]:
    names = ", ".join(neutral_name(name) for name in refusal.operations[:OPERATIONS_SHOWN_MAX])
    more = len(refusal.operations) - OPERATIONS_SHOWN_MAX
    names += f" and {more} more" if more > 0 else ""
    lines = [f"not suggested for {refusal.count} x {names} of {neutral_name(refusal.agent)}: {neutral(refusal.reason)}"]
    return lines + [f"  instead: {neutral(line)}" for line in refusal.instead]


def show_recent(days: int, config: Path | None, *, as_json: bool) -> None:
    """Print what follows from the last days: rules for what was denied, and edits that spare questions."""
    path = config_path(config)
    settings = load_config(path)
    registry = registry_of(settings, described_services(path))
    boundary, texts = load_boundary(settings, path), policy_texts(path)
    recorded = _recent(path, days)
    suggestions = suggest(boundary, texts, recorded.denied, classes_of=registry.classes_of)
    learned = lessons(boundary, texts, recorded.answered, classes_of=registry.classes_of)
    if as_json:
        lines = [_lesson_json(item) for item in learned]
        print_json({**_document(suggestions), "answered": lines, "days": days, "cut_short": recorded.cut})
        return
    for item in learned:
        goes = "would have been denied" if item.kind == "deny" else "would have gone"
        what = f"{item.questions} questions about {neutral_name(item.operation)} of {neutral_name(item.agent)}"
        click.echo(f"// {what} {goes} unasked; in {item.file}:")
        click.echo(item.cedar)
    show(suggestions, False)


@dataclass(slots=True)
class _Recent:
    """What was denied and what was answered in the last days; `cut` where there was more of it."""

    denied: list[Denied] = field(default_factory=list)
    answered: list[Answered] = field(default_factory=list)
    cut: bool = False


def _recent(path: Path, days: int) -> _Recent:
    found, answers = _Recent(), dict[str, bool]()
    with open_log(Paths.of(path)) as log:
        for entry in newest_first(log, since=datetime.now(UTC) - timedelta(days=days)):
            body = entry.get("body")
            if not isinstance(body, Mapping):
                continue
            if (yes := _ANSWERS.get(str(entry.get("kind")))) is not None:
                answers.setdefault(str(body.get("approval")), yes)
                continue
            denied, asked = _was_denied(entry), str(body.get("approval") or "")
            if not denied and not (entry.get("kind") == EntryKind.ACTION_HELD and asked in answers):
                continue
            if len(found.denied) + len(found.answered) >= DENIED_MAX:
                found.cut = True
                break
            for item in _recorded(entry):
                if denied:
                    found.denied.append(item)
                else:
                    rules = tuple(map(str, body["rules"])) if isinstance(body.get("rules"), list) else ()
                    found.answered.append(
                        Answered(action=item.action, estimate=item.estimate, rules=rules, yes=answers[asked])
                    )
    return found


_ANSWERS = {EntryKind.APPROVAL_APPROVED.value: True, EntryKind.APPROVAL_REJECTED.value: False}


def _recorded(entry: Mapping[str, Any]) -> Iterator[Denied]:
    """The action of an entry as it was recorded, with the reasons told then."""
    case = case_of(entry, 0)
    reasons = entry["body"].get("reasons")
    told = [reason for reason in reasons if isinstance(reason, Mapping)] if isinstance(reasons, list) else []
    for recorded in read(case, Who(agent=str(entry.get("agent") or ""))).actions if case else ():
        yield Denied(
            action=recorded.action,
            estimate=recorded.estimate or FREE_CALL,
            codes=tuple(str(reason.get("code", "")) for reason in told),
            text="; ".join(str(reason.get("text", "")) for reason in told),
        )


def _lesson_json(item: Lesson) -> dict[str, object]:
    return {
        "kind": item.kind,
        "file": item.file,
        "text": item.text,
        "cedar": item.cedar,
        "agent": item.agent,
        "operation": item.operation,
        "rule": item.rule,
        "questions": item.questions,
        "usd_micros": item.usd_micros,
    }


def _document(suggestions: Suggestions) -> dict[str, object]:
    return {
        "cedar": suggestions.cedar,
        "suggested": [
            {
                "cedar": item.cedar,
                "agent": item.agent,
                "service": item.service,
                "operations": list(item.operations),
                "classes": list(item.classes),
                "count": item.count,
                "asks": item.asks,
                "verdicts": dict(item.verdicts),
            }
            for item in suggestions.suggested
        ],
        "refused": [
            {
                "agent": item.agent,
                "service": item.service,
                "operations": list(item.operations),
                "count": item.count,
                "reason": item.reason,
                "instead": list(item.instead),
            }
            for item in suggestions.refused
        ],
        "settled": suggestions.settled,
    }
