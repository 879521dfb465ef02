"""A real PostgreSQL server in a folder of its own, on a Unix socket, every commit synced: started, killed, restarted.

PostgreSQL refuses to run as root: there it runs as the ordinary user `postgres`, or else `nobody`.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self
from urllib.parse import quote

from comptroller.core.errors import MissingError

USER = "comptroller"
START_SECONDS_MAX = 60.0
PROGRAM_SECONDS_MAX = 120.0
POLL_SECONDS = 0.02
PREFIX = "cmpg-"
"""Of the folders: then the processes' namespace, which of them made one, when it began, and something random."""

_SETTINGS = {
    "listen_addresses": "",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "max_connections": "60",
    "shared_buffers": "64MB",
    "wal_level": "replica",
    "max_wal_senders": "4",
    "log_min_messages": "warning",
    "timezone": "UTC",
}


@functools.cache
def shared_server() -> PostgresServer:
    """One server for a whole test process, closed with it. Nobody kills or restarts it."""
    server = PostgresServer()
    atexit.register(server.close)
    return server


def emptied_database() -> str:
    """The address of one database of the shared server, without anything in it: much quicker than a new one."""
    server = shared_server()
    others = "FROM pg_stat_activity WHERE usename = current_user AND pid <> pg_backend_pid()"
    server.psql(f"SELECT pg_terminate_backend(pid) {others}")
    server.psql("DROP SCHEMA IF EXISTS comptroller CASCADE")
    return server.url


def programs() -> Path:
    """The folder with `initdb`, `postgres` and the rest. Raises `MissingError`."""
    found = shutil.which("initdb")
    if found:
        return Path(found).resolve().parent
    folders = [*Path("/usr/lib/postgresql").glob("*/bin"), *Path("/usr").glob("pgsql-*/bin")]
    whole = [folder for folder in folders if (folder / "initdb").exists()]
    if not whole:
        raise MissingError("there is no PostgreSQL server on this machine", hint="apt-get install postgresql")
    return max(whole, key=lambda folder: [int(part) for part in folder.parent.name.split("-") if part.isdigit()])


class PostgresServer:
    """One cluster, running from the start; `with` stops it and removes its folder.

    `tcp_port` also listens on 127.0.0.1, where a password is asked for; with `tls` (certificate, key) over TLS too.
    `settings` go into postgresql.conf.
    """

    def __init__(
        self,
        *,
        settings: Mapping[str, str] | None = None,
        tcp_port: int = 0,
        password: str = "comptroller",
        tls: tuple[bytes, bytes] | None = None,
    ) -> None:
        self.password = password
        self.tcp_port = tcp_port
        self._settings = {**_SETTINGS, **(settings or {})}
        if tcp_port:
            self._settings |= {"listen_addresses": "127.0.0.1", "port": str(tcp_port)}
        self.folder = _folder_of_its_own()
        if tls is not None:
            self._write_tls(*tls)
        self._process: subprocess.Popen[bytes] | None = None
        try:
            self._make_cluster()
            self.start()
        except BaseException:
            self.close()
            raise

    # ------------------------------------------------------------ where it is

    @property
    def data(self) -> Path:
        """The cluster's data folder."""
        return self.folder / "data"

    @property
    def pid(self) -> int:
        """The postmaster's process id. Raises `RuntimeError` while it is down."""
        if self._process is None:
            raise RuntimeError("the server is not running")
        return self._process.pid

    @property
    def url(self) -> str:
        """The address of the database `postgres`, on the Unix socket."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        """The address of one database, on the Unix socket."""
        return f"postgresql://{USER}@/{database}?host={quote(str(self.folder), safe='')}{self._port_part()}"

    def tcp_url_of(self, database: str, *, password: str = "") -> str:
        """The address of one database, on 127.0.0.1. Needs `tcp_port`."""
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{USER}{secret}@127.0.0.1:{self.tcp_port}/{database}"

    def database(self, name: str) -> str:
        """Make a new, empty database; its address."""
        self.psql(f'CREATE DATABASE "{name}" TEMPLATE template0')
        return self.url_of(name)

    def forget(self, name: str) -> None:
        """Drop a database, and cut whoever uses it."""
        self.psql(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def psql(self, statement: str, *, database: str = "postgres") -> str:
        """What `psql` prints for one statement, without headers."""
        return self._run("psql", "-XAtq", "-v", "ON_ERROR_STOP=1", "-d", self.url_of(database), "-c", statement)

    # ------------------------------------------------------------ up and down

    def start(self) -> None:
        """Start, and wait until it takes connections. Raises `RuntimeError`."""
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [programs() / "postgres", "-D", self.data, "-k", self.folder],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                start_new_session=True,
                **_as_ordinary_user(),
            )
        deadline = time.monotonic() + START_SECONDS_MAX
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start:\n{self.log()[-2000:]}")
            time.sleep(POLL_SECONDS)

    def stop(self, *, signal_number: int = signal.SIGINT) -> None:
        """Shut down in order: SIGINT cuts every connection, SIGTERM waits for them to end."""
        process, self._process = self._process, None
        if process is not None:
            process.send_signal(signal_number)
            process.wait(START_SECONDS_MAX)

    def kill(self) -> None:
        """`kill -9` of the postmaster and, so that it can be started anew at once, of all its processes."""
        process, self._process = self._process, None
        if process is None:
            return
        os.kill(process.pid, signal.SIGSTOP)  # it must not start another child meanwhile
        children = _children_of(process.pid)
        os.kill(process.pid, signal.SIGKILL)
        for child in children:
            with contextlib.suppress(ProcessLookupError):
                os.kill(child, signal.SIGKILL)
        process.wait(START_SECONDS_MAX)
        deadline = time.monotonic() + START_SECONDS_MAX
        while any(_alive(child) for child in children) and time.monotonic() < deadline:
            time.sleep(POLL_SECONDS)

    def restart(self) -> None:
        """Stop in order where it runs, and start."""
        self.stop()
        self.start()

    def configure(self, **settings: str) -> None:
        """Change settings in force now; those that need a restart take effect at the next start."""
        for name, value in settings.items():
            self.psql(f"ALTER SYSTEM SET {name} = '{value}'")
        self.psql("SELECT pg_reload_conf()")

    def standby(self) -> PostgresServer:
        """Another server that follows this one and takes no writes. Close it before this one."""
        return _Standby(self)

    def log(self) -> str:
        """What the server has said so far."""
        with contextlib.suppress(OSError):
            return (self.folder / "log").read_text("utf-8", "replace")
        return ""

    def close(self) -> None:
        """Kill the server and remove its folder."""
        self.kill()
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    # ------------------------------------------------------------ parts

    def _port_part(self) -> str:
        return f"&port={self.tcp_port}" if self.tcp_port else ""

    def _make_cluster(self) -> None:
        secret = self.folder / "password"
        secret.write_text(self.password, "utf-8")
        secret.chmod(0o600)
        _give_away(secret)
        self._run(
            "initdb", "-D", str(self.data), "-U", USER, "-E", "UTF8", "--locale=C", "--no-sync", "--no-instructions",
            "--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={secret}",
        )  # fmt: skip
        self._write_settings()

    def _write_tls(self, certificate: bytes, key: bytes) -> None:
        for name, data in (("tls.pem", certificate), ("tls.key", key)):
            path = self.folder / name
            path.touch(mode=0o600)
            path.write_bytes(data)
            _give_away(path)
        files = {"ssl_cert_file": f"{self.folder}/tls.pem", "ssl_key_file": f"{self.folder}/tls.key"}
        self._settings |= {"ssl": "on", **files}

    def _write_settings(self) -> None:
        path = self.data / "postgresql.auto.conf"
        lines = "".join(f"{name} = '{value}'\n" for name, value in self._settings.items())
        with path.open("a", encoding="utf-8") as file:
            file.write(lines)

    def _answers(self) -> bool:
        done = subprocess.run(
            [programs() / "pg_isready", "-q", "-h", self.folder, "-p", str(self.tcp_port or 5432)],
            check=False,
            cwd="/",
        )
        return done.returncode == 0

    def _run(self, program: str, *arguments: str) -> str:
        done: subprocess.CompletedProcess[str] = subprocess.run(
            [programs() / program, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            cwd="/",
            timeout=PROGRAM_SECONDS_MAX,
            check=False,
            env={"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C"},
            **_as_ordinary_user(),
        )
        if done.returncode:
            raise RuntimeError(f"{program} failed: {done.stderr.strip()}")
        return done.stdout.strip()


class _Standby(PostgresServer):
    """A copy of a running server that follows it by streaming replication."""

    def __init__(self, primary: PostgresServer) -> None:
        self._primary = primary
        super().__init__()

    def _make_cluster(self) -> None:
        self._run(
            "pg_basebackup", "-D", str(self.data), "-R", "-X", "stream", "-c", "fast", "--no-sync",
            "-d", f"{self._primary.url}&application_name=standby",
        )  # fmt: skip
        self._write_settings()


def _folder_of_its_own() -> Path:
    """Short, since a socket's path has 107 bytes; the ordinary user's alone."""
    _remove_left_behind()
    folder = Path(tempfile.mkdtemp(prefix=f"{PREFIX}{_namespace()}-{os.getpid()}-{_born(os.getpid())}-", dir="/tmp"))
    _give_away(folder)
    return folder


def _remove_left_behind() -> None:
    """End the servers, and remove the folders, of test processes that were killed before they could."""
    # Another namespace's processes cannot be seen from here: they are not taken for dead.
    for folder in Path("/tmp").glob(f"{PREFIX}{_namespace()}-*-*-*"):
        maker, born = folder.name.removeprefix(PREFIX).split("-")[1:3]
        if not maker.isdigit() or _born(int(maker)) == born:
            continue
        with contextlib.suppress(OSError, ValueError, IndexError):
            pid = int((folder / "data" / "postmaster.pid").read_text("utf-8").splitlines()[0])
            if str(folder).encode() in Path(f"/proc/{pid}/cmdline").read_bytes():
                os.kill(pid, signal.SIGQUIT)  # the postmaster's own way to end all its processes at once
        shutil.rmtree(folder, ignore_errors=True)


def _namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _born(pid: int) -> str:
    """When a process began, in the kernel's ticks; empty where there is none. A number alone is used again."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[19]
    return ""


def _ordinary_user() -> pwd.struct_passwd | None:
    """Whom the server runs as, where that is not who we are."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise MissingError("PostgreSQL does not run as root, and there is no user `postgres`", hint="useradd postgres")


def _give_away(path: Path) -> None:
    user = _ordinary_user()
    if user is not None:
        os.chown(path, user.pw_uid, user.pw_gid)


def _as_ordinary_user() -> dict[str, Any]:
    user = _ordinary_user()
    return {} if user is None else {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}


def _children_of(pid: int) -> list[int]:
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            if int(status.read_text("utf-8", "replace").rpartition(")")[2].split()[1]) == pid:
                found.append(int(status.parent.name))
    return found


def _alive(pid: int) -> bool:
    """Whether the process still holds anything: one that is only waited for does not."""
    with contextlib.suppress(OSError, IndexError):
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()[0] != "Z"
    return False
