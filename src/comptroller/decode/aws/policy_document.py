"""Reads an AWS policy document: who gains what on which resources. A document nobody can read gives everything."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes

from comptroller.core.action import Value
from comptroller.decode.aws.words import named
from comptroller.decode.jsontext import MalformedJson, parse_json

DOCUMENT_CHARACTERS_MAX = 256 << 10
STATEMENTS_MAX = 500
ITEMS_MAX = 2000
"""Actions, resources and principals of one statement."""
SHOWN_MAX = 3
CLAUSES_SHOWN_MAX = 4

_KEYS = frozenset({"Version", "Id", "Statement"})
_STATEMENT_KEYS = frozenset(
    {"Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition"}
)
_VERSIONS = frozenset({"2012-10-17", "2008-10-17"})
_PRINCIPALS = frozenset({"AWS", "Service", "Federated", "CanonicalUser"})
_ACCOUNT = re.compile(r"(?:arn:aws[a-z-]*:iam::)?([0-9]{12})(?::root)?", re.ASCII)
_ARN = re.compile(r"arn:aws[a-z-]*:(?P<service>[a-z0-9-]+):[^:]*:(?P<account>[0-9]{12}|aws|):(?P<rest>.+)", re.ASCII)
_ADMIN = ("iam:*", "iam:put*", "iam:attach*", "iam:create*", "organizations:*", "sts:*", "sts:assumerole")
_READS = ("get", "list", "describe", "head", "batchget", "query", "scan", "receive", "select")
_DATA = frozenset({"s3", "dynamodb", "sqs", "kinesis", "ecr", "logs"})
"""Services whose actions are told as reading and changing; those of others by their names."""
_VERB = re.compile(r"[a-z*?]+", re.ASCII)
_CHANGES = ("put", "delete", "create", "update", "write", "modify", "restore", "abort", "replicate", "send")


class UnreadableDocument(ValueError):
    """A policy document without a single meaning; the message says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """One statement. `who` is None in a document that is attached to somebody; `not_` marks an inverted element."""

    allows: bool
    who: tuple[str, ...] | None
    not_who: bool
    actions: tuple[str, ...]
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    conditional: bool

    @property
    def anyone(self) -> bool:
        """True where it speaks of everybody in the world, or of everybody but a few."""
        return self.not_who or "*" in (self.who or ())

    @property
    def everything(self) -> bool:
        """True where it speaks of every action on every resource."""
        return (self.not_actions or any(_all(action) for action in self.actions)) and (
            self.not_resources or not self.resources or any(_all(resource) for resource in self.resources)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A whole policy document, in the order it is written."""

    statements: tuple[Statement, ...]

    @property
    def administrator(self) -> bool:
        """True where whoever holds it may do anything at all: read without conditions, the stricter way."""
        return any(one.allows and one.everything for one in self.statements)

    @property
    def anyone(self) -> bool:
        """True where it lets everybody in the world do something."""
        return any(one.allows and one.anyone for one in self.statements)

    @property
    def accounts(self) -> frozenset[str]:
        """Accounts that gain something by name."""
        found: set[str] = set()
        for one in self.statements:
            if one.allows:
                found.update(_account_of(who) for who in one.who or ())
        return frozenset(found - {""})


def read(value: Value) -> Document:
    """A document given as JSON text (URL-encoded as IAM does it, too) or as a mapping. Raises `UnreadableDocument`."""
    if isinstance(value, bytes | bytearray):
        try:
            value = bytes(value).decode("utf-8")
        except UnicodeDecodeError as error:
            raise UnreadableDocument("not UTF-8") from error
    if isinstance(value, str):
        value = _parsed(value)
    if not isinstance(value, Mapping):
        raise UnreadableDocument("not an object")
    if value.keys() - _KEYS or "Statement" not in value:
        raise UnreadableDocument("members that no policy has")
    if value.get("Version", "2008-10-17") not in _VERSIONS:
        raise UnreadableDocument("another version")
    given = value["Statement"]
    statements = [given] if isinstance(given, Mapping) else given
    if not isinstance(statements, Sequence) or isinstance(statements, str | bytes):
        raise UnreadableDocument("statements that are no list")
    if len(statements) > STATEMENTS_MAX:
        raise UnreadableDocument(f"more than {STATEMENTS_MAX} statements")
    return Document(statements=tuple(_statement(one) for one in statements))


def gains(value: Value, holder: str = "") -> str:
    """What a document gives, in plain words: `lets account 123456789012 read bucket x`. Never raises.

    `holder` is who a document without principals is attached to (`role web`).
    """
    try:
        document = read(value)
    except UnreadableDocument as error:
        return f"with a policy that nobody can read ({error}), so it may give anything to anybody"
    full = [one for one in document.statements if one.allows and one.everything and one.who is None]
    if any(not (one.not_actions or one.not_resources or one.conditional) for one in full):
        return f"which makes {holder or 'whoever holds it'} a full administrator"
    clauses = [_clause(one, holder) for one in document.statements if one.allows]
    refused = sum(1 for one in document.statements if not one.allows)
    if not clauses:
        return f"which gives nothing and refuses {_things(refused)}" if refused else "which gives nothing"
    more = len(clauses) - CLAUSES_SHOWN_MAX
    text = "which " + "; ".join(clauses[:CLAUSES_SHOWN_MAX]) + (f"; and {more} more" if more > 0 else "")
    return text + (f"; refuses {_things(refused)}" if refused else "")


def _things(count: int) -> str:
    return "one thing" if count == 1 else f"{count} things"


def _parsed(text: str) -> Value:
    if len(text) > DOCUMENT_CHARACTERS_MAX:
        raise UnreadableDocument(f"over {DOCUMENT_CHARACTERS_MAX} characters")
    try:
        raw = text.encode("utf-8")
        if text.lstrip()[:1] == "%":
            raw = unquote_to_bytes(raw)
        return parse_json(raw)
    except (UnicodeEncodeError, MalformedJson) as error:
        raise UnreadableDocument("no JSON with one meaning") from error


def _statement(given: Value) -> Statement:
    if not isinstance(given, Mapping) or given.keys() - _STATEMENT_KEYS:
        raise UnreadableDocument("a statement with members that none has")
    if given.get("Effect") not in ("Allow", "Deny"):
        raise UnreadableDocument("an effect that is neither Allow nor Deny")
    for name in ("Principal", "Action", "Resource"):
        if name in given and f"Not{name}" in given:
            raise UnreadableDocument(f"{name} beside Not{name}")
    if "Action" not in given and "NotAction" not in given:
        raise UnreadableDocument("a statement without action")
    condition = given.get("Condition")
    if condition is not None and not isinstance(condition, Mapping):
        raise UnreadableDocument("a condition that is no object")
    has_who = "Principal" in given or "NotPrincipal" in given
    return Statement(
        allows=given["Effect"] == "Allow",
        who=_principals(given.get("Principal", given.get("NotPrincipal"))) if has_who else None,
        not_who="NotPrincipal" in given,
        actions=_texts(given.get("Action", given.get("NotAction"))),
        not_actions="NotAction" in given,
        resources=_texts(given.get("Resource", given.get("NotResource", ()))),
        not_resources="NotResource" in given,
        conditional=bool(condition),
    )


def _texts(value: Value) -> tuple[str, ...]:
    items = (value,) if isinstance(value, str) else value
    if not isinstance(items, Sequence) or len(items) > ITEMS_MAX:
        raise UnreadableDocument("neither text nor a short list of texts")
    found = tuple(item for item in items if isinstance(item, str))
    if len(found) != len(items):
        raise UnreadableDocument("a list that holds something else than text")
    return found


def _principals(value: Value) -> tuple[str, ...]:
    if isinstance(value, str):
        if value != "*":
            raise UnreadableDocument("a principal of no kind")
        return ("*",)
    if not isinstance(value, Mapping) or value.keys() - _PRINCIPALS:
        raise UnreadableDocument("a principal of an unknown kind")
    found: list[str] = []
    for kind, given in value.items():
        for one in _texts(given):
            found.append("*" if "*" in one and kind == "AWS" else one)
    return tuple(found)


def _all(pattern: str) -> bool:
    """True for `*`, `*:*` and the like: stars and question marks alone, at least one star on either side."""
    head, colon, tail = pattern.partition(":")
    return all("*" in part and not part.strip("*?") for part in ((head, tail) if colon else (head,)))


def _account_of(who: str) -> str:
    if (fit := _ACCOUNT.fullmatch(who)) is not None:
        return fit[1]
    arn = _ARN.fullmatch(who)
    return arn["account"] if arn is not None and arn["account"].isdigit() else ""


def _clause(one: Statement, holder: str) -> str:
    trust = any(action.lower().startswith("sts:assume") for action in one.actions) and not one.resources
    what = "become it" if trust and not one.not_actions else _what(one)
    where = "" if trust else _where(one)
    condition = " under conditions" if one.conditional else ""
    return f"lets {_who(one, holder)} {what}{where}{condition}"


def _who(one: Statement, holder: str) -> str:
    if one.who is None:
        return holder or "whoever holds it"
    if one.not_who:
        return "anyone but " + _listed([_person(who) for who in one.who])
    return "anyone" if one.anyone else _listed([_person(who) for who in one.who])


def _person(who: str) -> str:
    if (fit := _ACCOUNT.fullmatch(who)) is not None:
        return f"account {fit[1]}"
    arn = _ARN.fullmatch(who)
    if arn is None or not arn["account"].isdigit():
        return named(who)
    kind, _, name = arn["rest"].partition("/")
    return f"{named(kind)} {named(name.rpartition('/')[2] or name)} of account {arn['account']}"


def _what(one: Statement) -> str:
    if one.not_actions:
        good = " (as good as a full administrator)" if one.everything else ""
        return "do everything except " + _listed([named(action) for action in one.actions]) + good
    if any(_all(action) for action in one.actions):
        return "do everything"
    low = [action.lower() for action in one.actions]
    if any(name in _ADMIN for name in low) and any(_all(resource) for resource in one.resources):
        return f"do {_listed([named(action) for action in one.actions])} (as good as a full administrator)"
    services = {name.partition(":")[0] for name in low}
    verbs = [name.partition(":")[2] for name in low]
    if len(services) == 1 and all(verb in ("*", "**") for verb in verbs):
        return f"do everything in {named(next(iter(services)))}"
    plain = services <= _DATA and all(_VERB.fullmatch(verb) for verb in verbs)
    if plain and verbs and all(verb.startswith(_READS) for verb in verbs):
        return (
            "read"
            if one.resources and not _wide(one)
            else f"read ({_listed([named(action) for action in one.actions])})"
        )
    if plain and verbs and all(verb.startswith((*_READS, *_CHANGES)) for verb in verbs) and one.resources:
        reads = any(verb.startswith(_READS) for verb in verbs)
        own = "read and change" if reads else "change"
        return own if not _wide(one) else f"{own} ({_listed([named(action) for action in one.actions])})"
    return "do " + _listed([named(action) for action in one.actions])


def _wide(one: Statement) -> bool:
    return one.not_resources or any(_all(resource) for resource in one.resources)


def _where(one: Statement) -> str:
    if not one.resources:
        return ""
    if one.not_resources:
        return " on everything except " + _listed([_thing(resource) for resource in one.resources])
    if _wide(one):
        return " on everything"
    plain = _what(one) in ("read", "change", "read and change")
    return (" " if plain else " on ") + _listed(list(dict.fromkeys(_thing(resource) for resource in one.resources)))


def _thing(resource: str) -> str:
    arn = _ARN.fullmatch(resource)
    if arn is None or arn["service"] != "s3" or arn["account"]:
        return named(resource)
    bucket, _, key = arn["rest"].partition("/")
    return f"bucket {named(bucket)}" if key in ("", "*") else named(f"{bucket}/{key}")


def _listed(items: Sequence[str]) -> str:
    unique = list(dict.fromkeys(items))
    shown = ", ".join(unique[:SHOWN_MAX]) or "nobody"
    return f"{shown} and {len(unique) - SHOWN_MAX} more" if len(unique) > SHOWN_MAX else shown
