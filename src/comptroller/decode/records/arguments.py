"""Options of `aws SERVICE OPERATION` as members of the operation's input."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from botocore import xform_name

from comptroller.core.action import Value
from comptroller.decode.aws import index
from comptroller.decode.aws.model_source import Operation, Shape, members
from comptroller.decode.records.case import Unread
from comptroller.decode.records.fit import squashed
from comptroller.decode.records.shell import Word
from comptroller.decode.records.shorthand import FILE_PREFIXES, Malformed, parse

SERVICES: Mapping[str, str] = {
    "s3api": "s3",
    "configservice": "config",
    "deploy": "codedeploy",
    "runtime.sagemaker": "sagemaker-runtime",
}
"""Services that the command line calls otherwise than botocore does."""

GLOBAL_VALUES = frozenset(
    {"ca-bundle", "cli-binary-format", "cli-connect-timeout", "cli-read-timeout", "color", "endpoint-url", "output"}
    | {"profile", "query", "region"}
)
GLOBAL_FLAGS = frozenset(
    {"cli-auto-prompt", "debug", "no-cli-auto-prompt", "no-cli-pager", "no-paginate", "no-sign-request"}
    | {"no-verify-ssl", "version", "v2"}
)
LOCAL_VALUES = frozenset(
    {"starting-token", "page-size", "max-items", "generate-cli-skeleton", "cli-input-json", "cli-input-yaml"}
)
"""Options of every operation that are no members of its input."""

_CLASHING = ("version", "query", "output", "endpoint", "region", "start", "end")
"""Members that the command line renames, by words before or after, because an option of its own has the name."""

_OTHERWISE: Mapping[str, tuple[str, Value]] = {
    "ec2:reboot": ("NoReboot", False),
    "ec2:ingress": ("Egress", False),
    "ec2:enable-api-termination": ("DisableApiTermination", False),
    "ecs:disable-execute-command": ("enableExecuteCommand", False),
    "ecs:non-interactive": ("interactive", False),
}
"""Flags that say of a member that it is not so."""

_RENAMED: Mapping[str, str] = {
    "emr:cluster-id": "JobFlowId",
    "emr:cluster-ids": "JobFlowIds",
    "ses:from": "Source",
    "rds:add-option-to-option-group:options": "OptionsToInclude",
    "rds:remove-option-from-option-group:options": "OptionsToRemove",
}


_BRACES = re.compile(r"\{[^{}\"',]+(?:,[^{}\"',]+)+\}")
"""`{a,b}`, which a shell makes two words of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Given:
    """One option as it stands: its name without dashes, its words, and whether something of it is not told."""

    name: str
    words: tuple[Word, ...]

    @property
    def text(self) -> str:
        """The value where one is due."""
        return _text(self.words[0]) if self.words else ""

    @property
    def texts(self) -> list[str]:
        """All values."""
        return [_text(word) for word in self.words]


def _text(word: Word) -> str:
    return Unread(word.text) if word.open or word.text.startswith(FILE_PREFIXES) else word.text


@lru_cache(maxsize=1024)
def operations_of(service: str) -> Mapping[str, str]:
    """`describe-instances` -> `DescribeInstances`, and its spelling without hyphens as well."""
    prefix = f"{index.PREFIX}{service}:"
    found: dict[str, str] = {}
    for name in index.load().services[service].classes.values():
        for operation in name.split():
            found[xform_name(operation, "-")] = operation
            found.setdefault(operation.lower(), operation)
    return {name: op for name, op in found.items() if index.classes_of(prefix + op) is not None}


@lru_cache(maxsize=8192)
def options_of(op: Operation) -> Mapping[str, str]:
    """`instance-ids` -> `InstanceIds`, for every member of the input."""
    return {} if op.input is None else {xform_name(name, "-"): name for name in members(op.input)}


def member_for(op: Operation, command: str, option: str) -> tuple[str, Value] | None:
    """The member an option means, and the value it has as a flag; None where it is no member's."""
    if op.input is None:
        return None
    found = _named(op, command, option)
    if found is not None:
        return found, True
    told = _OTHERWISE.get(f"{op.service}:{option}")
    if told is not None and told[0] in members(op.input):
        return told
    if option.startswith("no-"):
        found = _named(op, command, option.removeprefix("no-"))
        if found is not None:
            return found, False
    starts = {member for name, member in options_of(op).items() if name.startswith(option)}
    return (starts.pop(), True) if len(starts) == 1 else None


def _named(op: Operation, command: str, option: str) -> str | None:
    options = options_of(op)
    if option in options:
        return options[option]
    renamed = _RENAMED.get(f"{op.service}:{command}:{option}") or _RENAMED.get(f"{op.service}:{option}")
    if renamed is not None and renamed in members(op.input):
        return renamed
    short = squashed(option)
    for name, member in options.items():
        if squashed(name) == short:
            return member
    words = option.split("-")
    for clash in _CLASHING:
        if clash in (words[-1], words[0]) and clash in options and len(words) > 1:
            return options[clash]
    return None


def value_of(shape: Shape, given: Given, flag: Value) -> Value:
    """The value of an option as the model's shape wants it; `Unread` where nobody can say."""
    kind = shape.type_name
    if kind == "boolean":
        return given.text if given.words else flag
    if not given.words:
        return Unread("") if kind not in ("list", "map") else []
    if kind == "list":
        return _list(shape, given)
    return _complex(shape, given.text) if kind in ("structure", "map") else given.text


def _list(shape: Shape, given: Given) -> Value:
    first = given.texts[0]
    if len(given.words) == 1:
        if isinstance(first, Unread) and first.startswith(FILE_PREFIXES):
            return first
        if first.lstrip().startswith("["):
            return _json(first)
    scalar = shape.member.type_name not in ("structure", "list", "map")
    found: list[Value] = []
    for text in given.texts:
        if not scalar:
            item = _complex(shape.member, text)
            found.extend(item) if isinstance(item, list) else found.append(item)
        elif _BRACES.fullmatch(text) and not isinstance(text, Unread):
            found.extend(text[1:-1].split(","))
        else:
            found.append(text)
    return found


def _complex(shape: Shape, text: str) -> Value:
    """JSON, or shorthand, or the one value of a structure of one member."""
    if isinstance(text, Unread):
        return text
    bare = text.lstrip()
    if bare.startswith(("{", "[")):
        found = _json(text)
        if not isinstance(found, Unread):
            return found
        bare = bare.removeprefix("{").rstrip().removesuffix("}") if bare.startswith("{") else bare
    try:
        return _typed(shape, parse(bare))
    except Malformed:
        if "=" not in text and shape.type_name == "structure" and len(members(shape)) == 1:
            return text
        return Unread(text)


def _typed(shape: Shape, value: Value) -> Value:
    """Shorthand knows text only, and one value for a list of one."""
    if shape.type_name == "structure" and isinstance(value, Mapping) and not shape.is_document_type:
        known = members(shape)
        return {name: _typed(known[name], item) if name in known else item for name, item in value.items()}
    if shape.type_name == "map" and isinstance(value, Mapping):
        return {name: _typed(shape.value, item) for name, item in value.items()}
    if shape.type_name == "list":
        items = value if isinstance(value, list) else [value]
        return [_typed(shape.member, item) for item in items]
    return value


def _json(text: str) -> Value:
    if isinstance(text, Unread):
        return text
    try:
        found: Value = json.loads(text)
    except (ValueError, RecursionError):
        return Unread(text)
    return found


def split_options(words: Sequence[Word]) -> tuple[list[Given], list[Word]]:
    """Options with their values, and the words that belong to none. A value may begin with one dash."""
    found: list[Given] = []
    free: list[Word] = []
    name = ""
    values: list[Word] = []

    def close() -> None:
        if name:
            found.append(Given(name=name, words=tuple(values)))
        else:
            free.extend(values)

    for word in words:
        if word.text.startswith("--") and len(word.text) > 2:
            close()
            head, equals, rest = word.text[2:].partition("=")
            name, values = head, [Word(text=rest, open=word.open)] if equals else []
        else:
            values.append(word)
    close()
    return found, free
