"""A shell command line with `aws` in it as the calls it makes. No file is read and no variable looked up."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cache

from botocore import xform_name

from comptroller.core.action import Value
from comptroller.decode.aws import index
from comptroller.decode.aws.model_source import Operation, members, operation, waited_operation
from comptroller.decode.records import composed
from comptroller.decode.records.arguments import (
    GLOBAL_FLAGS,
    GLOBAL_VALUES,
    LOCAL_VALUES,
    SERVICES,
    Given,
    member_for,
    operations_of,
    split_options,
    value_of,
)
from comptroller.decode.records.case import EVERYTHING, Told, Unread
from comptroller.decode.records.composed import Line, Made, Unclear
from comptroller.decode.records.fit import Fit, squashed
from comptroller.decode.records.shell import Command, Word, commands
from comptroller.decode.records.simplified import comfort

PROGRAM = "aws"
PROGRAMS = frozenset({PROGRAM, "aws.exe", "aws.cmd", "aws2"})
WRAPPERS = frozenset(
    {"sudo", "env", "time", "nohup", "exec", "command", "nice", "timeout", "watch", "xargs", "parallel", "unbuffer"}
)
"""Programs that run the command which follows them."""
SHELLS = frozenset({"bash", "sh", "zsh", "dash", "ksh", "eval"})
SHELL_DEPTH_MAX = 4


_PLAIN_URL = re.compile(r"(https?)://([A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?)(?:/[^\\@]*)?", re.IGNORECASE)


class NotRead(ValueError):
    """A command whose effect nobody can tell; the message says why."""


def told_by(text: str, depth: int = 0, *, more: bool = False) -> tuple[list[Told], list[str]]:
    """The calls of every `aws` command in a text, and the other programs it runs. Raises `NotRead` and `TooLarge`.

    With `more`, each of the commands may have further arguments that are not told."""
    found: list[Told] = []
    others: list[str] = []
    seen = False
    found_commands = commands(text)
    for position, whole in enumerate(found_commands):
        if _goes_on(whole):
            continue
        # A line that begins with an option is the rest of the one before, whose mark of continuation got lost.
        lost = position + 1 < len(found_commands) and _goes_on(found_commands[position + 1])
        command = _unwrapped(whole, more=more or lost)
        name = _base(command.words[0])
        if command.words[0].open:
            raise NotRead("which program is run stands in a variable")
        if name in SHELLS:
            if depth >= SHELL_DEPTH_MAX:
                raise NotRead(f"shells in shells, deeper than {SHELL_DEPTH_MAX}")
            inner, beside = told_by(_script(command), depth + 1, more=command.open)
            found += inner
            others += beside
        elif name in PROGRAMS:
            found += _calls(command)
        else:
            others.append(name)
            continue
        seen = True
    if not seen:
        raise NotRead("there is no `aws` command in it")
    return found, others


def _goes_on(command: Command) -> bool:
    return command.words[0].text.startswith("--")


def _base(word: Word) -> str:
    return word.text.rpartition("/")[2]


def _script(command: Command) -> str:
    """What `bash -c TEXT` and `eval TEXT` run. Raises `NotRead` where that is not told."""
    words = command.words
    name = _base(words[0])
    given: tuple[Word, ...] = ()
    if name == "eval":
        given = words[1:]
    for position, word in enumerate(words[1:-1], 1):
        if name != "eval" and not word.text.startswith("--") and word.text.startswith("-") and word.text.endswith("c"):
            given = words[position + 1 : position + 2]
            break
    if not given or any(word.open for word in given):
        raise NotRead(f"what `{name}` runs is not told")
    return " ".join(word.text for word in given)


def _unwrapped(command: Command, *, more: bool) -> Command:
    """The `aws` command or shell inside `sudo`, `xargs` and the like; else the command itself."""
    name = _base(command.words[0])
    open_end = command.open or more or name in ("xargs", "parallel")
    words = command.words
    if name in WRAPPERS:
        for position, word in enumerate(words[1:], 1):
            if _base(word) in PROGRAMS | SHELLS:
                words = words[position:]
                break
            if word.text.startswith(f"{PROGRAM} "):
                words = (Word(text="eval"), *words[position:])
                break
    return Command(words=words, environment=command.environment, open=open_end)


def _calls(command: Command) -> list[Told]:
    """The calls of one `aws` command; none where it is local. Raises `NotRead`."""
    options, words, settings = _globals(command)
    if "version" in settings or not words or words[-1].text == "help" or words[0].text == "help":
        return []
    if words[0].open or (len(words) > 1 and words[1].open):
        raise NotRead("which command it is stands in a variable")
    service = words[0].text
    name = words[1].text if len(words) > 1 else ""
    if any(given.name == "generate-cli-skeleton" for given in options):
        return []
    line = Line(options={given.name: given for given in options}, words=tuple(words[2:]))
    botocore_name = SERVICES.get(service, service)
    known = operations_of(botocore_name) if botocore_name in index.load().services else {}
    api = _operation(service, name, known)
    try:
        made = composed.calls(service, name, line) if api is None or (service, name) in _OVERRIDDEN else None
    except Unclear as unclear:
        raise NotRead(f"`aws {service} {name}`: {unclear}") from unclear
    if made is not None:
        return [_told(call, settings, command) for call in made]
    if name == "wait":
        waiter = words[2].text if len(words) > 2 else ""
        api = waited_operation(botocore_name, waiter)
        line = Line(options=line.options, words=line.words[1:])
    if api is None:
        raise NotRead(f"`aws {service} {name}` is no command that is known")
    return [_one(operation(botocore_name, api), name, options, line.words, settings, command)]


_OVERRIDDEN = frozenset({("emr", "describe-cluster"), ("emr", "add-instance-groups"), ("logs", "start-live-tail")})
"""Commands with the name of an operation that make other calls as well."""

_GROUP_OPTIONS: Mapping[tuple[str, str], str] = {
    ("rds", "add-option-to-option-group"): "ModifyOptionGroup",
    ("rds", "remove-option-from-option-group"): "ModifyOptionGroup",
    ("socialmessaging", "delete-whatsapp-media-message"): "DeleteWhatsAppMessageMedia",
}


def _operation(service: str, name: str, known: Mapping[str, str]) -> str | None:
    return known.get(name) or _GROUP_OPTIONS.get((service, name)) or known.get(squashed(name))


def _globals(command: Command) -> tuple[list[Given], list[Word], dict[str, Given]]:
    """Options of the operation, the words that are none, and the global options: those stand anywhere."""
    own: list[Word] = []
    settings: dict[str, Given] = {}
    words = list(command.words[1:])
    at = 0
    while at < len(words):
        word = words[at]
        name, equals, rest = word.text.removeprefix("--").partition("=")
        at += 1
        if not word.text.startswith("--"):
            own.append(word)
        elif name in GLOBAL_FLAGS and not (name == "version" and own):
            settings[name] = Given(name=name, words=())
        elif name in GLOBAL_VALUES:
            values = [Word(text=rest, open=word.open)] if equals else words[at : at + 1]
            at += 0 if equals else 1
            settings[name] = Given(name=name, words=tuple(values))
        else:
            own.append(word)
    free: list[Word] = []
    while own and not own[0].text.startswith("--"):
        free.append(own.pop(0))
    options, none = split_options(own)
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION"):
        if name in command.environment:
            settings.setdefault("region", Given(name="region", words=(command.environment[name],)))
    for name in sorted(command.environment):
        if name.startswith("AWS_ENDPOINT_URL"):
            settings.setdefault("endpoint-url", Given(name="endpoint-url", words=(command.environment[name],)))
    return options, [*free, *none], settings


def _one(
    op: Operation,
    command_name: str,
    options: Sequence[Given],
    words: Sequence[Word],
    settings: Mapping[str, Given],
    command: Command,
) -> Told:
    """One operation with its options."""
    raw: dict[str, Value] = {}
    unread: set[str] = set()
    for given in options:
        if given.name in LOCAL_VALUES:
            _input(given, raw, unread)
            continue
        member = member_for(op, command_name, given.name)
        put = comfort(op.service, op.name, given.name)
        if put is not None and (member is None or given.name not in _plain_names(op)):
            put(given, raw)
        elif member is not None:
            shape = members(op.input)[member[0]]
            words_of = () if shape.type_name == "boolean" and not _says_so(given) else given.words
            raw[member[0]] = value_of(shape, Given(name=given.name, words=words_of), member[1])
            if shape.type_name not in ("list", "boolean") and len(words_of) > 1 and not op.model.has_streaming_output:
                unread.add(member[0])
        else:
            unread.add(EVERYTHING)
    if command.open:
        unread.add(EVERYTHING)
    return _fitted(op, raw, unread, settings)


@cache
def _plain_names(op: Operation) -> frozenset[str]:
    return frozenset() if op.input is None else frozenset(xform_name(name, "-") for name in members(op.input))


def _says_so(given: Given) -> bool:
    """Whether a flag is followed by its own value (`--flag true`) rather than by a stray word."""
    return len(given.words) == 1 and given.words[0].text.lower() in ("true", "false")


def _input(given: Given, raw: dict[str, Value], unread: set[str]) -> None:
    """`--cli-input-json`: what is written out is read, what lies in a file may be anything."""
    if not given.name.startswith("cli-input"):
        return
    found = None if isinstance(given.text, Unread) else composed.json_options(given.text)
    if found is None:
        unread.add(EVERYTHING)
        return
    for name, value in found.items():
        raw.setdefault(name, value)


def _fitted(op: Operation, raw: Mapping[str, Value], unread: set[str], settings: Mapping[str, Given]) -> Told:
    fit = Fit()
    parameters = fit.parameters(op.input, raw)
    region = settings["region"].text if "region" in settings else ""
    return Told(
        service=op.service,
        operation=op.name,
        parameters=parameters,
        region="" if isinstance(region, Unread) else region,
        unread=frozenset(unread | fit.unread),
        endpoint=_endpoint(settings),
    )


def _endpoint(settings: Mapping[str, Given]) -> str:
    """The host of `--endpoint-url` with its port, empty where none is set; `unknown` for anything but a plain one."""
    given = settings.get("endpoint-url")
    if given is None:
        return ""
    plain = _PLAIN_URL.fullmatch(given.text)
    if plain is None or isinstance(given.text, Unread):
        return "unknown"
    return (f"http://{plain[2]}" if plain[1].lower() == "http" else plain[2]).lower()


def _told(call: Made, settings: Mapping[str, Given], command: Command) -> Told:
    op = operation(call.service, call.operation)
    unread = set(call.unread) | ({EVERYTHING} if command.open else set())
    return _fitted(op, call.parameters, unread, settings)
