"""`comptroller approvals verify`: does what a passkey signed prove the yes that the log records? Needs no server."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import click

from comptroller.cli.client import config_option, config_path, json_option, print_json
from comptroller.compose_state import open_log
from comptroller.core.audit import PrivateField
from comptroller.core.errors import RefusedError, UsageError, VerificationError
from comptroller.core.strong_yes import Signed, verify_vote
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.place import Paths

CHUNK = 1_000
FILE_BYTES_MAX = 1 << 20
_YES = ("approval.voted", "approval.approved")
_KEYS = ("person.passkey_added", "person.passkey_removed", "person.reset")

Leaf = Mapping[str, Any]


@click.command()
@click.argument("approval", required=False)
@click.option(
    "--entry",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Check this entry alone, as `audit show INDEX --json` prints it, without a log.",
)
@click.option(
    "--enrolment",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Beside --entry: the entry by which the passkey was added.",
)
@json_option
@config_option
def verify(
    approval: str | None, entry: Path | None, enrolment: Path | None, as_json: bool, config: Path | None
) -> None:
    """Check every yes to APPROVAL that a passkey signed: signature, facts, and whose key it is."""
    if (approval is None) == (entry is None):
        raise UsageError("name an approval, or give one entry with --entry FILE")
    found = _in_file(entry, enrolment) if entry is not None else _in_log(str(approval), Paths.of(config_path(config)))
    if as_json:
        print_json(found)
    else:
        for vote in found["votes"]:
            click.echo(_line(vote))
    if not found["verified"]:
        raise RefusedError("this does not prove that a person said yes to it", hint="comptroller audit verify")


def _in_log(name: str, paths: Paths) -> dict[str, Any]:
    """Every yes to the approval in the log, with the entry that says whose its key is."""
    with open_log(paths) as log:
        keys: list[Leaf] = []
        votes: list[tuple[Leaf, list[PrivateField]]] = []
        after, size = -1, log.size()
        while after < size - 1:
            chunk = log.entries(after=after, limit=CHUNK)
            if not chunk:
                break
            for each in chunk:
                if each.document.get("kind") in _KEYS:
                    keys.append(each.document)
                elif each.document.get("kind") in _YES and _named(each.document, name):
                    votes.append((each.document, list(log.private(each.index))))
            after = chunk[-1].index
    if not votes:
        raise RefusedError(f"the log has no yes to `{name}`", hint="comptroller approvals list --state all")
    shown = [_checked(leaf, _committed(leaf, beside), keys) for leaf, beside in votes]
    signed = [vote for vote in shown if vote["signed"]]
    return {"votes": shown, "verified": bool(signed) and all(vote["verified"] for vote in signed)}


def _in_file(entry: Path, enrolment: Path | None) -> dict[str, Any]:
    whole = _read(entry)
    keys = [] if enrolment is None else [_read(enrolment)["entry"]]
    shown = _checked(whole["entry"], whole["private"], keys if enrolment is not None else None)
    return {"votes": [shown], "verified": shown["verified"]}


def _checked(leaf: Leaf, beside: Mapping[str, Any], keys: Iterable[Leaf] | None) -> dict[str, Any]:
    """One yes. `keys` are the entries about passkeys; None where there are none to look at."""
    body = leaf.get("body")
    body = body if isinstance(body, Mapping) else {}
    shown: dict[str, Any] = {
        "entry": leaf.get("index"),
        "person": body.get("by"),
        "signed": body.get("assurance") == "passkey" or "proof" in beside,
        "verified": False,
        "why": "",
    }
    if not shown["signed"]:
        return {**shown, "why": f"not signed by a passkey ({body.get('assurance') or 'unknown'})"}
    try:
        signed = verify_vote(leaf, beside)
        enrolled = None if keys is None else _enrolled(signed, leaf, keys)
    except VerificationError as error:
        return {**shown, "why": error.message}
    return {
        **shown,
        "verified": True,
        "document": dict(signed.document),
        "challenge": signed.challenge,
        "credential": signed.credential,
        "origin": signed.origin,
        "enrolled_in": enrolled,
    }


def _enrolled(signed: Signed, leaf: Leaf, keys: Iterable[Leaf]) -> int:
    """The entry that gave the person this key, which was theirs still. Raises `VerificationError`."""
    found: int | None = None
    for entry in sorted(keys, key=lambda each: int(each["index"])):
        body = entry["body"]
        if int(entry["index"]) >= int(leaf["index"]) or body.get("person") != signed.person:
            continue
        same = body.get("credential") == signed.credential
        match entry["kind"]:
            case "person.passkey_added" if same and body.get("public_key") == signed.public_key:
                found = int(entry["index"])
            case "person.passkey_removed" if same:
                found = None
            case "person.reset":
                found = None
    if found is None:
        raise VerificationError(f"no entry before it says that this passkey was of `{signed.person}`")
    return found


def _committed(leaf: Leaf, beside: Iterable[PrivateField]) -> dict[str, Any]:
    """The values beside a leaf that the leaf commits to."""
    promised = leaf.get("private")
    promised = promised if isinstance(promised, Mapping) else {}
    return {item.name: item.value for item in beside if promised.get(item.name) == item.commitment}


def _named(leaf: Leaf, name: str) -> bool:
    body = leaf.get("body")
    return isinstance(body, Mapping) and body.get("approval") == name


def _read(path: Path) -> dict[str, Any]:
    if path.stat().st_size > FILE_BYTES_MAX:
        raise UsageError(f"`{path}` is too large to be one entry")
    try:
        whole = json.loads(path.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        raise UsageError(f"`{path}` cannot be read", hint="comptroller audit show INDEX --json > FILE") from error
    entry = whole.get("entry") if isinstance(whole, dict) else None
    if (
        not isinstance(entry, dict)
        or not isinstance(whole.get("private"), dict)
        or not isinstance(entry.get("body"), dict)
        or not isinstance(entry.get("index"), int)
    ):
        raise UsageError(f"`{path}` is no entry", hint="comptroller audit show INDEX --json > FILE")
    return dict(whole)


def _line(vote: Mapping[str, Any]) -> str:
    head = f"entry {vote['entry']}: {neutral_name(vote['person'])}"
    if not vote["verified"]:
        return f"{head}: {neutral(vote['why'])}"
    document = vote["document"]
    money = f", {neutral_name(document['amount'])} {neutral_name(document['currency'])}" if document["amount"] else ""
    payee = f" to {neutral(document['payee'])}" if document["payee"] else ""
    key = "not looked up" if vote["enrolled_in"] is None else f"enrolled in entry {vote['enrolled_in']}"
    return f"{head} signed: {neutral(document['sentence'])}{money}{payee} (key {key})"
