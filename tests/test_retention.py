"""Nothing leaves the store that was not archived, is too young or proves the rest; what is left still verifies."""

from __future__ import annotations

import asyncio
import gzip
import json
import os
import random
import shutil
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller import compose_state
from comptroller.cli.audit import audit
from comptroller.core.audit import EntryDraft, EntryKind, PrivateField
from comptroller.core.checkpoint import parse_verifier_key
from comptroller.core.errors import ComptrollerError, MissingError, RefusedError, UsageError, VerificationError
from comptroller.core.retention import EntryClass
from comptroller.engine.archiving import Archivist, Removed
from comptroller.engine.entries import Scribe
from comptroller.engine.hub import Hub
from comptroller.ports import Changes
from comptroller.server.house import House
from comptroller.server.place import Paths
from comptroller.stores import archives
from comptroller.stores.reader import SqliteReader
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing import store_conformance as samples
from test_restore import CONFIG, killed_at, place, running

__all__ = ["place"]

KINDS = [EntryKind.ACTION_ALLOWED, EntryKind.APPROVAL_VOTED, EntryKind.CONFIG_LOADED, EntryKind.BOX_REFUSED]
KINDS += [EntryKind.FIELD_ERASED]
DAYS = {EntryClass.ACTIONS: 200, EntryClass.BOX: 300}
OLD = 400


def cli(*words: str) -> Result:
    return CliRunner().invoke(audit, list(words))


def verified(*words: str) -> dict[str, object]:
    found: dict[str, object] = json.loads(cli("verify", "--json", *words).stdout)
    return found


async def filled(place: Path, ages: list[int], kinds: list[EntryKind]) -> None:
    """A log of entries that are so many days old, then one of today; signed."""
    async with running(place) as installation:
        now = datetime.now(UTC)
        for number, (age, kind) in enumerate(zip(ages, kinds, strict=True)):
            secret = PrivateField(name="purpose", salt=number.to_bytes(16, "big"), value=f"why {number}")
            at = now - timedelta(days=age)
            draft = EntryDraft(kind=kind, at=at, run=f"run-{number % 3}", body={"n": number}, private=(secret,))
            await samples.write(installation.store, Changes(entries=(draft,)))


@pytest.fixture
def old(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation whose first entries are old: two serves' worth of today's lie around them."""
    monkeypatch.setattr(archives, "ARCHIVE_ENTRIES_MAX", 16)
    # Entries of today come first: `before` must lie in the future to archive past them.
    asyncio.run(filled(place, [OLD] * 40, [KINDS[n % len(KINDS)] for n in range(40)]))
    return place


def archived(place: Path, folder: Path) -> list[archives.ArchiveFile]:
    return list(compose_state.make_archives(Paths.of(place), folder, before=datetime.now(UTC) + timedelta(days=1)))


async def removed(place: Path, *files: Path, days: dict[EntryClass, int] | None = None) -> list[Removed]:
    text = ", ".join(f"{each.value}: {term}" for each, term in (days or DAYS).items())
    place.write_text(f"{CONFIG}retention: {{{text}}}\n")
    async with running(place) as installation:
        return [await installation.remove_archived(file, "ann") for file in files]


def rows(place: Path, sql: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(Paths.of(place).store)) as connection:
        return connection.execute(sql).fetchall()


def test_what_is_archived_and_due_goes_and_everything_still_verifies(old: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    kept = tmp_path / "kept.note"
    kept.write_bytes(Paths.of(old).checkpoint.read_bytes())
    files = archived(old, folder)
    assert len(files) == 3 and files[0].first == 0
    assert verified(str(folder))["verified"] is True
    done = asyncio.run(removed(old, *(file.path for file in files)))
    gone = {int(str(row[0])) for row in rows(old, "SELECT idx FROM entries WHERE archived IS NOT NULL")}
    assert sum(item.count for item in done) == len(gone) == 16
    with SqliteReader(Paths.of(old).store) as log:
        here = {entry.index: entry for entry in log.entries(limit=10_000)}
        assert not gone & here.keys()
        for entry in here.values():
            if entry.document["kind"] in ("action.allowed", "box.refused") and entry.index < 43:
                assert str(entry.document["at"]) > "2026-01"
        assert not log.private(min(gone))
        tellers = [e for e in here.values() if e.document["kind"] == "audit.archived"]
    assert len(tellers) == len([item for item in done if item.count])
    report = verified("--checkpoint", str(kept))
    assert report["verified"] is True and report["archived"] == len(gone)
    both = verified("--archive", str(folder), "--checkpoint", str(kept))
    assert both["verified"] is True and both["archived"] == 0
    assert verified(str(folder), "--checkpoint", str(kept))["verified"] is True
    # Readers say where it went.
    index = str(min(gone))
    told = cli("show", index)
    assert isinstance(told.exception, RefusedError) and files[0].path.name in str(told.exception)
    shown = json.loads(cli("show", index, "--archive", str(folder)).stdout)
    assert shown["entry"]["index"] == int(index) and shown["private"]["purpose"].startswith("why")
    assert str(min(gone)) not in [line.split()[0] for line in cli("tail", "-n", "1000").stdout.splitlines()]
    # An export says it too, and proves the rest; so does one of a single run.
    for words in ([], ["--run", "run-1"]):
        assert cli("export", "-o", str(tmp_path / "log.jsonl"), *words).exit_code == 0
        report = verified(str(tmp_path / "log.jsonl"))
        assert report["verified"] is True and int(str(report["archived"])) > 0
    # Nothing more is due, and nothing is said twice.
    again = asyncio.run(removed(old, *(file.path for file in files)))
    assert [item.count for item in again] == [0, 0, 0] and [item.index for item in again] == [None] * 3


def test_a_later_archive_of_what_was_removed_holds_its_hashes(old: Path, tmp_path: Path) -> None:
    asyncio.run(removed(old, *(file.path for file in archived(old, tmp_path / "one"))))
    files = archived(old, tmp_path / "two")
    report = verified(str(tmp_path / "two"))
    assert report["verified"] is True and report["archived"] == 16
    # It lets nothing go that only the first archive holds.
    assert verified("--archive", str(tmp_path / "two"))["verified"] is False
    assert verified("--archive", str(tmp_path / "one"))["verified"] is True
    assert files[-1].end > 40


def test_nothing_young_unarchived_or_changed_goes(old: Path, tmp_path: Path) -> None:
    files = archived(old, tmp_path / "archive")
    with pytest.raises(ComptrollerError, match="180"):
        asyncio.run(removed(old, days={EntryClass.ACTIONS: 179}))
    assert asyncio.run(removed(old, files[0].path, days={EntryClass.ACTIONS: OLD + 2}))[0].count == 0
    assert asyncio.run(removed(old, files[0].path, days={EntryClass.FINDINGS: 180}))[0].count == 0
    for change in ("note", "cut", "bit", "other"):
        wrong = tmp_path / f"{change}.jsonl.gz"
        content = gzip.decompress(files[1].path.read_bytes())
        if change == "note":
            wrong.write_bytes(gzip.compress(content.replace(b'\\"n\\":', b'\\"m\\":', 1)))
        elif change == "cut":
            wrong.write_bytes(files[1].path.read_bytes()[:-200])
        elif change == "bit":
            data = bytearray(files[1].path.read_bytes())
            data[len(data) // 2] ^= 16
            wrong.write_bytes(data)
        else:
            wrong.write_bytes(gzip.compress(b"{}\n"))
        with pytest.raises(VerificationError):
            asyncio.run(removed(old, wrong))
    assert rows(old, "SELECT count(*) FROM entries WHERE archived IS NOT NULL") == [(0,)]

    async def nothing() -> None:
        old.write_text(CONFIG)
        async with running(old) as installation:
            with pytest.raises(UsageError, match="everything stays"):
                await installation.remove_archived(files[0].path, "ann")

    asyncio.run(nothing())


def test_values_that_the_archive_lacks_stay(old: Path, tmp_path: Path) -> None:
    """Whoever takes a private value out of an archive may not make the store forget it."""
    files = archived(old, tmp_path / "archive")
    content = gzip.decompress(files[1].path.read_bytes()).splitlines(keepends=True)
    stripped = [content[0], *(_without_private(line) for line in content[1:-1]), content[-1]]
    (tmp_path / "stripped").write_bytes(gzip.compress(b"".join(stripped)))
    assert asyncio.run(removed(old, tmp_path / "stripped"))[0].count == 0
    assert asyncio.run(removed(old, files[1].path))[0].count > 0

    # What was erased here before may go, and stays provable.
    async def erase() -> None:
        async with running(old) as installation:
            for index in range(32, 43):
                await installation.engine.recorder.erase(index, "purpose", by="ann")

    asyncio.run(erase())
    content = gzip.decompress(files[2].path.read_bytes()).splitlines(keepends=True)
    stripped = [content[0], *(_without_private(line) for line in content[1:-1]), content[-1]]
    files[2].path.write_bytes(gzip.compress(b"".join(stripped)))
    assert asyncio.run(removed(old, files[2].path))[0].count > 0
    assert verified("--archive", str(tmp_path / "archive"))["verified"] is True


def _without_private(line: bytes) -> bytes:
    return json.dumps({**json.loads(line), "private": {}}).encode() + b"\n"


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE entries SET leaf = x'', archived = {teller} WHERE idx = {stays}",
        "UPDATE entries SET leaf = x'', archived = {teller} + 1 WHERE idx = {stays}",
        "UPDATE entries SET leaf = x'' WHERE idx = {stays}",
        "UPDATE entries SET archived = NULL WHERE idx = {gone}",
        "UPDATE entries SET archived = {teller} + 1 WHERE idx = {gone}",
        "DELETE FROM entries WHERE idx = {gone}",
        "UPDATE nodes SET hash = zeroblob(32) WHERE level = 0 AND position = {gone}",
        "UPDATE entries SET leaf = x'', archived = {teller} + 1 WHERE idx = {teller}",
    ],
)
def test_who_removes_more_than_an_entry_says_is_found(old: Path, tmp_path: Path, statement: str) -> None:
    files = archived(old, tmp_path / "archive")
    done = asyncio.run(removed(old, files[0].path))[0]
    gone = rows(old, "SELECT min(idx) FROM entries WHERE archived IS NOT NULL")[0][0]
    stays = rows(old, "SELECT max(idx) FROM entries WHERE archived IS NULL AND idx < 16")[0][0]
    assert verified()["verified"] is True
    with closing(sqlite3.connect(Paths.of(old).store, isolation_level=None)) as connection:
        connection.execute(statement.format(gone=gone, stays=stays, teller=done.index))
    assert verified()["verified"] is False


def test_a_folder_with_a_gap_or_a_cut_file_does_not_verify(old: Path, tmp_path: Path) -> None:
    files = archived(old, tmp_path / "archive")
    for number in range(len(files) - 1):
        broken = tmp_path / f"gap-{number}"
        shutil.copytree(tmp_path / "archive", broken)
        (broken / files[number].path.name).unlink()
        report = verified(str(broken))
        assert report["verified"] is False and "is missing" in str(report["problems"])
    data = files[1].path.read_bytes()
    rng = random.Random(3)
    for length in (0, 10, *(rng.randrange(len(data)) for _ in range(12)), len(data) - 1):
        files[1].path.write_bytes(data[:length])
        assert verified(str(tmp_path / "archive"))["verified"] is False, length


def test_a_killed_removal_is_whole_or_not_at_all_and_a_killed_archive_is_made_again(old: Path, tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    step = 0
    while killed_at(step, lambda: archived(old, folder)):
        if folder.is_dir() and archives.archives_in(folder):
            assert verified(str(folder))["verified"] is True
        step += 1
    files = archives.archives_in(folder)
    assert step > 3 and files[-1].end > 40 and verified(str(folder))["verified"] is True
    saved = tmp_path / "saved"
    shutil.copytree(Paths.of(old).folder, saved)
    for pages in range(0, 30, 3):
        _killed_while_removing(old, files[0].path, pages)
        count = rows(old, "SELECT count(*) FROM entries WHERE archived IS NOT NULL")[0][0]
        told = rows(old, "SELECT count(*) FROM entries WHERE leaf LIKE '%audit.archived%'")[0][0]
        assert (count, told) in ((0, 0), (6, 1)), (count, told)
        asyncio.run(removed(old))
        assert verified("--archive", str(folder))["verified"] is True
        shutil.rmtree(Paths.of(old).folder)
        shutil.copytree(saved, Paths.of(old).folder)


def _killed_while_removing(place: Path, file: Path, statements: int) -> None:
    """A process that removes what `file` lets go, and is killed by SIGKILL inside the store's own statements."""
    child = os.fork()
    if child == 0:
        try:
            asyncio.run(_removing(place, file, statements))
            os._exit(0)
        finally:
            os._exit(3)
    os.waitpid(child, 0)


async def _removing(place: Path, file: Path, statements: int) -> None:
    paths = Paths.of(place)
    key = parse_verifier_key(paths.log_public.read_text())
    store = await SqliteStore.open(paths.store)
    left = statements

    def count(_: str) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            os.kill(os.getpid(), 9)

    connection, _ = store._ready_connection()
    connection.set_trace_callback(count)
    archive, digest = archives.read_file(file, key=key)
    ids = compose_state.SystemIds()
    archivist = Archivist(store=store, clock=compose_state.SystemClock(), scribe=Scribe(ids), hub=Hub())
    await archivist.remove(archive, days=DAYS, name=file.name, sha256=digest, by="ann")
    await store.close()


def test_many_logs_many_terms(place: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever the ages, classes, terms and archives: what went was due and archived, what stayed verifies."""
    monkeypatch.setattr(archives, "ARCHIVE_ENTRIES_MAX", 16)
    rng = random.Random(25)
    for number in range(6):
        shutil.rmtree(Paths.of(place).folder, ignore_errors=True)
        place.write_text(CONFIG)
        count = rng.randrange(1, 50)
        ages, kinds = [rng.randrange(500) for _ in range(count)], [rng.choice(KINDS) for _ in range(count)]
        asyncio.run(filled(place, ages, kinds))
        with SqliteReader(Paths.of(place).store) as log:
            before = {entry.index: entry for entry in log.entries(limit=10_000)}
        files = archived(place, tmp_path / f"archive-{number}")
        days = {each: rng.randrange(180, 450) for each in EntryClass if rng.random() < 0.6} or DAYS
        chosen = rng.sample(files, rng.randrange(1, len(files) + 1))
        asyncio.run(removed(place, *(file.path for file in chosen), days=days))
        with SqliteReader(Paths.of(place).store) as log:
            here = {entry.index for entry in log.entries(limit=10_000)}
        now = datetime.now(UTC)
        for index, entry in before.items():
            in_archive = any(file.first <= index < file.end for file in chosen)
            term = days.get(CLASS_OF.get(str(entry.document["kind"]).split(".")[0]))  # type: ignore[call-overload]
            age = (now - datetime.fromisoformat(str(entry.document["at"]))).days
            assert (index not in here) == (in_archive and term is not None and age >= term), (index, entry.document)
        assert verified()["verified"] is True
        assert verified("--archive", str(tmp_path / f"archive-{number}"))["verified"] is True


CLASS_OF = {
    "action": EntryClass.ACTIONS,
    "approval": EntryClass.APPROVALS,
    "box": EntryClass.BOX,
    **dict.fromkeys(["config", "serve", "budget"], EntryClass.CHANGES),
}


def test_the_command_line_archives_and_asks_the_server_to_remove(old: Path, tmp_path: Path) -> None:
    old.write_text(f"{CONFIG}retention: {{actions: 200}}\n")
    folder = tmp_path / "archive"
    nothing = json.loads(cli("archive", "-o", str(folder), "--json").stdout)
    assert nothing["archived"] == []
    tomorrow = f"{datetime.now(UTC) + timedelta(days=1):%Y-%m-%d}"
    without = cli("archive", "-o", str(folder), "--before", tomorrow, "--prune")
    assert isinstance(without.exception, MissingError) and "is not running" in str(without.exception)
    assert verified(str(folder))["verified"] is True

    async def beside() -> dict[str, object]:
        async with running(old) as installation:
            house = House(
                installation.desk,
                control_socket=installation.paths.control_socket,
                attach_socket=installation.paths.attach_socket,
            )
            await house.start()
            try:
                done = await asyncio.to_thread(cli, "archive", "-o", str(folder), "--prune", "--json")
                with pytest.raises(RefusedError, match="damaged or was cut"):
                    await installation.remove_archived(tmp_path / "p" / "comptroller.yaml", "ann")
            finally:
                await house.close()
        found: dict[str, object] = json.loads(done.stdout)
        return found

    report = asyncio.run(beside())
    removed = report["removed"]
    assert isinstance(removed, list) and sum(each["removed"] for each in removed) == 8
    assert verified("--archive", str(folder))["verified"] is True
