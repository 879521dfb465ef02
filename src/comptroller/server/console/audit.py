"""Audit: search the log, read one entry, prove it in the browser, draw a random sample that anybody can repeat."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import cast
from urllib.parse import urlencode

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core import checkpoint as notes
from comptroller.core import merkle
from comptroller.core.audit import Entry, PrivateField
from comptroller.core.checkpoint import Checkpoint, VerifierKey
from comptroller.core.errors import UsageError, VerificationError
from comptroller.core.jcs import jcs
from comptroller.core.role import Right
from comptroller.core.sample import SAMPLE_MAX, SEED_CHARS_MAX, sampled
from comptroller.core.verification import export_lines
from comptroller.core.walk import Record
from comptroller.server.beside import Sight, sees_all
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.console.reading import Reading
from comptroller.server.log_index import Wanted
from comptroller.server.neutral import neutral_name
from comptroller.server.operations import NotFoundError
from comptroller.server.place import Paths
from comptroller.server.render import entry_json
from comptroller.server.searching import line_of, search
from comptroller.server.words import entry_line

PAGE = Page(name="audit", path="audit", title="Audit", right=Right.READ, order=50, key="u")

TEXT_CHARS_MAX = 200
NAMES_SHOWN_MAX = 60
LEAF_SHOWN_MAX = 40_000
SAMPLE_DEFAULT = 25
SAMPLE_SHOWN_MAX = 100
INDEX_MAX = 2**53 - 1
_FIELDS = ("kind", "agent", "run", "operation", "text", "since", "until", "first", "last")


def routes(console: Console) -> list[Route]:
    """The search, an entry, its proof, and samples."""
    return [
        console.get(PAGE, "", show),
        console.get(PAGE, "sample", sample, right=Right.AUDIT),
        console.get(PAGE, "sample/export", sample_export, right=Right.AUDIT),
        console.get(PAGE, "checkpoint", checkpoint),
        console.get(PAGE, "consistency", consistency),
        console.get(PAGE, "{index:int}", entry),
        console.get(PAGE, "{index:int}/proof", proof),
    ]


# ---------------------------------------------------------------- search


async def show(visit: Visit) -> Response:
    """The search and what it finds."""
    reading = Reading.of(visit.console.desk)
    progress = await reading.catch_up()
    asked = {name: visit.query(name).strip()[:TEXT_CHARS_MAX] for name in _FIELDS}
    complaint = ""
    try:
        wanted = _wanted(asked)
        before = _number(visit.query("before"), "before")
    except UsageError as error:
        complaint, wanted, before = error.message, Wanted(end=0), None
    found = await search(
        visit.console.desk.store,
        reading.index,
        wanted,
        text=asked["text"],
        before=before,
        beside=Sight(visit.console.desk, visit.caller).seen,
    )
    filtered = {name: value for name, value in asked.items() if value}
    return await visit.show(
        "audit",
        {
            "progress": progress,
            "asked": asked,
            "complaint": complaint,
            "lines": found.lines,
            "looked_at": found.looked_at,
            "next": "" if found.before is None else "?" + urlencode({**filtered, "before": found.before}),
            "first_page": "?" + urlencode(filtered) if before is not None else "",
            "kinds": sorted(reading.index.kinds()),
            "agents": sorted(reading.index.names("agent", NAMES_SHOWN_MAX)),
            "operations": sorted(reading.index.names("operation", NAMES_SHOWN_MAX)),
            "signed": await _signed_or_none(visit),
            "archived": progress.archived,
        },
    )


def _wanted(asked: Mapping[str, str]) -> Wanted:
    """What the fields ask for. Raises `UsageError`."""
    last = _number(asked["last"], "last")
    return Wanted(
        kind=asked["kind"],
        agent=asked["agent"],
        run=asked["run"],
        operation=asked["operation"],
        since=_moment(asked["since"], "from"),
        until=_moment(asked["until"], "until"),
        first=_number(asked["first"], "first") or 0,
        end=None if last is None else last + 1,
    )


def _number(text: str, name: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 16 or int(text) > INDEX_MAX:
        raise UsageError(f"`{name}` is not the number of an entry")
    return int(text)


def _moment(text: str, name: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
        moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
        moment.timestamp()
    except (ValueError, OverflowError) as error:
        raise UsageError(f"`{name}` is neither a day nor a moment, as in 2026-11-23 or 2026-11-23T14:00") from error
    return moment


def _may_see(visit: Visit, entry: Entry) -> bool:
    """Whether all that lies beside a leaf is theirs to see."""
    return sees_all(visit.caller, visit.console.desk.config, entry)


# ---------------------------------------------------------------- one entry


async def entry(visit: Visit) -> Response:
    """One entry: in words, as its leaf, with what lies beside it."""
    index = _index(visit)
    found = await visit.console.desk.store.entries_at([index])
    size = await visit.console.desk.store.size()
    if not found:
        if index < size:
            raise NotFoundError(
                f"entry {index} was archived: its hash is here, its leaf is not",
                hint=f"comptroller audit show {index} --archive FOLDER",
            )
        raise NotFoundError(f"there is no entry {index}: the log has {size}")
    item, beside = found[0]
    allowed = _may_see(visit, item)
    committed = item.document.get("private")
    every = sorted(committed) if isinstance(committed, Mapping) else []
    sight = Sight(visit.console.desk, visit.caller)
    shown = await sight.names(item)
    names = [name for name in every if shown is None or name in shown]
    beside = await sight.seen(item, beside)
    here = {field.name: field for field in beside}
    return await visit.show(
        "entry",
        {
            "entry": item,
            "line": line_of(item, beside),
            "leaf": _shown(json.dumps(item.document, indent=2, ensure_ascii=True)),
            "hash": merkle.leaf_hash(item.leaf).hex(),
            "allowed": allowed,
            "beside": [
                (neutral_name(name), _shown(json.dumps(here[name].value, indent=2, ensure_ascii=True))
                 if name in here else None)
                for name in names
            ],
            "hidden": len(every) - len(names),
            "size": size,
            "signed": await _signed_or_none(visit),
            "sure": visit.may(Right.AUDIT) or allowed,
        },
    )  # fmt: skip


def _shown(text: str) -> str:
    """JSON in ASCII: nothing in it can pretend to be anything else."""
    return text if len(text) <= LEAF_SHOWN_MAX else f"{text[:LEAF_SHOWN_MAX]}\n… ({len(text):,} characters)"


def _index(visit: Visit) -> int:
    index = cast(int, visit.request.path_params["index"])
    if index > INDEX_MAX:
        raise NotFoundError("there is no such entry")
    return index


async def proof(visit: Visit) -> Response:
    """All that a browser needs to prove one entry: the leaf's text, the path, the signed checkpoint, our key."""
    desk, index = visit.console.desk, _index(visit)
    note, signed, key = await _signed(visit)
    found = await desk.store.entries_at([index])
    if not found:
        raise NotFoundError(f"entry {index} is not in the store")
    item, beside = found[0]
    if index >= signed.size:
        raise NotFoundError(
            f"entry {index} is newer than the newest checkpoint, which covers {signed.size} entries",
            hint="one is signed every few seconds: try again in a moment",
        )
    path = await desk.store.inclusion(index, signed.size)
    return visit.json(
        {
            "index": index,
            "leaf": item.leaf.decode("utf-8"),
            "proof": [each.hex() for each in path],
            "note": note.decode("utf-8"),
            "key": key.text,
            "private": [_beside_json(field) for field in beside] if _may_see(visit, item) else [],
        }
    )


def _beside_json(field: PrivateField) -> dict[str, str]:
    return {"name": field.name, "salt": field.salt.hex(), "encoded": jcs(field.value).decode("utf-8")}


# ---------------------------------------------------------------- checkpoints


async def checkpoint(visit: Visit) -> Response:
    """The newest signed checkpoint, to keep."""
    note, signed, _ = await _signed(visit)
    headers = {"content-disposition": f'attachment; filename="checkpoint-{signed.size}"'}
    return Response(note, media_type="text/plain; charset=utf-8", headers=headers)


async def consistency(visit: Visit) -> Response:
    """What proves that the log of today goes on from one of `size` entries."""
    note, signed, key = await _signed(visit)
    size = _number(visit.query("size"), "size")
    if size is None:
        raise UsageError("`size` says how many entries the earlier checkpoint covers")
    if size > signed.size:
        raise UsageError(f"the newest checkpoint covers {signed.size} entries, fewer than {size}")
    path = await visit.console.desk.store.consistency(size, signed.size)
    return visit.json(
        {"note": note.decode("utf-8"), "key": key.text, "size": size, "proof": [each.hex() for each in path]}
    )


async def _signed(visit: Visit) -> tuple[bytes, Checkpoint, VerifierKey]:
    """The newest checkpoint, checked against our own public key. Raises `NotFoundError`, `VerificationError`."""
    paths = Paths.of(Path(visit.console.desk.config_path))

    def read() -> tuple[bytes, str]:
        return paths.checkpoint.read_bytes(), paths.log_public.read_text("utf-8")

    try:
        note, text = await asyncio.to_thread(read)
    except OSError as error:
        raise NotFoundError(
            "there is no signed checkpoint yet: nothing vouches for the log",
            hint="comptroller serve signs one when it starts, every few seconds and when it stops",
        ) from error
    key = notes.parse_verifier_key(text)
    return note, notes.verify_any_epoch(note, key), key


async def _signed_or_none(visit: Visit) -> Checkpoint | None:
    try:
        return (await _signed(visit))[1]
    except (NotFoundError, VerificationError):
        return None


# ---------------------------------------------------------------- samples


async def sample(visit: Visit) -> Response:
    """A random sample: drawn from the newest checkpoint's root and a seed that is shown."""
    seed, count = _sample_of(visit)
    _, signed, _ = await _signed(visit)
    indices = sampled(signed.root, seed, size=signed.size, count=count)
    found = await visit.console.desk.store.entries_at(indices[:SAMPLE_SHOWN_MAX])
    return await visit.show(
        "sample",
        {
            "seed": seed,
            "count": count,
            "signed": signed,
            "root": signed.root.hex(),
            "lines": [entry_line(entry_json(item, beside)) for item, beside in found],
            "drawn": len(indices),
            "missing": len(indices[:SAMPLE_SHOWN_MAX]) - len(found),
            "more": max(0, len(indices) - SAMPLE_SHOWN_MAX),
            "query": "?" + urlencode({"seed": seed, "count": count}),
        },
    )


async def sample_export(visit: Visit) -> Response:
    """The sample as an export, each entry with its proof: `comptroller audit verify FILE` checks it."""
    seed, count = _sample_of(visit)
    note, signed, _ = await _signed(visit)
    store = visit.console.desk.store
    indices = sampled(signed.root, seed, size=signed.size, count=count)
    found = await store.entries_at(indices)
    paths: dict[int, Sequence[bytes]] = {
        item.index: await store.inclusion(item.index, signed.size) for item, _ in found
    }
    records = [
        Record(index=item.index, leaf=item.leaf, hash=merkle.leaf_hash(item.leaf), private=beside, archived=None)
        for item, beside in found
    ]
    query = f"random sample: count={count} seed={json.dumps(seed)} root={signed.root.hex()} size={signed.size}"
    if len(found) < len(indices):
        query += f" archived={len(indices) - len(found)}"
    lines = export_lines(records, note=note, signed=signed, query=query, prove=paths.__getitem__)
    headers = {"content-disposition": f'attachment; filename="sample-{signed.size}.jsonl"'}
    return Response(b"".join(lines), media_type="application/jsonl", headers=headers)


def _sample_of(visit: Visit) -> tuple[str, int]:
    """Seed and count; a new seed where none is named. Raises `UsageError`."""
    seed = visit.query("seed").strip()
    count = _number(visit.query("count", str(SAMPLE_DEFAULT)), "count")
    if len(seed) > SEED_CHARS_MAX or not seed.isprintable():
        raise UsageError(f"a seed is at most {SEED_CHARS_MAX} printable characters")
    if count is None or not 1 <= count <= SAMPLE_MAX:
        raise UsageError(f"a sample has 1 to {SAMPLE_MAX} entries")
    return seed or secrets.token_hex(8), count
