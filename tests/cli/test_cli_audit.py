"""`comptroller audit` on a real installation's files, without any server."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller.cli.audit import audit
from comptroller.compose import Paths
from comptroller.compose_state import installation_origin, make_keys
from comptroller.core.audit import PrivateField
from comptroller.core.checkpoint import Checkpoint, sign
from comptroller.core.errors import ComptrollerError, MissingError, RefusedError, VerificationError
from comptroller.ports import Changes
from comptroller.stores.log_key_unsafe import load_log_key
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.store_conformance import draft, write

COUNT = 12


@pytest.fixture
def paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Paths:
    """An installation with a log of 12 entries over two runs, and a signed checkpoint."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "comptroller.yaml").write_text("version: 1\norganization: acme\n")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    paths = Paths.of(folder / "comptroller.yaml")
    make_keys(paths)
    asyncio.run(fill(paths, range(COUNT)))
    return paths


async def fill(paths: Paths, numbers: Sequence[int]) -> None:
    """Append entries and sign the log as `serve` does."""
    store = await SqliteStore.open(paths.store)
    for n in numbers:
        secret = PrivateField(name="purpose", salt=bytes([n]) * 16, value=f"why {n}")
        await write(store, Changes(entries=(draft(f"note {n} \x1b[31m\u202e", run=f"run-{n % 2}", private=(secret,)),)))
    size = await store.size()
    here = Checkpoint(origin=installation_origin(paths), size=size, root=await store.root(size))
    paths.checkpoint.write_bytes(sign(here, load_log_key(paths.log_key)))
    await store.close()


def run(*arguments: str) -> Result:
    return CliRunner().invoke(audit, list(arguments))


def tamper(paths: Paths, *statements: str) -> None:
    with closing(sqlite3.connect(paths.store, isolation_level=None)) as connection:
        for statement in statements:
            connection.execute(statement)


def verified(*arguments: str) -> dict[str, object]:
    """The JSON of `verify`, checked against the exit code."""
    result = run("verify", "--json", *arguments)
    report = json.loads(result.stdout)
    assert result.exit_code == (0 if report["verified"] else 1)
    return report


def test_tail_and_show(paths: Paths) -> None:
    lines = run("tail", "-n", "3").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["9", "10", "11"] and "note 11" in lines[2]
    assert not any(character in "\x1b\u202e" for line in lines for character in line)
    found = [json.loads(line) for line in run("tail", "--run", "run-1", "--json").stdout.splitlines()]
    assert [entry["index"] for entry in found] == [1, 3, 5, 7, 9, 11]
    shown = json.loads(run("show", "4", "--json").stdout)
    assert shown["entry"]["index"] == 4 and shown["private"] == {"purpose": "why 4"} and shown["erased"] == []
    assert json.loads(run("show", "4").stdout) == shown
    missing = run("show", "99")
    assert isinstance(missing.exception, RefusedError) and "12" in str(missing.exception)


def test_an_untouched_log_verifies(paths: Paths, tmp_path: Path) -> None:
    earlier = tmp_path / "kept"
    earlier.write_bytes(paths.checkpoint.read_bytes())
    asyncio.run(fill(paths, range(COUNT, COUNT + 5)))
    report = verified("--checkpoint", str(earlier))
    assert report["verified"] and report["entries"] == 17 and report["earlier_size"] == COUNT
    paths.checkpoint.write_bytes(earlier.read_bytes())
    result = run("verify")
    assert result.exit_code == 0 and "5 newer entries are not covered" in result.stdout
    tamper(paths, "DELETE FROM private WHERE entry = 3")
    assert verified()["withheld"] == 1


@pytest.mark.parametrize(
    ("statements", "first_bad"),
    [
        (["UPDATE entries SET leaf = replace(CAST(leaf AS TEXT), 'note 5', 'note 6') WHERE idx = 5"], None),
        (["UPDATE entries SET leaf = CAST(replace(CAST(leaf AS TEXT), 'note 5', 'note 6') AS BLOB) WHERE idx = 5"], 5),
        (["DELETE FROM entries WHERE idx = 7"], 7),
        (["DELETE FROM entries WHERE idx >= 9", "DELETE FROM nodes WHERE level = 0 AND position >= 9"], 9),
        (["UPDATE private SET value = '\"another\"' WHERE entry = 2"], 2),
        (["UPDATE private SET value = '{' WHERE entry = 2"], 2),
        (
            [
                "UPDATE entries SET idx = 100 WHERE idx = 3",
                "UPDATE entries SET idx = 3 WHERE idx = 4",
                "UPDATE entries SET idx = 4 WHERE idx = 100",
            ],
            3,
        ),
    ],
)
def test_tampering_with_the_store_is_found_and_named(
    paths: Paths, statements: list[str], first_bad: int | None
) -> None:
    if first_bad is None:
        with pytest.raises(sqlite3.Error):
            tamper(paths, *statements)
        return
    tamper(paths, *statements)
    report = verified()
    assert not report["verified"] and report["first_bad"] == first_bad
    result = run("verify")
    assert result.exit_code == 1 and f"the first bad entry is {first_bad}" in result.stderr


def test_a_full_rewrite_needs_and_fails_the_checkpoint(paths: Paths) -> None:
    """Leaf, hashes and root all made anew: only the signature tells."""
    paths.store.unlink()
    kept = paths.checkpoint.read_bytes()
    asyncio.run(fill(paths, range(1, COUNT + 1)))
    paths.checkpoint.write_bytes(kept)
    report = verified()
    assert not report["verified"] and "do not hash to the root" in json.dumps(report["problems"])
    assert isinstance(run("export").exception, VerificationError)
    paths.checkpoint.unlink()
    missing = run("verify")
    assert isinstance(missing.exception, VerificationError) and "no signed checkpoint" in str(missing.exception)
    assert not verified()["verified"]


@pytest.mark.parametrize("arguments", [[], ["--run", "run-1"], ["--without-private"]])
def test_an_export_verifies_elsewhere_with_the_public_key_alone(
    paths: Paths, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    earlier = tmp_path / "kept"
    earlier.write_bytes(paths.checkpoint.read_bytes())
    asyncio.run(fill(paths, range(COUNT, COUNT + 5)))
    file, key = tmp_path / "export.jsonl", tmp_path / "log.pub"
    done = run("export", "-o", str(file), "--checkpoint", str(earlier), "--json", *arguments)
    assert done.exit_code == 0, done.exception
    count = 8 if "--run" in arguments else 17
    assert json.loads(done.stdout)["entries"] == count
    assert run("export", "--checkpoint", str(earlier), *arguments).stdout_bytes == file.read_bytes()
    key.write_bytes(paths.log_public.read_bytes())
    # Elsewhere: no configuration, no store.
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "nothing"))
    for given in (str(key), key.read_text().strip()):
        report = verified(str(file), "--public-key", given, "--checkpoint", str(earlier))
        assert report["verified"] and report["entries"] == count and report["earlier_size"] == COUNT
        assert report["withheld"] == (count if "--without-private" in arguments else 0)
    assert run("verify", str(file), "--public-key", str(key)).exit_code == 0
    lines = file.read_bytes().splitlines(keepends=True)
    file.write_bytes(b"".join(line.replace(b"note 7", b"note 8") for line in lines))
    assert verified(str(file), "--public-key", str(key))["first_bad"] == 7
    file.write_bytes(b"".join(lines[:-1]))
    assert not verified(str(file), "--public-key", str(key))["verified"]


def test_what_cannot_be_read_says_so(paths: Paths, tmp_path: Path) -> None:
    def failing(*arguments: str) -> ComptrollerError:
        error = run(*arguments).exception
        assert isinstance(error, ComptrollerError) and error.message, (arguments, error)
        return error

    assert failing("verify", str(tmp_path / "nowhere")).exit_code == 2
    assert isinstance(failing("verify", "--checkpoint", str(tmp_path / "nowhere")), MissingError)
    assert isinstance(failing("verify", "--public-key", str(tmp_path / "nowhere")), MissingError)
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\xff\xfe garbage")
    for arguments in (["--checkpoint", str(garbage)], ["--public-key", str(garbage)], [str(garbage)]):
        assert failing("verify", *arguments).exit_code == 1
    assert failing("export", "-o", str(tmp_path / "nowhere" / "file")).exit_code == 2
    here = Checkpoint(origin=installation_origin(paths), size=COUNT, root=bytes(32))
    larger = tmp_path / "larger"
    larger.write_bytes(sign(replace(here, size=COUNT + 1), load_log_key(paths.log_key)))
    assert "covers 13" in failing("export", "--checkpoint", str(larger)).message
    assert verified("--checkpoint", str(larger))["first_bad"] == COUNT
    paths.store.unlink()
    assert "no store" in failing("tail").message
