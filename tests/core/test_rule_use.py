"""What each rule did: counted once, forgotten when it is old, never confused by entries of another form."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from comptroller.core.rule_use import DID, RuleUse

DAY = date(2026, 11, 20)


def entry(
    kind: str = "action.allowed", *, day: date = DAY, rules: list[str] | None = None, **body: Any
) -> dict[str, Any]:
    high = body.pop("usd_micros", 0)
    told = {"rules": rules if rules is not None else ["a"], "estimate": {"bounds": {"usd_micros": [0, high]}}}
    return {"kind": kind, "at": f"{day.isoformat()}T12:00:00Z", "body": {**told, **body}}


def test_each_kind_counts_for_its_rules_with_the_dollars_asked() -> None:
    use = RuleUse(DAY)
    use.add(entry(rules=["a", "b"]))
    use.add(entry("action.held", rules=["b"], usd_micros=500, permits=["d"]))
    use.add(entry("action.allowed", rules=["b"], usd_micros=500, approval="x"))
    use.add(entry("action.allowed", rules=["b"], resent=True))
    use.add(entry("action.denied", rules=["c"]))
    use.add(entry("action.allowed", rules=["c"], would="deny"))
    use.add(entry("approval.approved", rules=["b"]))
    a, b, c = (use.of(name, DAY).document() for name in "abc")
    assert a["actions"] == {**dict.fromkeys(b["actions"], 0), "allowed": 1}  # type: ignore[call-overload]
    assert {name: n for name, n in b["actions"].items() if n} == {"allowed": 1, "asked": 1, "yes": 1}  # type: ignore[attr-defined]
    assert b["usd_micros"] == {"asked": 500}
    assert {name: n for name, n in c["actions"].items() if n} == {"denied": 2}  # type: ignore[attr-defined]
    assert use.rules() == ["a", "b", "c", "d"]
    d = use.of("d", DAY)
    assert d.actions["let_ask"] == 1 and d.last and d.total == 0, "it is used: without it nobody would be asked"


def test_what_a_shadow_rule_would_have_done() -> None:
    use = RuleUse(DAY)
    for would in ("approval", "approval", "deny", "nonsense"):
        use.add(entry(usd_micros=20, shadow=[{"rule": "s", "would": would}]))
    told = use.of("s", DAY)
    assert (told.actions["would_approval"], told.actions["would_deny"], told.total) == (2, 1, 0)
    assert told.usd_micros["would_approval"] == 40


def test_days_are_told_apart_and_forgotten() -> None:
    use = RuleUse(DAY)
    for number in range(5):
        use.add(entry(day=DAY + timedelta(days=number)))
    use.add(entry(day=DAY - timedelta(days=1)))
    assert [one.total for one in use.by_day("a", DAY, 6)] == [1, 1, 1, 1, 1, 0]
    assert use.of("a", DAY + timedelta(days=3)).total == 2
    use.forget(DAY + timedelta(days=4))
    assert use.of("a", DAY).total == 1
    use.forget(DAY + timedelta(days=9))
    assert use.rules() == []


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(body=st.fixed_dictionaries(dict.fromkeys(("rules", "estimate", "shadow", "approval", "would"), JSON)), at=JSON)
def test_it_is_total(body: dict[str, Any], at: object) -> None:
    use = RuleUse(DAY)
    for kind in ("action.allowed", "action.held", "approval.rejected", "other"):
        use.add({"kind": kind, "at": at, "body": body})
        use.add({"kind": kind, "at": f"{DAY}T00:00:00Z", "body": body})
    use.add({"kind": "action.allowed", "body": at})
    assert all(use.of(name, DAY).total >= 0 for name in use.rules())


@given(st.lists(st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(DID), st.integers(0, 4)), max_size=30))
def test_the_order_of_entries_does_not_matter(events: list[tuple[str, str, int]]) -> None:
    kinds = {"allowed": "action.allowed", "asked": "action.held", "denied": "action.denied"}
    made = [entry(kinds[did], rules=[rule], day=DAY + timedelta(days=n)) for rule, did, n in events]
    forward, backward = RuleUse(DAY), RuleUse(DAY)
    for one in made:
        forward.add(one)
    for one in reversed(made):
        backward.add(one)
    assert forward.rules() == backward.rules()
    for rule in forward.rules():
        assert forward.of(rule, DAY).document() == backward.of(rule, DAY).document()
        assert forward.of(rule, DAY).total == sum(name == rule for name, _, _ in events)
