"""The codec of AWS: bytes to action and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from comptroller.core.action import Action, ActionClass, Call, Uncanonical, Value
from comptroller.core.narrow import Narrowing
from comptroller.core.request import NativeResponse, Outgoing, Request
from comptroller.core.verdict import Verdict
from comptroller.decode.aws import capacity, chunked, classes, identify, index, narrow, resources, stack, uploads
from comptroller.decode.aws.encode import OWNER, checks_owner, encode
from comptroller.decode.aws.identify import Decoded
from comptroller.decode.aws.model_source import Operation, service_model
from comptroller.decode.aws.outcome import AwsMeter
from comptroller.decode.aws.refuse import refuse
from comptroller.decode.aws.sentence import sentence
from comptroller.decode.aws.wire import Undecodable, shown
from comptroller.decode.llm.bedrock import lower_bedrock

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

    def lower(self, action: Action, output_tokens_max: int) -> Action | None:
        """A call of a model at Bedrock with its output limit lowered; None for anything else."""
        return lower_bedrock(action, output_tokens_max)

    def narrowings(self, action: Action) -> tuple[Narrowing, ...]:
        """What a person may lower of a call."""
        return narrow.narrowings(action)

    def narrow(self, action: Action, changes: Mapping[str, str]) -> Action:
        """The call with those parameters lowered. Raises `NotNarrower`."""
        return narrow.narrow(action, changes)

    def warm(self, service: str) -> None:
        """Load the model of `aws:SERVICE` ahead of its first request; nothing happens for a name that is none."""
        name = service.removeprefix(index.PREFIX)
        if name in index.load().services:
            service_model(name)


def _action(decoded: Decoded, request: Request) -> Action:
    length = request.stream.length_bytes if request.stream else len(request.body)
    return action_of(
        decoded.operation,
        decoded.parameters,
        also=decoded.also,
        endpoint=request.endpoint,
        region=decoded.place.region,
        account=request.accounts.get(FAMILY, ""),
        agent=request.agent,
        run=request.run,
        attempt=request.one("amz-sdk-invocation-id") or request.attempt,
        payload_bytes=length or 0,
    )


def action_of(
    op: Operation,
    given: Mapping[str, Value],
    *,
    also: Sequence[str] = (),
    endpoint: str,
    region: str,
    account: str,
    agent: str,
    run: str,
    attempt: str = "",
    payload_bytes: int = 0,
) -> Action:
    """The one way from an operation and its parameters to an action: off the wire, and out of a record of a call.

    `also` names operations of other services that read the same request. Raises `Uncanonical` like its parts."""
    name = f"{index.PREFIX}{op.service}:{op.name}"
    parameters: dict[str, Value] = {}
    tokens: dict[str, str] = {}
    for member, value in given.items():
        if member in op.tokens and isinstance(value, str):
            tokens[member] = value
        elif member not in op.dropped:
            parameters[member] = value
    found = classes.classes_of(name, also, parameters, account=account, shape=op.input)
    if checks_owner(op, parameters, found, account) and parameters.get(OWNER) == account:
        del parameters[OWNER]
    who = Who(endpoint=endpoint, region=region, account=account, agent=agent, run=run)
    parts = (
        ()
        if found <= classes.LOOKING
        else tuple(
            _part(one, who, f"{index.PREFIX}{op.service}") for one in stack.parts(name, parameters, account, region)
        )
    )
    return Action(
        operation=name,
        service=f"{index.PREFIX}{op.service}",
        classes=found.union(*(part.classes for part in parts)),
        endpoint=endpoint,
        agent=agent,
        run=run,
        account=account,
        region=region,
        resources=resources.resources(name, parameters, account, region),
        quantity=capacity.quantity(name, parameters),
        parameters=parameters,
        sensitive=frozenset(op.sensitive & parameters.keys()),
        parts=parts,
        call=Call(
            idempotency=tokens,
            attempt=attempt,
            payload_bytes=payload_bytes,
            part_of=uploads.part_of(name, parameters),
        ),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """Whose action it is, and where it goes."""

    endpoint: str
    region: str
    account: str
    agent: str
    run: str


def _part(part: stack.Part, who: Who, whole: str) -> Action:
    """One thing a stack brings about, as an action of its own; `whole` is the service of the stack."""
    # What nobody can tell is asked about as what the stack itself does, not refused as a service nobody named.
    service = part.operation.rpartition(":")[0] if part.operation != stack.UNPRICED else whole
    return Action(
        operation=part.operation,
        service=service,
        classes=classes.classes_of(part.operation, (), part.parameters, account=who.account),
        endpoint=who.endpoint,
        agent=who.agent,
        run=who.run,
        account=who.account,
        region=who.region,
        quantity=part.quantity,
        parameters=part.parameters,
        sensitive=part.sensitive,
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
