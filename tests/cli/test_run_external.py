"""`--layer external`: a wall not ours, a proxy of the run's own, and `doctor` inside, which tells one from none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from test_cli_run import Project, project
from test_run_observe import Outside, entries, outside, ready

from comptroller.enforce.sandbox.missing import find_bwrap

__all__ = ["outside", "project"]
SOURCE = Path(__file__).parents[2] / "src"

ASK = """
import base64, os, socket, sys, urllib.parse, urllib.request
proxy = urllib.parse.urlsplit(os.environ["HTTP_PROXY"])
def raw(head):
    with socket.create_connection((proxy.hostname, proxy.port), 10) as link:
        link.sendall(head.encode() + b"\\r\\n")
        return link.makefile("rb").readline().decode().split()[1]
def key(secret):
    return "Proxy-Authorization: Basic " + base64.b64encode(f"run:{secret}".encode()).decode() + "\\r\\n"
"""
"""What the programs below begin with."""


def named(project: Project, port: int) -> None:
    """Its service is named for the agent."""
    ready(project, port)
    path = project.folder / "comptroller.yaml"
    path.write_text(path.read_text("utf-8").replace("    hosts: []", "    hosts: [named.example.com]"), "utf-8")


def test_what_comes_through_the_proxy_is_judged_and_every_entry_says_whose_wall(project: Project, outside: int) -> None:
    named(project, outside)
    code = ASK + (
        "def fetch(url):\n"
        "    try: return urllib.request.urlopen(url, timeout=20).status\n"
        "    except urllib.error.HTTPError as error: return error.code\n"
        "print(os.environ['COMPTROLLER_RUN'], fetch('http://named.example.com/a'), fetch('https://named.example.com/b'),"
        " fetch('http://elsewhere.test/'), fetch('https://elsewhere.test/'), os.environ.get('GITHUB_TOKEN'))"
    )
    done = project.run(sys.executable, "-c", code, options=["--layer", "external"], GITHUB_TOKEN="real")
    assert done.returncode == 0, done.stderr
    run, *rest = done.stdout.split()
    assert rest == ["200", "200", "403", "403", "None"], done.stderr
    assert Outside.seen == ["GET named.example.com/a", "GET named.example.com/b"]
    lines = done.stderr.splitlines()
    assert "NO BOX OF OURS" in lines[0]
    assert all(line.startswith("comptroller [external]: ") for line in lines), lines
    found = entries(project, run)
    started, ended = (next(e["body"] for e in found if e["kind"] == kind) for kind in ("run.started", "run.ended"))
    assert started["layer"] == "external" and started["unboxed"] is ended["unboxed"] is True  # type: ignore[index]
    assert len([e for e in found if e["kind"] == "action.settled"]) == 2


def test_nobody_without_the_secret_is_served_and_it_is_written_nowhere(project: Project, outside: int) -> None:
    named(project, outside)
    code = ASK + (
        "get = 'GET http://named.example.com/ HTTP/1.1\\r\\nHost: named.example.com\\r\\nConnection: close\\r\\n'\n"
        "tunnel = 'CONNECT named.example.com:443 HTTP/1.1\\r\\nHost: named.example.com:443\\r\\n'\n"
        "wrong = proxy.password[:-1] + ('a' if proxy.password[-1] != 'a' else 'b')\n"
        "for head in (get, tunnel):\n"
        "    for more in ('', key(wrong), key(''), key(proxy.password) * 2, key(proxy.password) + key(wrong),"
        " 'Proxy-Authorization: Bearer ' + proxy.password + '\\r\\n', 'Proxy-Authorization: Basic \\xff\\r\\n'):\n"
        "        print(raw(head + more), end=' ')\n"
        "    print(raw(head + key(proxy.password)))\n"
        "print(proxy.password, os.environ['COMPTROLLER_RUN'])\n"
    )
    done = project.run(sys.executable, "-c", code, options=["--layer", "external"])
    assert done.returncode == 0, done.stderr
    plain, tunnelled, last = done.stdout.splitlines()
    assert plain.split() == ["407"] * 7 + ["200"]
    assert tunnelled.split() == ["407"] * 7 + ["200"]
    secret, run = last.split()
    told = json.dumps(entries(project, run)) + done.stderr
    assert "proxy_secret" in told and secret not in told
    for path in project.folder.parent.rglob("*"):
        if path.is_file() and not path.is_symlink():
            assert secret.encode() not in path.read_bytes(), path


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--layer", "external", "--observe"], "goes with neither"),
        (["--layer", "external", "--unsafe-no-box"], "goes with neither"),
        (["--layer", "external", "--publish", "9999"], "leads into a box"),
        (["--listen", "127.0.0.1:0"], "goes with --layer external"),
        (["--layer", "external", "--listen", "0.0.0.0:0"], "no one address"),
        (["--layer", "external", "--listen", "localhost"], "no address and port"),
        (["--layer", "external", "--listen", "192.0.2.1:1"], "cannot listen at"),
        (["--layer", "sandlock"], "is not one of"),
    ],
)
def test_what_does_not_go_together(project: Project, options: list[str], says: str) -> None:
    done = project.run("touch", "made", options=options)
    assert (done.returncode, (project.folder / "made").exists()) == (2, False), done.stderr
    assert says in done.stderr


def test_it_can_be_forbidden(project: Project) -> None:
    ready(project, 9, "    forbid: [layer]\n")
    done = project.run("touch", "made", options=["--layer", "external"])
    assert (done.returncode, (project.folder / "made").exists()) == (2, False)
    assert "may not be run with --layer" in done.stderr


# ---------------------------------------------------------------- doctor, inside

RELAY = """
import os, socket, sys, threading
def relay(listener, reach):
    while True:
        near = listener.accept()[0]
        far = reach()
        for one, other in ((near, far), (far, near)):
            threading.Thread(target=carry, args=(one, other), daemon=True).start()
def carry(source, target):
    try:
        while data := source.recv(65536):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        pass
def unix(path):
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    return link
"""
INSIDE = (
    RELAY
    + """
port, path, extra = int(sys.argv[1]), sys.argv[2], sys.argv[3]
if extra != "no gateway":
    here = socket.create_server(("127.0.0.1", port))
    threading.Thread(target=relay, args=(here, lambda: unix(path)), daemon=True).start()
os.environ["PYTHONPATH"] = sys.argv[4]
if extra == "cluster":
    hole = socket.create_server(("127.0.0.1", 0))
    os.environ |= {"KUBERNETES_SERVICE_HOST": "127.0.0.1", "KUBERNETES_SERVICE_PORT": str(hole.getsockname()[1])}
if extra == "no proxy":
    os.environ = {k: v for k, v in os.environ.items() if "proxy" not in k.lower()}
words = [sys.executable, "-P", "-m", "comptroller", "doctor", "--layer", "external", "--json"]
sys.exit(os.spawnve(os.P_WAIT, sys.executable, words, dict(os.environ)))
"""
)


OUTSIDE = (
    RELAY
    + """
listener = socket.socket(socket.AF_UNIX)
listener.bind(sys.argv[2])
os.chmod(sys.argv[2], 0o777)
listener.listen()
print("ready", flush=True)
relay(listener, lambda: socket.create_connection(("127.0.0.1", int(sys.argv[1]))))
"""
)


@contextmanager
def way_to(port: int, path: Path) -> Iterator[None]:
    """What a pod's network would be: from a unix socket to one port of this machine."""
    words = [sys.executable, "-c", OUTSIDE, str(port), str(path)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None and running.stdout.readline() == "ready\n"
        yield
        running.kill()


def test_doctor_inside_tells_a_wall_from_none(project: Project, tmp_path: Path) -> None:
    """In a network of its own whose only way out leads to the gateway, it holds; with one hole more it does not."""
    command = [sys.executable, "-c", "import os, signal; print(os.environ['HTTPS_PROXY'], flush=True); signal.pause()"]
    with project.start(*command, options=["--layer", "external"]) as running:
        assert running.stdout is not None
        proxy = running.stdout.readline().strip()
        port = int(proxy.rpartition(":")[2])
        told = {}
        with way_to(port, tmp_path / "way"):
            for extra in ("none", "cluster", "no gateway", "no proxy"):
                words = [
                    str(find_bwrap()),
                    "--unshare-net",
                    "--unshare-user",
                    "--cap-drop",
                    "ALL",
                    "--dev-bind",
                    "/",
                    "/",
                ]
                words += [sys.executable, "-c", INSIDE, str(port), str(tmp_path / "way"), extra, str(SOURCE)]
                environment = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), "HTTPS_PROXY": proxy}
                done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=90, check=False)
                document = json.loads(done.stdout)
                assert document["layer"] == "external" and document["total"] >= 18
                assert done.returncode == (0 if document["blocked"] == document["total"] else 1), done.stderr
                told[extra] = {each["name"].partition(": ")[2] for each in document["attacks"] if not each["blocked"]}
        running.terminate()
        running.wait(30)
    gateway = {"only the gateway answers", "the gateway without the run's secret"}
    assert told == {"none": set(), "cluster": {"the cluster's interface"}, "no gateway": gateway, "no proxy": gateway}
