"""Reads a response: did the service do it, and what are the ids of what it made."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Sequence

from botocore.parsers import create_parser

from comptroller.core.action import Action, ActionClass
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.made import Made
from comptroller.decode.aws import index, uploads
from comptroller.decode.aws.lasting import lasting
from comptroller.decode.aws.made import made
from comptroller.decode.aws.model_source import operation
from comptroller.decode.charged import charged
from comptroller.decode.llm.bedrock import asks_model, bedrock_usage

BODY_BYTES_MAX = 1 << 20
KEPT_CLASSES = frozenset({ActionClass.PROVISION, ActionClass.PAY, ActionClass.ENTITLE, ActionClass.EXECUTE})
"""Whose responses name something that lives on."""

LOGGED = frozenset({"aws:lambda:Invoke"})
LOG_CHARACTERS_MAX = 16_384
_REPORT = re.compile(rb"REPORT RequestId: [^\n]*?\tBilled Duration: (\d{1,9}) ms\tMemory Size: (\d{1,6}) MB[^\n]*\s*\Z")
_ERROR_ROOT = re.compile(rb"^\s*(?:<\?xml[^>]*\?>)?\s*<(?:Error|ErrorResponse)[ >/]")


class AwsMeter:
    """Reads one response as it streams past; keeps at most `BODY_BYTES_MAX` of it, and only where ids are wanted."""

    def __init__(self, action: Action) -> None:
        self._action = action
        self._status = 0
        self._headers: dict[str, str] = {}
        self._body = bytearray()
        self._cut = False
        self.charged_whole = asks_model(action)
        """Bedrock writes to the end whoever reads: see `decode/llm/cut`."""

    def head(self, status: int, headers: Sequence[tuple[str, str]]) -> None:
        """The response's status and headers."""
        self._status = status
        self._headers = {name.lower(): value for name, value in headers}

    def feed(self, data: bytes) -> None:
        """The next body bytes."""
        room = BODY_BYTES_MAX - len(self._body)
        self._body += data[:room]
        self._cut = self._cut or len(data) > room

    def finish(self, *, complete: bool) -> Outcome:
        """What the response proved. Never raises."""
        done = 200 <= self._status < 300
        s3 = self._action.operation.startswith("aws:s3:")
        failed_inside = done and s3 and _ERROR_ROOT.match(bytes(self._body[:512])) is not None
        ok = done and not failed_inside
        names: tuple[str, ...] = ()
        things: tuple[Made, ...] = ()
        if ok and not self._cut and self._action.classes & KEPT_CLASSES:
            names, things = self._made()
        actual, usage = {Unit.CALLS: 1}, {}
        if ok and asks_model(self._action):
            body = b"" if self._cut else bytes(self._body)
            usage = bedrock_usage(self._action, self._headers, body, complete=complete and not self._cut)
            if usage:
                actual[Unit.TOKENS] = usage["input_tokens"] + usage["output_tokens"]
        elif ok and self._action.operation in LOGGED:
            usage = _billed(self._headers.get("x-amz-log-result", ""))
        return Outcome(
            status=self._status,
            ok=ok,
            complete=complete,
            charged=False if failed_inside else charged(self._action.operation, self._status),
            actual=actual,
            made=names,
            usage=usage,
            holdings=things,
            opens=uploads.opened(self._action, bytes(self._body)) if ok and not self._cut else "",
        )

    def _made(self) -> tuple[tuple[str, ...], tuple[Made, ...]]:
        service, _, name = self._action.operation.removeprefix(index.PREFIX).partition(":")
        try:
            model = operation(service, name).model
            if model.output_shape is None:
                return made(self._action, {}), lasting(self._action, {})
            if model.has_streaming_output or model.has_event_stream_output:
                return (), ()
            response = {"status_code": self._status, "headers": self._headers, "body": bytes(self._body)}
            parsed = create_parser(self._protocol(service)).parse(response, model.output_shape)
        except Exception:  # noqa: BLE001  a response nobody can read names nothing; the reservation stays as it is
            return (), ()
        return made(self._action, parsed), lasting(self._action, parsed)

    def _protocol(self, service: str) -> str:
        """The protocol the response is written in, by its media type among those the service speaks."""
        spoken = index.load().services[service].protocols
        media = self._headers.get("content-type", "").partition(";")[0].strip().lower()
        if "cbor" in media:
            return next((one for one in spoken if one.endswith("cbor")), spoken[0])
        if "json" in media:
            return next((one for one in spoken if one.endswith("json")), spoken[0])
        return next((one for one in spoken if one in ("ec2", "query", "rest-xml")), spoken[0])


def _billed(tail: str) -> dict[str, int]:
    """What the log tail of an invocation says was billed. Its last line is the service's own; those above it are the
    function's, which may print what it likes."""
    try:
        text = base64.b64decode(tail[:LOG_CHARACTERS_MAX], validate=True)
    except (binascii.Error, ValueError):
        return {}
    found = _REPORT.search(text)
    return {} if found is None else {"billed_milliseconds": int(found[1]), "memory_megabytes": int(found[2])}
