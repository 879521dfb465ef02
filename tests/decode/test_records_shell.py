"""A command line is cut as a shell cuts it; what a shell would fill in stays open."""

from __future__ import annotations

import shlex

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.decode.records.shell import COMMANDS_MAX, TooLarge, commands


def words(text: str) -> list[list[str]]:
    """The words of every command."""
    return [[word.text for word in command.words] for command in commands(text)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("aws ec2 describe-instances", [["aws", "ec2", "describe-instances"]]),
        ("aws a \\\n  --b c", [["aws", "a", "--b", "c"]]),
        ("aws a ^\r\n  --b c", [["aws", "a", "--b", "c"]]),
        ("aws a `\n  --b c", [["aws", "a", "--b", "c"]]),
        ('aws a \'x y\' "z \\" w" q\\ r', [["aws", "a", "x y", 'z " w', "q r"]]),
        ("aws a > out.txt 2>&1 < in", [["aws", "a"]]),
        ("aws a 2>/dev/null --b", [["aws", "a", "--b"]]),
        ("aws a | jq . && aws b; aws c &", [["aws", "a"], ["jq", "."], ["aws", "b"], ["aws", "c"]]),
        ("aws a # aws b", [["aws", "a"]]),
        ("aws a#b", [["aws", "a#b"]]),
        ("X=1 Y='2 3' aws a", [["aws", "a"]]),
        ("for i in 1 2; do aws a $i; done", [["aws", "a", "$i"]]),
        ("if aws a; then aws b; fi", [["aws", "a"], ["aws", "b"]]),
        ("cat <<EOF | wc\naws never\nEOF\naws a", [["cat"], ["wc"], ["aws", "a"]]),
        ("$ aws a", [["aws", "a"]]),
        ("(aws a)", [["aws", "a"]]),
        (
            "aws a $(aws b $(aws c)) `aws d`",
            [["aws", "c"], ["aws", "b", "$(…)"], ["aws", "d"], ["aws", "a", "$(…)", "$(…)"]],
        ),
        ("aws a --t <next-token> --u", [["aws", "a", "--t", "<next-token>", "--u"]]),
        ("", []),
    ],
)
def test_examples(text: str, found: list[list[str]]) -> None:
    assert words(text) == found


@pytest.mark.parametrize("text", ["aws a $X", 'aws a "${X}y"', "aws a 'no end", "aws a $(date)", "aws a <name>"])
def test_what_is_not_told_is_open(text: str) -> None:
    assert commands(text)[-1].words[2].open


@pytest.mark.parametrize("text", ["aws a '$X'", r"aws a \$X", 'aws a "\\$X"', "aws a $.path"])
def test_what_is_told_is_not(text: str) -> None:
    assert not commands(text)[0].words[2].open


@pytest.mark.parametrize("text", ["aws a \\", "aws a ^", "aws a `\n"])
def test_a_line_that_breaks_off_may_go_on(text: str) -> None:
    assert commands(text)[0].open


def test_limits() -> None:
    with pytest.raises(TooLarge):
        commands("aws a;" * (COMMANDS_MAX + 1))
    with pytest.raises(TooLarge):
        commands("$(" * 20)
    with pytest.raises(TooLarge):
        commands("aws " * 6000)


@fuzz(200)
@given(st.lists(st.text(min_size=1, max_size=12), min_size=1, max_size=5))
def test_quoted_words_come_back(texts: list[str]) -> None:
    line = shlex.join(["aws", *texts])
    assume("\r" not in line and not line.rstrip().endswith(("\\", "^", "`")))
    found = commands(line)
    assert len(found) == 1 and [word.text for word in found[0].words] == ["aws", *texts]


@fuzz(300)
@given(st.text(alphabet="aws \\'\"`$(){}<>|&;#\n^=x1", max_size=60))
def test_no_text_makes_it_fail(text: str) -> None:
    try:
        found = commands(text)
    except TooLarge:
        return
    assert found == commands(text) and all(command.words for command in found)
