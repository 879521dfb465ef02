"""Writes a first `services/NAME.yaml` out of an OpenAPI document: every operation, each with a class that is proposed
from its method, its words and its members. A person reviews it before it counts."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence

from comptroller.core.action import ActionClass
from comptroller.decode.described.openapi import Api, Member, Published

PROPOSED_SENTENCE_MAX = 100

_WORDS: tuple[tuple[ActionClass, str], ...] = (
    (
        ActionClass.PAY,
        r"pay|payment|payout|transfer|charge|refund|capture|withdraw|withdrawal|deposit|purchase|buy|order|checkout"
        r"|invoice|subscribe|subscription|topup|top-up|disburse|remit|settle|swap|trade|donate|tip|credit|debit|fund"
        r"|bill|spend|redeem|reverse|reversal|payroll",
    ),
    (
        ActionClass.ENTITLE,
        r"invite|invitation|permission|permissions|role|roles|grant|member|members|membership|collaborator|share|sharing"
        r"|access|acl|policy|policies|token|tokens|key|keys|secret|secrets|credential|credentials|password|webhook"
        r"|webhooks|oauth|scope|scopes|admin|owner|user|users|authorize|sso|domain|domains|impersonate|mfa|2fa",
    ),
    (
        ActionClass.DESTROY,
        r"delete|remove|destroy|purge|wipe|erase|void|cancel|revoke|terminate|archive|reset|truncate|drop|close"
        r"|deactivate|unpublish|anonymize|redact",
    ),
    (
        ActionClass.EXECUTE,
        r"exec|execute|run|runs|invoke|trigger|dispatch|deploy|deployment|command|commands|script|job|jobs|eval|build"
        r"|restart|reboot|workflow|function|rollback|query",
    ),
    (
        ActionClass.COMMUNICATE,
        r"send|message|messages|email|emails|mail|sms|notify|notification|notifications|post|publish|comment|comments"
        r"|reply|broadcast|call|calls|tweet|dm|campaign|remind|reminder|announce|fax",
    ),
    (
        ActionClass.PROVISION,
        r"instance|instances|server|servers|cluster|clusters|vm|droplet|volume|provision|launch|database|databases"
        r"|number|numbers|plan|upgrade|scale|resize|seat|seats|license",
    ),
    (
        ActionClass.BLIND,
        r"audit|log|logs|logging|alert|alerts|monitor|monitoring|rule|rules|limit|limits|firewall|protection|guardrail"
        r"|mute|disable|suppress|suppression|bypass|retention",
    ),
)
_REVEALING = re.compile(
    r"token|tokens|key|keys|secret|secrets|credential|credentials|password|passwords|private|decrypt|reveal|export"
    r"|exports|download-key|recovery|seed|mnemonic|pin|otp|login-link|session|cvv|pan",
    re.IGNORECASE,
)
_READING = frozenset(
    {"search", "query", "list", "lookup", "find", "validate", "verify", "preview", "estimate", "quote"}
)
_SPLIT = re.compile(r"[^A-Za-z0-9]+|(?<=[a-z0-9])(?=[A-Z])")
_AMOUNT = re.compile(r"(?i)^(?:amount|value|total|sum|amount_?(?:minor|cents|value|in_?cents)|total_?amount|quantity)$")
_CURRENCY = re.compile(r"(?i)^(?:currency|currency_?code|iso_?currency_?code|amount_?currency)$")
_PAYEE = re.compile(
    r"(?i)^(?:recipient|receiver|payee|destination|to|beneficiary|counterparty|target_?account|account_?id|iban|address"
    r"|customer|customer_?id|payment_?id|merchant_?id|email)$"
)
_TOKEN = re.compile(r"(?i)^(?:idempotency_?key|client_?token|request_?id|client_?request_?id|idempotency_?token)$")
_SECRET = re.compile(
    r"(?i)pass(?:word|code)|secret|token|card|cvc|cvv|iban|account_?number|ssn|tax_?id|private_?key|pin$"
)


def words_of(operation: Published) -> list[str]:
    """The words of path, name and summary, lower case."""
    path = re.sub(r"\{[^}]*\}", " ", operation.path)
    text = f"{path} {operation.name} {operation.summary}"
    return [word.lower() for word in _SPLIT.split(text) if word]


def proposed_classes(operation: Published) -> tuple[ActionClass, ...]:
    """The classes an operation may have; the more dangerous reading wins where words tell nothing certain."""
    method, words = operation.method, words_of(operation)
    if method in ("GET", "HEAD", "OPTIONS"):
        shown = [word for word in words if _REVEALING.fullmatch(word)]
        return (ActionClass.REVEAL,) if shown else (ActionClass.READ,)
    found = [cls for cls, pattern in _WORDS if any(re.fullmatch(pattern, word) for word in words)]
    if method == "DELETE" and ActionClass.DESTROY not in found:
        found.append(ActionClass.DESTROY)
    if method == "POST" and not found and _READING & set(_SPLIT.split(operation.path.lower())[-2:]):
        # It may only look; it may also not. A person says so.
        return (ActionClass.WRITE,)
    if method == "POST" and ActionClass.ENTITLE in found and any(_REVEALING.fullmatch(word) for word in words):
        found.append(ActionClass.REVEAL)
    if ActionClass.EXECUTE in found and words.count("query") and not {"run", "exec", "execute"} & set(words):
        found.remove(ActionClass.EXECUTE)
    return tuple(dict.fromkeys(found)) or (ActionClass.WRITE,)


def proposed_payment(operation: Published) -> dict[str, object]:
    """Where amount, currency and payee may stand; empty where nothing looks like an amount."""
    amounts = _matching(operation.members, _AMOUNT)
    amount = next((m for m in amounts if m.kind in ("integer", "number", "string", "")), None)
    found: dict[str, object] = {}
    payee = next(iter(_matching(operation.members, _PAYEE)), None)
    if payee is not None:
        found["payee"] = payee.place
    currencies = _matching(operation.members, _CURRENCY)
    if amount is None or not currencies:
        return found
    near = [each for each in currencies if _parent(each.place) == _parent(amount.place)]
    minor = amount.kind == "integer" or re.search(r"(?i)minor|cent|smallest", f"{amount.place} {amount.text}")
    unit = "minor" if minor else "major"
    return {"amount": amount.place, "unit": unit, "currency": (near or currencies)[0].place, **found}


def proposed_service(api: Api, *, name: str, source: str, hosts: Sequence[str]) -> str:
    """The text of a description in which everything is a proposal, and `reviewed` is false."""
    return "\n".join(_lines(api, name, source, hosts)) + "\n"


def _lines(api: Api, name: str, source: str, hosts: Sequence[str]) -> Iterator[str]:
    yield f"# {_plain(api.title) or name}: proposed by `comptroller service add`."
    yield "# Every class, amount and payee below is a guess from names. Correct it, then set `reviewed: true`:"
    yield "# until then every call is refused."
    yield "#     comptroller service test " + name
    yield "version: 1"
    yield f"title: {_text(_plain(api.title)[:100] or name)}"
    yield f"source: {_text(source[:300])}"
    yield "reviewed: false"
    yield f"hosts: [{', '.join(_text(host) for host in hosts)}]"
    if api.header:
        encode = ", encode: basic" if api.basic else ""
        yield f"credential: {{header: {_text(api.header)}, prefix: {_text(api.prefix)}{encode}}}"
    else:
        yield '# credential: {header: authorization, prefix: "Bearer "}'
    tokens = sorted({m.place for each in api.operations for m in each.members if _is_token(m)})
    if tokens:
        listed = ", ".join(_text(place) for place in tokens)
        yield f"# idempotency: [{listed}]  # review: switch on what the service itself deduplicates by"
    secrets = sorted({m.place[1:] for each in api.operations for m in each.members if _is_secret(m)})
    if secrets:
        yield f"sensitive: [{', '.join(_text(each) for each in secrets)}]"
    yield "otherwise: unknown"
    yield "operations:"
    for each in api.operations:
        yield from _operation(each)


def _operation(operation: Published) -> Iterator[str]:
    classes = proposed_classes(operation)
    payment = proposed_payment(operation) if ActionClass.PAY in classes else {}
    summary = _plain(operation.summary)[:PROPOSED_SENTENCE_MAX]
    old = " (deprecated)" if operation.deprecated else ""
    yield f"  # review{old}: {summary or 'no summary'}"
    yield f"  {_text(f'{operation.method} {operation.path}')}:"
    yield f"    name: {_text(operation.name)}"
    yield f"    classes: [{', '.join(classes)}]"
    if operation.kinds != ("none",) and operation.kinds != ("json",):
        yield f"    body: [{', '.join(operation.kinds)}]"
    if payment:
        inner = ", ".join(f"{key}: {_text(str(value))}" for key, value in payment.items())
        yield f"    payment: {{{inner}}}  # review: minor units (cents) or major?"


def _matching(members: Sequence[Member], pattern: re.Pattern[str]) -> list[Member]:
    """Members of this name, the least nested first."""
    found = [each for each in members if pattern.match(_last(each.place)) and each.kind not in ("object", "array")]
    return sorted(found, key=lambda each: each.place.count("/"))


def _is_token(member: Member) -> bool:
    return bool(_TOKEN.match(_last(member.place))) and "*" not in member.place and not member.place.startswith("query:")


def _is_secret(member: Member) -> bool:
    return bool(_SECRET.search(_last(member.place))) and member.place.count("/") == 1 and "*" not in member.place


def _last(place: str) -> str:
    return re.split(r"[/:]", place)[-1]


def _parent(place: str) -> str:
    return place.rpartition("/")[0]


def _plain(text: str) -> str:
    return "".join(c if c.isprintable() else " " for c in text).strip()


def _text(text: str) -> str:
    """A YAML scalar that means exactly this text."""
    return (
        text
        if re.fullmatch(r"[A-Za-z][A-Za-z0-9._/-]*", text) and text.lower() not in _YAML_WORDS
        else json.dumps(text)
    )


_YAML_WORDS = frozenset({"true", "false", "yes", "no", "on", "off", "null", "y", "n"})
