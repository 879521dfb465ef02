"""Cutting policy files: lines, strings, comments as Cedar reads them; nesting that ends the process is refused."""

from __future__ import annotations

import pytest
from boundary_cases import PERMIT_ALL, action, decide, load

from comptroller.boundary import PolicyError, PolicyText, Problem
from comptroller.boundary.source import NESTING_MAX, OPERATORS_MAX, Statement, statements

NEVER = '@id("never") forbid (principal, action, resource);'


def cut(text: str) -> list[Statement | Problem]:
    """Every part of a file."""
    return list(statements(PolicyText(file="x.cedar", text=text)))


@pytest.mark.parametrize("end", ["\n", "\r", "\r\n", "\n\n"])
def test_a_comment_ends_where_cedar_ends_it(end: str) -> None:
    boundary = load(f"// all may go; {end}{PERMIT_ALL}// but:{end}{NEVER}")
    assert decide(boundary, action("read")).rules == ("never",)
    breaks = end.replace("\r\n", "\n").count("\n") + end.replace("\r\n", "").count("\r")
    assert boundary.rules[1].statement.line == 2 + 2 * breaks


def test_strings_hide_comments_ends_and_quotes() -> None:
    text = '@id("a") @reason("// no; \\" comment; \n}") permit (principal, action, resource); // ; "\n' + NEVER
    first, second = cut(text)
    assert isinstance(first, Statement)
    assert isinstance(second, Statement)
    assert second.line == 3
    assert first.canonical.count(";") == 3
    assert "comment" in first.canonical


def test_the_canonical_text_forgets_layout_but_not_what_is_in_strings() -> None:
    (one,) = cut('@id("a b")  permit(principal,action,resource)\n;')
    (same,) = cut('@id ( "a b" ) // x\npermit (principal , action , resource);')
    (other,) = cut('@id("a  b") permit(principal,action,resource);')
    assert isinstance(one, Statement)
    assert isinstance(same, Statement)
    assert isinstance(other, Statement)
    assert one.canonical == same.canonical != other.canonical


@pytest.mark.parametrize(
    "condition",
    [
        "(" * 5_000 + "true" + ")" * 5_000,
        ")" * 5_000 + "(" * 5_000,
        "[" * 5_000,
        "{a:" * 5_000,
        "true && " * 5_000 + "true",
        "1 + " * 5_000 + "1 == 2",
        "if true then true else " * 5_000 + "true",
        "context" + ".a" * 5_000,
        "context" + '["a"]' * 5_000,
    ],
)
def test_nesting_that_would_end_the_process_is_refused(condition: str) -> None:
    with pytest.raises(PolicyError) as raised:
        load(f'@id("deep") permit (principal, action, resource)\nwhen {{ {condition} }};')
    assert "nested deeper" in raised.value.problems[0].message
    assert raised.value.problems[0].line == 2


def test_what_the_limits_let_through_does_no_harm() -> None:
    """Right below the limits Cedar refuses or reads, in a process that lives on."""
    for condition in (
        "(" * (NESTING_MAX - 1) + "true" + ")" * (NESTING_MAX - 1),
        "true && " * (OPERATORS_MAX // 2) + "true",
        "1 + " * OPERATORS_MAX + "1 == 2",
        "context" + ".a" * OPERATORS_MAX,
        "if true then true else " * OPERATORS_MAX + "true",
    ):
        try:
            load(f'@id("deep") permit (principal, action, resource) when {{ {condition} }};')
        except PolicyError as error:
            assert error.problems[0].message


def test_a_file_beyond_the_limit_is_refused() -> None:
    (problem,) = cut("//" + "x" * (8 << 20))
    assert isinstance(problem, Problem)
    assert "larger" in problem.message
