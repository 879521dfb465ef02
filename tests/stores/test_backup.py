"""Backups hold one moment, are proven when they are made and when they are read, and replace an older one last."""

from __future__ import annotations

import asyncio
import hashlib
import io
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tarfile
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from comptroller.core import checkpoint as notes
from comptroller.core.audit import PrivateField
from comptroller.core.checkpoint import Checkpoint, parse_verifier_key, sign
from comptroller.core.errors import RefusedError, StoreError, VerificationError
from comptroller.core.estimate import Unit
from comptroller.ports import Changes, Wants
from comptroller.server.place import Paths
from comptroller.stores import backup as backups
from comptroller.stores.backup import Backup, Manifest, make_backup, unpack
from comptroller.stores.log_key_unsafe import load_log_key, make_log_key
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.store_conformance import budget, dispatching, draft, write

ORIGIN = "comptroller/test"
CALLS = 400


@pytest.fixture
def paths(tmp_path: Path) -> Paths:
    """A state folder with a store of a few entries and a signed checkpoint."""
    paths = Paths(tmp_path / "state")
    paths.folder.mkdir()
    make_log_key(paths.log_key, paths.log_public, origin=ORIGIN)
    asyncio.run(fill(paths, 5))
    paths.applied_budgets.write_text("stamp")
    return paths


async def fill(paths: Paths, count: int) -> None:
    store = await SqliteStore.open(paths.store)
    for n in range(count):
        secret = PrivateField(name="purpose", salt=bytes([n]) * 16, value=f"why {n}")
        await write(store, Changes(entries=(draft(f"note {n}", private=(secret,)),), budgets=(budget(limit=10**9),)))
    await signed(paths, store)
    await store.close()


async def signed(paths: Paths, store: SqliteStore) -> None:
    size = await store.size()
    here = Checkpoint(origin=ORIGIN, size=size, root=await store.root(size))
    paths.checkpoint.write_bytes(sign(here, load_log_key(paths.log_key)))


def made(paths: Paths, output: Path, *, with_keys: bool = False) -> Backup:
    key = load_log_key(paths.log_key)
    at = datetime.now(UTC).isoformat()
    return make_backup(paths.folder, output, key=key, made_at=at, program="test", with_keys=with_keys)


def read(file: Path, target: Path) -> Manifest:
    target.mkdir()
    return unpack(file, target, key=None)[0]


def members(file: Path) -> dict[str, bytes]:
    with tarfile.open(file) as packed:
        return {entry.name: packed.extractfile(entry).read() for entry in packed}  # type: ignore[union-attr]


def packed(file: Path, parts: dict[str, bytes]) -> Path:
    with tarfile.open(file, "w:gz") as target:
        for name, data in parts.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            target.addfile(entry, io.BytesIO(data))
    return file


def test_the_names_are_those_of_the_state_folder() -> None:
    paths = Paths(Path("x"))
    names = {path.name for path in (paths.store, paths.log_public, paths.checkpoint)}
    assert names == {backups.STORE, backups.PUBLIC, backups.CHECKPOINT}
    assert set(backups.BESIDE) == {path.name for path in (paths.applied_budgets, paths.prices, paths.applied_prices)}
    assert set(backups.KEYS) == {path.name for path in (paths.log_key, paths.ca_key, paths.ca_pem)}


def test_a_backup_holds_what_it_says_and_no_key_that_was_not_asked_for(paths: Paths, tmp_path: Path) -> None:
    plain, full = made(paths, tmp_path / "b.tar.gz"), made(paths, tmp_path / "k.tar.gz", with_keys=True)
    assert set(members(plain.path)) == {"log.pub", "manifest", "checkpoint", "store.sqlite", "budgets.applied"}
    assert "log.key" in members(full.path) and full.manifest.with_keys and not plain.manifest.with_keys
    assert plain.path.stat().st_mode & 0o777 == 0o600
    secret = paths.log_key.read_bytes().splitlines()[1]
    assert not any(secret in data for data in members(plain.path).values())
    assert read(plain.path, tmp_path / "out").head.size == 5
    assert (tmp_path / "out" / "budgets.applied").read_text() == "stamp"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


async def test_a_backup_in_a_storm_of_commits_is_one_moment(paths: Paths, tmp_path: Path) -> None:
    store = await SqliteStore.open(paths.store)
    done = asyncio.Event()

    async def storm(worker: int) -> None:
        number = 0
        while not done.is_set():
            number += 1
            decide = dispatching(worker * 1_000_000 + number, {Unit.CALLS: 1})
            await store.commit(Wants(now=datetime.now(UTC), scopes=("acme",)), decide)

    workers = [asyncio.create_task(storm(worker)) for worker in range(8)]
    sizes = []
    for number in range(4):
        await signed(paths, store)
        backup = await asyncio.to_thread(made, paths, tmp_path / f"{number}.tar.gz")
        sizes.append(backup.manifest.head.size)
        await asyncio.to_thread(read, backup.path, tmp_path / str(number))
        with closing(sqlite3.connect(tmp_path / str(number) / "store.sqlite")) as copy:
            held = copy.execute("SELECT sum(dispatched) FROM accounts").fetchone()[0] or 0
            open_ = copy.execute("SELECT count(*) FROM reservations").fetchone()[0]
            entries = copy.execute("SELECT count(*) FROM entries").fetchone()[0]
        assert held == open_ == entries - 5 and entries == backup.manifest.head.size
    done.set()
    await asyncio.gather(*workers)
    await store.close()
    assert sizes == sorted(set(sizes)) and sizes[-1] > sizes[0]


def test_no_changed_backup_is_read(paths: Paths, tmp_path: Path) -> None:
    file = made(paths, tmp_path / "b.tar.gz", with_keys=True).path
    parts = members(file)
    rng = random.Random(7)

    def refused(name: str, changed: dict[str, bytes]) -> None:
        target = tmp_path / f"t-{name}"
        with pytest.raises(VerificationError):
            read(packed(tmp_path / f"{name}.tar.gz", changed), target)

    for name, data in parts.items():
        place = rng.randrange(len(data))
        refused(f"bit-{name}", {**parts, name: data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]})
        refused(f"cut-{name}", {**parts, name: data[:-1]})
        refused(f"longer-{name}", {**parts, name: data + b"\n"})
        refused(f"without-{name}", {other: parts[other] for other in parts if other != name})
    refused("more", {**parts, "../../escape": b"x"})
    refused("order", dict(reversed(parts.items())))
    assert not (tmp_path.parent / "escape").exists()
    # The owner of an account cannot give themselves money back, not even with a fitting manifest of their own.
    store = tmp_path / "changed.sqlite"
    store.write_bytes(parts["store.sqlite"])
    with closing(sqlite3.connect(store)) as connection:
        connection.execute("UPDATE budgets SET amount = 999")
        connection.commit()
    manifest = Manifest.of(notes.verify_text(parts["manifest"], _signer(paths)))
    files = {**manifest.files, "store.sqlite": (store.stat().st_size, backups.sha256_of(store))}
    text = replace(manifest, files=files).text()
    forged = notes.sign_text(text, name=backups.backup_name(ORIGIN), private_key=Ed25519PrivateKey.generate())
    refused("forged", {**parts, "store.sqlite": store.read_bytes(), "manifest": forged})
    # Nor does another thing that the key signed pass for a manifest.
    refused("checkpoint", {**parts, "manifest": parts["checkpoint"]})


def _signer(paths: Paths) -> notes.VerifierKey:
    key = parse_verifier_key(paths.log_public.read_text())
    return notes.VerifierKey(origin=backups.backup_name(key.origin), key=key.key)


def test_a_cut_backup_is_refused_unless_everything_is_there(paths: Paths, tmp_path: Path) -> None:
    file = made(paths, tmp_path / "b.tar.gz").path
    data, parts = file.read_bytes(), members(file)
    rng = random.Random(11)
    refused = 0
    for number, length in enumerate([0, 1, 10, *(rng.randrange(len(data)) for _ in range(40)), len(data) - 9]):
        (tmp_path / "cut").write_bytes(data[:length])
        out = tmp_path / f"out-{number}"
        try:
            read(tmp_path / "cut", out)
        except (VerificationError, StoreError):
            refused += 1
        else:
            # Only the end mark of the archive was cut.
            assert {path.name: path.read_bytes() for path in out.iterdir()} == {
                name: content for name, content in parts.items() if name != "manifest"
            }
    assert refused >= 40
    (tmp_path / "cut").write_bytes(rng.randbytes(5000))
    with pytest.raises(VerificationError):
        read(tmp_path / "cut", tmp_path / "noise")


def test_a_changed_log_is_not_backed_up(paths: Paths, tmp_path: Path) -> None:
    with closing(sqlite3.connect(paths.store, isolation_level=None)) as connection:
        connection.execute("DELETE FROM entries WHERE idx = 2")
    with pytest.raises(VerificationError, match="entry 2"):
        made(paths, tmp_path / "b.tar.gz")
    assert not (tmp_path / "b.tar.gz").exists()
    paths.checkpoint.unlink()
    with pytest.raises(RefusedError, match="nothing vouches"):
        made(paths, tmp_path / "b.tar.gz")


# ---------------------------------------------------------------- kill -9 and a full disk

CHILD = """
import os, resource, signal, sys
from pathlib import Path
from comptroller import compose_state
from comptroller.core.errors import ComptrollerError
from comptroller.server.place import Paths
folder, output, mode, number = sys.argv[1:]
if mode == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(number), int(number)))
try:
    compose_state.make_backup(Paths(Path(folder)), Path(output), with_keys=False)
except ComptrollerError as error:
    print(error)
    sys.exit(1)
"""


def test_a_full_disk_leaves_the_older_backup(paths: Paths, tmp_path: Path) -> None:
    output = tmp_path / "there" / "b.tar.gz"
    older = made(paths, output).path.read_bytes()
    store_bytes = paths.store.stat().st_size
    for limit in (1, 4096, store_bytes // 2, store_bytes - 1):
        done = subprocess.run(
            [sys.executable, "-c", CHILD, str(paths.folder), str(output), "full", str(limit)],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 1, (limit, done.stdout, done.stderr)
        assert done.stdout.strip() and "Traceback" not in done.stderr
        assert output.read_bytes() == older
        assert [path.name for path in output.parent.iterdir()] == ["b.tar.gz"]


STEPS = ("open", "fsync", "rename", "replace", "unlink", "rmdir")


def killed_at(step: int, work: Callable[[], object]) -> bool:
    """Run `work` in a process that kills itself at its `step`th file operation; True where it was killed."""
    child = os.fork()
    if child == 0:
        left = step

        def counted(name: str) -> None:
            real = getattr(os, name)

            def change(*arguments: object, **options: object) -> object:
                nonlocal left
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                return real(*arguments, **options)

            setattr(os, name, change)

        try:
            for name in STEPS:
                counted(name)
            work()
            os._exit(0)
        finally:
            os._exit(3)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0, status
    return os.WIFSIGNALED(status)


def test_a_killed_backup_leaves_the_older_or_the_newer_one(paths: Paths, tmp_path: Path) -> None:
    output = tmp_path / "there" / "b.tar.gz"
    made(paths, output)
    seen = set()
    step = 0
    while killed_at(step, lambda: made(paths, output)):
        digest = hashlib.sha256(output.read_bytes()).hexdigest()
        seen.add(digest)
        assert read(output, tmp_path / f"out-{step}").head.size == 5
        step += 1
    assert step > 10 and len(seen) >= 2
    # What killed ones left is private, and the next one removes it.
    assert [path.name for path in output.parent.iterdir()] == ["b.tar.gz"]
