"""No text of anybody's reaches a terminal or a message as anything but text: not what an agent names, says or asks
for, in no line, notice, question, table or letter, whatever characters it is made of."""

from __future__ import annotations

import io
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime

import click
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from comptroller.cli.harmless import HarmlessStream, bare, harmless
from comptroller.cli.lazy import LazyGroup
from comptroller.cli.outcome import Outcome, markdown
from comptroller.cli.show import approval_row, approval_text, entry_text
from comptroller.cli.top_lines import approval_detail, approval_rows, feed_line, holding_rows, run_rows
from comptroller.cli.voice import LEAVE_SCREEN
from comptroller.core.audit import EntryKind
from comptroller.core.config_notify import Event
from comptroller.notify.markup import disarmed, html_body, plain, title_of
from comptroller.notify.markup import markdown as message_markdown
from comptroller.notify.message import Message
from comptroller.notify.slack import blocks_of
from comptroller.server.tally import notice_of

NASTY = (
    *("\x00", "\a", "\b", "\t", "\n", "\v", "\f", "\r", "\x1b", "\x1b[2J", "\x1b]0;x\a", "\x1b]8;;http://e\a", "\x7f"),
    *("\x85", "\x90", "\x9b", "\x9b31m", "\x9d", "\u00ad", "\u034f", "\u061c", "\u115f", "\u200b", "\u200d", "\u200e"),
    *("\u2028", "\u2029", "\u202a", "\u202e", "\u2060", "\u2066", "\u2069", "\u3164", "\ufe0f", "\ufeff", "\ufff9"),
    *("\U000e0041", "\ud800", "<b>", "</td>", "&", "*", "_", "`", "|", "~", "[x](http://e)", "<http://e|safe>"),
    *("<!channel>", "<@U1>", "@everyone", "https://evil.example", "deny", "approved by ann", " ", "a", "é", "東"),
)
HOSTILE = st.lists(st.sampled_from(NASTY), min_size=1, max_size=12).map("".join)
HIDING = {"Cc", "Cf", "Cs", "Zl", "Zp"}
COLOURS = re.compile(r"\x1b\[(?:0|1|2|22|3[0-7]|9[0-7])m")


class Hostile(Mapping[str, object]):
    """Whatever is asked for is there, and hostile."""

    def __init__(self, text: str) -> None:
        self.text = text

    def __getitem__(self, name: str) -> object:
        match name:
            case "reasons":
                return [{"text": self.text, "rule": self.text, "code": self.text}] * 2
            case "groups" | "approved_by" | "rights" | "scopes" | "roles" | "services" | "hosts" | "waits" | "missing":
                return [self.text, self.text]
            case "reserved" | "actual" | "was":
                return {self.text: 3, "usd_micros": 5}
            case "upstreams":
                return {self.text: self.text}
            case "would":
                return ""
        return self.text

    def __iter__(self) -> Iterator[str]:
        return iter((self.text, "operation"))

    def __len__(self) -> int:
        return 2


def lines_of(text: str) -> list[str]:
    """Its lines; fails where anything drives or hides. Our own colours are left out."""
    shown = COLOURS.sub("", text)
    bad = {f"U+{ord(c):04X}" for c in shown if c != "\n" and unicodedata.category(c) in HIDING}
    assert not bad, (bad, shown)
    return shown.split("\n")


@given(st.sampled_from([kind.value for kind in EntryKind]), HOSTILE)
def test_an_entry_of_any_kind_is_one_line_of_text(kind: str, text: str) -> None:
    entry = {
        "index": 3,
        "at": text,
        "kind": kind,
        "agent": text,
        "run": text,
        "body": Hostile(text),
        "beside": Hostile(text),
    }
    assert len(lines_of(entry_text(entry, with_run=True))) == 1
    assert len(lines_of(feed_line(entry).plain)) == 1
    assert len(lines_of(entry_text({**entry, "kind": text}, with_run=True))) == 1


@given(st.sampled_from([*(kind.value for kind in EntryKind), "store.lost", "store.outage", "store.recovered"]), HOSTILE)
def test_no_notice_of_a_run_drives_the_terminal_or_begins_a_line_of_its_own(kind: str, text: str) -> None:
    notice = notice_of(kind, Hostile(text), agent="agent", hosts=(), services=())
    if notice is None:
        return
    for line in lines_of(notice.text)[1:]:
        assert line.startswith("  "), notice.text


QUESTION: dict[str, object] = {
    **dict.fromkeys(("id", "sentence", "purpose", "basis", "account", "region", "operation", "endpoint"), "X"),
    **dict.fromkeys(("agent", "owner", "run", "digest", "quantity", "comment", "answered_by", "taken_back_by"), "X"),
    **dict.fromkeys(("taken_back_why", "obstacle", "progress", "assurance", "state", "grant"), "X"),
    "price_unknown": True,
    "ceiling_usd_micros": None,
    "usd_micros": None,
    "usd_micros_per_hour": None,
    "standing": False,
    "term_seconds": None,
    "payment": None,
    "delayed": False,
    "budget_after": [],
    "expires_at": "2026-11-24T10:00:00Z",
    "classes": ["X"],
    "resources": ["X"],
    "parameters": [("X", "X")],
    "efforts": {"X": None},
    "parts": {"lines": [{"text": "X", "count": 2, "usd_micros": 1, "usd_micros_per_hour": 1, "price_unknown": False}]},
    "rules": [{"rule": "X", "reason": "X", "exclude": ["X"], "stages": [{"quorum": 1, "group": "X"}], "met": False}],
    "votes": [{"by": "X", "self_approved": False, "assurance": "chat", "comment": "X"}],
    "answerable_by": [{"group": "X", "people": ["X"]}],
}


def filled(shape: object, text: str) -> object:
    """`shape` with `text` in place of each X."""
    match shape:
        case "X":
            return text
        case Mapping():
            return {filled(name, text): filled(value, text) for name, value in shape.items()}
        case list() | tuple():
            return [filled(each, text) for each in shape]
    return shape


@given(HOSTILE, st.sampled_from(["pending", "approved"]), st.booleans())
def test_a_question_has_as_many_lines_as_one_of_plain_words(text: str, state: str, obstacle: bool) -> None:
    def question(word: str) -> dict[str, object]:
        made = filled(QUESTION, word)
        assert isinstance(made, dict)
        escalation = {"escalations": [{"group": word, "due": False, "at": "12:00"}]}
        made["rules"] = [{**made["rules"][0], **escalation}]
        made["parts"] = {**made["parts"], "more": 0}
        return {**made, "state": state, "grant": "none", **({} if obstacle else {"obstacle": ""})}

    for show in (approval_row, approval_text, lambda row: approval_detail(row).plain):
        assert len(lines_of(show(question(text)))) == len(lines_of(show(question("x"))))
    for _, cells in approval_rows([question(text)]):
        assert all(len(lines_of(cell.plain)) == 1 for cell in cells)


@given(HOSTILE)
def test_the_tables_of_top_are_text(text: str) -> None:
    numbers = {"usd_micros_per_hour": 1, "spent_usd_micros": 2, "state": text, "agent": text}
    run = {"id": text, "agent": text, "state": text, "brake": text, "purpose": text}
    for _, cells in [*holding_rows([{**numbers, "id": text, "kind": text, "resource": text}]), *run_rows([run])]:
        assert all(len(lines_of(cell.plain)) == 1 for cell in cells)


@given(HOSTILE)
def test_messages_hold_no_link_no_mention_and_nothing_hidden_in_any_form(text: str) -> None:
    message = Message(
        id="delivery:1",
        event=Event.ASKED,
        at=datetime(2026, 11, 24, tzinfo=UTC),
        organization="acme",
        title=title_of(text),
        lines=(disarmed(text),),
        facts=(("purpose", disarmed(text)),),
        command="comptroller tail",
    )
    for form in (plain, message_markdown, html_body):
        shown = form(message)
        lines_of(shown)
        assert "://" not in shown and not re.search(r"@\w", shown)
    assert "<b>" not in html_body(replace(message, facts=())) and "</td>" not in html_body(replace(message, facts=()))
    for block in blocks_of(message, answer=False):
        for part in block.get("fields") or block.get("elements") or [block["text"]]:
            assert part["type"] == "plain_text" and "://" not in part["text"]
            lines_of(part["text"])


@given(HOSTILE)
def test_the_summary_for_ci_keeps_its_rows(text: str) -> None:
    outcome = Outcome(run="r")
    body = {"operation": text, "reasons": [{"text": text}]}
    outcome.take({"index": 1, "kind": "action.denied", "body": body, "beside": {"sentence": text}})
    rows = [line for line in lines_of(markdown(outcome, exit_code=1)) if line.startswith("| deny")]
    assert len(rows) == 1 and len(re.findall(r"(?<!\\)\|", rows[0])) == 5


# ---------------------------------------------------------------- the last look


@given(st.text() | HOSTILE)
def test_what_was_forgotten_is_written_out_on_its_way(text: str) -> None:
    shown = harmless(text)
    assert harmless(shown) == shown
    left = COLOURS.sub("", shown).removeprefix("\r").removesuffix("\r").replace("\r\n", "\n").replace("\t", "")
    assert not any(c != "\n" and unicodedata.category(c) in {"Cc", "Zl", "Zp", "Cs"} for c in left)
    assert not re.search("[\u00ad\u061c\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff]", left)


@pytest.mark.parametrize("text", ["", "a\n", "東京 é ü\t1\n", f"{click.style('x', fg='red', bold=True, dim=True)}\n"])
def test_ordinary_text_and_our_colours_pass(text: str) -> None:
    assert harmless(text) == text


@pytest.mark.parametrize("err", [False, True])
def test_every_command_prints_through_it(err: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    hostile = "a\x1b]0;owned\x07\u202eb"

    class One(LazyGroup):
        def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command:
            return click.Command("say", callback=lambda: click.echo(hostile, err=err, color=True))

    for encoding in ("utf-8", "ascii"):
        done = CliRunner(charset=encoding).invoke(One("main"), ["say"])
        assert done.exit_code == 0 and done.output == "a<U+001B>]0;owned<U+0007><U+202E>b\n"


def test_what_we_draw_ourselves_goes_around_it() -> None:
    drawn = io.TextIOWrapper(io.BytesIO(), "ascii")
    stream = HarmlessStream(drawn)
    assert stream.write("é\x1b[2J") == 5
    bare(stream).write(LEAVE_SCREEN)  # type: ignore[arg-type]
    drawn.flush()
    assert drawn.buffer.getvalue() == b"\\xe9<U+001B>[2J" + LEAVE_SCREEN.encode()  # type: ignore[attr-defined]
