"""Two sets of rules side by side: which rules differ, and of which nobody can rule out that they let more go.

It reads what rules say, not what they mean: a change counts as no wider only where that follows from its form.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, fields
from typing import Literal

from comptroller.boundary.rule import Rule
from comptroller.core.verdict import Obligation

Kind = Literal["added", "removed", "changed"]
_COMPARED = frozenset({"rule", "reason", "approvers", "quorum", "stages", "exclude", "ttl_seconds"})
_COMPARED |= frozenset({"delay_seconds", "expires_seconds", "escalations", "assurance"})
_UNKNOWN = tuple(item.name for item in fields(Obligation) if item.name not in _COMPARED)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleChange:
    """One rule that differs. `wider`: with it something may go, or go with a weaker yes, that did not before."""

    rule: str
    kind: Kind
    wider: bool
    why: str


def compare(before: Iterable[Rule], after: Iterable[Rule]) -> tuple[RuleChange, ...]:
    """Every rule that says something else, in the order of `before`, then the new ones. Layout does not count."""
    old, new = {rule.id: rule for rule in before}, {rule.id: rule for rule in after}
    found = [_changed(rule, new.get(name)) for name, rule in old.items()]
    found += [_changed(None, rule) for name, rule in new.items() if name not in old]
    return tuple(item for item in found if item is not None)


def weaker(before: Obligation, after: Obligation) -> bool:
    """Whether a yes of `after` may be had more easily, or lasts longer, than one of `before`."""
    return (
        not _stages_kept(before, after)
        or not before.exclude <= after.exclude
        or after.ttl_seconds > before.ttl_seconds
        or after.delay_seconds < before.delay_seconds
        or after.expires_seconds > before.expires_seconds
        or not set(after.escalations) <= set(before.escalations)
        or bool(before.assurance and after.assurance != before.assurance)
        # What is not known here may demand anything.
        or any(getattr(before, name) != getattr(after, name) for name in _UNKNOWN)
    )


def _stages_kept(before: Obligation, after: Obligation) -> bool:
    """Whether each stage asks at least as many of the same group; further ones may follow."""
    pairs = list(zip(before.asked, after.asked, strict=False))
    return len(pairs) == len(before.asked) and all(
        old.group == new.group and old.quorum <= new.quorum for old, new in pairs
    )


def relaxed(before: Collection[Obligation], after: Collection[Obligation]) -> bool:
    """Whether something that was demanded before is demanded by nothing that is as strict after."""
    return any(all(weaker(one, other) for other in after) for one in before)


def _changed(old: Rule | None, new: Rule | None) -> RuleChange | None:
    if old is not None and new is not None and old.statement.canonical == new.statement.canonical:
        return None
    rule = old or new
    assert rule is not None
    kind: Kind = "added" if old is None else "removed" if new is None else "changed"
    why = _wider(_in_force(old), _in_force(new))
    return RuleChange(rule=rule.id, kind=kind, wider=bool(why), why=why or _narrower(old, new))


def _in_force(rule: Rule | None) -> Rule | None:
    """A rule in shadow mode is as good as none."""
    return None if rule is None or rule.shadow else rule


def _wider(old: Rule | None, new: Rule | None) -> str:
    """Why something may go that did not; empty where that cannot be."""
    if old is not None and old.effect == "forbid":
        if new is None or new.effect == "permit":
            return "what it held back is held back by it no longer"
        if old.obligation is None and new.obligation is not None:
            return "what it forbade can now be allowed by people"
        if old.obligation and new.obligation and weaker(old.obligation, new.obligation):
            return "a weaker yes is enough: fewer people, other people, fewer excluded, or for longer"
        if not (_same_scope(old, new) and _clauses(new) <= _clauses(old)):
            return "it holds back something else than before"
        return ""
    if new is not None and new.effect == "permit":
        if old is None:
            return "it permits more"
        if not (_same_scope(old, new) and _clauses(old) <= _clauses(new)):
            return "it permits something else than before"
    return ""


def _narrower(old: Rule | None, new: Rule | None) -> str:
    if _in_force(old) is None and _in_force(new) is None:
        return "it decides nothing in shadow mode"
    if new is None or new.shadow:
        return "it permits nothing any longer"
    return "it holds back more" if new.effect == "forbid" else "it permits no more than before"


def _same_scope(one: Rule, other: Rule) -> bool:
    mine, theirs = one.template, other.template
    return bool(
        mine.principal == theirs.principal and mine.action == theirs.action and mine.resource == theirs.resource
    )


def _clauses(rule: Rule) -> frozenset[str]:
    """Each `when` and `unless`. All of them have to be met: fewer of them make a `forbid` hold back more."""
    return frozenset(repr(clause) for clause in rule.template.clauses)
