"""Standing grants: one person's yes to the next N actions like one they were asked about, with a limit of its own."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta

from comptroller.core.action import Action
from comptroller.core.approval import Approval, ApprovalState, Person, check_may_answer
from comptroller.core.document import Document, DocumentKind
from comptroller.core.errors import ConflictError, UsageError
from comptroller.core.estimate import Estimate, usd_text
from comptroller.core.pattern import NAMED_CLASSES, Pattern, difference, pattern_json, pattern_of, pattern_text
from comptroller.core.verdict import BoundaryResult, Conflict, Obligation

STANDING_VERSION = 1
COUNT_MAX = 1_000
SECONDS_MAX = 30 * 86_400
USD_MICROS_MAX = 10**15
OFFERED_AFTER = 10
"""So many equal yeses of one person in one run, and a standing grant is offered."""
OURS_PREFIX = "comptroller:"
"""Rules that are no policy's: an unknown price, a budget without room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a person grants beside the pattern. `every_run`: of the agent, not only the run that asked. `include`:
    the dangerous classes they name."""

    count: int
    usd_micros: int
    expires_at: datetime
    every_run: bool = False
    include: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One standing grant. `run` is empty where it holds for every run of the agent; `one_run` makes the first run that
    uses it the only one. `questions` are the obligations it answers, each as its granter could answer it alone.
    """

    id: str
    agent: str
    path: str
    owner: str
    run: str
    one_run: bool
    pattern: Pattern
    questions: frozenset[str]
    rules: tuple[str, ...]
    slice_hash: str
    include: frozenset[str]
    person: str
    groups: tuple[str, ...]
    via: str
    assurance: str
    granted_at: datetime
    expires_at: datetime
    count: int
    usd_micros: int
    used: int = 0
    spent_usd_micros: int = 0
    approval: str = ""
    plan: str = ""
    open: bool = True
    ended_by: str = ""
    ended_why: str = ""

    @property
    def left(self) -> int:
        """How many actions it still releases."""
        return max(0, self.count - self.used)

    @property
    def left_usd_micros(self) -> int:
        """How much money it still covers."""
        return max(0, self.usd_micros - self.spent_usd_micros)

    def open_at(self, now: datetime) -> bool:
        """Whether it can release anything at `now`."""
        return self.open and self.left > 0 and self.granted_at <= now < self.expires_at


def question_key(obligation: Obligation) -> str:
    """Everything an obligation says, as text: one that says more than before is another one."""
    return json.dumps(asdict(obligation), sort_keys=True, default=lambda item: sorted(map(str, item)))


def obstacle(obligation: Obligation) -> str:
    """Why no standing grant answers this obligation; empty where one may. Only the plainest question qualifies: one
    person of one group, at once. Whatever else a rule asks for (more people, stages, a delay, a passkey) is asked."""
    if obligation.rule.startswith(OURS_PREFIX):
        return f"`{obligation.rule}` is asked each time"
    if "author" in obligation.exclude:
        return f"rule `{obligation.rule}` excludes the author of the rules, who may be another one by then"
    plain = Obligation(
        rule=obligation.rule,
        approvers=obligation.approvers,
        exclude=obligation.exclude,
        ttl_seconds=obligation.ttl_seconds,
        reason=obligation.reason,
        escalations=obligation.escalations,
        expires_seconds=obligation.expires_seconds,
    )
    return "" if obligation == plain else f"rule `{obligation.rule}` asks for more than one plain yes"


def check_may_grant(approval: Approval, person: Person, pattern: Pattern | None, terms: Terms, now: datetime) -> None:
    """Raise unless `person` alone could have answered every obligation of `approval`, and may grant `terms`."""
    check_may_answer(approval, person, now)
    if approval.state is ApprovalState.REJECTED or (
        approval.state is not ApprovalState.APPROVED and now >= approval.expires_at
    ):
        raise ConflictError(f"approval `{approval.id}` is {approval.state.value}", kind=Conflict.REJECTED)
    if pattern is None or approval.price_unknown:
        raise UsageError(
            "nothing can be called like this action: nobody knows what it costs, or what all it holds",
            hint=f"comptroller approvals approve {approval.id}",
        )
    for obligation in approval.obligations:
        if why := obstacle(obligation):
            raise UsageError(f"no standing grant answers this: {why}")
        if terms.every_run and "requester" in obligation.exclude:
            raise UsageError(
                f"rule `{obligation.rule}` excludes whoever requested a run: nobody knows yet who that will be",
                hint="without --every-run: for this run only",
            )
        if obligation.approvers not in person.groups:
            raise ConflictError(
                f"`{person.name}` is not in `{obligation.approvers}`, whom rule `{obligation.rule}` asks",
                kind=Conflict.NOT_FOUND,
                hint="a standing grant needs one person who may answer every rule that asks",
            )
    if missing := sorted(pattern.named_classes - terms.include):
        raise UsageError(
            f"this is of class {', '.join(missing)}, which a standing grant covers only where you name it",
            hint=" ".join(f"--include {name}" for name in missing),
        )
    check_terms(terms, pattern, now)


def check_terms(terms: Terms, pattern: Pattern, now: datetime) -> None:
    """Raise `UsageError` for a count, an amount or a time that no standing grant has."""
    if unknown := sorted(terms.include - {item.value for item in NAMED_CLASSES}):
        names = ", ".join(sorted(NAMED_CLASSES))
        raise UsageError(f"`{unknown[0]}` need not be named", hint=f"--include takes: {names}")
    if not 1 <= terms.count <= COUNT_MAX:
        raise UsageError(f"a standing grant covers 1 to {COUNT_MAX} actions, not {terms.count}")
    if not 0 <= terms.usd_micros <= USD_MICROS_MAX:
        raise UsageError(f"{usd_text(terms.usd_micros)} is no limit for a standing grant")
    if (each := pattern.usd_micros_max or 0) > terms.usd_micros:
        raise UsageError(
            f"{usd_text(terms.usd_micros)} in all would not cover one: each may take {usd_text(each)}",
            hint="a larger limit, or a smaller one for each",
        )
    if not now < terms.expires_at <= now + timedelta(seconds=SECONDS_MAX):
        raise UsageError(f"a standing grant ends within {SECONDS_MAX // 86_400} days", hint="--until 18:00, --until 2h")


def covering(documents: Iterable[Document], action: Action, estimate: Estimate) -> tuple[Standing, ...]:
    """The standing grants among `documents` whose pattern the action fits, oldest first. Total."""
    found = (
        standing_of(document) for document in documents if document.kind is DocumentKind.STANDING and document.open
    )
    return tuple(
        item
        for item in found
        if item is not None
        and item.agent == action.agent
        and item.run in ("", action.run)
        and pattern_named(item)
        and not difference(item.pattern, action, estimate)
    )


def pattern_named(standing: Standing) -> bool:
    """Whether its granter named every dangerous class of its pattern."""
    return standing.pattern.named_classes <= standing.include


def releasing(
    standings: Sequence[Standing],
    *,
    boundary: BoundaryResult,
    obligations: Sequence[Obligation],
    wanted_usd_micros: int,
    owner: str,
    now: datetime,
) -> Standing | None:
    """The first of `standings` (each covers the action) that answers every obligation under the rules that hold now,
    and has a use and the money left."""
    keys = {question_key(obligation) for obligation in obligations}
    for item in standings:
        if (
            item.open_at(now)
            and keys <= item.questions
            and not any(obstacle(obligation) for obligation in obligations)
            and item.slice_hash == boundary.slice_hash
            and item.owner == owner
            and 0 <= wanted_usd_micros <= item.left_usd_micros
        ):
            return item
    return None


def still_held(standing: Standing, voice: frozenset[str] | None) -> bool:
    """Whether whoever granted it could still answer every question that it answers: `voice` is in whose name they may
    answer now, None for who may answer nothing."""
    asked = {str(json.loads(question).get("approvers", "")) for question in standing.questions}
    return voice is not None and asked <= voice


def rejected_now(approvals: Iterable[Approval], now: datetime) -> bool:
    """Whether a person said no to this very action, and the no still holds."""
    return any(each.state is ApprovalState.REJECTED and now < each.expires_at for each in approvals)


def after_use(standing: Standing, run: str, usd_micros: int) -> Standing:
    """The grant after one more action. It is closed by its last use."""
    used = replace(
        standing,
        used=standing.used + 1,
        spent_usd_micros=standing.spent_usd_micros + usd_micros,
        run=run if standing.one_run else standing.run,
    )
    # INVARIANT: never more than was granted.
    assert used.used <= used.count and used.spent_usd_micros <= used.usd_micros
    return replace(used, open=used.left > 0, ended_why="used up" if used.left == 0 else "")


def standing_text(standing: Standing) -> str:
    """The whole grant as the sentence that is shown before it is given."""
    until = standing.expires_at.astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")
    where = (
        "this run only" if standing.run else "one run only" if standing.one_run else f"every run of {standing.agent}"
    )
    money = usd_text(standing.usd_micros) if standing.usd_micros else "nothing"
    return (
        f"the next {standing.count} like this: {pattern_text(standing.pattern)}; up to {money} in all; "
        f"until {until}; {where}"
    )


# ---------------------------------------------------------------- as documents


def standing_document(standing: Standing) -> Document:
    """The document that a store keeps. Its scope is the run, or the agent's path."""
    return Document(
        id=standing.id,
        kind=DocumentKind.STANDING,
        scope=standing.run if standing.run and not standing.one_run else standing.path,
        open=standing.open,
        at=standing.granted_at,
        body={
            "v": STANDING_VERSION,
            "agent": standing.agent,
            "path": standing.path,
            "owner": standing.owner,
            "run": standing.run,
            "one_run": standing.one_run,
            "pattern": pattern_json(standing.pattern),
            "questions": sorted(standing.questions),
            "rules": list(standing.rules),
            "slice_hash": standing.slice_hash,
            "include": sorted(standing.include),
            "person": standing.person,
            "groups": list(standing.groups),
            "via": standing.via,
            "assurance": standing.assurance,
            "expires_at": standing.expires_at.isoformat(),
            "count": standing.count,
            "usd_micros": standing.usd_micros,
            "used": standing.used,
            "spent_usd_micros": standing.spent_usd_micros,
            "approval": standing.approval,
            "plan": standing.plan,
            "ended_by": standing.ended_by,
            "ended_why": standing.ended_why,
        },
    )


def standing_of(document: Document) -> Standing | None:
    """The grant in a document; None for one that cannot be read, which then releases nothing."""
    body: Mapping[str, object] = document.body
    pattern = pattern_of(body.get("pattern"))
    if document.kind is not DocumentKind.STANDING or body.get("v") != STANDING_VERSION or pattern is None:
        return None
    members = {name: value for name, value in body.items() if name != "v"}
    try:
        return Standing(
            **{
                **members,
                "id": document.id,
                "pattern": pattern,
                "open": document.open,
                "granted_at": document.at,
                "questions": frozenset(members["questions"]),  # type: ignore[call-overload]
                "rules": tuple(members["rules"]),  # type: ignore[arg-type]
                "groups": tuple(members["groups"]),  # type: ignore[arg-type]
                "include": frozenset(members["include"]),  # type: ignore[call-overload]
                "expires_at": datetime.fromisoformat(str(members["expires_at"])),
            }
        )
    except (KeyError, TypeError, ValueError):
        return None
