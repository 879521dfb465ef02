"""The way into a box from outside: it reaches the agent's own servers, and nothing in the box reaches it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from boxes import Boxes

from comptroller.enforce.sandbox.git_hosts import FORMS, HOSTS_MAX, KNOWN, rewrites
from comptroller.enforce.sandbox.passage_unsafe import Passage, PassageError

ECHO = """
import os, socket
server = socket.create_server(({address!r}, 8123), family=socket.{family})
connection, peer = server.accept()
said = b""
while part := connection.recv(100):
    said += part
seen = sorted(int(name) for name in os.listdir("/proc") if name.isdigit() and int(name) != os.getpid())
lines = [open(f"/proc/{{number}}/cmdline").read() for number in seen]
strangers = sum("connector" in line or "memfd" in line for line in lines)
connection.sendall(f"{{said.decode()}} from {{peer[0]}}, {{strangers}} strangers".encode())
connection.close()
"""


@pytest.mark.parametrize(("ipv6", "address"), [(False, "127.0.0.1"), (True, "::1")])
def test_a_server_in_the_box_is_reached_from_outside_by_a_program_without_powers(
    boxes: Boxes, ipv6: bool, address: str
) -> None:
    code = ECHO.format(address=address, family="AF_INET6" if ipv6 else "AF_INET")
    done = boxes.script(code, enter={"port": 8123, "say": "hello", "ipv6": ipv6})
    assert done.returncode == 0, done.stderr
    powers, heard, closed = done.stdout.splitlines()
    assert int(powers.split()[1], 16) == 0
    assert heard == f"heard hello from {address}, 0 strangers"
    # Ended, it makes nothing more: no way in, rather than another one.
    assert closed == "closed False"


LOOKING = """
import os, signal, socket
server = socket.create_server(("127.0.0.1", 8123))
connection, _ = server.accept()
tried = []
for number in range(1, 400):
    if number != os.getpid():
        try:
            os.kill(number, signal.SIGKILL)
            tried.append(number)
        except OSError:
            pass
while connection.recv(100):
    pass
# What is on the abstract and the file system's unix sockets of this network: nothing of ours.
names = [line.split()[-1] for line in open("/proc/net/unix").read().splitlines()[1:] if len(line.split()) == 8]
connection.sendall(f"killed {len(tried)}, sockets {names}".encode())
connection.close()
"""


def test_nothing_in_the_box_can_end_or_reach_the_way_in(boxes: Boxes) -> None:
    done = boxes.script(LOOKING, enter={"port": 8123, "say": "x"})
    assert "heard killed" in done.stdout, done.stderr
    assert "sockets []" in done.stdout


def test_a_socket_of_this_machine_is_no_way_into_a_box() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(PassageError, match="cannot be"):
        Passage(server)


# ---------------------------------------------------------------- git


def test_git_hosts_are_rewritten_behind_what_is_there() -> None:
    before = {"GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "user.name", "GIT_CONFIG_VALUE_0": "a"}
    made = rewrites(["git.example.com", "*.example.org", "github.com"], before)
    count = int(made["GIT_CONFIG_COUNT"])
    assert count == 1 + (len(KNOWN) + 1) * len(FORMS)
    assert "GIT_CONFIG_KEY_0" not in made
    pairs = {made[f"GIT_CONFIG_VALUE_{n}"]: made[f"GIT_CONFIG_KEY_{n}"] for n in range(1, count)}
    assert pairs["git@git.example.com:"] == "url.https://git.example.com/.insteadOf"
    assert pairs["ssh://git@github.com/"] == "url.https://github.com/.insteadOf"
    assert not any("example.org" in value for value in made.values())


def test_a_count_that_git_would_not_read_is_none() -> None:
    assert rewrites((), {"GIT_CONFIG_COUNT": "9" * 5000}) == rewrites((), {})


def test_many_hosts_are_rewritten_up_to_a_limit() -> None:
    made = rewrites([f"h{n}.example.com" for n in range(1000)], {"GIT_CONFIG_COUNT": "nonsense"})
    assert int(made["GIT_CONFIG_COUNT"]) == HOSTS_MAX * len(FORMS)


def test_the_connector_imports_nothing_of_ours() -> None:
    source = Path(rewrites.__code__.co_filename).with_name("connector_unsafe.py").read_text("utf-8")
    assert "comptroller" not in source
