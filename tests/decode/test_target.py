"""Targets: one normal form, and a refusal for whatever two servers may read differently."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.decode.target import AmbiguousTarget, parse_target


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("/", "/"),
        ("/a/./b/../c", "/a/c"),
        ("/a/b/..", "/a/"),
        ("/%41%7e%2d", "/A~-"),
        ("/a%c3%a9", "/a%C3%A9"),
        ("/a?", "/a?"),
        ("/a?b", "/a?b"),
        ("/a?b=", "/a?b="),
        ("/a?x=1&x=2&y=a%2fb", "/a?x=1&x=2&y=a%2Fb"),
        ("/a?f[]={1}|2", "/a?f%5B%5D=%7B1%7D%7C2"),
        ("/a?x=1=2&q=a+b", "/a?x=1=2&q=a+b"),
        ("/@types%2fnode", "/@types%2Fnode"),
        ("/@types%2Fnode/-/x.tgz", "/@types%2Fnode/-/x.tgz"),
        ("/web/http://x/", "/web/http://x/"),
        ("/a?tab=%09", "/a?tab=%09"),
    ],
)
def test_normal_form(written: str, sent: str) -> None:
    assert parse_target(written).text == sent
    assert parse_target(sent).text == sent


@pytest.mark.parametrize(
    "target",
    [
        "",
        "*",
        "host:443",
        "http://other/x",
        "//other/x",
        "/..",
        "/a/../../b",
        "/%2e%2e/admin",
        "/a/%2e/b",
        "/a/.%2E/b",
        "/..;/admin",
        "/a%2f..%2fadmin",
        "/a%2Fb",
        "/a%5cb",
        "/a\\b",
        "/a%252e%252e/b",
        "/a%25252fb",
        "/a%00",
        "/a%0d%0a",
        "/a?b=%0aHost:x",
        "/a%07",
        "/a b",
        "/a\tb",
        "/a\r\nx: y",
        "/é",
        "/%",
        "/%4",
        "/%zz",
        "/%+1",
        "/a#b",
        "/x/..//other",
        "/" + "a" * 20_000,
        "/?" + "&".join("a" for _ in range(2000)),
    ],
)
def test_ambiguous_targets_are_refused(target: str) -> None:
    with pytest.raises(AmbiguousTarget):
        parse_target(target)


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30).map(lambda text: "/" + text) | st.text(alphabet="/.%2eEfF5cC;?&=ab", max_size=20))
def test_normalising_twice_changes_nothing(text: str) -> None:
    try:
        first = parse_target(text)
    except AmbiguousTarget:
        return
    assert parse_target(first.text) == first
    assert ".." not in first.path.split("/")
    assert first.text.isascii()
    assert not first.text.startswith("//")
