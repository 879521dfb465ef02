"""Signed webhooks, as Standard Webhooks 1.0.0 (standardwebhooks.com) has them: id, timestamp, HMAC-SHA256."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from http import HTTPStatus

import httpx

from comptroller.core.config_notify import WebhookChannelConfig
from comptroller.notify.message import DeliveryError, Message, Question
from comptroller.notify.secret import Secrets

PAYLOAD_VERSION = 1
SECRET_PREFIX = "whsec_"  # noqa: S105 (how every such secret begins)
SECRET_BYTES_MIN = 24
SECRET_BYTES_MAX = 64
TIMEOUT_SECONDS = 15.0


class WebhookChannel:
    """POSTs JSON to one configured address; follows no redirect and reads nothing that is answered."""

    updates = False

    def __init__(
        self,
        config: WebhookChannelConfig,
        secrets: Secrets,
        *,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        verify: bool = True,
    ) -> None:
        self._config = config
        self._secrets = secrets
        self._now = now
        # What stands between this machine and the receiver is configured here, not by the environment.
        self._http = httpx.Client(timeout=TIMEOUT_SECONDS, follow_redirects=False, trust_env=False, verify=verify)

    def send(self, message: Message) -> str:
        """Deliver; any status of the 2xx is a yes. Raises `DeliveryError`."""
        sources = (self._config.secret, self._config.previous)
        keys = [key_of(self._secrets.read(source)) for source in sources if source is not None]
        body = json.dumps(payload_of(message), ensure_ascii=True, separators=(",", ":")).encode("ascii")
        headers = signed_headers(message.id, int(self._now().timestamp()), body, keys)
        try:
            with self._http.stream("POST", self._config.url, content=body, headers=headers) as answer:
                status, later = answer.status_code, answer.headers.get("retry-after", "")
        except httpx.HTTPError as error:
            raise DeliveryError(f"the receiver cannot be reached ({type(error).__name__})") from None
        if not HTTPStatus(200) <= status < HTTPStatus(300):
            wait = float(later) if later.isascii() and later.isdigit() and len(later) < 6 else 0.0
            raise DeliveryError(f"the receiver answered with status {status}", retry_after_seconds=wait)
        return ""

    def close(self) -> None:
        """Close what is open."""
        self._http.close()


def key_of(secret: str) -> bytes:
    """The key in `whsec_BASE64`. Raises `DeliveryError`, which does not repeat it."""
    try:
        key = base64.b64decode(secret.removeprefix(SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not secret.startswith(SECRET_PREFIX) or not SECRET_BYTES_MIN <= len(key) <= SECRET_BYTES_MAX:
        raise DeliveryError(
            f"the webhook's secret is not `whsec_` and {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes in base64",
            hint='make one: echo "whsec_$(openssl rand -base64 32)"',
        )
    return key


def signed_headers(message_id: str, timestamp: int, body: bytes, keys: Sequence[bytes]) -> dict[str, str]:
    """The headers that prove who sent `body` and when; a signature for each key, the newest first."""
    signed = f"{message_id}.{timestamp}.".encode("ascii") + body
    signatures = [base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode("ascii") for key in keys]
    return {
        "content-type": "application/json",
        "user-agent": "comptroller",
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


def payload_of(message: Message) -> Mapping[str, object]:
    """The body, as docs/webhook.schema.json describes it."""
    return {
        "v": PAYLOAD_VERSION,
        "id": message.id,
        "event": message.event.value if message.event is not None else "message",
        "at": _time(message.at),
        "organization": message.organization,
        "urgent": message.urgent,
        "title": message.title,
        "lines": list(message.lines),
        "facts": [{"name": name, "value": value} for name, value in message.facts],
        "question": None if message.question is None else _question(message.question),
        "link": message.link,
        "command": message.command,
    }


def _question(question: Question) -> Mapping[str, object]:
    return {
        "id": question.id,
        "state": question.state,
        "agent": question.agent,
        "owner": question.owner,
        "run": question.run,
        "operation": question.operation,
        "sentence": question.sentence,
        "groups": list(question.groups),
        "classes": list(question.classes),
        "usd_micros": question.usd_micros,
        "usd_micros_per_hour": question.usd_micros_per_hour,
        "price_unknown": question.price_unknown,
        "expires_at": _time(question.expires_at),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
