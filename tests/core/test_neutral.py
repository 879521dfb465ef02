"""Hostile text is shown as what it is, ordinary text as itself."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.neutral import neutral, neutral_name

HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
ANYTHING = st.text(st.characters(), max_size=200)


@pytest.mark.parametrize(
    "text",
    [
        "start 8 x p4d.24xlarge in us-east-1",
        "Überweisung an Müller, 400,00 €",
        "перевести деньги поставщику",
        "東京リージョンでインスタンスを開始",
        "café naïve Ångström",
        "wait … then go",
        "مرحبا بالعالم",
        "<script>alert(1)</script>",
    ],
)
def test_ordinary_text_is_left_alone(text: str) -> None:
    assert neutral(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("pay \u202e00.004\u202c", "pay <U+202E>00.004<U+202C>"),
        ("a\x1b[2Jb", "a<U+001B>[2Jb"),
        ("line\nother\r\t", "line<U+000A>other<U+000D><U+0009>"),
        ("p\u0430ypal.com", "p<U+0430>ypal.com"),
        ("ze\u200bro", "ze<U+200B>ro"),
        ("a\u00a0b", "a<U+00A0>b"),
        ("\u0440\u0430\u0443\u0440\u0430", "<U+0440><U+0430><U+0443><U+0440><U+0430>"),
        ("\uff11\uff10", "<U+FF11><U+FF10>"),
        ("\u09ea00", "<U+09EA>00"),
        ("example\u2044com", "example<U+2044>com"),
        ("4\u033600", "4<U+0336>00"),
        ("x\U000e0041y", "x<U+E0041>y"),
        ("\x9b31m", "<U+009B>31m"),
        ("a\u0300\u0301\u0302", "a\u0300\u0301<U+0302>"),
        ("\ud800", "<U+D800>"),
        ("\u0261oogle", "<U+0261>oogle"),
    ],
)
def test_deception_is_written_out(text: str, shown: str) -> None:
    assert neutral(text) == shown


@settings(max_examples=300, deadline=None)
@given(ANYTHING)
def test_never_hides_anything_and_is_idempotent(text: str) -> None:
    shown = neutral(text, chars_max=10_000)
    assert not [c for c in shown if unicodedata.category(c) in HIDDEN or (c.isspace() and c != " ")]
    assert neutral(shown, chars_max=10_000) == shown
    shown.encode("utf-8")


@settings(max_examples=200, deadline=None)
@given(ANYTHING, st.integers(min_value=1, max_value=50))
def test_length_is_bounded(text: str, most: int) -> None:
    assert len(neutral(text, chars_max=most)) <= most
    assert len(neutral_name(text, chars_max=most)) <= most


@settings(max_examples=200, deadline=None)
@given(ANYTHING)
def test_names_are_ascii(text: str) -> None:
    assert neutral_name(text, chars_max=10_000).isascii()


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=200))
def test_printable_ascii_is_untouched(text: str) -> None:
    assert neutral(text) == text
    assert neutral_name(text) == text
