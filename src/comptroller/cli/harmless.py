"""The last look at everything the command line prints: no text of anybody's drives the terminal or hides in it.

Whoever shows a text makes it neutral where it stands, on one line. This is for what was forgotten there.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from typing import Any, TextIO, cast

from comptroller.core.neutral import written_out

_OURS = r"\x1b\[(?:0|1|2|22|3[0-7]|9[0-7])m|\r(?=\n)|\A\r|\r\Z"
"""Colours as `click.style` makes them, ends of lines on a raw terminal, and lines that are written over."""
_DRIVING = re.compile(
    rf"({_OURS})|[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\U0001bca0-\U0001bca3"
    r"\U0001d173-\U0001d17a\U000e0000-\U000e0fff]|[\ud800-\udfff]"
)
"""What moves, rings, hides or reorders: control and format characters, but for ends of lines and tabs."""


def harmless(text: str) -> str:
    """`text` with every such character written out, but for our own colours. Idempotent."""
    return _DRIVING.sub(lambda found: found[1] or written_out(found[0]), text)


class HarmlessStream:
    """A text stream that passes on nothing else. `bare` is the stream itself, for what we draw ourselves."""

    encoding = "utf-8"
    """As the command line is told, so that it does not go around this to write better what the stream cannot."""

    def __init__(self, bare: TextIO) -> None:
        self.bare = bare

    def write(self, text: str) -> int:
        """Write `text`, harmless; what the stream's own encoding has no character for is written out too."""
        shown, encoding = harmless(text), getattr(self.bare, "encoding", None) or "utf-8"
        self.bare.write(shown.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def __getattr__(self, name: str) -> Any:
        """Everything else is the stream's."""
        return getattr(self.bare, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Whatever is printed within is harmless."""
    with redirect_stdout(_wrapped(sys.stdout)), redirect_stderr(_wrapped(sys.stderr)):
        yield


def bare(stream: TextIO) -> TextIO:
    """The stream as it was, where we drive the terminal ourselves."""
    return stream.bare if isinstance(stream, HarmlessStream) else stream


def _wrapped(stream: TextIO | None) -> TextIO | None:
    # A stream that was closed before we began (`2>&-`) is None.
    return stream if stream is None or isinstance(stream, HarmlessStream) else cast(TextIO, HarmlessStream(stream))
