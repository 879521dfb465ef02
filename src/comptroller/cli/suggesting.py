"""What `policy suggest` looks at, the denied actions of a run or of a file of `replay`, and how it is shown."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import click

from comptroller.boundary import Denied, Suggestions, suggest
from comptroller.boundary.suggest import DENIED_MAX, Refusal
from comptroller.cli.client import Client, print_json
from comptroller.cli.judging import Judge, judge_of
from comptroller.cli.replay import BadLines, cases
from comptroller.core.audit import EntryKind
from comptroller.core.errors import RefusedError
from comptroller.core.verdict import VerdictKind
from comptroller.decode.records import Case, Recorded, case_of, read
from comptroller.server.neutral import neutral, neutral_name

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
