"""What an escape would find: a person's home, a state folder, servers on the machine, another box; all of it made up,
watched, and gone afterwards."""

from __future__ import annotations

import ctypes
import hashlib
import os
import platform
import secrets
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

STARTUP_FILES = (
    *(".bashrc", ".profile", ".zshrc", ".config/fish/config.fish", ".config/autostart/x.desktop", ".gitconfig"),
    *(".config/systemd/user/x.service", ".ssh/authorized_keys", ".ssh/config", ".npmrc", ".pythonrc", ".vimrc"),
)
"""Read by programs of the person's own, later and outside."""
PROTECTED = (
    *("comptroller.yaml", "policies", "policies/starter.cedar", "services", "services/shop.yaml"),
    *(".git/config", ".git/hooks", ".git/commondir", "below/part/.git/config", "below/part/.git/hooks"),
    *(".envrc", ".vscode", ".vscode/tasks.json", ".idea", ".devcontainer"),
)
"""In the workspace, and yet not the agent's."""
ANCESTORS = tuple(sorted({str(above) for name in PROTECTED for above in PurePosixPath(name).parents} - {"."}))
"""Every folder above something protected."""
# mov $20,%eax; int $0x80; mov %eax,%ebx; mov $1,%eax; int $0x80: getpid and exit by the 32-bit table.
_INT80 = bytes.fromhex("b814000000cd8031dbb801000000cd80")
# socket(AF_INET, SOCK_RAW, IPPROTO_ICMP); exit(0 where it is one, else 1).
_RAW_SOCKET = bytes.fromhex("b829000000bf02000000be03000000ba010000000f0589c7c1ef1fb83c0000000f05")
_PEERS_MAX = 64
_LISTEN_SECONDS = 0.5
_IPC_CREATE, _IPC_REMOVE = 0o1600, 0
_libc = ctypes.CDLL(None, use_errno=True)


@dataclass(slots=True)
class Bait:
    """Folders and listeners of one suite. `touched` names every listener that somebody reached."""

    root: Path
    canary: str = field(default_factory=lambda: f"canary-{secrets.token_hex(12)}")
    planted: str = field(default_factory=lambda: f"planted-{secrets.token_hex(12)}")
    touched: list[str] = field(default_factory=list)
    shared_key: int = field(default_factory=lambda: secrets.randbelow(1 << 30) + 1)
    _listeners: list[socket.socket] = field(default_factory=list)
    _sentinel: subprocess.Popen[bytes] | None = None
    _shared: int = -1

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
        """One at the top and one below, so that there are folders above what is protected."""
        git = shutil.which("git")
        environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(self.home)}
        for place in (self.workspace, self.workspace / "below" / "part"):
            place.mkdir(parents=True, exist_ok=True)
            if git is None:
                (place / ".git" / "hooks").mkdir(parents=True)
                (place / ".git" / "config").write_text("[core]\n", "utf-8")
            else:
                subprocess.run([git, "init", "-q", str(place)], check=True, env=environment, capture_output=True)

    def stand(self) -> Mapping[str, object]:
        """Start a process and shared memory that no box may see or touch; what to look for."""
        mark = f"sentinel-{secrets.token_hex(12)}"
        environment = {"PATH": os.environ.get("PATH", os.defpath), "SECRET": f"secret-of-{mark}"}
        self._sentinel = subprocess.Popen([mark, "987"], executable="/bin/sleep", env=environment)
        self._shared = _libc.shmget(self.shared_key, 4096, _IPC_CREATE)
        return {
            "sentinel": mark,
            "sentinel_pid": self._sentinel.pid,
            "shared_memory": self.shared_key if self._shared >= 0 else 0,
        }

    def stands(self) -> bool:
        """Whether the process outside still lives."""
        return self._sentinel is not None and self._sentinel.poll() is None

    # ------------------------------------------------------------ listeners

    def listen(self) -> Mapping[str, object]:
        """Open the servers that no box may reach; where they are."""
        name = f"comptroller-bait-{secrets.token_hex(6)}"
        places: dict[str, object] = {"abstract": name, "unix": [], "ssh_agent": str(self.root / "agent.sock")}
        places["port"] = self._stream("loopback", socket.AF_INET, ("127.0.0.1", 0))
        places["port_any"] = self._stream("every address", socket.AF_INET, ("0.0.0.0", 0))
        places["pages"] = [f"127.0.0.1:{places['port']}"]
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
                connection.settimeout(_LISTEN_SECONDS)
                connection.sendall(self.canary.encode())
                connection.shutdown(socket.SHUT_WR)
                # Closing with something unread would take back what was said.
                while connection.recv(4096):
                    pass

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
        """Close the servers, end the process, give the memory back."""
        if self._sentinel is not None:
            self._sentinel.kill()
            self._sentinel.wait()
        if self._shared >= 0:
            _libc.shmctl(self._shared, _IPC_REMOVE, None)
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

    def write_program(self, place: Path) -> None:
        """Write the attacks as a folder that Python runs: `python -I PLACE DOCUMENT`."""
        package = Path(__file__).with_name("attacks")
        (place / "attacks").mkdir(parents=True)
        for part in package.iterdir():
            if part.suffix == ".py":
                (place / "attacks" / part.name).write_text(part.read_text("utf-8"), "utf-8")
        (place / "__main__.py").write_text("from attacks.program import main\n\nmain()\n", "utf-8")

    def facts(self, state: Sequence[Path]) -> Mapping[str, object]:
        """What the attacks are told: as much as a well-informed attacker would know."""
        prefix = Path(sys.prefix)
        library = prefix / "lib" / f"python{sys.version_info.major}.{sys.version_info.minor}" / "site-packages"
        return {
            "workspace": str(self.workspace),
            "protected": list(PROTECTED),
            "ancestors": list(ANCESTORS),
            "secret_file": str(self.home / ".aws" / "credentials"),
            "state": [str(path) for path in state],
            "home": [str(self.home), str(self.home / ".aws" / "credentials"), str(self.home / ".ssh")],
            "person_home": str(self.home),
            "canaries": [self.canary],
            "planted": self.planted,
            "startup": list(STARTUP_FILES),
            "interpreter": [
                str(prefix / "bin" / "python"),
                str(library / "sitecustomize.py"),
                str(library / "x.pth"),
                sys.executable,
            ],
            "shown": sorted(
                {str(Path(part).resolve()) for part in (sys.prefix, sys.base_prefix, *sys.path) if part} | {"/opt"}
            ),
            "addresses": _addresses(),
            "host": socket.gethostname(),
            "machine_id": _text("/etc/machine-id"),
        }

    def programs(self) -> Mapping[str, str]:
        """Programs of a few instructions: `int80` calls the kernel by its 32-bit table, `raw_program` opens a raw
        socket. Empty where this machine has no such thing."""
        if platform.machine() != "x86_64":
            return {"int80": "", "raw_program": ""}
        for name, code in (("int80", _INT80), ("raw", _RAW_SOCKET)):
            path = self.workspace / name
            path.write_bytes(_elf(code))
            path.chmod(0o755)
        done = subprocess.run([str(self.workspace / "int80")], check=False)
        spoken = done.returncode == 0
        return {
            "int80": str(self.workspace / "int80") if spoken else "",
            "raw_program": str(self.workspace / "raw"),
        }


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


def _addresses() -> list[str]:
    """The machine's own addresses, as another process may learn them."""
    found: list[str] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            found.append(str(probe.getsockname()[0]))
        except OSError:
            pass
    return [address for address in found if not address.startswith("127.")] or ["192.0.2.1"]


def _text(path: str) -> str:
    try:
        return Path(path).read_text("utf-8").strip()
    except OSError:
        return ""
