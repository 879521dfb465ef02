"""One Slack channel through Socket Mode: questions with buttons, answers with a reason; nothing listens here."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from typing import Any

from comptroller.core.config_notify import Event, SlackChannelConfig
from comptroller.core.errors import ComptrollerError, MissingError
from comptroller.core.neutral import neutral
from comptroller.notify.answering import Answering
from comptroller.notify.markup import mrkdwn
from comptroller.notify.message import Channel, DeliveryError, Message, Question
from comptroller.notify.secret import Secrets

TIMEOUT_SECONDS = 15
TEXT_CHARACTERS_MAX = 2_900
FACTS_MAX = 10
COMMENT_CHARACTERS_MAX = 500
APPROVE, REJECT, OPEN = "comptroller_approve", "comptroller_reject", "comptroller_open"
REASON_VIEW, REASON_BLOCK, REASON_INPUT = "comptroller_reason", "reason", "text"
_CODE = re.compile(r"^[a-z_]{1,60}$")
_AFTER = frozenset({Event.ANSWERED, Event.EXPIRED})
_QUIET = logging.getLogger("comptroller.notify.slack")
_QUIET.addHandler(logging.NullHandler())
_QUIET.propagate = False
_QUIET.setLevel(logging.CRITICAL + 1)
"""What the libraries log may hold tokens and messages."""


def slack_channel(config: SlackChannelConfig, secrets: Secrets, answering: Answering | None, name: str) -> Channel:
    """The channel, connected where it takes answers. Raises `MissingError`, `DeliveryError`."""
    try:
        import slack_bolt  # noqa: F401
    except ImportError as error:
        raise MissingError("slack-bolt is not installed", hint="pip install 'comptroller[notify]'") from error
    return SlackChannel(config, secrets, answering if config.answer else None, name)


class SlackChannel:
    """Posts with the bot's token; hears of buttons over a connection that it opens itself with the app's token."""

    updates = True

    def __init__(self, config: SlackChannelConfig, secrets: Secrets, answering: Answering | None, name: str) -> None:
        from slack_sdk import WebClient

        self._config = config
        self._answering = answering
        self._name = name
        self._client = WebClient(
            token=secrets.read(config.bot_token), base_url=config.api, timeout=TIMEOUT_SECONDS, logger=_QUIET
        )
        self._handler: Any = None
        if answering is not None:
            self._handler = self._listen(secrets.read(config.app_token))

    def send(self, message: Message) -> str:
        """Post; or change the message about a question once it is answered; or remind below it."""
        question = message.question
        answer = self._answering is not None and question is not None and question.open and question.in_chat
        content = {
            "text": mrkdwn(f"{message.organization}: {message.title}")[:TEXT_CHARACTERS_MAX],
            "blocks": blocks_of(message, answer=answer),
        }
        quiet = {"unfurl_links": False, "unfurl_media": False}
        channel, _, stamp = message.thread.partition(":")
        if stamp and message.event in _AFTER:
            self._call("chat.update", channel=channel, ts=stamp, **content)
            return message.thread
        if stamp:
            below = {"thread_ts": stamp, "reply_broadcast": True}
            done = self._call("chat.postMessage", channel=channel, **below, **content, **quiet)
        else:
            done = self._call("chat.postMessage", channel=self._config.channel, **content, **quiet)
        return f"{done['channel']}:{done['ts']}"

    def close(self) -> None:
        """Hear of nothing any more."""
        if self._handler is not None:
            with contextlib.suppress(Exception):
                self._handler.close()

    def _call(self, method: str, **arguments: Any) -> Any:
        from slack_sdk.errors import SlackApiError, SlackClientError

        try:
            return self._client.api_call(method, json=arguments)
        except SlackApiError as error:
            code = str(error.response.get("error", ""))
            later = error.response.headers.get("Retry-After", "") if error.response.headers else ""
            wait = float(later) if str(later).isdigit() else 0.0
            shown = code if _CODE.match(code) else "an error"
            raise DeliveryError(f"Slack answered {shown}", retry_after_seconds=wait) from None
        except (SlackClientError, OSError, ValueError) as error:
            raise DeliveryError(f"Slack cannot be reached ({type(error).__name__})") from None

    # ------------------------------------------------------------ answers

    def _listen(self, app_token: str) -> Any:
        from slack_bolt import App
        from slack_bolt.adapter.socket_mode import SocketModeHandler

        self._call("auth.test")
        app = App(client=self._client, logger=_QUIET, token_verification_enabled=False)
        app.action(APPROVE)(self._approve)
        app.action(REJECT)(self._ask_reason)
        app.action(OPEN)(_acknowledge)
        app.view(REASON_VIEW)(self._reject)
        handler = SocketModeHandler(app, app_token, logger=_QUIET)
        try:
            handler.connect()
        except Exception as error:  # noqa: BLE001 (the library's own: its text may hold the token)
            with contextlib.suppress(Exception):
                handler.close()
            raise DeliveryError(f"Slack takes no connection for answers ({type(error).__name__})") from None
        return handler

    def _approve(self, ack: Any, body: dict[str, Any]) -> None:
        ack()
        assert self._answering is not None
        place, member = _pressed(body)
        try:
            self._answering.approve(
                channel=self._name, thread=place, approval=str(body["actions"][0]["value"]), member=member
            )
        except ComptrollerError as error:
            self._tell(place, member, error.message)
        except TimeoutError:
            self._tell(place, member, "no answer came in time: look in the console whether it counted")

    def _ask_reason(self, ack: Any, body: dict[str, Any]) -> None:
        ack()
        place, _ = _pressed(body)
        kept = json.dumps({"thread": place, "approval": str(body["actions"][0]["value"])})
        with contextlib.suppress(DeliveryError):
            self._call("views.open", trigger_id=body["trigger_id"], view=_reason_view(kept))

    def _reject(self, ack: Any, body: dict[str, Any], view: dict[str, Any]) -> None:
        assert self._answering is not None
        kept = json.loads(view["private_metadata"])
        comment = str(view["state"]["values"][REASON_BLOCK][REASON_INPUT].get("value") or "")
        try:
            self._answering.reject(
                channel=self._name,
                thread=str(kept["thread"]),
                approval=str(kept["approval"]),
                member=str(body["user"]["id"]),
                comment=comment[:COMMENT_CHARACTERS_MAX],
            )
        except ComptrollerError as error:
            ack(response_action="errors", errors={REASON_BLOCK: neutral(error.message, chars_max=140)})
        except TimeoutError:
            ack(response_action="errors", errors={REASON_BLOCK: "no answer came in time"})
        else:
            ack()

    def _tell(self, place: str, member: str, text: str) -> None:
        """Words for one member alone."""
        channel = place.partition(":")[0]
        with contextlib.suppress(DeliveryError):
            self._call("chat.postEphemeral", channel=channel, user=member, text=mrkdwn(neutral(text)))


def blocks_of(message: Message, *, answer: bool) -> list[dict[str, Any]]:
    """The message in Slack's blocks. Whatever an agent may have written is `plain_text`, which has no markup."""
    blocks: list[dict[str, Any]] = [_section(message.title)]
    if message.lines:
        blocks.append(_section("\n".join(message.lines)))
    if message.facts:
        fields = [_plain(f"{name}\n{value}", 1_900) for name, value in message.facts[:FACTS_MAX]]
        blocks.append({"type": "section", "fields": fields})
    buttons = _buttons(message, message.question if answer else None)
    if buttons:
        blocks.append({"type": "actions", "elements": buttons})
    if message.command and not message.link:
        blocks.append({"type": "context", "elements": [_plain(message.command, 1_900)]})
    return blocks


def _buttons(message: Message, question: Question | None) -> list[dict[str, Any]]:
    buttons: list[dict[str, Any]] = []
    if message.link:
        buttons.append({"type": "button", "action_id": OPEN, "text": _plain("Open", 20), "url": message.link})
    if question is None:
        return buttons
    if not question.price_unknown:  # Such a yes names the most it may cost, which a button cannot.
        confirm = {
            "title": _plain("Approve this?", 90),
            "text": _plain(question.sentence, 290),
            "confirm": _plain("Approve", 25),
            "deny": _plain("Back", 25),
        }
        buttons.append(
            {
                "type": "button",
                "action_id": APPROVE,
                "style": "primary",
                "text": _plain("Approve", 20),
                "value": question.id,
                "confirm": confirm,
            }
        )
    reject = {"type": "button", "action_id": REJECT, "style": "danger", "text": _plain("Reject…", 20)}
    return [*buttons, {**reject, "value": question.id}]


def _section(text: str) -> dict[str, Any]:
    return {"type": "section", "text": _plain(text, TEXT_CHARACTERS_MAX)}


def _plain(text: str, characters_max: int) -> dict[str, Any]:
    shown = text if len(text) <= characters_max else text[: characters_max - 1] + "…"
    return {"type": "plain_text", "text": shown or "-", "emoji": False}


def _reason_view(kept: str) -> dict[str, Any]:
    field = {"type": "plain_text_input", "action_id": REASON_INPUT, "multiline": True, "min_length": 1}
    return {
        "type": "modal",
        "callback_id": REASON_VIEW,
        "private_metadata": kept,
        "title": _plain("Reject", 24),
        "submit": _plain("Reject", 24),
        "close": _plain("Back", 24),
        "blocks": [
            {
                "type": "input",
                "block_id": REASON_BLOCK,
                "label": _plain("Why? The agent is told.", 100),
                "element": {**field, "max_length": COMMENT_CHARACTERS_MAX},
            }
        ],
    }


def _pressed(body: dict[str, Any]) -> tuple[str, str]:
    """Where the button was, and who pressed it."""
    place = body.get("container") or {}
    return f"{place.get('channel_id', '')}:{place.get('message_ts', '')}", str(body["user"]["id"])


def _acknowledge(ack: Any) -> None:
    ack()
