"""Who counts: never fewer different people than were asked for, and nobody who is excluded, whatever hats they wear."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.approval import Approval, ApprovalState, GrantState, Person, rejected, with_vote
from comptroller.core.asking import Deputy, deputy_of, hats_of
from comptroller.core.errors import ComptrollerError, ConflictError
from comptroller.core.verdict import Conflict, Escalation, Obligation, Stage
from comptroller.core.vote import Assurance, Hat, Vote, standing

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
NAMES = ("ann", "ben", "cleo", "dan", "eve")
GROUPS = ("leads", "finance", "heads")
PROOF = {"document": {"approval": "apr", "digest": "a1:" + "0" * 64}, "signature": "…"}


def question(*obligations: Obligation, **changes: object) -> Approval:
    base = Approval(
        id="apr",
        run="r",
        agent="bot",
        owner="ann",
        requester="ben",
        author="cleo",
        digest="a1:" + "0" * 64,
        slice_hash="s",
        operation="stripe:transfers:create",
        obligations=obligations,
        sentence="pay",
        facts={},
        asked_at=NOW,
        expires_at=NOW + timedelta(hours=8),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


def person(name: str, *groups: str, **changes: object) -> Person:
    return Person(name=name, groups=frozenset(groups), via="uid:1", **changes)  # type: ignore[arg-type]


def conflict(approval: Approval, who: Person, *, at: datetime = NOW, hats: Sequence[Hat] = ()) -> str:
    with pytest.raises(ConflictError) as caught:
        with_vote(approval, who, at, ceiling=None, comment="", hats=hats)
    return str(caught.value.kind)


def yes(approval: Approval, who: Person, *, at: datetime = NOW, hats: Sequence[Hat] = ()) -> Approval:
    return with_vote(approval, who, at, ceiling=None, comment="", hats=hats)


STAGED = Obligation(rule="pay", stages=(Stage(group="leads"), Stage(group="finance", quorum=2)))


def test_stages_are_answered_in_order_and_by_different_people() -> None:
    asked = question(STAGED)
    assert conflict(asked, person("dan", "finance")) == Conflict.NOT_FOUND
    first = yes(asked, person("ann", "leads", "finance"))
    assert first.state is ApprovalState.PENDING and first.standing(STAGED).stage == 1
    assert yes(first, person("ann", "leads", "finance")).standing(STAGED) == first.standing(STAGED), "one of them"
    assert conflict(first, person("eve", "leads")) == Conflict.NOT_FOUND
    second = yes(first, person("dan", "finance"))
    assert second.state is ApprovalState.PENDING
    done = yes(second, person("ben", "finance"))
    assert done.state is ApprovalState.APPROVED and len({vote.person for vote in done.votes}) == 3


@pytest.mark.parametrize(("role", "name"), [("owner", "ann"), ("requester", "ben"), ("author", "cleo")])
def test_excluded_people_do_not_answer_nor_does_anybody_for_them(role: str, name: str) -> None:
    asked = question(Obligation(rule="x", approvers="leads", exclude=frozenset({"agent", role})))
    assert conflict(asked, person(name, "leads")) == Conflict.SELF_APPROVAL
    assert conflict(asked, person(name), hats=[Hat(stands_for="dan", groups=frozenset({"leads"}))]) == "self_approval"
    with pytest.raises(ConflictError):
        rejected(asked, person(name, "leads"), NOW, comment="no")
    assert conflict(asked, person("dan"), hats=[Hat(stands_for=name, groups=frozenset({"leads"}))]) == "not_found"
    own = yes(asked, person("dan", "leads"), hats=[Hat(stands_for=name, groups=frozenset({"leads"}))])
    assert own.state is ApprovalState.APPROVED and own.answered_by == "dan", "in their own name they may"


def test_a_deputy_is_written_down_as_one_and_neither_person_nor_seat_counts_twice() -> None:
    two = Obligation(rule="x", approvers="leads", quorum=2)
    for_dan = Hat(stands_for="dan", groups=frozenset({"leads"}))
    first = yes(question(two), person("eve"), hats=[for_dan])
    assert [vote.by for vote in first.votes] == ["eve for dan"]
    assert conflict(first, person("dan", "leads")) == Conflict.NOT_FOUND, "his seat has spoken"
    assert conflict(first, person("cleo"), hats=[for_dan]) == Conflict.NOT_FOUND
    assert yes(first, person("eve", "leads"), hats=[for_dan]).state is ApprovalState.PENDING, "one human, two hats"
    done = yes(first, person("ann", "leads"))
    assert done.state is ApprovalState.APPROVED and done.self_approved
    assert yes(question(two), person("eve"), hats=[replace(for_dan, stands_for="ann")]).self_approved


def test_further_groups_answer_after_their_time_and_not_before() -> None:
    late = Obligation(rule="x", approvers="leads", escalations=(Escalation(group="heads", after_seconds=1_800),))
    asked = question(late)
    at = NOW + timedelta(seconds=1_800)
    assert conflict(asked, person("eve", "heads"), at=at - timedelta(microseconds=1)) == Conflict.NOT_FOUND
    assert yes(asked, person("eve", "heads"), at=at).state is ApprovalState.APPROVED
    early = Vote(person="eve", groups=frozenset({"heads"}), at=NOW)
    assert not standing(late, [early], asked_at=NOW, excluded=()).votes, "it counts as of when it was given"


def test_a_demanded_passkey_is_not_replaced_by_anything() -> None:
    signed = Obligation(rule="x", approvers="leads", assurance="passkey")
    asked = question(signed)
    for assurance in set(Assurance) - {Assurance.PASSKEY}:
        assert conflict(asked, person("dan", "leads", assurance=assurance, proof=PROOF)) == Conflict.NOT_FOUND
    other = {"document": {**PROOF["document"], "approval": "other"}}  # type: ignore[dict-item]
    for proof in ({}, other, {"document": {**PROOF["document"], "digest": "a1:1"}}, {"document": "apr"}):  # type: ignore[dict-item]
        key = person("dan", "leads", assurance=Assurance.PASSKEY, proof=proof)
        assert conflict(asked, key) == Conflict.DIGEST_MISMATCH, "it signed something else, or nothing"
    done = yes(asked, person("dan", "leads", assurance=Assurance.PASSKEY, proof=PROOF))
    assert done.state is ApprovalState.APPROVED and done.votes[0].proof
    both = question(signed, Obligation(rule="y", approvers="leads"))
    half = yes(both, person("dan", "leads"))
    assert half.state is ApprovalState.PENDING and [half.standing(o).full for o in half.obligations] == [False, True]
    whole = yes(half, person("dan", "leads", assurance=Assurance.PASSKEY, proof=PROOF))
    assert whole.state is ApprovalState.APPROVED


def test_hats_are_worn_in_their_time_and_groups_and_handed_on_to_nobody() -> None:
    groups = {"ann": frozenset({"leads", "finance"}), "ben": frozenset({"heads"}), "dan": frozenset[str]()}

    def hats(name: str, *deputies: Deputy, at: datetime = NOW) -> dict[str, frozenset[str]]:
        found = hats_of(name, deputies, lambda who: groups.get(who, frozenset()), at)
        return {hat.stands_for: hat.groups for hat in found}

    ben = Deputy(person="ben", stands_for="ann", since=NOW, until=NOW + timedelta(days=1))
    assert hats("ben", ben) == {"ann": groups["ann"]}
    assert hats("ben", ben, at=ben.until) == hats("ben", ben, at=NOW - timedelta(seconds=1)) == {}
    narrow = replace(ben, groups=frozenset({"finance", "heads"}))
    assert hats("ben", narrow) == {"ann": frozenset({"finance"})}, "never a group she is not in"
    chain = Deputy(person="dan", stands_for="ben", since=NOW, until=ben.until)
    assert hats("dan", ben, chain) == {"ben": groups["ben"]}
    assert hats("ann", replace(ben, person="ann")) == {}
    assert deputy_of(ben.body(), "d1") == replace(ben, id="d1")
    assert deputy_of({**ben.body(), "v": 2}, "d1") is None


people = st.builds(
    lambda name, groups, key: person(
        name, *groups, **({"assurance": Assurance.PASSKEY, "proof": PROOF} if key else {})
    ),
    st.sampled_from((*NAMES, "bot")),
    st.frozensets(st.sampled_from(GROUPS)),
    st.booleans(),
)
some_groups = st.frozensets(st.sampled_from(GROUPS))
hats_worn = st.lists(st.builds(Hat, stands_for=st.sampled_from((*NAMES, "bot")), groups=some_groups), max_size=3)
stages = st.lists(st.builds(Stage, group=st.sampled_from(GROUPS), quorum=st.integers(1, 3)), max_size=3).map(tuple)
obligations = st.builds(
    Obligation,
    rule=st.sampled_from(("r1", "r2", "r3")),
    approvers=st.sampled_from(GROUPS),
    quorum=st.integers(1, 3),
    exclude=st.frozensets(st.sampled_from(("owner", "requester", "author"))).map(lambda roles: roles | {"agent"}),
    assurance=st.sampled_from(("", "", "passkey")),
    stages=stages,
    delay_seconds=st.sampled_from((0, 600)),
    escalations=st.lists(
        st.builds(Escalation, group=st.sampled_from(GROUPS), after_seconds=st.sampled_from((60, 3_600))), max_size=2
    ).map(tuple),
)
steps = st.lists(
    st.tuples(st.sampled_from(("yes", "yes", "yes", "no")), people, hats_worn, st.integers(0, 9_000)), max_size=14
)


@settings(max_examples=400, deadline=None)
@given(st.lists(obligations, min_size=1, max_size=3).map(tuple), steps)
def test_a_yes_is_never_fewer_people_than_were_asked(asked: tuple[Obligation, ...], done: list) -> None:  # type: ignore[type-arg]
    """Whoever tries whatever in whatever order: what is approved was said by enough different people who may."""
    approval = question(*asked)
    out = approval.excluded
    tried: list[tuple[Person, Sequence[Hat]]] = []
    for what, who, hats, seconds in sorted(done, key=lambda step: step[3]):
        at = NOW + timedelta(seconds=seconds)
        before = approval
        try:
            if what == "no":
                approval = rejected(approval, who, at, comment="no", hats=hats)
            else:
                approval = yes(approval, who, at=at, hats=hats)
                tried.append((who, hats))
        except ComptrollerError:
            assert approval is before
    assert not {name for vote in approval.votes for name in (vote.person, vote.seat)} & out
    for vote in approval.votes:
        given = [who for who, worn in tried if vote.stands_for in {"", *(hat.stands_for for hat in worn)}]
        assert vote.person in {who.name for who in given}, "every vote was cast by somebody, in a hat of theirs"
    for obligation in asked:
        counted = approval.standing(obligation)
        names = [name for vote in counted.votes for name in {vote.person, vote.seat}]
        assert len(names) == len(set(names)), "no name twice, as a person or as a seat"
        if approval.state is ApprovalState.APPROVED:
            assert len({vote.person for vote in counted.votes}) >= obligation.people
            for stage, votes in zip(obligation.asked, counted.stages, strict=True):
                further = {late.group for late in obligation.escalations}
                assert len(votes) == stage.quorum and all(vote.groups & ({stage.group} | further) for vote in votes)
                assert not obligation.assurance or all(v.assurance is Assurance.PASSKEY and v.proof for v in votes)
    assert (approval.state is ApprovalState.APPROVED) == (approval.grant is GrantState.UNUSED)
    if approval.state is ApprovalState.APPROVED:
        assert approval.answered_at is not None and approval.usable_at is not None
        wait = approval.usable_at - approval.answered_at
        assert wait == timedelta(seconds=max(o.delay_seconds for o in asked))
