"""Ethereum-style JSON-RPC on the wire: reads are reads, a signed transaction is what it pays and calls."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from comptroller.core.action import PARTS_MAX, Action, ActionClass, Call, Value
from comptroller.core.estimate import Outcome
from comptroller.core.request import Header, NativeResponse, Outgoing, Request, Unencodable
from comptroller.core.verdict import Verdict
from comptroller.decode.answer import JsonAnswer
from comptroller.decode.codec import Classes
from comptroller.decode.ethereum.methods import METHODS, classes_of
from comptroller.decode.ethereum.transaction import Moved, read_transaction
from comptroller.decode.http import content_type_of, refusal_code, refuse_upgrade
from comptroller.decode.jsontext import MalformedJson, dump_json, parse_json
from comptroller.decode.shape import (
    JSON_TYPE,
    Undecodable,
    native_headers,
    payload_bytes,
    plain_header,
    same_endpoint,
    undecodable,
)
from comptroller.decode.target import AmbiguousTarget, parse_target

BATCH_MAX = 100
ID_CHARACTERS_MAX = 256
HASH_CHARACTERS_MAX = 128
UNAUTHORIZED = 4100
"""EIP-1193: the requested method has not been authorized by the user."""
RAW = frozenset({"eth_sendRawTransaction", "eth_sendRawTransactionSync", "eth_sendPrivateRawTransaction"})
"""Methods whose first parameter is a signed transaction."""
NEVER_RAN = ("insufficient funds", "nonce too low", "intrinsic gas too low", "underpriced", "exceeds block gas limit")
"""By these words of a refusal a node says that a transaction was not taken in."""

_PREFIX = "ethereum:"


class EthereumCodec:
    """`ethereum:eth_sendRawTransaction` and the rest; a batch is the sum of its calls. Providers are told by host."""

    name = "ethereum"
    hosts = frozenset(
        {"*.infura.io", "*.g.alchemy.com", "*.quiknode.pro", "*.chainstacklabs.com", "rpc.ankr.com"}
        | {"cloudflare-eth.com", "*.llamarpc.com", "*.publicnode.com", "*.drpc.org"}
        | {"mainnet.base.org", "sepolia.base.org", "mainnet.optimism.io", "arb1.arbitrum.io", "forno.celo.org"}
    )

    def known(self) -> Mapping[str, Classes]:
        """Every method with a name here."""
        return {_PREFIX + method: classes for method, classes in METHODS.items()}

    def decode(self, request: Request) -> Action:
        """What the request would do; a reason where nobody can say. Never raises."""
        try:
            return self._decode(request)
        except (Undecodable, AmbiguousTarget, MalformedJson) as error:
            return undecodable(
                request, service=self.name, operation=f"{_PREFIX}unknown", family=request.host, reason=str(error)
            )

    def _decode(self, request: Request) -> Action:
        refuse_upgrade(request)
        target = parse_target(request.target)
        if request.method != "POST" or request.stream is not None:
            raise Undecodable("JSON-RPC is a POST with a body of known length")
        if content_type_of(request) != JSON_TYPE:
            raise Undecodable("the body is not declared as JSON")
        document = parse_json(request.body)
        if isinstance(document, Mapping):
            return self._action(request, target.text, _call(document))
        calls = document if isinstance(document, Sequence) and not isinstance(document, str | bytes) else ()
        if not 1 <= len(calls) <= min(BATCH_MAX, PARTS_MAX):
            raise Undecodable(f"a batch has 1 to {BATCH_MAX} calls")
        parts = tuple(self._action(request, target.text, _call(item)) for item in calls)
        classes = frozenset(cls for part in parts for cls in part.classes)
        payments = [part for part in parts if ActionClass.PAY in part.classes]
        return Action(
            operation=f"{_PREFIX}batch",
            service=self.name,
            classes=classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(request.host, ""),
            resources=tuple(dict.fromkeys(name for part in parts for name in part.resources))[:64],
            quantity=len(parts),
            parameters={"@target": target.text, "@batch": [part.parameters for part in parts]},
            payment=payments[0].payment if len(payments) == 1 else None,
            sensitive=frozenset({"@target"}),
            parts=parts,
            reason=next((part.reason for part in parts if part.reason), ""),
            call=Call(attempt=request.attempt, payload_bytes=payload_bytes(request)),
        )

    def _action(self, request: Request, target: str, call: tuple[str, Value]) -> Action:
        method, params = call
        classes = classes_of(method)
        parameters: dict[str, Value] = {"@target": target, "method": method, "params": params}
        moved: Moved | None = None
        if method in RAW:
            first = params[0] if isinstance(params, Sequence) and params and not isinstance(params, str) else None
            moved = read_transaction(first)
            classes = classes | moved.classes
            parameters["@transaction"] = dict(moved.shown)
            parameters["@fee_max"] = moved.fee
            parameters["@coin"] = moved.coin
        return Action(
            operation=_PREFIX + method,
            service=self.name,
            classes=classes,
            endpoint=request.endpoint,
            agent=request.agent,
            run=request.run,
            account=request.accounts.get(request.host, ""),
            region=f"chain {moved.chain}" if moved and moved.chain else "",
            resources=(moved.to,) if moved and moved.to else (),
            parameters=parameters,
            payment=moved.payment if moved else None,
            sensitive=frozenset({"@target", "params"}) if classes != _READ else frozenset({"@target"}),
            call=Call(
                # The chain itself takes one signed transaction once, whoever sends it how often.
                idempotency={"transaction": moved.hash} if moved else {},
                attempt=request.attempt,
                payload_bytes=payload_bytes(request),
            ),
        )

    def encode(self, action: Action, request: Request) -> Outgoing:
        """The calls anew, with the ids the caller gave them."""
        same_endpoint(action, request)
        ids = _ids(request)
        batch = action.parameters.get("@batch")
        calls = batch if isinstance(batch, list) else [action.parameters]
        if len(ids) != len(calls):
            raise Unencodable("the calls are not the ones that were judged")
        documents = [
            {"jsonrpc": "2.0", "id": number, "method": call["method"], "params": call["params"]}
            for number, call in zip(ids, calls, strict=True)
        ]
        return Outgoing(
            method="POST",
            scheme=request.scheme,
            host=request.host,
            port=request.port,
            target=str(action.parameters["@target"]),
            headers=(
                Header("content-type", JSON_TYPE),
                Header("accept", JSON_TYPE),
                Header("accept-encoding", "identity"),
                *((Header("user-agent", agent),) if (agent := plain_header(request, "user-agent")) else ()),
            ),
            body=dump_json(documents if isinstance(batch, list) else documents[0]),
            family=request.host,
        )

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """403 with a JSON-RPC error, one per call of a batch."""
        said = message.encode("utf-8", "replace").decode("utf-8")
        error = {"code": UNAUTHORIZED, "message": said, "data": {"code": refusal_code(verdict)}}
        try:
            ids = _ids(request)
        except Unencodable:
            ids = [None]
        documents = [{"jsonrpc": "2.0", "id": number, "error": error} for number in ids]
        payload = dump_json(documents if request.body.lstrip()[:1] == b"[" else documents[0])
        return NativeResponse(status=403, headers=native_headers(JSON_TYPE, payload, message), body=payload)

    def meter(self, action: Action) -> RpcMeter:
        """Reads whether the node took it."""
        return RpcMeter(action)

    def sentence(self, action: Action) -> str:
        """`send 1.5 eth to 0x…`."""
        if action.undecodable and not action.parts:
            return f"call {action.endpoint} in a way that cannot be read: {action.reason}"
        if action.parts:
            told = "; ".join(self.sentence(part) for part in action.parts[:3] if part.classes != _READ)
            return f"{len(action.parts)} calls to {action.endpoint}" + (f": {told}" if told else " that read")
        method = action.operation.removeprefix(_PREFIX)
        shown = action.parameters.get("@transaction")
        if not isinstance(shown, Mapping):
            return f"{method} at {action.endpoint}"
        return f"{_told(action, shown)}, gas up to {_decimal(action.parameters.get('@fee_max'), 18)} {_coin(action)}"


class RpcMeter(JsonAnswer):
    """Reads a JSON-RPC answer: a refusal that names why proves that nothing was moved."""

    def __init__(self, action: Action) -> None:
        super().__init__(wanted=not action.parts)
        self._pays = ActionClass.PAY in action.classes

    def finish(self, *, complete: bool) -> Outcome:
        """What the answer proved. Never raises."""
        ok, charged = self.ok, None
        made: tuple[str, ...] = ()
        if complete:
            answer = self.members()
            error, result = answer.get("error"), answer.get("result")
            if isinstance(error, Mapping):
                text = str(error.get("message", "")).lower()
                ok, charged = False, False if any(words in text for words in NEVER_RAN) else None
            elif self._pays and isinstance(result, str):
                made = (result[:HASH_CHARACTERS_MAX],)
        return Outcome(status=self.status, ok=ok, complete=complete, charged=charged, made=made)


_READ = frozenset({ActionClass.READ})


def _call(document: Value) -> tuple[str, Value]:
    """Method and parameters of one call. Raises `Undecodable`."""
    if not isinstance(document, Mapping) or document.keys() - {"jsonrpc", "id", "method", "params"}:
        raise Undecodable("a call has members other than jsonrpc, id, method and params")
    method, params = document.get("method"), document.get("params", [])
    if document.get("jsonrpc") != "2.0" or not isinstance(method, str) or not method.isascii():
        raise Undecodable("a call is not JSON-RPC 2.0")
    if not isinstance(params, list | dict):
        raise Undecodable("a call's parameters are neither a list nor an object")
    if not _is_id(document.get("id")):
        raise Undecodable("a call has an id that is neither text nor a number")
    if method not in METHODS:
        raise Undecodable("a method that nobody here knows")
    return method, params


def _is_id(value: Value) -> bool:
    if isinstance(value, bool):
        return False
    return value is None or isinstance(value, int) or (isinstance(value, str) and len(value) <= ID_CHARACTERS_MAX)


def _ids(request: Request) -> list[Value]:
    try:
        document = parse_json(request.body)
    except MalformedJson as error:
        raise Unencodable("the body cannot be read again") from error
    items = document if isinstance(document, list) else [document]
    found = [item.get("id") if isinstance(item, Mapping) else None for item in items]
    return [number if _is_id(number) else None for number in found[:BATCH_MAX]]


def _told(action: Action, shown: Mapping[str, Value]) -> str:
    payment, does = action.payment, shown.get("call")
    entitles = ActionClass.ENTITLE in action.classes
    if payment is not None:
        amount = _decimal(payment.amount_minor, _decimals(payment.currency))
        verb = "let" if entitles else "send"
        return f"{verb} {payment.payee} spend {amount} {payment.currency}" if entitles else (
            f"{verb} {amount} {payment.currency} to {payment.payee}"
        )  # fmt: skip
    if entitles and shown.get("payee"):
        return f"let {shown['payee']} spend any amount of token {shown.get('token')}"
    if shown.get("payee"):
        return f"{does} of {shown.get('amount')} of token {shown.get('token')} to {shown['payee']}"
    sent = _decimal(shown.get("value"), 18)
    return f"{does} at {shown.get('to') or 'a new address'} with {sent} {_coin(action)}"


def _coin(action: Action) -> str:
    return str(action.parameters.get("@coin") or "of its coin")


def _decimals(currency: str) -> int:
    return 6 if currency in ("usdc", "usdt") else 18


def _decimal(amount: Value, decimals: int) -> str:
    """Smallest units as people write them: 1500000000000000000 -> `1.5`."""
    number = amount if isinstance(amount, int) else 0
    text = format(Decimal(number).scaleb(-decimals), "f")
    return (text.rstrip("0").rstrip(".") if "." in text else text) or "0"
