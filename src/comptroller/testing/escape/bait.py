"""What an escape would find: a person's home, a state folder, servers on the machine, another box; all of it made up,
watched, and gone afterwards."""

from __future__ import annotations

import hashlib
import os
import platform
import secrets
import shutil
import socket
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

STARTUP_FILES = (
    *(".bashrc", ".profile", ".zshrc", ".config/fish/config.fish", ".config/autostart/x.desktop", ".gitconfig"),
    *(".config/systemd/user/x.service", ".ssh/authorized_keys", ".ssh/config", ".npmrc", ".pythonrc", ".vimrc"),
)
"""Read by programs of the person's own, later and outside."""
PROTECTED = (
    *("comptroller.yaml", "policies", "policies/starter.cedar", "services", ".git/config", ".git/hooks"),
    *(".envrc", ".vscode", ".idea", ".devcontainer"),
)
"""In the workspace, and yet not the agent's."""
# mov $20,%eax; int $0x80; mov %eax,%ebx; mov $1,%eax; int $0x80: getpid and exit by the 32-bit table.
_INT80 = bytes.fromhex("b814000000cd8031dbb801000000cd80")
_PEERS_MAX = 64


@dataclass(slots=True)
class Bait:
    """Folders and listeners of one suite. `touched` names every listener that somebody reached."""

    root: Path
    canary: str = field(default_factory=lambda: f"canary-{secrets.token_hex(12)}")
    planted: str = field(default_factory=lambda: f"planted-{secrets.token_hex(12)}")
    touched: list[str] = field(default_factory=list)
    _listeners: list[socket.socket] = field(default_factory=list)

    @property
    def workspace(self) -> Path:
        """What the box may write."""
        return self.root / "work"

    @property
    def home(self) -> Path:
        """The home of the person who runs the agent."""
        return self.root / "home"

    @property
    def state_home(self) -> Path:
        """`XDG_STATE_HOME` of the installation."""
        return self.root / "state"

    def prepare(self) -> None:
        """Lay everything out."""
        for folder in (self.workspace, self.home, self.state_home, self.root / "other"):
            folder.mkdir(mode=0o700)
        for name in STARTUP_FILES:
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("# the person's own\n", "utf-8")
        for name in (".aws/credentials", ".ssh/id_ed25519", ".netrc", ".config/gh/hosts.yml", ".kube/config"):
            path = self.home / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(self.canary, "utf-8")
        self._repository()
        for name in (".envrc", ".vscode/tasks.json", "services/shop.yaml"):
            path = self.workspace / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("# the person's own\n" if name != "services/shop.yaml" else SERVICE, "utf-8")

    def _repository(self) -> None:
        git = shutil.which("git")
        if git is None:
            (self.workspace / ".git" / "hooks").mkdir(parents=True)
            (self.workspace / ".git" / "config").write_text("[core]\n", "utf-8")
            return
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home)}
        subprocess.run([git, "init", "-q", str(self.workspace)], check=True, env=environment, capture_output=True)

    # ------------------------------------------------------------ listeners

    def listen(self) -> Mapping[str, object]:
        """Open the servers that no box may reach; where they are."""
        name = f"comptroller-bait-{secrets.token_hex(6)}"
        places: dict[str, object] = {"abstract": name, "unix": [], "ssh_agent": str(self.root / "agent.sock")}
        places["port"] = self._stream("loopback", socket.AF_INET, ("127.0.0.1", 0))
        places["port_any"] = self._stream("every address", socket.AF_INET, ("0.0.0.0", 0))
        places["port6"] = 0
        with suppress(OSError):
            places["port6"] = self._stream("IPv6 loopback", socket.AF_INET6, ("::1", 0))
        places["port_udp"] = self._datagram()
        self._stream("abstract socket", socket.AF_UNIX, "\0" + name)
        self._stream("ssh agent", socket.AF_UNIX, str(self.root / "agent.sock"))
        self._stream("unix socket", socket.AF_UNIX, str(self.root / "plain.sock"))
        places["unix"] = [str(self.root / "plain.sock"), str(self.root / "agent.sock")]
        return places

    def _stream(self, name: str, family: int, address: tuple[str, int] | str) -> int:
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.bind(address)
        listener.listen(_PEERS_MAX)
        self._listeners.append(listener)
        threading.Thread(target=self._answer, args=(listener, name), daemon=True).start()
        where = listener.getsockname()
        return int(where[1]) if isinstance(where, tuple) else 0

    def _datagram(self) -> int:
        link = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        link.bind(("127.0.0.1", 0))
        self._listeners.append(link)
        threading.Thread(target=self._echo, args=(link,), daemon=True).start()
        return int(link.getsockname()[1])

    def _answer(self, listener: socket.socket, name: str) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            self.touched.append(name)
            with connection, suppress(OSError):
                connection.sendall(self.canary.encode())

    def _echo(self, link: socket.socket) -> None:
        while True:
            try:
                _, peer = link.recvfrom(100)
            except OSError:
                return
            if peer is None:
                # Closing the socket wakes the thread with nothing.
                return
            self.touched.append("datagrams")
            with suppress(OSError):
                link.sendto(self.canary.encode(), peer)

    def close(self) -> None:
        """Close the servers."""
        for listener in self._listeners:
            with suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    # ------------------------------------------------------------ what must still be as it was

    def watched(self) -> Mapping[str, str]:
        """A fingerprint of everything that must not change: the home, and what is protected in the workspace."""
        places = [self.home, *(self.workspace / name for name in PROTECTED)]
        beside = {str(path): "beside the workspace" for path in self.root.iterdir()}
        return beside | {str(path): _fingerprint(path) for place in places for path in _below(place)}

    def left_behind(self) -> list[int]:
        """Processes outside a box that the suite planted."""
        marks = []
        for entry in Path("/proc").iterdir():
            with suppress(OSError):
                if entry.name.isdigit() and (entry / "cmdline").read_bytes().startswith(self.planted.encode()):
                    marks.append(int(entry.name))
        return marks

    def program(self) -> str:
        """A program that calls the kernel by its 32-bit table; empty where this machine has none."""
        if platform.machine() != "x86_64":
            return ""
        path = self.workspace / "int80"
        path.write_bytes(_elf(_INT80))
        path.chmod(0o755)
        done = subprocess.run([str(path)], check=False)
        return str(path) if done.returncode == 0 else ""


SERVICE = """\
version: 1
hosts: [shop.example.com]
operations:
  "GET /orders": {name: list-orders, classes: [read]}
"""


def _below(place: Path) -> Iterator[Path]:
    if place.is_symlink() or not place.is_dir():
        yield place
        return
    yield place
    yield from sorted(place.rglob("*"))


def _fingerprint(path: Path) -> str:
    try:
        facts = path.lstat()
        if path.is_symlink():
            return f"-> {path.readlink()}"
        if path.is_dir():
            return f"{facts.st_mode:o}"
        return f"{facts.st_mode:o} {hashlib.sha256(path.read_bytes()).hexdigest()}"
    except OSError as error:
        return f"gone: {error.strerror}"


def _elf(code: bytes) -> bytes:
    """A static x86_64 program of these instructions."""
    start, size = 0x400078, 0x78 + len(code)
    header = b"\x7fELF\x02\x01\x01" + bytes(9) + bytes.fromhex("02003e0001000000")
    header += start.to_bytes(8, "little") + (64).to_bytes(8, "little") + bytes(8) + bytes(4)
    header += bytes.fromhex("40003800010000000000") + bytes(2)
    segment = bytes.fromhex("0100000005000000") + bytes(8) + (0x400000).to_bytes(8, "little") * 2
    return header[:64] + segment + size.to_bytes(8, "little") * 2 + (0x1000).to_bytes(8, "little") + code
