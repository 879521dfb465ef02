"""`kill -9` of `serve` with a question in every state: nothing is lost, asked twice or released twice."""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.test_crash import Provider, Serve

from comptroller.compose import starter_policies

SEED = 20261123
CONFIG = """
version: 1
organization: acme
teams: {{ml: {{}}}}
people: {{{user}: {{groups: [approvers]}}, other: {{groups: [approvers]}}}}
agents:
  bot:
    team: ml
    owner: {user}
    purpose: survive a crash
    hosts: ["*.example.com"]
budgets:
  - {{scope: acme, unit: calls, limit: 1000}}
  - {{scope: acme, unit: usd, limit: 1}}
upstreams: {{"*.example.com": "http://127.0.0.1:{port}"}}
"""
RULE = """
@id("{name}")
@outcome("approval")
@approvers("Group::approvers")
{annotations}
@expires("2h")
forbid (principal, action in Comptroller::Action::"destroy", resource)
when {{ context.host == "{name}.example.com" }}
unless {{ context.grants.contains("{name}") }};
"""
POLICIES = (
    starter_policies()
    + RULE.format(name="two", annotations='@quorum("2")')
    + RULE.format(name="late", annotations='@delay("1h")')
    + RULE.format(name="soon", annotations='@delay("1s")')
)


class Place:
    """An installation whose `serve` is killed and started again; the run goes on as the same one."""

    def __init__(self, folder: Path, provider: Provider) -> None:
        self.folder = folder / "c"
        (self.folder / "policies").mkdir(parents=True)
        self.environment = {**os.environ, "XDG_STATE_HOME": str(folder / "s")}
        self.config = self.folder / "comptroller.yaml"
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.config.write_text(CONFIG.format(user=user, port=provider.port))
        (self.folder / "policies" / "starter.cedar").write_text(POLICIES)
        self.provider = provider
        self.serve = Serve(self.config, self.environment)

    def restart(self) -> None:
        run = self.serve.run
        self.serve.kill()
        self.serve = Serve(self.config, self.environment, resume=run)
        assert self.serve.run == run

    def delete(self, host: str, path: str) -> tuple[int, str]:
        """Status, and the approval that the refusal names."""
        connection = http.client.HTTPConnection("127.0.0.1", self.serve.port, timeout=20)
        connection.request("DELETE", path, headers={"host": f"{host}.example.com"})
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer.status, answer.getheader("x-comptroller-approval") or ""

    def ask(self, host: str, path: str) -> str:
        status, approval = self.delete(host, path)
        assert status == 403 and approval, (status, approval)
        return approval

    def cli(self, *arguments: str) -> Any:
        done = subprocess.run(
            [sys.executable, "-m", "comptroller", "approvals", *arguments, "--json"],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def shown(self, *approvals: str) -> list[Any]:
        """Everything a person sees of each, but what is counted afresh."""
        found = [self.cli("show", approval) for approval in approvals]
        return [{name: value for name, value in each.items() if name != "budget_after"} for each in found]

    def seen(self) -> Counter[str]:
        return Counter(self.provider.seen)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    provider = Provider()
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    made = Place(tmp_path, provider)
    yield made
    made.serve.kill()
    provider.close()


@pytest.mark.timeout(200)
def test_a_question_in_every_state_outlives_a_kill(place: Place) -> None:
    pending, voted, late = place.ask("one", "/pending"), place.ask("two", "/voted"), place.ask("late", "/late")
    approved, used, soon = place.ask("one", "/approved"), place.ask("one", "/used"), place.ask("soon", "/soon")
    rejected, withdrawn = place.ask("one", "/rejected"), place.ask("one", "/withdrawn")
    assert place.cli("approve", voted)["progress"] == "1 of 2 from approvers"
    assert place.cli("approve", late)["delayed"] is True
    for name in (approved, used, soon):
        assert place.cli("approve", name)["state"] == "approved"
    place.cli("reject", rejected, "--comment", "never this one")
    place.cli("withdraw", withdrawn)
    assert place.delete("one", "/used") == (200, "")
    names = (pending, voted, late, approved, used, rejected, withdrawn)
    before = place.shown(*names)

    place.restart()
    assert place.shown(*names) == before
    assert place.delete("one", "/pending") == (403, pending), "nobody is asked twice"
    assert place.delete("two", "/voted") == (403, voted)
    assert place.delete("late", "/late") == (403, late), "a yes that waits is still waiting"
    assert place.delete("one", "/rejected") == (403, ""), "a no is still a no"
    assert place.delete("one", "/withdrawn")[1] not in ("", withdrawn), "what was taken back is asked anew"
    assert place.delete("one", "/approved") == (200, "")
    again = place.ask("one", "/approved")
    assert again != approved and place.ask("one", "/used") != used, "a used yes releases nothing more"

    place.restart()
    assert place.delete("one", "/approved") == (403, again)
    assert place.cli("revoke", late)["approvals"][0]["grant"] == "revoked"
    assert place.delete("late", "/late")[0] == 403
    deadline = time.monotonic() + 30
    while (done := place.delete("soon", "/soon"))[0] != 200:
        assert done == (403, soon) and time.monotonic() < deadline
    assert place.seen() == {"/used": 1, "/approved": 1, "/soon": 1}


@pytest.mark.timeout(200)
def test_a_kill_while_people_answer_loses_no_yes_and_uses_none_twice(place: Place) -> None:
    chance = random.Random(SEED)
    print("seed", SEED)
    for number in range(6):
        path = f"/{number}"
        asked = place.ask("one", path)
        answering = subprocess.Popen(
            [sys.executable, "-m", "comptroller", "approvals", "approve", asked],
            cwd=place.folder,
            env=place.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )
        calls = [threading.Thread(target=_tried, args=(place, path)) for _ in range(3)]
        time.sleep(chance.uniform(0.2, 0.9))
        for call in calls:
            call.start()
        time.sleep(chance.uniform(0.0, 0.05))
        run = place.serve.run
        place.serve.kill()
        told = answering.communicate()[0].decode()
        for call in calls:
            call.join()
        place.serve = Serve(place.config, place.environment, resume=run)
        (shown,) = place.shown(asked)
        assert "approved, once" not in told or shown["state"] == "approved", "what a person was told is true"
        if shown["state"] == "pending":
            place.cli("approve", asked)
        if shown["grant"] != "used":
            assert place.delete("one", path) == (200, "")
        assert place.delete("one", path)[0] == 403
        assert place.seen()[path] <= 1 and (shown["grant"] == "used" or place.seen()[path] == 1)


def _tried(place: Place, path: str) -> None:
    try:
        place.delete("one", path)
    except (OSError, http.client.HTTPException):
        return
