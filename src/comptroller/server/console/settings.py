"""Settings: what is in force and where each line of it stands, people, tokens, keys. Nothing is edited here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from itertools import groupby, islice
from pathlib import Path
from platform import python_version
from typing import cast

from starlette.responses import Response
from starlette.routing import Route

from comptroller import __version__
from comptroller.core import checkpoint as notes
from comptroller.core.api_token import token_of
from comptroller.core.audit import LEAF_VERSION
from comptroller.core.document import DocumentKind
from comptroller.core.errors import ComptrollerError
from comptroller.core.role import ROLE_RIGHTS, Right, rights_of
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.console.reading import Reading
from comptroller.server.log_index import Wanted
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.place import CONFIG_NAME, Paths
from comptroller.server.render import Json, time_text
from comptroller.server.searching import search
from comptroller.server.settings_text import Setting, files_of, lines_in_force, settings_of

PAGE = Page(name="settings", path="settings", title="Settings", right=Right.READ, order=90, key="e")

SECTION_ROWS_MAX = 60
SECTIONS_MAX = 30
PEOPLE_SHOWN_MAX = 100
TOKENS_SHOWN_MAX = 100
EDITS_SHOWN_MAX = 8


def routes(console: Console) -> list[Route]:
    """The page."""
    return [console.get(PAGE, "", show)]


async def show(visit: Visit) -> Response:
    """The whole page."""
    desk = visit.console.desk
    path = Path(desk.config_path)
    reading = Reading.of(desk)
    progress = await reading.catch_up()
    lines, files = await asyncio.to_thread(lambda: (lines_in_force(path), files_of(path)))
    settings = settings_of(desk.config, lines)
    edits = await search(desk.store, reading.index, Wanted(kind="config."), lines=EDITS_SHOWN_MAX)
    starts = await search(desk.store, reading.index, Wanted(kind="serve.started"), lines=1)
    return await visit.show(
        "settings",
        {
            "progress": progress,
            "file": CONFIG_NAME,
            "folder": neutral(str(path.parent), chars_max=400),
            "complaint_text": desk.complaint,
            "files": [
                {"name": neutral_name(each.name), "sha256": each.sha256, "at": each.changed_at} for each in files
            ],
            "edits": edits.lines,
            "starts": starts.lines,
            "sections": _sections(settings),
            "people": [_person(visit, name) for name in sorted(desk.config.people)[:PEOPLE_SHOWN_MAX]],
            "people_more": max(0, len(desk.config.people) - PEOPLE_SHOWN_MAX),
            "channels": [_channel(row) for row in cast("Sequence[Json]", desk.notices.status()["channels"])],
            "roles": [(role.value, sorted(ROLE_RIGHTS[role])) for role in ROLE_RIGHTS],
            "tokens": await _tokens(visit),
            "every_token": visit.may(Right.ADMINISTER),
            "keys": await asyncio.to_thread(_keys, path),
            "versions": [
                ("Comptroller", __version__),
                ("Python", python_version()),
                ("entries", f"version {LEAF_VERSION}"),
                ("store", "SQLite, in the state folder" if desk.config.store == "sqlite" else "PostgreSQL"),
            ],
            "pages_known": {page.name for page in visit.console.pages if visit.may(page.right)},
        },
    )


def _channel(row: Json) -> Json:
    """What came of a channel: the newest failure only where nothing went through since."""
    failing = str(row["last_failure_at"]) > str(row["last_sent_at"])
    return {
        "name": neutral_name(str(row["channel"])),
        "kind": row["kind"],
        "sent": row["sent"],
        "last_sent_at": str(row["last_sent_at"])[:19],
        "waiting": row["waiting"],
        "waiting_since": str(row["oldest_waiting_at"])[:19],
        "failed": row["failed"],
        "why": neutral(str(row["why"] or (row["last_failure"] if failing else "")), chars_max=400),
    }


def _sections(settings: list[Setting]) -> list[Json]:
    """By the file's top-level keys: what is written first, defaults after it."""

    def top(row: Setting) -> str:
        return row.path.partition(".")[0]

    ordered = sorted(settings, key=lambda row: (min(_firsts(settings)[top(row)]), top(row)))
    found = []
    for name, rows in islice(groupby(ordered, key=top), SECTIONS_MAX):
        every = list(rows)
        found.append(
            {
                "name": neutral_name(name),
                "rows": [
                    (neutral_name(row.path, chars_max=160), neutral(row.value, chars_max=400), row.line)
                    for row in every[:SECTION_ROWS_MAX]
                ],
                "more": max(0, len(every) - SECTION_ROWS_MAX),
                "written": any(row.line is not None for row in every),
            }
        )
    return found


def _firsts(settings: list[Setting]) -> Mapping[str, list[int]]:
    found: dict[str, list[int]] = {}
    for row in settings:
        found.setdefault(row.path.partition(".")[0], []).append(row.line if row.line is not None else 1 << 30)
    return found


def _person(visit: Visit, name: str) -> Json:
    known = visit.console.desk.config.people[name]
    return {
        "name": neutral_name(name),
        "groups": [neutral_name(group) for group in known.groups],
        "roles": [role.value for role in known.roles],
        "rights": sorted(rights_of(known.roles)),
    }


async def _tokens(visit: Visit) -> list[Json]:
    """Those of everybody for an administrator, else one's own."""
    scope = None if visit.may(Right.ADMINISTER) else visit.caller.person.name
    found: list[Json] = []
    for document in (await visit.console.desk.store.documents(DocumentKind.TOKEN, scope=scope))[-TOKENS_SHOWN_MAX:]:
        token = token_of(document)
        found.append(
            {
                "name": neutral_name(token.name),
                "person": neutral_name(token.person),
                "rights": sorted(right.value for right in token.rights),
                "scopes": [neutral_name(scope) for scope in token.scopes],
                "expires_at": time_text(token.expires_at),
            }
        )
    return found


def _keys(config_path: Path) -> Json:
    """The log's public key and its newest checkpoint."""
    paths = Paths.of(config_path)
    try:
        text = paths.log_public.read_text("utf-8")
        signed = notes.verify_any_epoch(paths.checkpoint.read_bytes(), notes.parse_verifier_key(text))
    except (OSError, ComptrollerError):
        return {"origin": "", "key": "", "size": 0}
    return {
        "origin": neutral_name(signed.origin),
        "key": neutral_name(text.strip(), chars_max=400),
        "size": signed.size,
    }
