"""Strict JSON: one reading or none, and the same digits out as in."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.action import canonical_bytes
from comptroller.decode.jsontext import NESTING_MAX, MalformedJson, dump_json, parse_json
from comptroller.testing.strategies import json_values


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (b'{"a":1,"a":2}', "duplicate key"),
        (b'{"a":{"b":1,"\\u0062":2}}', "duplicate key"),
        (b'{"a":NaN}', "not finite"),
        (b"[Infinity]", "not finite"),
        (b'"\\ud800"', "lone surrogate"),
        (b'{"\\udfff":1}', "lone surrogate"),
        (b"[" * (NESTING_MAX + 1) + b"]" * (NESTING_MAX + 1), "nested deeper"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a":' * 3000, "nested deeper"),
        (b"1" * 41, "integer over"),
        (b"1." + b"1" * 60, "number over"),
        (b"1e999", "number over"),
        (b"1e" + b"9" * 30, "number over"),
        (b'{"$number":"5"}', "reserved key"),
        (b'{"x":{"$sha256":"0","$length":1}}', "reserved key"),
        (b"\xff", "not UTF-8"),
        (b'\xef\xbb\xbf{"a":1}', "not JSON"),
        (b"", "not JSON"),
        (b"{}{}", "not JSON"),
        (b"'a'", "not JSON"),
    ],
)
def test_what_has_no_single_meaning_is_refused(text: bytes, why: str) -> None:
    with pytest.raises(MalformedJson, match=why):
        parse_json(text)


@pytest.mark.parametrize("text", [b'"' + b'\\"' * 20_000, b'["' + b'\\"' * 20_000 + b"\\", b'"' * 20_001])
def test_a_text_without_its_end_costs_no_time(text: bytes) -> None:
    start = time.perf_counter()
    with pytest.raises(MalformedJson):
        parse_json(text)
    assert time.perf_counter() - start < 1, "tried anew at each quote, a body of 1 MiB would take hours"


def test_brackets_in_text_are_no_nesting() -> None:
    value = "[" * 500 + '\\"{'
    assert parse_json(json.dumps([value]).encode()) == [value]


@pytest.mark.parametrize("text", ["0.1", "1.50", "0.30000000000000004", "1E-7", "12345678901234567890", "-0.0"])
def test_numbers_keep_their_digits(text: str) -> None:
    assert dump_json(parse_json(f'{{"t":[{text},{{"u":{text}}}],"s":"é\\n"}}'.encode())) == (
        f'{{"t":[{text},{{"u":{text}}}],"s":"é\\n"}}'.encode()
    )


@fuzz(200)
@given(json_values)
def test_what_is_read_has_a_digest_and_is_written_the_same(value: object) -> None:
    try:
        first = parse_json(json.dumps(value).encode())
    except MalformedJson:
        return
    again = parse_json(dump_json(first))
    assert canonical_bytes(again) == canonical_bytes(first)


@fuzz(200)
@given(st.binary(max_size=60))
def test_garbage_raises_nothing_else(text: bytes) -> None:
    with suppress(MalformedJson):
        parse_json(text)


def test_fractions_are_decimals() -> None:
    assert parse_json(b"0.10") == Decimal("0.10")
    assert str(parse_json(b"0.10")) == "0.10"
