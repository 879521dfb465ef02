"""The command line against a real server: every verb, its JSON, its errors and exit codes."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller.cli import COMMANDS, main
from comptroller.compose import Paths, load_boundary, load_config

PROGRAM = [sys.executable, "-m", "comptroller"]
READY_SECONDS = 60


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project folder with a state home of its own, both with short paths."""
    base = Path(tempfile.mkdtemp(prefix="cc-"))
    monkeypatch.setenv("XDG_STATE_HOME", str(base / "s"))
    for variable in ("OPENAI_API_KEY", "ANTHROPIC_API_KEY", "COMPTROLLER_CONFIG"):
        monkeypatch.delenv(variable, raising=False)
    folder = base / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    yield folder
    shutil.rmtree(base)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="comptroller")


def test_help_names_every_command_without_loading_one() -> None:
    script = "import sys; from comptroller.cli import main\ntry: main(['--help'])\nfinally: print(sorted(sys.modules))"
    said = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout
    for name, command in COMMANDS.items():
        assert name in said and command.line.split(":")[0] in said
    for heavy in ("httpx", "pydantic", "starlette", "botocore", "comptroller.compose"):
        assert f"'{heavy}'" not in said


def test_init_writes_a_configuration_that_loads(home: Path) -> None:
    done = call("init")
    assert done.exit_code == 0, done.output
    config = load_config(home / "comptroller.yaml")
    assert config.organization == "shop"
    (agent,) = config.agents.values()
    assert config.people[agent.owner].groups == ("approvers",)
    load_boundary(config, home / "comptroller.yaml")
    paths = Paths.of(home / "comptroller.yaml")
    assert paths.log_key.stat().st_mode & 0o777 == 0o600
    assert "comptroller run -- python agent.py" in done.output


def test_init_for_a_team_asks_others_than_the_owner(home: Path) -> None:
    done = call("init", "--pack", "team")
    assert done.exit_code == 0 and "nobody can answer" in done.output, done.output
    config = load_config(home / "comptroller.yaml")
    assert [file.name for file in (home / "policies").iterdir()] == ["team.cedar"]
    assert "owner" in config.approvals.asking().exclude
    boundary = load_boundary(config, home / "comptroller.yaml")
    asking = [rule.obligation for rule in boundary.rules if rule.obligation is not None]
    assert len(asking) == 10 and all("owner" in item.exclude for item in asking)
    assert call("init", "somewhere", "--pack", "other").exit_code == 2


def test_init_takes_over_model_keys_by_name_only(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret")
    assert call("init").exit_code == 0
    text = (home / "comptroller.yaml").read_text()
    assert "sk-very-secret" not in text
    config = load_config(home / "comptroller.yaml")
    assert config.credentials["openai"].variable == "OPENAI_API_KEY"
    assert config.agents["agent"].services == ("openai",)


def test_init_never_overwrites(home: Path) -> None:
    (home / "comptroller.yaml").write_text("mine")
    done = call("init")
    assert done.exit_code == 1 and "there already" in done.stderr
    assert (home / "comptroller.yaml").read_text() == "mine"
    assert not (home / "policies").exists()


def test_init_keeps_policies_that_are_there(home: Path) -> None:
    (home / "policies").mkdir()
    (home / "policies" / "own.cedar").write_text("// mine")
    assert call("init").exit_code == 0
    assert [file.name for file in (home / "policies").iterdir()] == ["own.cedar"]


def test_init_with_a_name_that_cannot_be(home: Path) -> None:
    done = call("init", "--agent", "Bad Name")
    assert done.exit_code == 2
    assert not (home / "comptroller.yaml").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("approvals", "list"),
        ("budget", "show"),
        ("tail",),
        ("kill", "agent"),
    ],
)
def test_without_a_server_the_command_is_named(home: Path, arguments: tuple[str, ...]) -> None:
    missing = call(*arguments)
    assert missing.exit_code == 2 and "comptroller init" in missing.stderr
    call("init")
    away = call(*arguments)
    assert away.exit_code == 2 and "is not running" in away.stderr and "comptroller serve" in away.stderr


def test_unknown_command_is_a_usage_error() -> None:
    assert call("frobnicate").exit_code == 2


class Served:
    """A real `comptroller serve` process."""

    def __init__(self, *options: str) -> None:
        self.process = subprocess.Popen(
            [*PROGRAM, "serve", *options], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert self.process.stdout is not None
        self.said = ""
        for line in self.process.stdout:
            self.said += line
            if line == "ready\n":
                return
        raise AssertionError(f"serve ended with {self.process.wait()}: {self.said}")

    def end(self) -> str:
        self.process.terminate()
        rest, _ = self.process.communicate(timeout=READY_SECONDS)
        return self.said + rest


@pytest.fixture
def served(home: Path) -> Iterator[Served]:
    """A server of a fresh installation."""
    assert call("init").exit_code == 0
    server = Served()
    yield server
    if server.process.poll() is None:
        server.end()


def test_verbs_against_a_server(served: Served) -> None:
    shown = json.loads(call("budget", "show", "--json").stdout)["budgets"]
    assert {row["unit"] for row in shown} == {"usd_micros", "calls"}
    assert "$50.00 left of $50.00 a month" in call("budget", "show").output
    done = call("budget", "set", "agent", "usd", "12.50", "--window", "day")
    assert done.exit_code == 0 and "$12.50" in done.output
    assert call("budget", "set", "agent", "usd", "lots").exit_code == 2
    assert call("budget", "set", "nobody-here", "usd", "1").exit_code == 1
    assert call("approvals", "list").output == "nothing waits for an answer\n"
    assert json.loads(call("approvals", "list", "--json").stdout) == {"approvals": []}
    missing = call("approvals", "approve", "no-such-approval")
    assert missing.exit_code == 1 and "there is no approval" in missing.stderr
    assert call("approvals", "list", "--state", "odd").exit_code == 2
    link = call("approvals", "open", "--print")
    assert link.stdout.startswith("http://localhost:") and "/login#" in link.stdout
    assert call("freeze", "shop", "--reason", "look").output == "frozen: shop\n"
    assert json.loads(call("thaw", "shop", "--json").stdout)["did"] == "thaw"
    lines = call("tail").output.splitlines()
    assert any("frozen" in line and "look" in line for line in lines)
    kinds = [json.loads(line)["kind"] for line in call("tail", "--json").stdout.splitlines()]
    assert kinds[0] == "serve.started" and kinds[-2:] == ["brake.frozen", "brake.thawed"]
    assert len(call("tail", "-n", "1").output.splitlines()) == 1


def test_the_link_is_in_no_argument(served: Served, home: Path) -> None:
    """What a browser is started with can be read by every user of the machine."""
    browser, opened = home / "browser", home / "opened"
    browser.write_text(f'#!/bin/sh\necho "$@" > {opened}\n')
    browser.chmod(0o755)
    environment = {**os.environ, "DISPLAY": ":9", "BROWSER": f"{browser} %s"}
    said = subprocess.run(
        [*PROGRAM, "approvals", "open"], env=environment, capture_output=True, text=True, timeout=READY_SECONDS
    )
    url = said.stdout.strip()
    page = Path(opened.read_text().strip().removeprefix("file://"))
    assert url.startswith("http://localhost:") and url in page.read_text()
    assert page.stat().st_mode & 0o777 == 0o600


def test_a_second_server_is_refused(served: Served) -> None:
    second = subprocess.run([*PROGRAM, "serve"], capture_output=True, text=True, timeout=READY_SECONDS)
    assert second.returncode == 2 and "another `comptroller serve`" in second.stderr
    assert call("approvals", "list").exit_code == 0


def test_serve_ends_cleanly_and_starts_again(served: Served) -> None:
    assert "ended" in served.end()
    assert served.process.returncode == 0
    assert call("approvals", "list").exit_code == 2
    again = Served("--idle-exit", "0")
    rest, _ = again.process.communicate(timeout=READY_SECONDS)
    assert again.process.returncode == 0 and "nothing to do" in rest


def test_a_port_in_use_is_told(home: Path) -> None:
    call("init")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = subprocess.run([*PROGRAM, "serve", "--page-port", port], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2 and "in use" in done.stderr


def test_a_state_path_too_long_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(home.parent / ("x" * 100)))
    call("init")
    done = subprocess.run([*PROGRAM, "serve"], capture_output=True, text=True, timeout=READY_SECONDS)
    assert done.returncode == 2 and "XDG_STATE_HOME" in done.stderr


def test_holdings_by_hand(served: Served) -> None:
    """Adopted, listed, shown, refused where nothing can stop it, forgotten: each with a reason in the log."""
    assert call("holdings", "list").output == "nothing that agents made is still there\n"
    assert json.loads(call("holdings", "list", "--json").stdout)["holdings"] == []
    where = ("--account", "123456789012", "--region", "eu-central-1", "--endpoint", "ec2.eu-central-1.amazonaws.com")
    taken = ("holdings", "adopt", "aws:ec2:instance", "i-0abc", "--agent", "agent", *where)
    assert call(*taken).exit_code == 2, "a reason is needed"
    assert call(*taken, "--reason", " ").exit_code == 2
    adopted = call(*taken, "--reason", "found on the bill")
    assert adopted.exit_code == 0 and "i-0abc" in adopted.output and "rate unknown" in adopted.output
    again = call(*taken, "--reason", "twice")
    assert again.exit_code == 1 and "on the books already" in again.stderr
    assert call("holdings", "adopt", "x:y", "z", "--agent", "nobody", "--reason", "r").exit_code == 2
    (item,) = json.loads(call("holdings", "list", "--json").stdout)["holdings"]
    assert (item["state"], item["tagged"], item["usd_micros_per_hour"]) == ("live", False, None)
    shown = call("holdings", "show", "i-0abc")
    assert shown.exit_code == 0 and "eu-central-1" in shown.output and "(adopted)" in shown.output
    assert "1 whose rate nobody knows" in call("holdings", "list").output
    stopped = call("holdings", "stop", "i-0abc")
    assert stopped.exit_code == 1 and "no aws credential" in stopped.stderr
    assert call("holdings", "show", "i-0nobody").exit_code == 1
    forgotten = call("holdings", "forget", item["id"][-8:], "--reason", "it was never ours")
    assert forgotten.exit_code == 0 and "forgotten" in forgotten.output
    assert call("holdings", "forget", item["id"], "--reason", "twice").exit_code == 1
    assert "forgotten" in call("holdings", "list", "--all").output
    unasked = call("holdings", "drift")
    assert unasked.exit_code == 1 and "not asked" in unasked.output and "no aws credential" in unasked.output
    kinds = [json.loads(line)["kind"] for line in call("tail", "--json").stdout.splitlines()]
    wanted = {"holding.adopted", "holding.ordered", "holding.forgotten"}
    assert wanted <= set(kinds) and kinds.index("holding.adopted") < kinds.index("holding.forgotten")


def test_limits_that_ask_and_windows_of_ones_own(served: Served) -> None:
    done = call(
        "budget", "set", "agent", "usd", "5", "--window", "day@Europe/Berlin", "--on-exceed", "require_approval"
    )
    assert done.exit_code == 0, done.stderr
    rows = json.loads(call("budget", "show", "--json").stdout)["budgets"]
    (row,) = [row for row in rows if row["window"] == "day@Europe/Berlin"]
    assert row["on_exceed"] == "require_approval"
    assert call("budget", "set", "agent", "usd", "7", "--window", "day@Europe/Berlin").exit_code == 0
    rows = json.loads(call("budget", "show", "--json").stdout)["budgets"]
    assert [r["on_exceed"] for r in rows if r["limit"] == 7_000_000] == ["require_approval"], "it stays what it was"
    assert call("budget", "set", "agent", "usd_per_hour", "2").exit_code == 0
    for wrong in (("usd", "1", "--window", "year"), ("usd_per_hour", "1", "--window", "day"), ("calls", "-1")):
        assert call("budget", "set", "agent", *wrong).exit_code == 2, wrong
