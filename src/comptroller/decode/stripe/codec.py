"""Stripe on the wire, forms and v2's JSON: a query on a POST, a doubled name or an unknown path is `unknown`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from comptroller.core.action import Action, ActionClass, Call, Value
from comptroller.core.estimate import Outcome, Unit
from comptroller.core.narrow import Narrowing
from comptroller.core.request import NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict
from comptroller.decode.answer import JsonAnswer
from comptroller.decode.charged import charged
from comptroller.decode.http import content_type_of, refusal_code, refuse_upgrade
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_object
from comptroller.decode.shape import (
    FORM_TYPE,
    JSON_TYPE,
    Undecodable,
    bound_headers,
    native_json,
    no_retry,
    only_header,
    outgoing_headers,
    payload_bytes,
    plain_header,
    same_endpoint,
    undecodable,
)
from comptroller.decode.stripe import narrow
from comptroller.decode.stripe.form import MalformedForm, dump_form, parse_form
from comptroller.decode.stripe.lasting import lasting
from comptroller.decode.stripe.money import money_text, payment_of
from comptroller.decode.stripe.operations import Operation, find_operation, operations, with_members
from comptroller.decode.target import AmbiguousTarget, parse_target

BOUND_HEADERS = ("stripe-account", "stripe-context", "stripe-version")
USD_MICROS_PER_CENT = 10_000
MOVERS = frozenset(
    {"charge", "payment_intent", "payout", "refund", "topup", "transfer", "transfer_reversal", "fee_refund"}
)
"""Objects whose `amount` is what was moved."""
SENSITIVE = frozenset({"card", "bank_account", "person", "pii", "email", "phone", "name", "address", "shipping"})
SENSITIVE_MORE = frozenset({"individual", "payload", "request", "@body", "tax_id", "identity", "company", "dob"})

_ID = re.compile(r"[A-Za-z0-9_:@.~-]{1,255}")
_MULTIPART = re.compile(r"multipart/form-data;\s*boundary=\"?[A-Za-z0-9'()+_,./:=? -]{1,70}\"?", re.IGNORECASE)
_CARD_NUMBERS = frozenset({"number", "cvc", "account_number", "iban", "swift_code"})
_ONLY = {
    "files.stripe.com": "stripe:files:",
    "connect.stripe.com": "stripe:oauth:",
    "meter-events.stripe.com": "stripe:v2.billing.meter_event_stream:",
}
"""Hosts that serve one resource only."""
_ONLY_HOST = {
    "stripe:oauth:token": "connect.stripe.com",
    "stripe:oauth:deauthorize": "connect.stripe.com",
    "stripe:v2.billing.meter_event_stream:create": "meter-events.stripe.com",
}
"""Operations that one host only serves."""


class StripeCodec:
    """`stripe:transfers:create` and 648 others. Members lie at the top of `parameters`; ours begin with `@`."""

    name = "stripe"
    hosts = frozenset({"api.stripe.com", "files.stripe.com", "connect.stripe.com", "meter-events.stripe.com"})

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, MalformedForm, MalformedJson) as error:
            return undecodable(
                request, service="stripe", operation="stripe:unknown", family=_family(request), reason=str(error)
            )

    def _decode(self, request: Request) -> Action:
        refuse_upgrade(request)
        target = parse_target(request.target)
        found = find_operation(request.method, target.path)
        if found is None:
            raise Undecodable("no known Stripe operation has this method and path")
        operation, ids = found
        if not all(_ID.fullmatch(part) for part in ids):
            raise Undecodable("the path has an id with unexpected characters")
        if (only := _ONLY.get(request.host)) is not None and not operation.name.startswith(only):
            raise Undecodable(f"this operation does not belong to {request.host}")
        if request.host in StripeCodec.hosts and request.host != _ONLY_HOST.get(operation.name, request.host):
            raise Undecodable(f"this operation does not belong to {request.host}")
        query = target.text.partition("?")[2].encode("ascii")
        form = self._members(request, query, operation)
        headers = bound_headers(request, BOUND_HEADERS)
        for name in ("stripe-account", "stripe-context"):
            if name in headers and not re.fullmatch(r"[A-Za-z0-9_/-]{1,255}", str(headers[name])):
                raise Undecodable(f"the header `{name}` is not an account")
        classes = with_members(operation.classes, _names(form))
        if operation.method == "GET" and _shows_numbers(operation.name, form):
            classes |= {ActionClass.REVEAL}
        key = only_header(request, "idempotency-key") if request.method == "POST" else None
        connected = headers.get("stripe-account") or headers.get("stripe-context")
        return Action(
            operation=operation.name,
            service="stripe",
            classes=classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=str(connected) if connected else request.accounts.get(_family(request), ""),
            resources=ids,
            parameters={**form, "@path": target.path, "@headers": headers},
            payment=payment_of(operation.name, ids, form) if ActionClass.PAY in classes else None,
            sensitive=(SENSITIVE | SENSITIVE_MORE) & form.keys(),
            call=Call(
                idempotency={"Idempotency-Key": key} if key else {},
                attempt=request.attempt,
                payload_bytes=payload_bytes(request),
            ),
        )

    def _members(self, request: Request, query: bytes, operation: Operation) -> dict[str, Value]:
        if not operation.shape.startswith("/v2/") or operation.method != "POST":
            return self._form(request, query, uploads=operation.name == "stripe:files:create")
        if request.stream is not None or query:
            raise Undecodable("a v2 POST has a JSON body of known length, and no query")
        if not request.body:
            return {}
        if content_type_of(request) != JSON_TYPE:
            raise Undecodable("the body of a v2 operation is not declared as JSON")
        members = parse_object(request.body)
        if any(name.startswith("@") for name in members):
            raise Undecodable("a member's name begins with `@`")
        return dict(members)

    def _form(self, request: Request, query: bytes, *, uploads: bool) -> dict[str, Value]:
        if request.stream is not None:
            raise Undecodable("the body is larger than what is read whole")
        if request.method != "POST":
            if request.body:
                raise Undecodable(f"a {request.method} request with a body")
            return parse_form(query)
        if query:
            raise Undecodable("a POST request with a query: two carriers of parameters")
        kind = content_type_of(request)
        if uploads and kind == "multipart/form-data":
            written = only_header(request, "content-type") or ""
            if not _MULTIPART.fullmatch(written.strip()):
                raise Undecodable("the multipart Content-Type has no plain boundary")
            return {"@body": request.body, "@content_type": written.strip()}
        if request.body and kind != FORM_TYPE:
            raise Undecodable(f"the Content-Type is not {FORM_TYPE}")
        return parse_form(request.body)

    def known(self) -> Mapping[str, frozenset[ActionClass]]:
        """Every operation of Stripe by name."""
        return {operation.name: operation.classes for operation in operations().values()}

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The same members in the same order, as a form; the idempotency key as it came."""
        same_endpoint(action, request)
        operation = operations().get(action.operation)
        if operation is None:
            raise Unencodable(f"`{action.operation}` is not a Stripe operation")
        path = str(action.parameters["@path"])
        upload = action.parameters.get("@body")
        content_type: str | None = None
        body, query = b"", ""
        if isinstance(upload, bytes):
            body, content_type = upload, str(action.parameters["@content_type"])
        else:
            members = {k: v for k, v in action.parameters.items() if not k.startswith("@")}
            if operation.method != "POST":
                query = dump_form(members)
            elif operation.shape.startswith("/v2/"):
                body, content_type = dump_json(members), JSON_TYPE
            else:
                body, content_type = dump_form(members).encode("ascii"), FORM_TYPE
        extra = (
            ("content-type", content_type),
            ("accept", plain_header(request, "accept")),
            ("accept-encoding", "identity"),
            ("user-agent", plain_header(request, "user-agent")),
            ("idempotency-key", action.call.idempotency.get("Idempotency-Key")),
        )
        return Outgoing(
            method=operation.method,
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=f"{path}?{query}" if query else path,
            headers=outgoing_headers(action.parameters.get("@headers"), *extra),
            body=body,
            family=_family(request),
        )

    def narrowings(self, action: Action) -> tuple[Narrowing, ...]:
        """The amount of what pays."""
        return narrow.narrowings(action)

    def narrow(self, action: Action, changes: Mapping[str, str]) -> Action:
        """The call with its amount lowered. Raises `NotNarrower`."""
        return narrow.narrow(action, changes)

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with a Stripe error object; the SDKs raise `PermissionError` and do not retry."""
        error = {"type": "invalid_request_error", "code": refusal_code(verdict), "message": message}
        return no_retry(native_json({"error": error}, message), "stripe-should-retry")

    def meter(self, action: Action) -> StripeMeter:
        """Reads the object that was made, and how much it moved."""
        return StripeMeter(action)

    def sentence(self, action: Action) -> str:
        """`transfer 400.00 USD to acct_123`."""
        if action.undecodable:
            return f"call Stripe in a way that cannot be read: {action.reason}"
        resource, _, verb = action.operation.removeprefix("stripe:").partition(":")
        on = f" in {action.account}" if action.account else ""
        if action.payment is not None:
            money = money_text(action.payment.amount_minor, action.payment.currency)
            words, preposition = _MONEY_WORDS.get(action.operation, (f"{verb} {_words(resource)}:", "for"))
            return f"{words} {money} {preposition} {action.payment.payee or 'Stripe'}{on}"
        named = f" {', '.join(action.resources)}" if action.resources else ""
        full = " (amount not stated in the request)" if ActionClass.PAY in action.classes else ""
        return f"{verb.replace('_', ' ')} {_words(resource)}{named}{full}{on}"


_MONEY_WORDS = {
    "stripe:transfers:create": ("transfer", "to"),
    "stripe:transfers.reversals:create": ("take back", "of transfer"),
    "stripe:payouts:create": ("pay out", "to"),
    "stripe:refunds:create": ("refund", "of"),
    "stripe:charges:create": ("charge", "to"),
    "stripe:charges:capture": ("capture", "of"),
    "stripe:payment_intents:create": ("ask for a payment of", "from"),
    "stripe:payment_intents:capture": ("capture", "of"),
    "stripe:payment_intents:increment_authorization": ("raise the authorisation to", "of"),
    "stripe:topups:create": ("top up", "from"),
    "stripe:v2.money_management.outbound_payments:create": ("pay out", "to"),
    "stripe:v2.money_management.payout_intents:create": ("plan to pay out", "to"),
    "stripe:v2.money_management.inbound_transfers:create": ("pull in", "to"),
}


class StripeMeter(JsonAnswer):
    """Reads one answer: the id of what was made and, where the object tells, how many dollars moved."""

    def __init__(self, action: Action) -> None:
        super().__init__(wanted=not action.classes <= {ActionClass.READ, ActionClass.REVEAL})
        self._pays = ActionClass.PAY in action.classes
        self._action = action
        self._operation = action.operation

    def finish(self, *, complete: bool) -> Outcome:
        """What the answer proved: a declined card, for one, moved nothing."""
        found = self.members()
        actual: dict[Unit, int] = {}
        if self.ok and self._pays and (cents := _moved_cents(found)) is not None:
            actual[Unit.USD_MICROS] = cents * USD_MICROS_PER_CENT
        identity = found.get("id")
        return Outcome(
            status=self.status,
            ok=self.ok,
            complete=complete,
            charged=charged(self._operation, self.status),
            actual=actual,
            made=(identity[:255],) if isinstance(identity, str) and identity else (),
            holdings=lasting(self._action, found) if self.ok else (),
        )


def _moved_cents(found: Mapping[str, Value]) -> int | None:
    if found.get("currency") != "usd" or found.get("object") not in MOVERS:
        return None
    for name in ("amount_received", "amount_captured", "amount"):
        value = found.get(name)
        if isinstance(value, int) and not isinstance(value, bool) and (value > 0 or name == "amount"):
            return value if 0 <= value < 10**18 else None
    return None


def _shows_numbers(operation: str, form: Mapping[str, Value]) -> bool:
    """Whether a read asks for card or account numbers that are hidden otherwise."""
    if not operation.startswith(("stripe:issuing.cards:", "stripe:v2.money_management.", "stripe:v2.core.vault.")):
        return False
    expand = form.get("include" if operation.startswith("stripe:v2.") else "expand")
    names = expand if isinstance(expand, list) else list(expand.values()) if isinstance(expand, Mapping) else [expand]
    return any(str(name).rsplit(".", 1)[-1] in _CARD_NUMBERS for name in names)


def _names(form: Value) -> Iterator[str]:
    """Every name in a form, however deep."""
    if isinstance(form, Mapping):
        for name, member in form.items():
            yield name
            yield from _names(member)


def _family(request: Request) -> str:
    """The real key goes to Stripe's own hosts only; another host has a credential of its own."""
    return "stripe" if request.host in StripeCodec.hosts else request.host


def _words(resource: str) -> str:
    return resource.replace(".", " ").replace("_", " ")
