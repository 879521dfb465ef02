"""The codec of AWS: bytes to action and back."""

from __future__ import annotations

from typing import Protocol

from comptroller.core.action import Action, ActionClass, Call, Uncanonical, Value
from comptroller.core.request import NativeResponse, Outgoing, Request
from comptroller.core.verdict import Verdict
from comptroller.decode.aws import chunked, classes, identify, index
from comptroller.decode.aws.encode import encode
from comptroller.decode.aws.identify import Decoded
from comptroller.decode.aws.model_source import service_model
from comptroller.decode.aws.outcome import AwsMeter
from comptroller.decode.aws.refuse import refuse
from comptroller.decode.aws.sentence import sentence
from comptroller.decode.aws.wire import Undecodable, shown

FAMILY = "aws"
METHODS_SHOWN_MAX = 32


class BodyFilter(Protocol):
    """Changes a streamed body on its way, sans-IO; both methods raise `ValueError` where it is not as declared."""

    def feed(self, data: bytes) -> bytes:
        """The bytes to send for the next bytes received."""
        ...

    def finish(self) -> None:
        """The body ended."""
        ...


class AwsCodec:
    """Every service and operation that botocore has a model of. Construction loads the index, no model."""

    name = "aws"

    def __init__(self) -> None:
        index.load()

    def decode(self, request: Request) -> Action:
        """What the request would do; `unknown` with a reason where nobody can say. Never raises."""
        try:
            return _action(identify.decode(request), request)
        except Undecodable as error:
            return _unknown(request, str(error))
        except Uncanonical as error:
            return _unknown(request, f"a parameter without canonical form: {error}")
        except Exception as error:  # noqa: BLE001  an error is an unknown action, which is denied
            return _unknown(request, f"the decoder failed: {type(error).__name__}")

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The request anew, from the decoded action. Raises `Unencodable`."""
        return encode(action, request)

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """The service's own `not authorized` answer carrying `message`. Never raises."""
        return refuse(action, request, message)

    def meter(self, action: Action) -> AwsMeter:
        """A reader for this action's response."""
        return AwsMeter(action)

    def sentence(self, action: Action) -> str:
        """What the action does in plain words, without price."""
        return sentence(action)

    def body_filter(self, action: Action, request: Request) -> BodyFilter | None:
        """For a streamed `aws-chunked` body, the reader that takes its framing off; None where it goes on unchanged."""
        headers = dict(request.headers)
        if request.stream is None or action.undecodable or not chunked.is_chunked(headers):
            return None
        return chunked.reader_for(headers)

    def warm(self, service: str) -> None:
        """Load the model of `aws:SERVICE` ahead of its first request; nothing happens for a name that is none."""
        name = service.removeprefix(index.PREFIX)
        if name in index.load().services:
            service_model(name)


def _action(decoded: Decoded, request: Request) -> Action:
    op = decoded.operation
    name = f"{index.PREFIX}{op.service}:{op.name}"
    parameters: dict[str, Value] = {}
    tokens: dict[str, str] = {}
    for member, value in decoded.parameters.items():
        if member in op.tokens and isinstance(value, str):
            tokens[member] = value
        elif member not in op.dropped:
            parameters[member] = value
    length = request.stream.length_bytes if request.stream else len(request.body)
    return Action(
        operation=name,
        service=f"{index.PREFIX}{op.service}",
        classes=classes.classes_of(name, decoded.also, parameters),
        endpoint=request.endpoint,
        agent=request.agent,
        run=request.run,
        account=request.accounts.get(FAMILY, ""),
        region=decoded.place.region,
        resources=classes.resources(name, parameters),
        quantity=classes.quantity(name, parameters),
        parameters=parameters,
        sensitive=frozenset(op.sensitive & parameters.keys()),
        call=Call(
            idempotency=tokens,
            attempt=request.one("amz-sdk-invocation-id") or request.attempt,
            payload_bytes=length or 0,
        ),
    )


def _unknown(request: Request, reason: str) -> Action:
    """An action nobody understands: it keeps where it was going, and a digest of what it carried."""
    place = index.place(request.host)
    service = place.services[0] if place else ""
    method = shown(request.method[:METHODS_SHOWN_MAX])
    path = shown(request.target.partition("?")[0])
    return Action(
        operation=f"{index.PREFIX}{service or 'unknown'}:unknown",
        service=f"{index.PREFIX}{service}" if service else FAMILY,
        classes=frozenset({ActionClass.UNKNOWN}),
        endpoint=request.endpoint,
        agent=request.agent,
        run=request.run,
        account=request.accounts.get(FAMILY, ""),
        region=place.region if place else "",
        parameters={
            "method": method,
            "path": path,
            "target": request.target.encode("utf-8", "replace"),
            "body": request.body,
        },
        reason=reason,
        sensitive=frozenset({"target", "body"}),
        call=Call(attempt=request.attempt, payload_bytes=len(request.body)),
    )
