"""`run --observe` and `run --unsafe-no-box`: what goes, what does not, and that everybody is told all the while."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import ClassVar

import pytest
from test_cli_run import Project, project

__all__ = ["project"]


class Outside(BaseHTTPRequestHandler):
    """A service outside that says yes to everything."""

    protocol_version = "HTTP/1.1"
    seen: ClassVar[list[str]] = []

    def do_GET(self) -> None:
        """Answer, and remember."""
        self.seen.append(f"{self.command} {self.headers['host']}{self.path}")
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    do_DELETE = do_PUT = do_GET

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def outside() -> Iterator[int]:
    Outside.seen = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Outside)
    thread = Thread(target=server.serve_forever)
    thread.start()
    yield int(server.server_address[1])
    server.shutdown()
    thread.join()
    server.server_close()


def ready(project: Project, port: int, more: str = "") -> None:
    """`api.` and `named.example.com` go to our service; the second is named for the agent."""
    path = project.folder / "comptroller.yaml"
    text = path.read_text("utf-8") + f'\nupstreams: {{"*.example.com": "http://127.0.0.1:{port}"}}\n'
    path.write_text(text.replace("    per_run:", f"{more}    per_run:"), "utf-8")


def entries(project: Project, run: str) -> list[dict[str, object]]:
    done = project.call_outside("tail", run, "--json")
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_an_observed_run_lets_the_cheap_go_and_says_so(project: Project, outside: int) -> None:
    ready(project, outside)
    script = (
        "echo $COMPTROLLER_RUN; curl -sS http://api.example.com/one; echo; curl -sS http://api.example.com/two; echo;"
        "curl -sS -o /dev/null -w '%{http_code}\\n' -X DELETE http://api.example.com/all"
    )
    summary = project.folder.parent / "summary.json"
    done = project.run("bash", "-c", script, options=["--observe", "--json-summary", str(summary)])
    assert done.returncode == 0, done.stderr
    run, *answers = done.stdout.split()
    assert answers == ["ok", "ok", "403"]
    assert Outside.seen == ["GET api.example.com/one", "GET api.example.com/two"]
    lines = done.stderr.splitlines()
    assert lines and all(line.startswith("comptroller [observed]: ") for line in lines), lines
    assert "OBSERVED RUN" in lines[0]
    assert sum("went, and would have been denied" in line for line in lines) == 2
    assert any(line.endswith("observed: 2 went that would have been denied:") for line in lines)
    assert any(f"comptroller policy suggest {run}" in line for line in lines)
    assert "2 x http:api.example.com:GET at api.example.com" in done.stderr
    data = json.loads(summary.read_text())
    assert (data["observed"], data["would_deny"], data["denied"]) == (True, 2, 1)
    judged = [entry for entry in entries(project, run) if str(entry["kind"]).startswith("action.")]
    kinds = [(entry["kind"], entry["body"].get("would")) for entry in judged if "verdict" in entry["body"]]  # type: ignore[attr-defined]
    assert kinds == [("action.allowed", "deny"), ("action.allowed", "deny"), ("action.denied", None)]
    body = judged[0]["body"]
    assert isinstance(body, dict)
    assert (body["verdict"], body["rules"], body["observed"]) == ("allow", ["unnamed"], True)
    assert body["reasons"][0]["rule"] == "unnamed"
    shown = project.call_outside("tail", run).stdout
    assert shown.count("~ would deny") == 2 and "observed" in shown
    suggested = project.call_outside("policy", "suggest", run)
    assert "agents.agent.hosts" in suggested.stdout + suggested.stderr
    again = project.run("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "http://api.example.com/three")
    assert again.stdout == "403", "only that run was observed"


def test_what_the_configuration_forbids_nobody_may_ask_for(project: Project) -> None:
    ready(project, 9, "    forbid: [observe, unsafe-no-box]\n")
    for option in ("--observe", "--unsafe-no-box"):
        done = project.run("touch", "made", options=[option])
        assert done.returncode == 2, done.stderr
        assert f"may not be run with {option}" in done.stderr and "agents.agent.forbid" in done.stderr
    assert not (project.folder / "made").exists()


@pytest.mark.parametrize(
    ("options", "environment", "says"),
    [
        (["--observe", "--unsafe-no-box"], {}, "--observe needs the box"),
        (["--i-know"], {}, "--i-know goes with"),
        (["--unsafe-no-box"], {"CI": "true"}, "refused where CI is set"),
        (["--unsafe-no-box", "--publish", "9999"], {}, "there are no doors"),
    ],
)
def test_what_does_not_go_together(
    project: Project, options: list[str], environment: dict[str, str], says: str
) -> None:
    done = project.run("touch", "made", options=options, **environment)
    assert (done.returncode, (project.folder / "made").exists()) == (2, False)
    assert says in done.stderr
    assert project.server() == 0


def test_without_a_box_every_line_says_so(project: Project) -> None:
    code = "import os; print(os.environ['COMPTROLLER_RUN'], 'HOME' in os.environ, os.environ.get('GITHUB_TOKEN'))"
    words = (sys.executable, "-c", code + "; raise SystemExit(7)")
    done = project.run(*words, options=["--unsafe-no-box", "--i-know"], GITHUB_TOKEN="real", CI="true")
    assert done.returncode == 7, done.stderr
    run, *rest = done.stdout.split()
    assert rest == ["True", "None"]
    lines = done.stderr.splitlines()
    assert len(lines) > 2 and all(line.startswith("comptroller [no box]: ") for line in lines), lines
    assert "THERE IS NO BOX" in lines[0]
    found = entries(project, run)
    assert [entry["kind"] for entry in found] == ["run.started", "run.ended"]
    assert all(entry["body"]["unboxed"] is True for entry in found)  # type: ignore[index]
    assert project.call_outside("tail", run).stdout.count("NO BOX") == 2


@pytest.mark.parametrize(("words", "code"), [(["no-such-thing"], 127), (["/etc"], 126), (["sh", "-c", "kill $$"], 143)])
def test_exit_codes_without_a_box(project: Project, words: list[str], code: int) -> None:
    done = project.run(*words, options=["--unsafe-no-box"])
    assert done.returncode == code
    assert all(line.startswith("comptroller [no box]: ") for line in done.stderr.splitlines())


def test_without_a_box_the_command_ends_with_the_server(project: Project) -> None:
    mark = f"98{os.getpid()}"
    script = f"echo up; trap '' TERM; (setsid sleep {mark} &); sleep {mark}"
    with project.start("bash", "-c", script, options=["--unsafe-no-box"]) as process:
        assert process.stdout is not None and process.stdout.readline() == "up\n"
        project.end_server(signal.SIGKILL)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 125 and "the server is gone" in err
