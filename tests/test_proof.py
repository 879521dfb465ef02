"""`serve --prove`, as real processes: what serves goes on untouched, and a version that cannot go on says why."""

from __future__ import annotations

import asyncio
import hashlib
import http.client
import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from tests.test_crash import CONFIG, Provider, Serve

from comptroller.compose import starter_policies
from comptroller.compose_state import open_log
from comptroller.core.checkpoint import Checkpoint, sign
from comptroller.ports import Changes
from comptroller.server.place import Paths
from comptroller.stores.backup import SCRATCH_PREFIX
from comptroller.stores.log_key_unsafe import load_log_key, make_log_key
from comptroller.stores.migrations import MIGRATIONS, Migration
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.store_conformance import draft, write

Done = subprocess.CompletedProcess[str]


class Place:
    """An installation in a folder of its own."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        (folder / "c" / "policies").mkdir(parents=True)
        self.environment = {**os.environ, "XDG_STATE_HOME": str(folder / "s")}
        self.config = folder / "c" / "comptroller.yaml"
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.config.write_text(CONFIG.format(user=user, port=provider.port, calls=1000))
        self.policy = folder / "c" / "policies" / "starter.cedar"
        self.policy.write_text(starter_policies())
        self.provider = provider
        self.paths = Paths.of(self.config)

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", "comptroller", "serve", "--prove", "--json", "--config", str(self.config)]

    def prove(self) -> Done:
        return subprocess.run(self.command, env=self.environment, capture_output=True, text=True)

    def scratch(self) -> list[Path]:
        return list(self.paths.folder.glob(f"{SCRATCH_PREFIX}*"))

    def served(self, *, steps: Sequence[Migration] = MIGRATIONS) -> None:
        """The state that a version with these `steps` left: three entries, signed."""
        asyncio.run(_left(self.paths, steps))

    def digests(self) -> dict[str, str]:
        """Of every file of the state, but SQLite's own index of a journal and an empty journal, which readers make."""
        files = {path.name: path.read_bytes() for path in self.paths.folder.rglob("*") if path.is_file()}
        return {
            name: hashlib.sha256(data).hexdigest()
            for name, data in files.items()
            if not name.endswith("-shm") and (data or not name.endswith("-wal"))
        }


def call(port: int, path: str) -> int:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    try:
        connection.request("GET", path, headers={"host": "api.example.com"})
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    provider = Provider()
    yield Place(tmp_path, provider)
    provider.close()


def test_a_proof_disturbs_no_call_of_what_serves(place: Place) -> None:
    serve = Serve(place.config, place.environment)
    try:
        stop = threading.Event()
        answers: list[int] = []

        def work() -> None:
            while not stop.is_set():
                answers.append(call(serve.port, f"/{len(answers)}"))

        working = threading.Thread(target=work)
        working.start()
        done = place.prove()
        stop.set()
        working.join()
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["store_version"] == found["migrated_to"] == len(MIGRATIONS)
        assert answers and set(answers) == {200}
        assert place.provider.seen == [f"/{number}" for number in range(len(answers))]
        assert call(serve.port, "/after") == 200 and serve.process.poll() is None
        with open_log(place.paths) as log:
            kinds = [str(row.document["kind"]) for row in log.entries(limit=1 << 20)]
            assert [run.state for run in log.runs()] == ["active"], "the run was ended on the copy alone"
            assert not log.brakes()
        assert kinds.count("action.allowed") == len(answers) + 1
        assert 0 < found["entries"] < len(kinds)
        assert place.scratch() == []
        freeze = [sys.executable, "-m", "comptroller", "freeze", "acme", "--config", str(place.config)]
        subprocess.run(freeze, env=place.environment, capture_output=True, check=True)
        again = place.prove()
        assert again.returncode == 0, f"what people froze does not stand in the way: {again.stderr}"
    finally:
        serve.kill()


def test_a_version_that_cannot_read_the_policies_leaves_everything_as_it_was(place: Place) -> None:
    serve = Serve(place.config, place.environment)
    try:
        good = place.policy.read_text()
        place.policy.write_text(good + "\nforbid (principal, action, resource) when { no such thing };\n")
        done = place.prove()
        place.policy.write_text(good)
        assert done.returncode == 2 and "starter.cedar" in done.stderr
        assert call(serve.port, "/after") == 200
        assert place.scratch() == []
    finally:
        serve.kill()


def test_what_was_changed_in_the_log_is_found_and_left(place: Place) -> None:
    place.served()
    with closing(sqlite3.connect(place.paths.store)) as connection:
        leaf = bytes(connection.execute("SELECT leaf FROM entries WHERE idx = 1").fetchone()[0])
        assert b"note 1" in leaf
        connection.execute("UPDATE entries SET leaf = ? WHERE idx = 1", (leaf.replace(b"note 1", b"note 7"),))
        connection.commit()
    before = place.digests()
    done = place.prove()
    assert done.returncode == 1 and "does not verify" in done.stderr, done.stderr
    assert place.digests() == before
    assert place.scratch() == []


def test_a_store_of_a_newer_version_is_refused(place: Place) -> None:
    place.served()
    with closing(sqlite3.connect(place.paths.store)) as connection:
        connection.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    before = place.digests()
    done = place.prove()
    assert done.returncode == 2 and "written by a newer Comptroller" in done.stderr
    assert place.digests() == before


def test_an_older_store_is_migrated_on_the_copy_alone(place: Place) -> None:
    place.served(steps=MIGRATIONS[:-1])
    before = place.digests()
    done = place.prove()
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert (found["store_version"], found["migrated_to"]) == (len(MIGRATIONS) - 1, len(MIGRATIONS))
    assert found["entries"] == 3
    assert place.digests() == before


async def _left(paths: Paths, steps: Sequence[Migration]) -> None:
    paths.folder.mkdir(parents=True)
    make_log_key(paths.log_key, paths.log_public, origin="comptroller/test")
    store = await SqliteStore.open(paths.store, migrations=steps)
    await write(store, Changes(entries=tuple(draft(f"note {number}") for number in range(3))))
    here = Checkpoint(origin="comptroller/test", size=3, root=await store.root(3))
    paths.checkpoint.write_bytes(sign(here, load_log_key(paths.log_key)))
    await store.close()


def test_a_proof_that_is_killed_leaves_nothing_that_the_next_does_not_remove(place: Place) -> None:
    place.served()
    before = place.digests()
    proving = subprocess.Popen(
        place.command, env=place.environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    while not place.scratch():
        assert proving.poll() is None
    proving.send_signal(signal.SIGKILL)
    proving.wait()
    assert place.scratch(), "killed with its copy in place"
    assert place.prove().returncode == 0
    assert place.scratch() == []
    assert place.digests() == before


def test_without_a_state_there_is_nothing_to_go_on_with(place: Place) -> None:
    done = place.prove()
    assert done.returncode == 2 and "no state yet" in done.stderr
    assert not place.paths.folder.exists()
