"""Secrets do not reach logs and questions, whatever carries them; what decides stays readable."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.secrecy import HIDDEN, SHOWN_MAX, random_looking, redacted, scrubbed, shown

CANARIES = [
    "sk_live_" + "51Habcdefghijklmnop",
    "sk-ant-api03-" + "abcdefghijklmnopqrstuvwxyz",
    "ghp_" + "abcdefghijklmnopqrstuvwxyz0123456789",
    "xoxb-" + "123456789012-abcdefghijkl",
    "AKIA" + "IOSFODNN7EXAMPLE",
    "eyJhbGciOiJIUzI1NiJ9." + "eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
    "-----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKCAQEA\n-----END RSA PRIVATE KEY-----",
    "Bearer abcdefghijklmnop",
]


@pytest.mark.parametrize("canary", CANARIES)
def test_a_key_of_a_known_form_is_scrubbed_wherever_it_stands(canary: str) -> None:
    holders: list[object] = [
        {"Note": canary},
        {"Tags": [{"Key": "a", "Value": f"x {canary} y"}]},
        {"query": [["q", canary]]},
        {"deep": {"deeper": [{"deepest": canary}]}},
        {"named": {canary: "as a name"}},
    ]
    for holder in holders:
        kept = json.dumps(redacted(holder, frozenset()))  # type: ignore[arg-type]
        seen = json.dumps(shown(holder, frozenset()))  # type: ignore[arg-type]
        assert canary.splitlines()[-1] not in kept + seen and canary not in json.loads(json.dumps(kept + seen))


@pytest.mark.parametrize(
    "holder",
    [
        {"MasterUserPassword": "hunter22"},
        {"Config": {"api_key": "hunter22"}},
        {"environment": [{"name": "DB_PASSWORD", "value": "hunter22"}]},
        {"Parameters": [{"ParameterKey": "DbPassword", "ParameterValue": "hunter22"}]},
        {"Environment": {"Variables": {"STRIPE_API_KEY": "hunter22"}}},
        {"Tokens": ["hunter22"]},
        {"query": [["access_token", "hunter22"]]},
        {"url": "https://user:hunter22@example.com/x"},
        {"url": "https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter22&b=1"},
        {"SecretAccessKey": b"hunter22"},
    ],
)
def test_what_is_named_like_a_secret_is_one(holder: dict[str, object]) -> None:
    text = json.dumps(redacted(holder, frozenset())) + json.dumps(shown(holder, frozenset()))
    assert "hunter22" not in text


def test_what_decides_is_shown() -> None:
    parameters: dict[str, object] = {
        "destination": "acct_1",
        "confirm": "true",
        "transfer_data": {"destination": "acct_2", "amount": "5"},
        "query": [["all", "true"], ["force", None]],
        "SecretId": "prod/db",
        "MaxTokens": 5,
        "body": b"secret body",
        "flag": True,
        "KeyName": "laptop",
    }
    rows = dict(map(tuple, shown(parameters, frozenset({"body"}))))  # type: ignore[arg-type]
    assert rows["destination"] == "acct_1" and rows["confirm"] == "true" and rows["flag"] == "true"
    assert rows["transfer_data.destination"] == "acct_2" and rows["transfer_data.amount"] == "5"
    assert rows["query.all"] == "true" and rows["SecretId"] == "prod/db" and rows["MaxTokens"] == "5"
    assert rows["KeyName"] == "laptop"
    assert rows["body"].startswith("not shown: 11 bytes, SHA-256 ") and "secret" not in rows["body"]


def test_padding_is_counted_not_silently_cut() -> None:
    rows = shown({f"a{n:03}": "x" for n in range(SHOWN_MAX + 5)}, frozenset())
    assert rows[-1] == ["…", "5 more"] and len(rows) == SHOWN_MAX + 1


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("AAAAbbbbCCCC1111ddddEEEE", True),
        ("110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw", True),
        ("XXXXyyyyZZZZ1234abcdEFGH", True),
        ("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b", False),
        ("da39a3ee5e6b4b0d3255bfef95601890afd80709", False),
        ("how-to-configure-a-python-3-server-for-2026", False),
        ("org.apache.maven.plugins", False),
    ],
)
def test_what_looks_random(text: str, expected: bool) -> None:
    assert random_looking(text) is expected


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.binary(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=20,
)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=8), JSON, max_size=5))
def test_total(parameters: dict[str, object]) -> None:
    redacted(parameters, frozenset())
    rows = shown(parameters, frozenset())
    assert len(rows) <= SHOWN_MAX + 1 and all(isinstance(text, str) for row in rows for text in row)


def test_scrubbing_leaves_plain_words_alone() -> None:
    for text in (
        "start 8 x p4d.24xlarge in us-east-1",
        "transfer 400.00 USD to acct_1NDz2a",
        "monkey=1",
        "a?b=c&key=1",
    ):
        assert HIDDEN not in scrubbed(text)


def test_what_is_too_long_to_be_searched_is_hidden_and_too_many_texts_are_too() -> None:
    assert scrubbed("note: Bearer " + "a" * 20_000).startswith(HIDDEN)
    assert scrubbed("lorem " * 20_000) == "lorem " * 20_000
    kept = redacted({"many": ["x"] * 5_000}, frozenset())["many"]
    assert isinstance(kept, list) and kept[0] == "x" and kept[-1] == {"$redacted": True}
