"""One policy as a rule: its id, its effect, which actions it is about, and whom it wants asked."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cedarpy import pst

from comptroller.boundary.problem import Problem, nearest
from comptroller.boundary.source import Statement
from comptroller.core.verdict import (
    APPROVERS_DEFAULT,
    EXPIRES_SECONDS_DEFAULT,
    TTL_SECONDS_DEFAULT,
    Escalation,
    Obligation,
    Stage,
)

QUORUM_MAX = 16
STAGES_MAX = 8
ESCALATIONS_MAX = 8
TTL_SECONDS_MAX = 7 * 24 * 3600
REASON_CHARS_MAX = 300

APPROVAL_ANNOTATIONS = (
    "approvers",
    "stages",
    "quorum",
    "exclude",
    "assurance",
    "ttl",
    "delay",
    "escalate",
    "expires",
)
"""What a rule that asks people may say besides."""
ANNOTATIONS = ("id", "reason", "mode", "outcome", *APPROVAL_ANNOTATIONS)
ROLES = ("agent", "owner", "requester", "author")
ASSURANCES = ("passkey",)
SHADOW = "shadow"
"""The one mode: the rule is tried, and decides nothing."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")
_GROUP = re.compile(r"Group::([a-z0-9][a-z0-9-]{0,62})")
_STAGE = re.compile(r"(?:([1-9][0-9]?) of )?Group::([a-z0-9][a-z0-9-]{0,62})")
_ESCALATION = re.compile(r"Group::([a-z0-9][a-z0-9-]{0,62}) after ([1-9][0-9]{0,5}[smhd])")
_TTL = re.compile(r"([1-9][0-9]{0,5})(s|m|h|d)")
Complain = Callable[[str, str, str], None]
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


def is_shadow(annotations: Mapping[str, str], complain: Complain) -> bool:
    """Whether the rule only watches. `complain(word, message, write)`."""
    mode = annotations.get("mode")
    if mode not in (None, SHADOW):
        complain("mode", f"there is no mode `{mode}`", f'`@mode("{SHADOW}")`, or no @mode at all')
    return mode == SHADOW


def obligation_of(rule: str, annotations: Mapping[str, str], effect: str, complain: Complain) -> Obligation | None:
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
        for name in sorted(set(APPROVAL_ANNOTATIONS) & set(annotations)):
            complain(name, f"`@{name}` needs an outcome that asks people", '`@outcome("approval")` before it')
        return None
    if outcome != "approval":
        complain("outcome", f"there is no outcome `{outcome}`", '`@outcome("approval")`, or no @outcome at all')
        return None
    if effect != "forbid":
        complain("outcome", "an approval is asked for by a forbid that a grant lifts, never by a permit", "`forbid`")
        return None
    stages = _stages(annotations, complain)
    expires = _seconds("expires", annotations.get("expires"), EXPIRES_SECONDS_DEFAULT, complain)
    return Obligation(
        rule=rule,
        approvers=stages[0].group,
        quorum=stages[0].quorum,
        exclude=_excluded(annotations.get("exclude", "agent"), complain),
        ttl_seconds=_seconds("ttl", annotations.get("ttl"), TTL_SECONDS_DEFAULT, complain),
        reason=annotations.get("reason", ""),
        assurance=_assurance(annotations.get("assurance"), complain),
        stages=stages if "stages" in annotations else (),
        delay_seconds=_seconds("delay", annotations.get("delay"), 0, complain),
        escalations=_escalations(annotations.get("escalate"), expires, complain),
        expires_seconds=expires,
    )


def _stages(annotations: Mapping[str, str], complain: Complain) -> tuple[Stage, ...]:
    """Who is asked, in order; never empty. `@quorum` is for every stage that does not say its own number."""
    quorum = _quorum(annotations.get("quorum", "1"), complain)
    text = annotations.get("stages")
    if text is None:
        group = _GROUP.fullmatch(annotations.get("approvers", ""))
        if group is None:
            complain("approvers", "nobody is named who may say yes", '`@approvers("Group::approvers")`')
        return (Stage(group=group.group(1) if group else APPROVERS_DEFAULT, quorum=quorum),)
    if "approvers" in annotations:
        complain("approvers", "both `@stages` and `@approvers` say who is asked", "only one of them")
    found = [_STAGE.fullmatch(part.strip()) for part in text.split(",")]
    stages = tuple(
        Stage(group=match.group(2), quorum=_quorum(match.group(1) or str(quorum), complain)) for match in found if match
    )
    if len(stages) != len(found) or len(stages) > STAGES_MAX:
        complain(
            "stages",
            f"`{text}` names no stages, of which there are {STAGES_MAX} at most",
            '`@stages("Group::team-leads, 2 of Group::finance")`',
        )
        return (Stage(group=APPROVERS_DEFAULT, quorum=QUORUM_MAX),)
    return stages


def _quorum(text: str, complain: Complain) -> int:
    if text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= QUORUM_MAX:
        return int(text)
    complain("quorum", f"`{text}` is no number of people from 1 to {QUORUM_MAX}", '`@quorum("2")`')
    return QUORUM_MAX


def _excluded(text: str, complain: Complain) -> frozenset[str]:
    """The excluded roles; the agent itself is always among them."""
    roles = {part.strip() for part in text.split(",")}
    for role in sorted(roles - set(ROLES)):
        known = nearest(role, ROLES)
        complain(
            "exclude",
            f"`{role}` is no role that can be excluded",
            f'`@exclude("{known}")`' if known else '`@exclude("agent,owner")`, of ' + ", ".join(ROLES),
        )
    return frozenset(roles & set(ROLES)) | {"agent"}


def _assurance(text: str | None, complain: Complain) -> str:
    if text is None or text in ASSURANCES:
        return text or ""
    complain("assurance", f"there is no assurance `{text}` that can be demanded", '`@assurance("passkey")`')
    return ASSURANCES[0]


def _seconds(name: str, text: str | None, default: int, complain: Complain) -> int:
    if text is None:
        return default
    match = _TTL.fullmatch(text)
    seconds = int(match.group(1)) * _SECONDS[match.group(2)] if match else 0
    if not 1 <= seconds <= TTL_SECONDS_MAX:
        complain(name, f"`{text}` is no time up to {TTL_SECONDS_MAX // 86400} days", f'`@{name}("30m")` (s, m, h or d)')
        return 1
    return seconds


def _escalations(text: str | None, expires: int, complain: Complain) -> tuple[Escalation, ...]:
    """Who may answer as well, later; in the order of time."""
    if text is None:
        return ()
    found = [_ESCALATION.fullmatch(part.strip()) for part in text.split(",")]
    if not all(found) or len(found) > ESCALATIONS_MAX:
        complain(
            "escalate",
            f"`{text}` does not say who may answer after what time",
            '`@escalate("Group::heads after 30m")`, more of them after a comma',
        )
        return ()
    late = [
        Escalation(group=match.group(1), after_seconds=_seconds("escalate", match.group(2), 1, complain))
        for match in found
        if match
    ]
    if any(each.after_seconds >= expires for each in late):
        complain("escalate", "nobody is asked once the question has expired", 'a shorter time, or `@expires("24h")`')
    return tuple(sorted(late, key=lambda each: (each.after_seconds, each.group)))


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
