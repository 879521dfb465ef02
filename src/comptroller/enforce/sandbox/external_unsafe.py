"""A command behind a wall that is not ours: a pod's, a virtual machine's or a container's own network and policy.

No box is made. What is ours: a listener of this run's own, which its proxy variables name with a secret, certificates
to trust, placeholders instead of keys, an environment by the allow-list, and an end with `run`. Whether anything else
can be reached is for `comptroller doctor --layer external` to show, from inside.
"""

from __future__ import annotations

import ipaddress
import secrets
import shutil
import socket
import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Self

from comptroller.core.errors import UsageError
from comptroller.enforce.sandbox import trust
from comptroller.enforce.sandbox.box import BoxSocket
from comptroller.enforce.sandbox.unboxed_unsafe import Unboxed
from comptroller.enforce.sandbox.view import BoxSpec

LISTEN = "127.0.0.1:0"
USER = "run"
SECRET_BYTES = 32
BACKLOG = 512
NOT_PROXIED = "localhost,127.0.0.1,::1"
PROXY_VARIABLES = ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")
_HINT = "write it as --listen 10.0.0.5:3128, an address of this machine that the agent's network reaches"


class External(Unboxed):
    """A command from `launch` to `close`, used like a `Box`, whose one socket is a listener outside of any box."""

    secret: str
    _folder: Path

    @classmethod
    def launch(cls, spec: BoxSpec, *, listen: str | None = None) -> Self:
        """Open the run's listener at `listen` and lay out what the command is told. Raises `UsageError`."""
        made = super().launch(spec)
        made.secret = secrets.token_urlsafe(SECRET_BYTES)
        listener = _listener(listen or LISTEN)
        made._folder = Path(tempfile.mkdtemp(prefix="comptroller-trust-"))
        made._folder.chmod(0o755)
        made.sockets = (BoxSocket(role="proxy", socket=listener),)
        host, port = listener.getsockname()[:2]
        shown = f"[{host}]" if ":" in host else host
        given = {**_trusted(made._folder, spec.authority_pem), **_proxied(f"{shown}:{port}", made.secret)}
        made._spec = replace(spec, environment={**given, **spec.environment})
        return made

    def close(self) -> None:
        """Kill what still lives, close the listener, remove the certificates. Safe to call twice."""
        super().close()
        for each in self.sockets:
            each.socket.close()
        shutil.rmtree(self._folder, ignore_errors=True)


def _listener(listen: str) -> socket.socket:
    host, _, port = listen.rpartition(":")
    try:
        address = ipaddress.ip_address(host.strip("[]"))
        number = int(port) if port.isascii() and port.isdigit() else -1
    except ValueError as error:
        raise UsageError(f"`{listen}` is no address and port to listen at", hint=_HINT) from error
    if not 0 <= number < 65_536 or address.is_unspecified:
        raise UsageError(f"`{listen}` is no one address and port to listen at", hint=_HINT)
    family = socket.AF_INET6 if address.version == 6 else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_STREAM)
    try:
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind((str(address), number))
        opened.listen(BACKLOG)
    except OSError as error:
        opened.close()
        raise UsageError(f"cannot listen at `{listen}`: {error.strerror}", hint=_HINT) from error
    return opened


def _proxied(place: str, secret: str) -> Mapping[str, str]:
    address = f"http://{USER}:{secret}@{place}"
    exempt = {"NO_PROXY": NOT_PROXIED, "no_proxy": NOT_PROXIED}
    return {**dict.fromkeys(PROXY_VARIABLES, address), **exempt, "NODE_USE_ENV_PROXY": "1"}


def _trusted(folder: Path, authority_pem: str) -> Mapping[str, str]:
    """The variables of a box, for files that are shown to nobody else by us: a container has to be given them."""
    authority, bundle = folder / "authority.pem", folder / "bundle.pem"
    authority.write_text(authority_pem, "ascii")
    bundle.write_bytes(trust.machine_roots().rstrip(b"\n") + b"\n" + authority_pem.encode())
    files = {trust.BUNDLE: str(bundle), trust.AUTHORITY: str(authority)}
    return {name: files.get(value, value) for name, value in trust.ENVIRONMENT.items()}
