"""`kill -9` of `serve` while standing grants and approved plans are in use: count and money of a grant stay true.

boto3 asks through a real gateway for machines that moto, in this process, really makes: what it made is the truth.
"""

from __future__ import annotations

import json
import os
import random
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.parsers
import httpx
import pytest
from tests.test_crash import Serve

from comptroller.compose import starter_policies
from comptroller.compose_state import open_log
from comptroller.testing.aws_server import AwsServer

SEED = 20261124
KILLS = 3
COUNT = 30
CALLERS = 3
CONFIG = """
version: 1
organization: acme
teams: {{ml: {{}}}}
people: {{{user}: {{groups: [approvers]}}}}
agents:
  bot:
    team: ml
    owner: {user}
    purpose: survive a crash
    services: ["aws:ec2"]
    credentials: [aws]
credentials: {{aws: {{source: env, service: aws, account: "123456789012"}}}}
budgets:
  - {{scope: acme, unit: calls, limit: 1000}}
  - {{scope: acme, unit: usd, limit: 100000}}
upstreams: {{"*.amazonaws.com": "{url}"}}
"""
_getaddrinfo = socket.getaddrinfo
INPUT = {"ImageId": "ami-12c6146b", "MinCount": 1, "MaxCount": 1}


class Place:
    """An installation whose `serve` is killed and started again; the run goes on as the same one."""

    def __init__(self, folder: Path, aws: AwsServer) -> None:
        self.folder = folder / "c"
        (self.folder / "policies").mkdir(parents=True)
        secrets = {"AWS_ACCESS_KEY_ID": "AKIAREALREALREALREAL", "AWS_SECRET_ACCESS_KEY": "kept-outside"}
        self.environment = {**os.environ, **secrets, "XDG_STATE_HOME": str(folder / "s")}
        self.config = self.folder / "comptroller.yaml"
        user = subprocess.run(["id", "-un"], capture_output=True, text=True, check=True).stdout.strip()
        self.config.write_text(CONFIG.format(user=user, url=aws.url))
        (self.folder / "policies" / "starter.cedar").write_text(starter_policies())
        self.aws = aws
        self.serve = Serve(self.config, self.environment)
        self._mine = threading.local()

    def restart(self) -> None:
        run = self.serve.run
        self.serve.kill()
        self.serve = Serve(self.config, self.environment, resume=run)
        assert self.serve.run == run

    def lead(self, host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
        """Every name of AWS leads into the box's socket."""
        if str(host).endswith(".amazonaws.com"):
            return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", self.serve.port))]
        return _getaddrinfo(host, port, *args, **kwargs)

    def client(self) -> Any:
        """boto3 as the agent has it, one a thread."""
        if not hasattr(self._mine, "client"):
            self._mine.client = self._boto3()
        return self._mine.client

    def _boto3(self) -> Any:
        return boto3.client(
            "ec2",
            region_name="us-east-1",
            verify=str(self.serve.paths.ca_pem),
            aws_access_key_id="AKIACOMPTROLLER2BOX7",
            aws_secret_access_key="placeholder",
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )

    def run(self, kind: str) -> str:
        """Ask for one machine: empty where it was made, else the approval that asks, or why not."""
        try:
            self.client().run_instances(**INPUT, InstanceType=kind)
        except botocore.exceptions.ClientError as error:
            name = error.response["ResponseMetadata"]["HTTPHeaders"].get("x-comptroller-approval", "")
            assert name, error
            return str(name)
        return ""

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

    def granted(self, kind: str, count: int) -> str:
        """A standing grant for so many machines, by the question about one of them."""
        return str(self.cli("standing", "grant", self.run(kind), "--count", str(count), "--yes")["id"])

    def planned(self, kind: str, count: int) -> str:
        """The grant of an approved plan for so many machines."""
        action = {"service": "ec2", "operation": "RunInstances", "input": {**INPUT, "InstanceType": kind}}
        file = self.folder / "plan.json"
        file.write_text(json.dumps({"version": 1, "actions": [{**action, "count": count}]}))
        (grant,) = self.cli("plan", str(file), "--run", self.serve.run, "--approve")["granted"]
        return str(grant["id"])

    def standing(self, grant: str) -> Any:
        with httpx.Client(transport=httpx.HTTPTransport(uds=str(self.serve.paths.control_socket))) as control:
            listed = control.get("http://control/v1/standing?every=true").raise_for_status().json()["standing"]
        (found,) = [each for each in listed if each["id"] == grant]
        return found

    def made(self, kind: str) -> int:
        return sum(each == kind for each in self.aws.instances().values())

    def uses(self, grant: str) -> list[tuple[int, int]]:
        """Of the log every use of a grant: which it is, and the money it reserved. A use without a row fails."""
        with open_log(self.serve.paths) as log:
            held = {each.id for each in log.open_reservations()}
            bodies = [entry.document["body"] for entry in log.entries(limit=100_000)]
            allowed = [body for body in bodies if isinstance(body, dict) and body.get("standing_use") is not None]
            settled = {body["reservation"] for body in bodies if isinstance(body, dict) and "actual" in body}
        mine = [body for body in allowed if body["standing"] == grant]
        assert all(body["reservation"] in held | settled for body in mine), "a release without its row"
        return [(body["standing_use"], body["reserved"]["usd_micros"]) for body in mine]


@pytest.fixture(scope="module")
def aws() -> Iterator[AwsServer]:
    with AwsServer() as server:
        yield server


@pytest.fixture
def place(tmp_path: Path, aws: AwsServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "s"))
    aws.reset()
    made = Place(tmp_path, aws)
    monkeypatch.setattr(socket, "getaddrinfo", made.lead)
    yield made
    made.serve.kill()


def check(place: Place, grant: str, kind: str) -> Any:
    """What the grant says of itself is what the log says, and nothing was made beyond it."""
    found, uses = place.standing(grant), place.uses(grant)
    assert [number for number, _ in uses] == list(range(1, len(uses) + 1)), "no use is lost, none is counted twice"
    assert found["used"] == len(uses) <= found["count"]
    assert found["spent_usd_micros"] == sum(usd_micros for _, usd_micros in uses) <= found["usd_micros"]
    assert place.made(kind) <= len(uses), "something ran that no entry allowed"
    return found


def storm(place: Place, kinds: Sequence[str], stop: threading.Event, made: list[str]) -> None:
    """Ask until the door is gone; `made` is what was answered with a machine."""
    while not stop.is_set():
        for kind in kinds:
            try:
                if not place.run(kind):
                    made.append(kind)
            except (botocore.exceptions.BotoCoreError, botocore.parsers.ResponseParserError):  # cut off anywhere
                return


@pytest.mark.timeout(200)
def test_what_is_left_of_a_grant_and_of_a_plan_outlives_a_kill(place: Place) -> None:
    grants = {"t3.micro": place.granted("t3.micro", 2), "t3.small": place.planned("t3.small", 2)}
    for kind, grant in grants.items():
        assert place.run(kind) == ""
        assert check(place, grant, kind)["used"] == 1
    before = [place.standing(grant) for grant in grants.values()]
    place.restart()
    assert [place.standing(grant) for grant in grants.values()] == before
    for kind, grant in grants.items():
        assert place.run(kind) == "", "what was left is still there"
        done = check(place, grant, kind)
        assert done["left"] == 0 and place.made(kind) == 2
    place.restart()
    for kind, grant in grants.items():
        assert place.run(kind) != "", "used up: it is asked"
        assert check(place, grant, kind)["used"] == 2


@pytest.mark.timeout(300)
def test_kills_while_grants_are_used_neither_lose_nor_double_what_is_left(place: Place) -> None:
    chance = random.Random(SEED)
    print("seed", SEED)
    grants = {"t3.micro": place.granted("t3.micro", COUNT), "t3.small": place.planned("t3.small", COUNT)}
    answered: list[str] = []
    for _ in range(KILLS):
        stop = threading.Event()
        callers = [threading.Thread(target=storm, args=(place, list(grants), stop, answered)) for _ in range(CALLERS)]
        for caller in callers:
            caller.start()
        time.sleep(chance.uniform(0.05, 0.4))
        run = place.serve.run
        place.serve.kill()
        stop.set()
        for caller in callers:
            caller.join()
        place.serve = Serve(place.config, place.environment, resume=run)
        for kind, grant in grants.items():
            check(place, grant, kind)
            assert answered.count(kind) <= place.made(kind), "what was answered was made"
    used = {}
    for kind, grant in grants.items():
        for _ in range(place.standing(grant)["left"]):
            assert place.run(kind) == ""
        assert place.run(kind) != ""
        used[kind] = check(place, grant, kind)["used"]
    assert used == dict.fromkeys(grants, COUNT), "each yes released what it said, and not once more"
    assert answered
