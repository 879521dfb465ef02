"""Shorthand means what the AWS command line's own parser says it means, and no text makes the reader fail."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.decode.awscli_oracle import Oracle, running
from tests.fuzz_kit import fuzz

from comptroller.decode.records.case import Unread
from comptroller.decode.records.shorthand import Malformed, parse


@pytest.fixture(scope="module")
def oracle() -> Iterator[Oracle]:
    """The AWS command line in a process of its own."""
    with running() as found:
        yield found


MARKS = "=,[]{}\"'\\@ ab1/:."


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("Key=a", {"Key": "a"}),
        ("Key=", {"Key": ""}),
        ("Name=id,Values=a,b,c", {"Name": "id", "Values": ["a", "b", "c"]}),
        ("Values=a,b,Name=id", {"Values": ["a", "b"], "Name": "id"}),
        ("Rules=[{A=1,B=2},{A=3}]", {"Rules": [{"A": "1", "B": "2"}, {"A": "3"}]}),
        ("Ebs={VolumeSize=8,VolumeType=gp3},DeviceName=/dev/xvda", None),
        ("A='x, y',B=\"z=1\"", {"A": "x, y", "B": "z=1"}),
        (r"A=x\,y", {"A": "x,y"}),
        ("A={B=[1,2],C={D=e}}", {"A": {"B": ["1", "2"], "C": {"D": "e"}}}),
        ("a b=c", None),
        ("A=b,A=c", None),
        ("A=[x", None),
        ("", None),
    ],
)
def test_examples(oracle: Oracle, text: str, meant: object) -> None:
    assert _mine(text) == oracle.shorthand(text)
    if meant is not None:
        assert _mine(text) == meant


def test_a_value_from_a_file_is_not_read() -> None:
    found = parse("Body@=file://secret.txt,Name=x")
    assert isinstance(found["Body"], Unread) and found["Name"] == "x"
    assert not isinstance(parse("Body=file://secret.txt")["Body"], Unread)


def test_deep_nesting_is_refused_not_followed() -> None:
    with pytest.raises(Malformed, match="nested deeper"):
        parse("a=" + "[" * 5000)
    with pytest.raises(Malformed, match="nested deeper"):
        parse("a=" + "{a=" * 5000)


@fuzz(400)
@given(st.text(alphabet=MARKS, max_size=24))
def test_any_text_means_what_the_command_line_says_or_is_refused(oracle: Oracle, text: str) -> None:
    mine, theirs = _mine(text), oracle.shorthand(text)
    # Ours is stricter in two things: a key that stands twice in an inner mapping, and `@=` with a file.
    assert mine == theirs or mine is None, (mine, theirs)


@fuzz(100)
@given(st.text(max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    assert parse_or_none(text) is None or isinstance(parse(text), dict)


def parse_or_none(text: str) -> object:
    """The meaning of a text; None where it is refused."""
    try:
        return parse(text)
    except Malformed:
        return None


def _mine(text: str) -> object:
    return parse_or_none(text)
