"""Entries and prices in plain words, whatever an entry holds."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.audit import EntryKind
from comptroller.server.tally import notice_of
from comptroller.server.words import (
    amount_text,
    bytes_text,
    efforts_text,
    entry_line,
    part_text,
    price_text,
    reversible_text,
    seconds_text,
    suggestion,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
MEMBERS = st.sampled_from(["sentence", "reasons", "reserved", "actual", "approved_by", "by", "scope", "unit", "limit"])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from([*[k.value for k in EntryKind], "never.heard"]),
    st.dictionaries(MEMBERS, JSON, max_size=5),
    st.dictionaries(MEMBERS, JSON, max_size=5),
)
def test_every_entry_has_a_line(kind: str, body: dict[str, object], beside: dict[str, object]) -> None:
    line = entry_line({"kind": kind, "index": 4, "body": body, "beside": beside, "at": "2026-01-01T00:00:00Z"})
    assert line.text.isprintable()
    assert line.time == "2026-01-01 00:00:00"


def test_every_kind_has_a_word() -> None:
    assert all(entry_line({"kind": kind.value}).word != kind.value for kind in EntryKind)


def test_hostile_sentence_is_written_out() -> None:
    line = entry_line({"kind": "action.denied", "body": {}, "beside": {"sentence": "a\x1b]0;pwn\x07\u202e"}})
    assert "<U+001B>]0;pwn<U+0007><U+202E>" in line.text


def test_a_reason_is_not_said_twice() -> None:
    reasons = [{"text": "no known path"}, {"text": "nobody can say"}]
    line = entry_line(
        {"kind": "action.denied", "body": {"reasons": reasons}, "beside": {"sentence": "call: no known path"}}
    )
    assert line.text == "call: no known path · nobody can say"
    told = notice_of(
        "action.denied", {"reasons": reasons, "sentence": "call: no known path"}, agent="a", hosts=(), services=()
    )
    assert told is not None and told.text == "denied: call: no known path · nobody can say"


def test_what_never_left_is_said_so() -> None:
    assert entry_line({"kind": "action.settled", "body": {"operation": "o", "status": 0}}).text == "o · never sent"
    assert entry_line({"kind": "action.settled", "body": {"operation": "o", "status": 204}}).text == "o · status 204"


def test_a_start_says_what_a_crash_left() -> None:
    body = {"version": "1", "config": "f0", "runs_ended": 2, "suspended": 1, "upstreams": {"a.example": "http://x"}}
    text = entry_line({"kind": "serve.started", "body": body}).text
    assert text == (
        "version 1 · 2 runs cut off before are ended · 1 actions without a known outcome stay held"
        " · development upstreams: a.example"
    )


def test_configuration_entries_say_what_changed() -> None:
    body = {"policies": "b", "policies_before": "a", "later": ["upstreams"]}
    line = entry_line({"kind": "config.loaded", "body": body})
    assert line.text == "comptroller.yaml as edited, changed policies; not yet in force: upstreams"
    refused = entry_line({"kind": "config.refused", "body": {"config": "f0"}, "beside": {"reason": "x.yaml:3: no\x1b"}})
    assert (refused.word, refused.tone) == ("edit refused", "bad")
    assert refused.text == "the old rules stay in force · x.yaml:3: no<U+001B>"


def _asked(**facts: object) -> dict[str, object]:
    return {
        "price_unknown": False,
        "ceiling_usd_micros": None,
        "usd_micros": None,
        "usd_micros_per_hour": None,
        "term_seconds": None,
    } | facts


@pytest.mark.parametrize(
    ("facts", "text"),
    [
        ({"usd_micros": 400_010_000}, "$400.01"),
        (
            {"usd_micros": 175_000_000, "usd_micros_per_hour": 175_000_000, "term_seconds": 3600},
            "$175.00 an hour until stopped, $175.00 reserved for 1 h",
        ),
        ({"price_unknown": True}, "cost unknown"),
        ({"price_unknown": True, "ceiling_usd_micros": 5_000_000}, "cost unknown, at most $5.00"),
        ({}, "no charge of its own"),
    ],
)
def test_price(facts: dict[str, object], text: str) -> None:
    assert price_text(_asked(**facts)) == text


def test_amounts() -> None:
    assert amount_text("usd_micros", 1_500_000) == "$1.50"
    assert amount_text("usd_micros_per_hour", 2_000_000) == "$2.00/h"
    assert amount_text("calls", 1200) == "1,200 calls"
    assert amount_text("calls", 1) == "1 call"
    assert amount_text("usd_micros", None) == "unknown"
    assert [amount_text("gpu_seconds", n) for n in (90, 230_400)] == ["90 GPU seconds", "64.0 GPU hours"]
    assert [amount_text("milliwatt_hours", n) for n in (4_865, 50_841_600)] == ["4.9 Wh", "50.84 kWh"]
    assert [amount_text("milligrams_co2e", n) for n in (1_136, 12_456_192)] == ["1.1 g CO2e", "12.46 kg CO2e"]
    assert bytes_text(999) == "999 B"
    assert bytes_text(1_500_000) == "1.5 MB"
    assert [seconds_text(s) for s in (-3, 40, 600, 7500, 90_000)] == ["0 s", "40 s", "10 min", "2 h 5 min", "1 d 1 h"]


def test_suggestion_names_the_exact_line() -> None:
    hosts = ["packages.example.com", "*.example.org"]
    assert (
        suggestion(agent="research", service="http", host="api.example.com", hosts=hosts, services=[])
        == "agents.research.hosts: [packages.example.com, *.example.org, api.example.com]"
    )
    assert suggestion(agent="research", service="http", host="a.example.org", hosts=hosts, services=[]) == ""
    assert (
        suggestion(agent="r", service="aws:ec2", host="ec2.us-east-1.amazonaws.com", hosts=[], services=["aws:s3"])
        == "agents.r.services: [aws:s3, aws:ec2]"
    )
    for inner in ("169.254.169.254", "10.0.0.1", "[::1]"):
        assert suggestion(agent="r", service="http", host=inner, hosts=[], services=[]) == ""
    assert "\u202e" not in suggestion(agent="r", service="http", host="x\u202e.com", hosts=[], services=[])


def test_parts_say_how_many_and_what_each_costs() -> None:
    part = {"text": "start 1 x m5.large", "count": 3, "usd_micros": 96_000, "usd_micros_per_hour": 96_000,
            "price_unknown": False}  # fmt: skip
    assert part_text(part) == "3 x start 1 x m5.large · each $0.10 an hour"
    assert part_text({**part, "count": 1, "usd_micros_per_hour": None}) == "start 1 x m5.large · $0.10"
    assert part_text({**part, "price_unknown": True, "usd_micros": None}) == "3 x start 1 x m5.large · cost unknown"
    assert part_text({**part, "usd_micros": None, "usd_micros_per_hour": None}) == "3 x start 1 x m5.large"
    assert "\x1b" not in part_text({**part, "text": "\x1b[2Jnothing"})


def test_energy_is_told_as_far_as_it_is_known() -> None:
    known = {"gpu_seconds": 28_800, "milliwatt_hours": 6_420_000, "milligrams_co2e": None, "tokens": 0}
    assert efforts_text(known) == "at most 8.0 GPU hours, 6.42 kWh; carbon unknown"
    assert efforts_text({}) == ""


@pytest.mark.parametrize(
    ("payment", "text"),
    [(None, ""), ({"reversible": None}, ""), ({"reversible": False}, "cannot be taken back"),
     ({"reversible": True}, "can be taken back")],
)  # fmt: skip
def test_whether_a_payment_can_be_taken_back(payment: object, text: str) -> None:
    assert reversible_text(payment) == text


def test_a_lowered_call_says_so() -> None:
    body = {"operation": "openai:chat.completions:create", "lowered": "the answer is limited to 12 tokens"}
    assert "limited to 12 tokens" in entry_line({"kind": "action.allowed", "index": 1, "body": body}).text


def test_price_entries_say_what_changed() -> None:
    body = {"rows": 12, "new": 1, "dearer": 0, "cheaper": 2, "gone": 0, "prices": "46650793", "largest": []}
    line = entry_line({"kind": "price.changed", "index": 1, "body": body})
    assert line.text == "a newer list of 12 rows · 1 new, 2 cheaper"
    known = {"price": "aws:ec2:RunInstances/us-east-1/p4d.24xlarge", "by": "ann"}
    line = entry_line({"kind": "price.confirmed", "index": 1, "body": known, "beside": {"reason": "list read"}})
    assert line.text.endswith("p4d.24xlarge · by ann · list read")
