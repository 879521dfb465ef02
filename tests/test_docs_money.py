"""The page on money shows the program's own tables, row by row, and every row of them says who says so."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from comptroller.decode.charged import charged, rules

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "money.md").read_text("utf-8")
DECODE = ROOT / "src" / "comptroller" / "decode"


def test_the_tables_are_those_of_the_program() -> None:
    with (DECODE / "charged.csv").open() as table:
        for row in csv.DictReader(table):
            assert f"| `{row['service']}` | {row['statuses']} | {row['charged']} | <{row['source']}> |" in PAGE
    with (DECODE / "llm" / "data" / "cut.csv").open() as table:
        for row in csv.DictReader(table):
            shown = next(
                line for line in PAGE.splitlines() if line.startswith(f"| `{row['service']}` | {row['stops']} |")
            )
            assert f"| {row['tokens_per_second_max']} |" in shown and f"<{row['source']}>" in shown


def test_every_row_has_a_source() -> None:
    assert len(rules()) >= 10
    assert [rule for rule in rules() if not rule.source.startswith("https://")] == []


@pytest.mark.parametrize(
    ("operation", "status", "expected"),
    [
        ("aws:ec2:RunInstances", 200, True),
        ("aws:ec2:RunInstances", 400, False),
        ("aws:ec2:RunInstances", 503, None),
        ("aws:s3:PutObject", 403, True),
        ("aws:s3:PutObject", 503, False),
        ("aws:s3control:CreateJob", 403, False),
        ("aws:lambda:Invoke", 429, False),
        ("azure-openai:chat.completions:create", 400, None),
        ("azure-openai:chat.completions:create", 408, None),
        ("azure-openai:chat.completions:create", 429, False),
        ("gemini:models:generateContent", 500, False),
        ("gemini:models:generateContent", 503, None),
        ("anthropic:messages:create", 529, False),
        ("anthropic:messages:create", 500, None),
        ("openai:chat.completions:create", 429, False),
        ("openai:chat.completions:create", 500, None),
        ("stripe:charges:create", 402, False),
        ("stripe:charges:create", 424, None),
        ("http:example.com:POST", 408, None),
    ],
)
def test_what_a_status_proves(operation: str, status: int, expected: bool | None) -> None:
    assert charged(operation, status) is expected
