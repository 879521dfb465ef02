"""A message as text, Markdown, HTML and for Slack. What an agent wrote stays text in each: no link, no mention."""

from __future__ import annotations

import html
import re

from comptroller.core.neutral import neutral
from comptroller.notify.message import LINE_CHARACTERS_MAX, LINES_MAX, TITLE_CHARACTERS_MAX, Message

_SCHEME = re.compile(r"(?<=[A-Za-z0-9]):(?=//)")
_MENTION = re.compile(r"(?<![A-Za-z0-9.+_-])@(?=[A-Za-z0-9&!_])")
_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+.!|~<>&@:-])")


def disarmed(text: object, *, characters_max: int = LINE_CHARACTERS_MAX) -> str:
    """Neutral text on one line in which no client finds an address to open or a person to call: `https[:]//`, `@ all`.

    Idempotent.
    """
    shown = neutral(text, chars_max=characters_max)
    return _MENTION.sub("@ ", _SCHEME.sub("[:]", shown))


def title_of(text: object) -> str:
    """One line fit for a subject."""
    return disarmed(text, characters_max=TITLE_CHARACTERS_MAX)


def plain(message: Message) -> str:
    """The body as plain text."""
    return "\n".join((*_body(message), *_way(message.link, message.command)))


def markdown(message: Message) -> str:
    """The body as CommonMark: every mark of it escaped, a hard break after each line."""
    way = [f"<{message.link}>"] if message.link else [f"`{message.command}`"] if message.command else []
    return "  \n".join((*map(escape_markdown, _body(message)), *way))


def escape_markdown(text: str) -> str:
    """Text that CommonMark shows as it is."""
    return _MARKDOWN.sub(r"\\\1", text)


def html_body(message: Message) -> str:
    """The body as HTML, without any script, image or foreign link."""
    rows = "".join(
        f"<tr><td>{html.escape(name)}</td><td><b>{html.escape(value)}</b></td></tr>" for name, value in message.facts
    )
    lines = "".join(f"<p>{html.escape(line)}</p>" for line in message.lines[:LINES_MAX])
    way = ""
    if message.link:
        shown = html.escape(message.link, quote=True)
        way = f'<p><a href="{shown}">{shown}</a></p>'
    elif message.command:
        way = f"<p><code>{html.escape(message.command)}</code></p>"
    head = f"<p>{html.escape(message.title)}</p>"
    return f"{head}{lines}{f'<table>{rows}</table>' if rows else ''}{way}"


def mrkdwn(text: str) -> str:
    """Text in which Slack finds no link, no mention and no command; what must not even be bold goes as `plain_text`."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _body(message: Message) -> list[str]:
    facts = [f"{name}: {value}" for name, value in message.facts]
    return [message.title, *message.lines[:LINES_MAX], *facts]


def _way(link: str, command: str) -> list[str]:
    return [link] if link else [command] if command else []
