"""`kill -9` of a real `serve` while its messages wait: the next one delivers them, once each and with the same id."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from tests.notify.notify_kit import KEY, Receiver
from tests.test_crash import CONFIG, Provider, Serve

from comptroller.compose import starter_policies

ROOT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 60.0


@pytest.fixture
def provider() -> Iterator[Provider]:
    made = Provider()
    yield made
    made.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    made = Receiver()
    yield made
    made.close()


@pytest.fixture
def config(tmp_path: Path, provider: Provider, receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "c"
    (folder / "policies").mkdir(parents=True)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    monkeypatch.setenv("HOOK_KEY", KEY)
    user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
    notify = {
        "channels": {
            "desk": {"kind": "webhook", "url": receiver.url, "secret": {"source": "env", "variable": "HOOK_KEY"}}
        },
        "routes": [{"channels": ["desk"], "events": ["frozen", "thawed"]}],
    }
    text = CONFIG.format(user=user, port=provider.port, calls=100)
    (folder / "comptroller.yaml").write_text(f"{text}notify: {json.dumps(notify)}\n")
    (folder / "policies" / "starter.cedar").write_text(starter_policies())
    return folder / "comptroller.yaml"


def comptroller(config: Path, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "comptroller", *words, "--config", str(config)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def status(config: Path) -> dict[str, Any]:
    (row,) = json.loads(comptroller(config, "notify", "status", "--json"))["channels"]
    return dict(row)


def until(true: Any) -> None:
    deadline = time.monotonic() + SECONDS_MAX
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_killed_serve_loses_no_message(config: Path, receiver: Receiver) -> None:
    receiver.status = 503
    serve = Serve(config, dict(os.environ))
    comptroller(config, "freeze", serve.run, "--reason", "look at it")
    until(lambda: receiver.seen)
    until(lambda: status(config)["retrying"])
    serve.kill()
    first = receiver.seen[0].headers["webhook-id"]
    receiver.seen.clear()
    receiver.status = 200
    again = Serve(config, dict(os.environ))
    until(lambda: status(config)["sent"] == 1)
    comptroller(config, "freeze", again.run)
    comptroller(config, "thaw", again.run)
    until(lambda: status(config)["sent"] == 3)
    assert "desk took the test message" in comptroller(config, "notify", "test", "desk")
    again.kill()
    told = {each.headers["webhook-id"] for each in receiver.seen}
    assert first in told and len(told) == 4
    assert [body["event"] for body in receiver.bodies] == ["frozen", "frozen", "thawed", "message"]
    assert "look at it" in receiver.bodies[0]["title"]
    check_what_was_sent(receiver)


def check_what_was_sent(receiver: Receiver) -> None:
    """The example and the schema of the documentation hold for every request."""
    page = (ROOT / "docs" / "notify.md").read_text("utf-8")
    (example,) = re.findall(r"^```python\n(.*?)^```", page, re.MULTILINE | re.DOTALL)
    known: dict[str, Any] = {}
    exec(example, known)
    verify = known["verify"]
    schema = json.loads((ROOT / "docs" / "webhook.schema.json").read_text("utf-8"))
    for request in receiver.seen:
        jsonschema.validate(json.loads(request.body), schema)
        headers = dict(request.headers)
        assert verify(KEY, headers, request.body)
        assert not verify(KEY, headers, request.body + b" ")
        assert not verify("whsec_" + base64.b64encode(b"x" * 32).decode(), headers, request.body)
        old = {**headers, "webhook-timestamp": str(int(time.time()) - 301)}
        signed = f"{old['webhook-id']}.{old['webhook-timestamp']}.".encode() + request.body
        key = base64.b64decode(KEY.removeprefix("whsec_"))
        mac = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
        assert not verify(KEY, {**old, "webhook-signature": f"v1,{mac}"}, request.body)
