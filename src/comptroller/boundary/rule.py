"""One policy as a rule: its id, its effect, which actions it is about, and whom it wants asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cedarpy import pst

from comptroller.boundary.problem import Problem, nearest
from comptroller.boundary.source import Statement
from comptroller.core.verdict import TTL_SECONDS_DEFAULT, Obligation

QUORUM_MAX = 16
TTL_SECONDS_MAX = 7 * 24 * 3600
REASON_CHARS_MAX = 300

ANNOTATIONS = ("id", "reason", "mode", "outcome", "approvers", "quorum", "exclude", "ttl")
APPROVAL_ANNOTATIONS = frozenset({"approvers", "quorum", "exclude", "ttl"})
ROLES = ("agent", "owner")
SHADOW = "shadow"
"""The one mode: the rule is tried, and decides nothing."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_GROUP = re.compile(r"Group::([a-z0-9][a-z0-9-]{0,62})")
_TTL = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One policy. `actions` are the ids in its action scope (None: any action); `template` is its syntax tree.

    `obligation` is set on a `forbid` whose outcome is an approval: a grant lifts it. A `shadow` rule decides nothing:
    what it would have changed is recorded.
    """

    id: str
    statement: Statement
    effect: Literal["permit", "forbid"]
    actions: frozenset[str] | None
    template: Any
    reason: str = ""
    obligation: Obligation | None = None
    shadow: bool = False

    def concerns(self, action: str, classes: frozenset[str]) -> bool:
        """True where this rule could decide about an action of this id, with these classes as parents."""
        return self.actions is None or action in self.actions or not self.actions.isdisjoint(classes)

    def covers(self, action: str, classes: frozenset[str]) -> frozenset[str]:
        """Which of the action's classes this rule speaks about."""
        return classes if self.actions is None or action in self.actions else classes & self.actions


def action_ids(template: Any) -> frozenset[str] | None:
    """The ids in a policy's action scope; None where it is about any action."""
    match template.action:
        case pst.ScopeAny():
            return None
        case pst.ActionEq(entity=entity):
            return frozenset({entity.id})
        case pst.ActionIn(entities=entities):
            return frozenset(entity.id for entity in entities)
        case other:
            raise ValueError(f"an action scope nobody knows: {type(other).__name__}")


def is_shadow(annotations: Mapping[str, str], complain: Callable[[str, str, str], None]) -> bool:
    """Whether the rule only watches. `complain(word, message, write)`."""
    mode = annotations.get("mode")
    if mode not in (None, SHADOW):
        complain("mode", f"there is no mode `{mode}`", f'`@mode("{SHADOW}")`, or no @mode at all')
    return mode == SHADOW


def obligation_of(
    rule: str, annotations: Mapping[str, str], effect: str, complain: Callable[[str, str, str], None]
) -> Obligation | None:
    """Whom the annotations want asked; None where the outcome is no approval. `complain(word, message, write)`."""
    for name in annotations:
        if name not in ANNOTATIONS:
            known = nearest(name, ANNOTATIONS)
            complain(
                name,
                f"there is no annotation `@{name}`",
                f"`@{known}`" if known else "one of @" + " @".join(ANNOTATIONS),
            )
    outcome = annotations.get("outcome")
    if outcome is None:
        for name in sorted(APPROVAL_ANNOTATIONS & set(annotations)):
            complain(name, f"`@{name}` needs an outcome that asks people", '`@outcome("approval")` before it')
        return None
    if outcome != "approval":
        complain("outcome", f"there is no outcome `{outcome}`", '`@outcome("approval")`, or no @outcome at all')
        return None
    if effect != "forbid":
        complain("outcome", "an approval is asked for by a forbid that a grant lifts, never by a permit", "`forbid`")
        return None
    group = _GROUP.fullmatch(annotations.get("approvers", ""))
    if group is None:
        complain("approvers", "nobody is named who may say yes", '`@approvers("Group::approvers")`')
    return Obligation(
        rule=rule,
        approvers=group.group(1) if group else "",
        quorum=_quorum(annotations.get("quorum", "1"), complain),
        exclude=_excluded(annotations.get("exclude", "agent"), complain),
        ttl_seconds=_ttl(annotations.get("ttl"), complain),
        reason=annotations.get("reason", ""),
    )


def _quorum(text: str, complain: Callable[[str, str, str], None]) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= QUORUM_MAX:
        return int(text)
    complain("quorum", f"`{text}` is no number of people from 1 to {QUORUM_MAX}", '`@quorum("2")`')
    return QUORUM_MAX


def _excluded(text: str, complain: Callable[[str, str, str], None]) -> frozenset[str]:
    """The excluded roles; the agent itself is always among them."""
    roles = {part.strip() for part in text.split(",")}
    for role in sorted(roles - set(ROLES)):
        complain(
            "exclude", f"`{role}` is no role that can be excluded", '`@exclude("agent")` or `@exclude("agent,owner")`'
        )
    return frozenset(roles & set(ROLES)) | {"agent"}


def _ttl(text: str | None, complain: Callable[[str, str, str], None]) -> int:
    if text is None:
        return TTL_SECONDS_DEFAULT
    match = _TTL.fullmatch(text)
    seconds = int(match.group(1)) * _SECONDS[match.group(2)] if match else 0
    if not 1 <= seconds <= TTL_SECONDS_MAX:
        complain("ttl", f"`{text}` is no time up to {TTL_SECONDS_MAX // 86400} days", '`@ttl("30m")` (s, m, h or d)')
        return 1
    return seconds


def id_problem(statement: Statement, annotations: Mapping[str, str]) -> Problem | None:
    """What is wrong with a policy's `@id`."""
    name = annotations.get("id")
    if name is not None and _ID.fullmatch(name):
        return None
    return Problem(
        file=statement.file,
        **statement.place_of("id")._asdict(),
        message="a policy without `@id`"
        if name is None
        else f"`{name}` is no id: letters, digits, `.`, `_` and `-`, at most 63",
        write='`@id("a-name-of-your-own")` before it',
    )
