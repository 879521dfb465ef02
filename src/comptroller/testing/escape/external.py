"""Proves from inside that a wall which is not ours leads to the gateway alone: `comptroller doctor --layer external`.

Run where the agent runs, as the agent's user, with the variables `comptroller run --layer external` gives a command. A
probe is open as soon as anything answers. What nobody answers proves nothing by itself, so every way is tried to
several places, and the gateway itself has to answer: else nothing was proved, and it does not hold.
"""

from __future__ import annotations

import base64
import contextlib
import json
import secrets
import socket
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit

from comptroller.testing.escape.suite import Attack

LAYER = "external"
GROUP = "external"
SECONDS = 2.0
AT_ONCE = 32
INTERNAL = "comptroller.internal"
PUBLIC = ("1.1.1.1", "8.8.8.8", "9.9.9.9", "208.67.222.222")
"""Resolvers that answer anybody, on all of `PUBLIC_PORTS` between them: where one is silent a wall stands before it."""
PUBLIC_V6 = ("2606:4700:4700::1111", "2001:4860:4860::8888", "2620:fe::fe")
PUBLIC_PORTS = (53, 80, 443, 853)
ODD_PORTS = (22, 25, 3333, 8443)
METADATA = ("169.254.169.254", "169.254.170.2", "169.254.170.23", "168.63.129.16", "100.100.100.200", "192.0.0.192")
METADATA_V6 = ("fd00:ec2::254", "fd20:ce::254")
NAMES = ("example.com", "pypi.org", "github.com", "metadata.google.internal", "host.docker.internal")
NEAR_PORTS = (22, 53, 80, 443, 2375, 2376, 3128, 5000, 5432, 6379, 6443, 8080, 8443, 9090, 10250)
"""Of the machine next door: its shell, container daemons, databases, the cluster's own interfaces."""
SOCKETS = ("/var/run/docker.sock", "/run/docker.sock", "/run/podman/podman.sock", "/run/containerd/containerd.sock")
POWERS = {12: "CAP_NET_ADMIN", 13: "CAP_NET_RAW", 16: "CAP_SYS_MODULE", 21: "CAP_SYS_ADMIN", 19: "CAP_SYS_PTRACE"}
_VARIABLES = ("HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy")

Found = str | None
"""What answered; None where nothing did."""


@dataclass(frozen=True, slots=True)
class Gateway:
    """Where the proxy variables lead, and what they show there."""

    host: str
    port: int
    credentials: str

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Gateway | None:
        """The gateway that the environment names; None where it names none with user and password."""
        for name in _VARIABLES:
            with contextlib.suppress(ValueError):
                parts: SplitResult = urlsplit(environment.get(name, ""))
                if parts.hostname and parts.port and parts.username and parts.password:
                    pair = f"{unquote(parts.username)}:{unquote(parts.password)}"
                    return cls(parts.hostname, parts.port, base64.b64encode(pair.encode()).decode())
        return None

    def ask(self, *, shown: bool = True) -> bytes:
        """The answer to a plain request for the run's own facts. Raises `OSError`."""
        credentials = f"Proxy-Authorization: Basic {self.credentials}\r\n" if shown else ""
        head = f"GET http://{INTERNAL}/budget HTTP/1.1\r\nHost: {INTERNAL}\r\n{credentials}Connection: close\r\n\r\n"
        return _talk((self.host, self.port), head.encode())


def prove(environment: Mapping[str, str], *, tell: Callable[[Attack], None] | None = None) -> tuple[Attack, ...]:
    """Every probe, in order, with what came of it."""
    gateway = Gateway.of(environment)
    attacks = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for attack in _attacks(gateway, environment, pool):
            attacks.append(attack)
            if tell is not None:
                tell(attack)
    return tuple(attacks)


def _attacks(gateway: Gateway | None, environment: Mapping[str, str], pool: ThreadPoolExecutor) -> Iterator[Attack]:
    yield _gateway_answers(gateway)
    yield _stranger_refused(gateway)
    near = _near(gateway)
    own = (gateway.host, gateway.port) if gateway is not None else ("", 0)
    probes: Sequence[tuple[str, Sequence[tuple[Callable[..., Found], tuple[object, ...]]]]] = (
        ("a direct connection (v4)", _each(_connect, PUBLIC, PUBLIC_PORTS)),
        ("a direct connection (v6)", _each(_connect, PUBLIC_V6, PUBLIC_PORTS)),
        ("a direct connection to another port", _each(_connect, PUBLIC[:2], ODD_PORTS)),
        ("cloud metadata (v4)", _each(_connect, METADATA, (80,))),
        ("cloud metadata (v6)", _each(_connect, METADATA_V6, (80,))),
        ("names, by the machine's resolver", [(_resolve, (name,)) for name in (*NAMES, _random_name())]),
        ("names, by a resolver elsewhere (UDP)", [(_ask_udp, (place,)) for place in (*PUBLIC, *PUBLIC_V6)]),
        ("names, by the configured resolver (UDP)", [(_ask_udp, (place,)) for place in _resolvers()]),
        ("names, by the configured resolver (TCP)", [(_ask_tcp, (place,)) for place in _resolvers()]),
        ("the time of the outside (UDP)", [(_ask_time, (place,)) for place in ("162.159.200.1", "216.239.35.0")]),
        ("an echo from outside (ICMP)", [(_ping, (place,)) for place in PUBLIC]),
        ("a packet socket, or a raw one", [(_raw, ())]),
        ("the machine next door", [(_connect, (h, p)) for h in near for p in NEAR_PORTS if (h, p) != own]),
        ("the cluster's interface", [(_connect, place) for place in _cluster(environment)]),
        ("container daemons", [(_unix, (path,)) for path in SOCKETS]),
        ("the sockets of a comptroller", [(_unix, (path,)) for path in _control_sockets(environment)]),
        ("power over the wall itself", [(_powers, ())]),
    )
    for name, tries in probes:
        waiting = [pool.submit(function, *arguments) for function, arguments in tries]
        answered = [text for text in (each.result() for each in waiting) if text]
        if answered:
            yield _attack(name, blocked=False, detail="; ".join(answered[:3]))
        else:
            yield _attack(name, blocked=True, detail=f"{len(tries)} tried, nothing answered")


def _attack(name: str, *, blocked: bool, detail: str) -> Attack:
    return Attack(name=name, group=GROUP, blocked=blocked, detail=detail[:300])


def _gateway_answers(gateway: Gateway | None) -> Attack:
    """Where the gateway cannot be reached either, silence elsewhere says nothing of the wall."""
    name = "only the gateway answers"
    if gateway is None:
        return _attack(name, blocked=False, detail="HTTPS_PROXY names no gateway: comptroller run --layer external")
    try:
        head, _, body = gateway.ask().partition(b"\r\n\r\n")
        told = json.loads(body)
    except (OSError, ValueError) as error:
        return _attack(name, blocked=False, detail=f"the gateway did not: {error}")
    if b" 200 " not in head.split(b"\r\n")[0] or not isinstance(told, dict) or "run" not in told:
        return _attack(name, blocked=False, detail="what answers there is no gateway of Comptroller")
    return _attack(name, blocked=True, detail=f"run {told['run']} at {gateway.host}:{gateway.port}")


def _stranger_refused(gateway: Gateway | None) -> Attack:
    name = "the gateway without the run's secret"
    try:
        answer = gateway.ask(shown=False) if gateway is not None else b""
    except OSError as error:
        return _attack(name, blocked=False, detail=f"cannot be told: {error}")
    first = answer.split(b"\r\n")[0].decode("ascii", "replace")
    return _attack(name, blocked=" 407 " in first, detail=first or "there is no gateway")


# ---------------------------------------------------------------- ways out


def _connect(host: str, port: int) -> Found:
    try:
        with socket.create_connection((host, port), timeout=SECONDS):
            return f"{host}:{port} took a connection"
    except OSError:
        return None


def _resolve(name: str) -> Found:
    try:
        found = socket.getaddrinfo(name, 443, type=socket.SOCK_STREAM)
    except OSError:
        return None
    return f"{name} is {found[0][4][0]}" if found else None


def _ask_udp(place: str) -> Found:
    answer = _datagram(place, 53, _query())
    return f"{place} was asked for a name and answered" if _asked_on(answer) else None


def _ask_tcp(place: str) -> Found:
    query = _query()
    try:
        with socket.create_connection((place, 53), timeout=SECONDS) as link:
            link.settimeout(SECONDS)
            link.sendall(struct.pack("!H", len(query)) + query)
            answer = link.recv(512)[2:]
    except OSError:
        return None
    return f"{place} was asked for a name over TCP and answered" if _asked_on(answer) else None


def _ask_time(place: str) -> Found:
    return f"{place} told the time" if _datagram(place, 123, b"\x1b" + bytes(47)) else None


def _query() -> bytes:
    """A question nobody has asked before: whoever knows the answer, also that there is none, has asked on."""
    labels = b"".join(bytes([len(part)]) + part.encode() for part in _random_name().split("."))
    return struct.pack("!6H", secrets.randbelow(1 << 16), 0x0100, 1, 0, 0, 0) + labels + b"\0\0\x01\0\x01"


def _asked_on(answer: bytes) -> bool:
    return len(answer) > 3 and answer[3] & 15 in (0, 3)


def _datagram(place: str, port: int, data: bytes) -> bytes:
    try:
        with socket.socket(socket.AF_INET6 if ":" in place else socket.AF_INET, socket.SOCK_DGRAM) as link:
            link.settimeout(SECONDS)
            link.connect((place, port))
            link.send(data)
            return link.recv(512)
    except OSError:
        return b""


def _ping(place: str) -> Found:
    for kind in (socket.SOCK_DGRAM, socket.SOCK_RAW):
        with contextlib.suppress(OSError), socket.socket(socket.AF_INET, kind, socket.IPPROTO_ICMP) as link:
            link.settimeout(SECONDS)
            link.sendto(struct.pack("!BBHHH", 8, 0, 0xF7FF, 0, 0), (place, 0))
            if link.recv(512):
                return f"{place} answered an echo"
    return None


def _raw() -> Found:
    for family, kind, protocol in ((socket.AF_PACKET, socket.SOCK_RAW, 0), (socket.AF_INET, socket.SOCK_RAW, 1)):
        with contextlib.suppress(OSError), socket.socket(family, kind, protocol):
            return "one can be opened: packets may be written that no rule of the wall expects"
    return None


def _unix(path: str) -> Found:
    try:
        with socket.socket(socket.AF_UNIX) as link:
            link.settimeout(SECONDS)
            link.connect(path)
    except OSError:
        return None
    return f"{path} takes connections"


def _powers() -> Found:
    text = Path("/proc/self/status").read_text("ascii", "replace")
    held = next((int(line.split()[1], 16) for line in text.splitlines() if line.startswith("CapEff:")), 0)
    names = [name for bit, name in POWERS.items() if held >> bit & 1]
    return f"{', '.join(names)} held: the rules of the wall, or its processes, can be changed" if names else None


# ---------------------------------------------------------------- places


def _each(
    function: Callable[..., Found], hosts: Iterable[str], ports: Sequence[int]
) -> list[tuple[Callable[..., Found], tuple[object, ...]]]:
    return [(function, (host, port)) for host in hosts for port in ports]


def _near(gateway: Gateway | None) -> list[str]:
    """The way out of this network, and the gateway's own machine; of this machine's loopback nothing is asked."""
    found = [gateway.host] if gateway is not None and not gateway.host.startswith("127.") else []
    with contextlib.suppress(OSError, ValueError):
        for line in Path("/proc/net/route").read_text("ascii").splitlines()[1:]:
            fields = line.split()
            if fields[1] == "00000000":
                found.append(socket.inet_ntoa(struct.pack("=I", int(fields[2], 16))))
    return list(dict.fromkeys(found))


def _cluster(environment: Mapping[str, str]) -> list[tuple[str, int]]:
    port = environment.get("KUBERNETES_SERVICE_PORT", "443")
    host = environment.get("KUBERNETES_SERVICE_HOST", "kubernetes.default.svc")
    return [(host, int(port) if port.isdigit() else 443)]


def _resolvers() -> list[str]:
    try:
        lines = Path("/etc/resolv.conf").read_text("ascii", "replace").splitlines()
    except OSError:
        return []
    return [line.split()[1] for line in lines if line.startswith("nameserver") and len(line.split()) > 1]


def _control_sockets(environment: Mapping[str, str]) -> list[str]:
    """Whoever reaches one of these can answer questions in the person's place."""
    home = Path(environment.get("XDG_STATE_HOME") or Path(environment.get("HOME") or "/", ".local", "state"))
    with contextlib.suppress(OSError):
        return [str(path) for path in sorted((home / "comptroller").glob("*/*.sock"))]
    return []


def _random_name() -> str:
    return f"{secrets.token_hex(8)}.example.com"


def _talk(place: tuple[str, int], data: bytes) -> bytes:
    with socket.create_connection(place, timeout=SECONDS) as link:
        link.settimeout(SECONDS * 5)
        link.sendall(data)
        answer = b""
        while piece := link.recv(4096):
            answer += piece
            if len(answer) > 1 << 20:
                break
        return answer
