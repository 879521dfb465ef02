"""The documentation is tested: every command it shows exists, with every option it names."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest

from comptroller.cli import main

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def _code(page: Path) -> list[str]:
    """Every line of a code block and every inline piece of code."""
    text = page.read_text("utf-8")
    fenced = "\n".join(re.findall(r"^```(?:console|sh|bash|shell|text)?\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    indented = "\n".join(line.strip() for line in text.splitlines() if line.startswith("    "))
    inline = "\n".join(re.findall(r"`([^`\n]+)`", text))
    return [line.strip().removeprefix("$ ") for line in f"{fenced}\n{indented}\n{inline}".splitlines()]


def _commands(first: str) -> list[tuple[Path, list[str]]]:
    found = []
    for page in PAGES:
        for line in _code(page):
            if line.startswith(f"{first} "):
                found.append((page, shlex.split(line.partition("#")[0].replace("…", "").replace("'", ""))[1:]))
    return found


def _problem(words: list[str]) -> str | None:
    """What is wrong with a `comptroller` command line; None where nothing is."""
    command: click.Command = main
    context = click.Context(main)
    for word in words:
        if word == "--":
            return None
        if word.startswith("-"):
            known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
            if word.partition("=")[0] not in known | {"--help", "-h"}:
                return f"{command.name} has no option {word}"
        elif isinstance(command, click.Group):
            nested = command.get_command(context, word.partition("|")[0])
            if nested is None:
                return None if word.isupper() else f"{command.name} has no command {word}"
            command = nested
    return None


def test_every_target_that_the_documentation_names_exists() -> None:
    named = {word for _, words in _commands("make") for word in words if re.fullmatch(r"[a-z]+", word)}
    assert named <= TARGETS, named - TARGETS
    assert {"setup", "demo", "test", "check", "bench", "nightly"} <= TARGETS


def test_every_comptroller_command_in_the_documentation_exists() -> None:
    problems = [
        f"{page.name}: {' '.join(words)}: {why}" for page, words in _commands("comptroller") if (why := _problem(words))
    ]
    assert problems == []


def test_the_readme_begins_with_the_two_commands_and_the_line() -> None:
    shown = _code(ROOT / "README.md")
    assert "make demo" in {line.partition("#")[0].strip() for line in shown}
    assert "make test" in {line.partition("#")[0].strip() for line in shown}
    assert any(line.startswith("comptroller run -- ") for line in shown)


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("run --agent x -- python agent.py", False),
        ("demo --json --interactive --keep", False),
        ("audit verify --checkpoint FILE", False),
        ("demo --nothing", True),
        ("levitate", True),
        ("audit levitate", True),
    ],
)
def test_the_check_itself_notices_what_is_wrong(line: str, wrong: bool) -> None:
    assert bool(_problem(shlex.split(line))) is wrong


def test_every_command_of_the_cli_has_help_for_itself_and_its_options() -> None:
    context = click.Context(main)
    for name in main.list_commands(context):
        command = main.get_command(context, name)
        assert command is not None and command.help, name
        nested = (
            [command.get_command(context, sub) for sub in command.list_commands(context)]
            if isinstance(command, click.Group)
            else [command]
        )
        for each in nested:
            assert each is not None and each.help, name
            for param in each.params:
                if isinstance(param, click.Option):
                    assert param.help, f"{name} {each.name} {param.name}"
