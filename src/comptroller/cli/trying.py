"""`policy what-if` and `policy rules`: what was recorded of the last days, put to other rules, or counted by rule."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.boundary.compare import RuleChange, compare
from comptroller.cli.client import config_path, print_json
from comptroller.compose import load_boundary, policy_texts
from comptroller.compose_state import open_log
from comptroller.core.config import Config
from comptroller.core.errors import ConfigError, UsageError
from comptroller.core.estimate import usd_text
from comptroller.core.rule_use import RuleUse
from comptroller.engine.whatif import WhatIf
from comptroller.server.looking_back import moment, newest_first
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.place import Paths, load_config

ACTIONS_MAX = 20_000
EXAMPLES_SHOWN = 3
PROGRESS_ACTIONS = 250
SECONDS_MAX = 600.0


def what_if(
    policies: Path, days: int, actions_max: int, config: Path | None, *, as_json: bool, progress: bool
) -> Mapping[str, Any]:
    """Replay, show, and return what was shown. Raises `ConfigError` for rules that cannot be used."""
    path = config_path(config)
    settings = load_config(path)
    texts = edited(path, policies)
    before = load_boundary(settings, path)
    after = load_boundary(settings, path, texts=texts)
    document = _replayed(path, settings, (before, after), days, actions_max, progress=progress)
    if as_json:
        print_json(document)
    else:
        _show(document)
    return document


def edited(path: Path, policies: Path) -> tuple[PolicyText, ...]:
    """The rules that are tried: those of a folder, or those in force with one file in the place of its namesake."""
    if policies.is_dir():
        files = sorted(policies.glob("*.cedar"))
        if not files:
            raise ConfigError(f"no *.cedar file in `{policies}`: nothing would be allowed", hint="name their folder")
        return tuple(_text(file, str(file)) for file in files)
    in_force = {Path(text.file).name: text for text in policy_texts(path)}
    if policies.suffix != ".cedar":
        raise UsageError(f"`{policies}` is no *.cedar file", hint="a policy file, or a folder of them")
    return tuple({**in_force, policies.name: _text(policies, str(policies))}.values())


def _text(file: Path, name: str) -> PolicyText:
    try:
        return PolicyText(file=name, text=file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"cannot read `{file}`: {error}") from error


def _replayed(
    path: Path,
    settings: Config,
    sides: tuple[CedarBoundary, CedarBoundary],
    days: int,
    actions_max: int,
    *,
    progress: bool,
) -> dict[str, Any]:
    began, now = time.monotonic(), datetime.now(UTC)
    since = now - timedelta(days=days)
    fold, entries, oldest, cut = WhatIf(*sides), 0, "", False
    with open_log(Paths.of(path)) as log:
        for entry in newest_first(log, since=since):
            if fold.actions >= actions_max or time.monotonic() - began > SECONDS_MAX:
                cut = True
                break
            entries += 1
            oldest = str(entry.get("at") or oldest)
            if fold.add(entry) and fold.actions % PROGRESS_ACTIONS == 0 and progress:
                _progress(fold, now, since, oldest)
    changes = compare(sides[0].rules, sides[1].rules)
    return {
        "organization": settings.organization,
        "days": days,
        "since": oldest if cut else since.isoformat(),
        "cut_short": cut,
        "entries": entries,
        "seconds": round(time.monotonic() - began, 3),
        "policies_before": sides[0].policy_hash,
        "policies_after": sides[1].policy_hash,
        "rules_changed": [_rule_change(item) for item in changes],
        "may_widen": any(item.wider for item in changes),
        "warnings": [str(item) for item in sides[1].warnings],
        **fold.document(),
    }


def _progress(fold: WhatIf, now: datetime, since: datetime, oldest: str) -> None:
    """A line on standard error: how many actions, and which share of the time was looked at."""
    at = moment(oldest) or now
    share = (now - at) / (now - since)
    click.echo(f"{fold.actions} {min(100, int(share * 100))}%", err=True)


def _rule_change(item: RuleChange) -> dict[str, object]:
    return {"rule": item.rule, "change": item.kind, "may_widen": item.wider, "why": item.why}


def _show(document: Mapping[str, Any]) -> None:
    click.echo(f"{document['actions']:,} actions of the last {document['days']} days, newest first")
    if document["cut_short"]:
        click.echo(f"that is not all: none before {document['since']} was looked at (--actions-max)")
    for item in document["rules_changed"]:
        mark = "may widen: " if item["may_widen"] else ""
        click.echo(f"  rule {item['rule']} {item['change']}: {mark}{item['why']}")
    for change in document["changes"]:
        _show_change(change)
    if not document["changes"]:
        click.echo("nothing of it would go another way")
    before, after = document["before"], document["after"]
    click.echo(f"questions: {before['actions']['ask']:,} -> {after['actions']['ask']:,}")
    for word, text in (("allow", "allowed"), ("deny", "denied")):
        dollars = (usd_text(side["usd_micros"][word]) for side in (before, after))
        click.echo(f"{text}, at most: {' -> '.join(dollars)}")
    for line in lacking_lines(document):
        click.echo(line)


def _show_change(change: Mapping[str, Any]) -> None:
    unpriced = f", {change['unpriced']:,} without a known price" if change["unpriced"] else ""
    wider = "WIDER  " if change["wider"] else ""
    rules = ", ".join(f"{neutral_name(name)} {count:,}" for name, count in change["rules"].items())
    dollars = usd_text(change["usd_micros"])
    click.echo(f"{wider}{change['from']} -> {change['to']}: {change['count']:,} ({dollars}{unpriced}) by {rules}")
    for example in change["examples"][:EXAMPLES_SHOWN]:
        what = neutral(example["sentence"] or example["operation"], chars_max=200)
        click.echo(f"    entry {example['entry']}: {neutral_name(example['agent'])}: {what}")


_LACKING = {
    "erased": "what lay beside their entry was erased",
    "too_large": "their parameters were too large to be kept",
    "secret": "they hold secrets, which are never kept",
    "parts": "they brought about further actions, which their entry does not hold",
}


def lacking_lines(document: Mapping[str, Any]) -> Iterator[str]:
    """What could not be replayed exactly, in words."""
    inexact = document["inexact"]
    if inexact["any"]:
        why = "; ".join(f"{inexact[name]:,}: {text}" for name, text in _LACKING.items() if inexact[name])
        yield f"not replayed exactly: {inexact['any']:,} actions ({why})"
    if document["otherwise"]:
        yield f"judged otherwise when they happened: {document['otherwise']:,} (the rules or the agents changed since)"
    yield "budgets, brakes and people's answers are not replayed"


def show_rules(days: int, config: Path | None, *, as_json: bool) -> None:
    """What each rule did."""
    path = config_path(config)
    boundary = load_boundary(load_config(path), path)
    now = datetime.now(UTC)
    use = RuleUse((now - timedelta(days=days)).date())
    with open_log(Paths.of(path)) as log:
        for entry in newest_first(log, since=now - timedelta(days=days)):
            use.add(entry)
    known = {rule.id: rule for rule in boundary.rules}
    rows: list[dict[str, Any]] = []
    for name in [*known, *(name for name in use.rules() if name not in known)]:
        rule = known.get(name)
        effect = "" if rule is None else "asks people" if rule.obligation else rule.effect
        shadow = rule is not None and rule.shadow
        rows.append({"rule": name, "effect": effect, "shadow": shadow, **use.of(name, use.since).document()})
    if as_json:
        print_json({"days": days, "rules": rows})
        return
    for row in rows:
        click.echo(_rule_line(row))


def _rule_line(row: Mapping[str, Any]) -> str:
    counts = row["actions"]
    told = [f"{counts[word]:,} {word.replace('_', ' ')}" for word in counts if counts[word]]
    asked = row["usd_micros"].get("asked", 0)
    dollars = f" ({usd_text(asked)} asked)" if asked else ""
    mode = "shadow " if row["shadow"] else ""
    return f"{mode}{row['effect'] or 'not in the policies':<11} {neutral_name(row['rule'])}: " + (
        f"{', '.join(told)}{dollars}" if told else "unused"
    )
