"""`serve` on a disk that is full for a while: the agent reads on, writes nothing, and the log has it all afterwards."""

from __future__ import annotations

import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.test_crash import CONFIG, Provider, Serve

from comptroller.compose import Paths, starter_policies
from comptroller.compose_state import open_log

CALLS_LIMIT = 400
SECONDS_MAX = 30.0
UNLIMITED = resource.RLIM_INFINITY


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "c"
    (folder / "policies").mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    text = CONFIG.format(user=user, port=provider.port, calls=CALLS_LIMIT)
    (folder / "comptroller.yaml").write_text(text + "store_outage_max: 600\n")
    (folder / "policies" / "starter.cedar").write_text(starter_policies())
    return folder / "comptroller.yaml"


def answer(serve: Serve, method: str, path: str) -> tuple[int, str]:
    """Status and text of one request out of the box."""
    with socket.create_connection(("127.0.0.1", serve.port), timeout=20) as connection:
        head = f"{method} {path} HTTP/1.1\r\nhost: api.example.com\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
        connection.sendall(head.encode())
        received = b""
        while part := connection.recv(1 << 16):
            received += part
    return int(received.split()[1]), received.decode("utf-8", "replace")


def fill_disk(serve: Serve, paths: Paths) -> None:
    """No file of `serve` may grow any more, for it alone."""
    limit = (paths.folder / "store.sqlite-wal").stat().st_size
    resource.prlimit(serve.process.pid, resource.RLIMIT_FSIZE, (limit, UNLIMITED))


def free_disk(serve: Serve) -> None:
    resource.prlimit(serve.process.pid, resource.RLIMIT_FSIZE, (UNLIMITED, UNLIMITED))


def entries(paths: Paths, kind: str) -> list[dict[str, Any]]:
    with open_log(paths) as log:
        found = [dict(entry.document) for entry in log.entries(limit=100_000)]
    return [entry["body"] for entry in found if entry["kind"] == kind]


def until_there(paths: Paths, kind: str) -> list[dict[str, Any]]:
    deadline = time.monotonic() + SECONDS_MAX
    while not (found := entries(paths, kind)):
        assert time.monotonic() < deadline, f"no entry {kind}"
        time.sleep(0.05)
    return found


def verified(config: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "comptroller", "audit", "verify"], cwd=config.parent, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_reading_goes_on_while_the_disk_is_full(config: Path, provider: Provider) -> None:
    serve = Serve(config, dict(os.environ))
    paths = serve.paths
    until_there(paths, "share.taken")
    assert answer(serve, "GET", "/before")[0] == 200
    fill_disk(serve, paths)
    answers = [answer(serve, "GET", f"/meanwhile/{n}") for n in range(12)]
    let = [text for status, text in answers if status == 200]
    assert len(let) == CALLS_LIMIT * 2 // 100
    assert all("the share kept for acme/ml/bot/" in text for status, text in answers if status != 200)
    status, text = answer(serve, "POST", "/meanwhile")
    assert status == 403 and "only `read` and `infer`" in text
    assert provider.seen == ["/before", *(f"/meanwhile/{n}" for n in range(len(let)))]
    assert not entries(paths, "store.recovered")
    free_disk(serve)
    (recovered,) = until_there(paths, "store.recovered")
    assert recovered["actions"] == len(let)
    assert answer(serve, "GET", "/after")[0] == 200
    serve.process.terminate()
    serve.process.communicate()
    serve.attach.close()
    allowed = entries(paths, "action.allowed")
    assert [body.get("outage", False) for body in allowed] == [False, *[True] * len(let), False]
    assert len(entries(paths, "action.settled")) == len(let) + 2
    with open_log(paths) as log:
        assert not log.open_reservations()
        (calls,) = [state for state in log.budgets(datetime.now(UTC)) if state.budget.unit == "calls"]
        assert calls.account.settled == len(let) + 2 == calls.account.taken
    verified(config)


def test_killed_while_the_disk_is_full_it_carries_over_at_its_start(config: Path, provider: Provider) -> None:
    serve = Serve(config, dict(os.environ))
    paths = serve.paths
    until_there(paths, "share.taken")
    fill_disk(serve, paths)
    assert [answer(serve, "GET", f"/{n}")[0] for n in range(3)] == [200] * 3
    serve.kill()
    assert paths.journal.stat().st_mode & 0o777 == 0o600
    # Even where the setting is gone by now.
    config.write_text(config.read_text("utf-8").replace("store_outage_max: 600", "store_outage_max: 0"), "utf-8")
    again = Serve(config, dict(os.environ))
    assert [body["outage"] for body in entries(paths, "action.allowed")] == [True] * 3
    (recovered,) = entries(paths, "store.recovered")
    assert recovered["actions"] == 3 and not paths.journal.exists()
    again.kill()
    verified(config)


def test_a_changed_journal_keeps_serve_from_starting(config: Path, provider: Provider) -> None:
    serve = Serve(config, dict(os.environ))
    paths = serve.paths
    until_there(paths, "share.taken")
    fill_disk(serve, paths)
    assert answer(serve, "GET", "/one")[0] == 200
    serve.kill()
    data = paths.journal.read_bytes()
    paths.journal.write_bytes(data.replace(json.dumps("action.allowed").encode(), b'"action.denied" ', 1))
    done = subprocess.run(
        [sys.executable, "-m", "comptroller", "serve", "--config", str(config)], capture_output=True, check=False
    )
    assert done.returncode == 1
    assert b"damaged or changed" in done.stderr and b"moved away" in done.stderr
    paths.journal.rename(paths.journal.with_name("kept"))
    again = Serve(config, dict(os.environ))
    with open_log(paths) as log:
        held = [item for item in log.open_reservations() if item.operation == "comptroller:share" and item.lines]
    assert "suspense" in {item.state.value for item in held}
    again.kill()
