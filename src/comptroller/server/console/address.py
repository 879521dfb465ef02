"""Where the console is reached: the names it answers to, the path it lies under, and the cookie that belongs there."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from starlette.requests import Request
from starlette.responses import Response

from comptroller.core.config_console import ConsoleConfig
from comptroller.server.sessions import SESSION_SECONDS_MAX

COOKIE = "comptroller"
COOKIES_MAX = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """The first of `origins` is the one that links lead to. Everything lies under `prefix`, and what needs a session
    under `base`.

    On loopback `base` is unpredictable: a cookie for localhost goes to every port of it, and another user's server on
    another port shall not see ours. Under a name of its own it is the prefix.
    """

    origins: tuple[str, ...]
    prefix: str
    base: str
    trusted_proxies: tuple[str, ...] = ()

    @property
    def origin(self) -> str:
        """Scheme, host and port that links lead to."""
        return self.origins[0]

    @property
    def secure(self) -> bool:
        """Whether people reach it over TLS."""
        return self.origin.startswith("https://")

    @property
    def cookie_name(self) -> str:
        """The cookie's name; over TLS one that no plain page can set."""
        return f"__Secure-{COOKIE}" if self.secure else COOKIE

    def url(self, path: str) -> str:
        """The path of a page, from its path under the base."""
        return f"{self.base}/{path.lstrip('/')}"

    def host_of(self, request: Request) -> str:
        """The host that the browser asked for: what a trusted proxy says, else what the request says; empty where it
        says several or none."""
        named = request.headers.getlist("host")
        if self.proxied(request) and (forwarded := request.headers.getlist("x-forwarded-host")):
            named = forwarded
        return named[0].lower() if len(named) == 1 else ""

    def origin_of(self, request: Request) -> str | None:
        """Which of our origins the browser asked for; None for any other name."""
        host = self.host_of(request)
        return next((origin for origin in self.origins if host and origin.partition("://")[2] == host), None)

    def proxied(self, request: Request) -> bool:
        """Whether the connection comes from a proxy that is trusted."""
        peer = request.client.host if request.client else ""
        try:
            address = ip_address(peer)
        except ValueError:
            return False
        return any(address in ip_network(each) for each in self.trusted_proxies)

    def client_of(self, request: Request) -> str:
        """The address of the person's machine, for counting wrong passwords: behind trusted proxies the last one that
        is none of them."""
        peer = request.client.host if request.client else ""
        if not self.proxied(request):
            return peer
        hops = [part.strip() for line in request.headers.getlist("x-forwarded-for") for part in line.split(",")]
        for hop in reversed(hops):
            try:
                address = ip_address(hop)
            except ValueError:
                return peer
            if not any(address in ip_network(each) for each in self.trusted_proxies):
                return str(address)
        return peer

    def cookies(self, request: Request) -> list[str]:
        """Every value of our cookie: another server on this machine may have set one of the same name."""
        pairs = (part.partition("=") for line in request.headers.getlist("cookie") for part in line.split(";"))
        return [value.strip() for name, _, value in pairs if name.strip() == self.cookie_name][:COOKIES_MAX]

    def give_cookie(self, response: Response, value: str) -> None:
        """Let the browser keep the session: for this path alone, never for scripts, never from elsewhere."""
        response.set_cookie(
            self.cookie_name,
            value,
            max_age=SESSION_SECONDS_MAX,
            path=f"{self.base}/",
            httponly=True,
            samesite="strict",
            secure=self.secure,
        )

    def take_cookie(self, response: Response) -> None:
        """Let the browser forget the session."""
        response.delete_cookie(
            self.cookie_name, path=f"{self.base}/", httponly=True, samesite="strict", secure=self.secure
        )


def address_of(config: ConsoleConfig, *, port: int, named: bool) -> Address:
    """The address of a console that listens on `port`. `named`: on loopback it has the port on every address that
    `localhost` may mean, so that nobody else answers under that name."""
    host = f"localhost:{port}" if named else f"127.0.0.1:{port}"
    scheme = "https" if config.tls is not None else "http"
    local = (f"{scheme}://{host}", f"{scheme}://127.0.0.1:{port}") if config.loopback else ()
    if config.public_url:
        origins = (config.public_url, *(() if config.trusted_proxies else local))
        return Address(
            origins=tuple(dict.fromkeys(origins)),
            prefix=config.prefix,
            base=config.prefix,
            trusted_proxies=config.trusted_proxies,
        )
    base = f"{config.prefix}/{secrets.token_urlsafe(16)}"
    return Address(origins=tuple(dict.fromkeys(local)), prefix=config.prefix, base=base)
