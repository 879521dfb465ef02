"""Everything that Apprise reaches: mail, ntfy, Teams, PagerDuty, chat services. Its URL is the channel's secret."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from comptroller.core.config_notify import EVENT_WORDS, AppriseChannelConfig
from comptroller.core.errors import MissingError
from comptroller.notify.markup import html_body, markdown, plain
from comptroller.notify.message import Channel, DeliveryError, Message
from comptroller.notify.secret import Secrets

_LOGGER = logging.getLogger("apprise")
_STATUS = re.compile(r"error=([0-9]{3})\b")
_BARRED = frozenset({"dbus", "gnome", "kde", "qt", "glib", "syslog", "windows", "macosx"})
"""They show on the screen of whoever runs `serve`, or write to its own log: nobody is reached by them."""
_MAIL = frozenset({"mailto", "mailtos"})


def apprise_channel(config: AppriseChannelConfig, secrets: Secrets) -> Channel:
    """The channel. Raises `MissingError` where the library is not installed."""
    try:
        import apprise  # noqa: F401
    except ImportError as error:
        raise MissingError("apprise is not installed", hint="pip install 'comptroller[notify]'") from error
    _LOGGER.addHandler(logging.NullHandler())
    _LOGGER.propagate = False  # What it logs may hold addresses; the reason is read from it and said by us.
    return AppriseChannel(config, secrets)


class AppriseChannel:
    """Sends through the one service that the URL names; the URL is read anew for each message."""

    updates = False

    def __init__(self, config: AppriseChannelConfig, secrets: Secrets) -> None:
        self._config = config
        self._secrets = secrets

    def send(self, message: Message) -> str:
        """Deliver. Raises `DeliveryError` with what Apprise said of the reason, without the address."""
        import apprise
        from apprise.common import NotifyFormat, NotifyType

        asset = apprise.AppriseAsset(
            app_id="comptroller",
            app_desc="comptroller",
            app_url="",
            async_mode=False,
            interpret_escapes=False,
            interpret_emojis=False,
            http_redirects=False,
            secure_logging=True,
            storage_mode=apprise.PersistentStoreMode.MEMORY,
        )
        url = self._secrets.read(self._config.url)
        with _reasons():
            service = apprise.Apprise.instantiate(url, asset=asset, suppress_exceptions=True)
        if service is None:
            raise DeliveryError(
                "this is not a URL that Apprise knows", hint="see appriseit.com/services for how each is written"
            )
        schemas = frozenset(service.schemas())
        if schemas & _BARRED:
            raise DeliveryError("this service shows messages on this machine only: it reaches nobody")
        mail = bool(schemas & _MAIL)
        # Each service is given a form that it shows as it is. A title elsewhere than in mail may be read as markup.
        form = service.resolve_format(NotifyFormat.HTML if mail else NotifyFormat.TEXT)
        words = message.title if mail else EVENT_WORDS[message.event] if message.event is not None else "a message"
        body = {NotifyFormat.HTML: html_body, NotifyFormat.MARKDOWN: markdown}.get(form, plain)(message)
        with _reasons() as said:
            done = service.notify(
                body=body,
                title=f"{message.organization}: {words}",
                notify_type=NotifyType.WARNING if message.urgent else NotifyType.INFO,
                body_format=form,
            )
        if not done:
            status = next((found[1] for line in said if (found := _STATUS.search(line))), "")
            raise DeliveryError(
                f"the service answered with status {status}" if status else "the service could not be reached"
            )
        return ""

    def close(self) -> None:
        """Nothing stays open."""


class _Listening(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.thread = threading.get_ident()
        self.lines: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Keep what this thread is told."""
        if record.thread == self.thread:
            self.lines.append(record.getMessage())


@contextmanager
def _reasons() -> Iterator[list[str]]:
    """What Apprise says of a failure in this thread."""
    listening = _Listening()
    _LOGGER.addHandler(listening)
    try:
        yield listening.lines
    finally:
        _LOGGER.removeHandler(listening)
