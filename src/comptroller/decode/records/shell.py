"""A shell command line as the simple commands in it. Nothing is run and nothing is looked up: what a variable or a
substitution would give is open."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

TEXT_CHARACTERS_MAX = 1 << 20
COMMANDS_MAX = 500
WORDS_MAX = 5000
DEPTH_MAX = 8

_ASSIGNMENT = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.DOTALL)
_VARIABLE = re.compile(r"\$(?:[A-Za-z_][A-Za-z0-9_]*|[0-9@*#?$!-]|\{[^}]{0,256}\})")
_PLACEHOLDER = re.compile(r"<[A-Za-z][A-Za-z0-9_. -]{0,80}>")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)([A-Za-z0-9_]+)\1")
_REDIRECTION = re.compile(r"(?:&>>?|>>?&?|<<<|<&?)-?")
_DIGITS = re.compile(r"[0-9]+")
_CONTINUED = re.compile(r"[\\^`]\r?\n")
_BREAKS_OFF = re.compile(r"(?:^|\s)[\\^`]\s*$")
_LEADING = frozenset({"if", "then", "elif", "else", "while", "until", "do", "!", "{", "$", "%"})
_CLOSING = frozenset({"fi", "done", "esac", "}", "for", "case", "select", "function"})


class TooLarge(ValueError):
    """More words or commands, or deeper substitutions, than anybody reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Word:
    """One word, quotes gone. `open` where a part of it is not told: a variable, a substitution, a missing end."""

    text: str
    open: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One simple command with the variables set for it. `open` where more words may follow that are not told."""

    words: tuple[Word, ...]
    environment: Mapping[str, Word] = field(default_factory=dict)
    open: bool = False


def commands(text: str) -> tuple[Command, ...]:
    """Every simple command of a text, those inside substitutions first. Raises `TooLarge`."""
    return tuple(_Reader(text, 0).read())


class _Reader:
    """Reads from left to right; the word being read is `parts`, None between words."""

    def __init__(self, text: str, depth: int) -> None:
        if len(text) > TEXT_CHARACTERS_MAX or depth > DEPTH_MAX:
            raise TooLarge(f"longer than {TEXT_CHARACTERS_MAX} characters, or nested deeper than {DEPTH_MAX}")
        self.breaks_off = _BREAKS_OFF.search(text) is not None
        self.text = _BREAKS_OFF.sub("", text) if self.breaks_off else text
        self.depth = depth
        self.at = 0
        self.parts: list[str] | None = None
        self.quoted = False
        self.open = False
        self.words: list[Word] = []
        self.found: list[Command] = []
        self.heredocs: list[str] = []

    def read(self) -> list[Command]:
        while self.at < len(self.text):
            self._step()
        self._end_word()
        self._end_command(last=True)
        return self.found

    def _step(self) -> None:
        character = self.text[self.at]
        if (continued := _CONTINUED.match(self.text, self.at)) is not None:
            self.at = continued.end()
        elif character in "\r\n":
            self._end_word()
            self._end_command()
            self.at += 1
            self._skip_heredocs()
        elif character in " \t":
            self._end_word()
            self.at += 1
        elif character in "'\"`\\$":
            self._special(character)
        elif character == "#" and self.parts is None:
            end = self.text.find("\n", self.at)
            self.at = len(self.text) if end < 0 else end
        elif character in "<>" or self.text.startswith("&>", self.at):
            self._redirection()
        elif character in ";|&()":
            self._end_word()
            self._end_command()
            self.at += 1
        else:
            self._add(character)
            self.at += 1

    def _add(self, text: str) -> None:
        if self.parts is None:
            self.parts = []
        self.parts.append(text)

    def _special(self, character: str) -> None:
        if character == "\\":
            self._add(self.text[self.at + 1 : self.at + 2])
            self.at += 2
        elif character == "'":
            self._single()
        elif character == '"':
            self._double()
        else:
            self._expansion()

    def _single(self) -> None:
        end = self.text.find("'", self.at + 1)
        self.quoted = True
        if end < 0:
            self.open = True
            end = len(self.text)
        self._add(self.text[self.at + 1 : end])
        self.at = end + 1

    def _double(self) -> None:
        self.quoted = True
        self._add("")
        self.at += 1
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == '"':
                self.at += 1
                return
            if character == "\\":
                following = self.text[self.at + 1 : self.at + 2]
                if following != "\n":
                    self._add(following if following and following in '\\"$`' else character + following)
                self.at += 2
            elif character in "$`":
                self._expansion()
            else:
                self._add(character)
                self.at += 1
        self.open = True

    def _expansion(self) -> None:
        """A variable or a substitution; the commands of a substitution are commands too."""
        if self.text.startswith("$(", self.at):
            end = self._closing(self.at + 2)
            inner = self.text[self.at + 2 : end]
            self._substitution("" if inner.startswith("(") else inner, end + 1)
        elif self.text[self.at] == "`":
            end = self.text.find("`", self.at + 1)
            end = len(self.text) if end < 0 else end
            self._substitution(self.text[self.at + 1 : end], end + 1)
        elif (name := _VARIABLE.match(self.text, self.at)) is not None:
            self.open = True
            self._add(name[0])
            self.at = name.end()
        else:
            self._add("$")
            self.at += 1

    def _substitution(self, inner: str, after: int) -> None:
        self.found += _Reader(inner, self.depth + 1).read()
        self._bounded()
        self.open = True
        self._add("$(…)")
        self.at = after

    def _closing(self, start: int) -> int:
        """Where the bracket opened before `start` closes; quotes inside are respected."""
        depth, at, mark = 1, start, ""
        while at < len(self.text):
            character = self.text[at]
            if mark:
                mark = "" if character == mark else mark
            elif character in "'\"":
                mark = character
            elif character == "(":
                depth += 1
            elif character == ")":
                depth -= 1
                if not depth:
                    return at
            at += 2 if character == "\\" else 1
        return len(self.text)

    def _redirection(self) -> None:
        if (placeholder := _PLACEHOLDER.match(self.text, self.at)) is not None:
            self.open = True
            self._add(placeholder[0])
            self.at = placeholder.end()
            return
        if (heredoc := _HEREDOC.match(self.text, self.at)) is not None:
            self._end_word()
            self.heredocs.append(heredoc[2])
            self.at = heredoc.end()
            return
        if self.parts is not None and not self.quoted and _DIGITS.fullmatch("".join(self.parts)):
            self.parts = None
        self._end_word()
        mark = _REDIRECTION.match(self.text, self.at)
        self.at = mark.end() if mark else self.at + 1
        while self.text[self.at : self.at + 1] in (" ", "\t") and self.at < len(self.text):
            self.at += 1
        self._skip_target()

    def _skip_target(self) -> None:
        """The file that a redirection names: no word of the command."""
        count = len(self.words)
        while self.at < len(self.text) and self.text[self.at] not in " \t\r\n;|&()<>":
            self._step()
        self._end_word()
        del self.words[count:]

    def _skip_heredocs(self) -> None:
        for end in self.heredocs:
            found = re.compile(rf"^[ \t]*{re.escape(end)}[ \t]*$", re.MULTILINE).search(self.text, self.at)
            self.at = found.end() if found else len(self.text)
        self.heredocs = []

    def _end_word(self) -> None:
        if self.parts is not None:
            self.words.append(Word(text="".join(self.parts), open=self.open))
            if len(self.words) > WORDS_MAX:
                raise TooLarge(f"a command of more than {WORDS_MAX} words")
        self.parts, self.quoted, self.open = None, False, False

    def _end_command(self, *, last: bool = False) -> None:
        words, self.words = self.words, []
        environment: dict[str, Word] = {}
        while words:
            assignment = _ASSIGNMENT.fullmatch(words[0].text)
            if assignment is not None:
                environment[assignment[1]] = Word(text=assignment[2], open=words[0].open)
            elif words[0].text not in _LEADING:
                break
            words = words[1:]
        if words and words[0].text not in _CLOSING:
            open_end = last and self.breaks_off
            self.found.append(Command(words=tuple(words), environment=environment, open=open_end))
            self._bounded()

    def _bounded(self) -> None:
        if len(self.found) > COMMANDS_MAX:
            raise TooLarge(f"more than {COMMANDS_MAX} commands")
