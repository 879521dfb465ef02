"""Signing in with a passkey or a password, and setting that up through a one-time link, by who is a stranger yet."""

from __future__ import annotations

import io
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, cast

import segno
from pydantic import Field
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from comptroller.core.account import PASSKEY_NAME_CHARS_MAX, Account
from comptroller.core.errors import ComptrollerError, RefusedError
from comptroller.core.password import LENGTH_MIN
from comptroller.server.accounts import AGENT_CHARS_MAX, Where, WrongError
from comptroller.server.neutral import neutral
from comptroller.server.oidc import BEGUN_SECONDS_MAX, Provider
from comptroller.server.passkey import VISITOR, PasskeyError, Passkeys, credential_of
from comptroller.server.problem import Body, parsed, problem, problem_of
from comptroller.server.throttle import TooManyError

if TYPE_CHECKING:
    from comptroller.server.console.app import Console

BROWSER = "comptroller-oidc"
SECRET_CHARS_MAX = 200
PASSWORD_CHARS_MAX = 1024
QR_SCALE = 4

Secret = Field(max_length=SECRET_CHARS_MAX)


class Nothing(Body):
    """A body without members."""


class PasskeyAnswer(Body):
    """What a passkey answered to a sign-in."""

    ceremony: str = Secret
    visitor: str = Secret
    answer: dict[str, Any]


class PasswordAnswer(Body):
    """Name, password, and the code of the authenticator app or a recovery code."""

    name: str = Secret
    password: str = Field(max_length=PASSWORD_CHARS_MAX)
    code: str = Secret


class EnrolRequest(Body):
    """The secret of a one-time link."""

    token: str = Secret


class EnrolPasskey(Body):
    """A new passkey for whoever has the link."""

    token: str = Secret
    ceremony: str = Secret
    name: str = Field(default="", max_length=PASSKEY_NAME_CHARS_MAX)
    answer: dict[str, Any]


class EnrolPassword(Body):
    """A password and its second factor for whoever has the link."""

    token: str = Secret
    password: str = Field(max_length=PASSWORD_CHARS_MAX)
    factor: str = Secret
    code: str = Secret


def routes(console: Console) -> list[Route]:
    """The pages outside, and what their script asks."""
    door = _Door(console)
    return [
        Route("/sign-in", door.page, methods=["GET"]),
        Route("/sign-in/passkey/begin", _told(door.begin_passkey), methods=["POST"]),
        Route("/sign-in/passkey", _told(door.passkey), methods=["POST"]),
        Route("/sign-in/password", _told(door.password), methods=["POST"]),
        Route("/sign-in/oidc", _told(door.begin_provider), methods=["GET"]),
        Route("/sign-in/oidc/back", _told(door.provider_back), methods=["GET"]),
        Route("/enrol", door.enrol_page, methods=["GET"]),
        Route("/enrol/begin", _told(door.begin_enrol), methods=["POST"]),
        Route("/enrol/passkey", _told(door.enrol_passkey), methods=["POST"]),
        Route("/enrol/password", _told(door.enrol_password), methods=["POST"]),
    ]


class _Door:
    def __init__(self, console: Console) -> None:
        self._console = console
        self._persons = console.persons
        self._accounts = console.persons.accounts

    async def page(self, request: Request) -> Response:
        """`GET /sign-in`."""
        return self._console.outside(
            "sign_in.html", {"passkeys": self._persons.passkeys is not None, "oidc": self._oidc}
        )

    @property
    def _oidc(self) -> bool:
        return self._console.desk.config.console.oidc is not None

    async def begin_passkey(self, request: Request) -> Response:
        """Any passkey of this console will do: nobody is named, so nobody learns who exists."""
        await parsed(request, Nothing)
        visitor = f"{VISITOR}{secrets.token_urlsafe(16)}"
        return JSONResponse({"visitor": visitor, **self._passkeys().begin_login(visitor)})

    async def passkey(self, request: Request) -> Response:
        """Sign in with a passkey."""
        body = cast(PasskeyAnswer, await parsed(request, PasskeyAnswer))
        where = where_of(self._console, request)
        found = await self._accounts.of_passkey(credential_of(body.answer))
        try:
            if found is None or not body.visitor.startswith(VISITOR):
                raise PasskeyError("this passkey is not known here")
            account, key = found
            done = self._passkeys().finish_login(body.visitor, body.ceremony, body.answer, key)
            account = await self._accounts.sign_in_passkey(account.name, done, where)
        except RefusedError as error:
            await self._accounts.tell_refused(error.message, where, person=found[0].name if found else "")
            raise WrongError("this passkey does not sign in here", hint="try again, or another one") from error
        return self._signed_in(request, account, "passkey")

    async def password(self, request: Request) -> Response:
        """Sign in with a password and a code."""
        body = cast(PasswordAnswer, await parsed(request, PasswordAnswer))
        account = await self._accounts.sign_in(
            body.name.strip().lower(), body.password, body.code, where_of(self._console, request)
        )
        return self._signed_in(request, account, "password")

    # ------------------------------------------------------------ an OpenID provider

    async def begin_provider(self, request: Request) -> Response:
        """Off to the provider. A cookie of its own comes back from there: the session's never travels so."""
        url, browser = await self._provider().begin()
        response = RedirectResponse(url, status_code=303)
        response.set_cookie(
            BROWSER,
            browser,
            max_age=BEGUN_SECONDS_MAX,
            path=f"{self._console.address.prefix}/sign-in/oidc/back",
            httponly=True,
            samesite="lax",
            secure=self._console.address.secure,
        )
        return response

    async def provider_back(self, request: Request) -> Response:
        """Back from the provider. The page goes on by itself: a strict cookie is not sent on the way from elsewhere."""
        asked, where = request.query_params, where_of(self._console, request)
        try:
            found = await self._provider().finish(
                state=asked.get("state", ""),
                code=asked.get("code", ""),
                browser=request.cookies.get(BROWSER, ""),
                issuer=asked.get("iss", ""),
            )
            caller = self._persons.caller_of_provider(found)
        except RefusedError as error:
            await self._accounts.tell_refused(error.message, where)
            values = {"told": neutral(error.message), "hint": neutral(error.hint)}
            return self._console.outside("not_in.html", values, status=403)
        await self._persons.came_from_provider(found, caller, where)
        for old in self._console.address.cookies(request):
            self._console.sessions.end(old)
        cookie = self._console.sessions.open(
            caller, how="oidc", address=where.address, agent=where.agent, said=found.said
        )
        response = self._console.outside("going_in.html", {"next": self._console.address.url("")})
        self._console.address.give_cookie(response, cookie)
        return response

    def _provider(self) -> Provider:
        address = self._console.address
        found = self._persons.provider(f"{address.origin}{address.prefix}/sign-in/oidc/back")
        if found is None:
            raise RefusedError("no OpenID provider is configured", hint="see console.oidc in comptroller.yaml")
        return found

    # ------------------------------------------------------------ enrolment

    async def enrol_page(self, request: Request) -> Response:
        """`GET /enrol`: the secret is in the fragment, which its script takes out."""
        values = {"passkeys": self._persons.passkeys is not None, "length_min": LENGTH_MIN}
        return self._console.outside("enrol.html", values)

    async def begin_enrol(self, request: Request) -> Response:
        """Who is invited, and what they need for either way."""
        token = cast(EnrolRequest, await parsed(request, EnrolRequest)).token
        account = await self._accounts.invited(token)
        factor, uri = self._accounts.new_factor(account.name)
        passkey = None
        if self._persons.passkeys is not None:
            organization = self._console.desk.config.organization
            passkey = self._persons.passkeys.begin_enrolment(_holder(token), account, organization=organization)
        return JSONResponse({"person": account.name, "passkey": passkey, "factor": factor, "picture": picture(uri)})

    async def enrol_passkey(self, request: Request) -> Response:
        """The link is used up by a passkey."""
        body = cast(EnrolPasskey, await parsed(request, EnrolPasskey))
        await self._accounts.invited(body.token)
        key = self._passkeys().finish_enrolment(
            _holder(body.token), body.ceremony, body.answer, name=body.name.strip() or "passkey"
        )
        account = await self._accounts.enrol_passkey(body.token, key, where_of(self._console, request))
        return self._signed_in(request, account, "passkey")

    async def enrol_password(self, request: Request) -> Response:
        """The link is used up by a password and an authenticator app."""
        body = cast(EnrolPassword, await parsed(request, EnrolPassword))
        account, codes = await self._accounts.enrol_password(
            body.token, body.password, body.factor, body.code, where_of(self._console, request)
        )
        return self._signed_in(request, account, "password", codes=list(codes))

    # ------------------------------------------------------------ within

    def _passkeys(self) -> Passkeys:
        return passkeys_of(self._console)

    def _signed_in(self, request: Request, account: Account, how: str, **more: object) -> Response:
        """A new session: whatever the browser had before is over."""
        where = where_of(self._console, request)
        for old in self._console.address.cookies(request):
            self._console.sessions.end(old)
        caller = self._persons.caller_of_account(account, how)
        cookie = self._console.sessions.open(caller, how=how, address=where.address, agent=where.agent)
        response = JSONResponse({"next": self._console.address.url(""), **more})
        self._console.address.give_cookie(response, cookie)
        return response


def passkeys_of(console: Console) -> Passkeys:
    """The passkeys of the console's address. Raises `RefusedError` where it can have none."""
    if console.persons.passkeys is None:
        raise RefusedError(
            "this address can have no passkeys: they belong to a name, not to an IP address",
            hint="open the console as http://localhost:PORT, or give it a public_url with https",
        )
    return console.persons.passkeys


def where_of(console: Console, request: Request) -> Where:
    """From where a request comes."""
    agent = request.headers.get("user-agent", "")[:AGENT_CHARS_MAX]
    return Where(address=console.address.client_of(request), agent="".join(c for c in agent if " " <= c <= "~"))


def picture(uri: str) -> str:
    """The code that an authenticator app reads, as SVG without a style of its own."""
    drawn = io.BytesIO()
    code = segno.make(uri, error="m", micro=False)
    code.save(drawn, kind="svg", xmldecl=False, nl=False, scale=QR_SCALE, dark="#000", light="#fff", border=4)
    return drawn.getvalue().decode("utf-8")


def _holder(token: str) -> str:
    return f"enrol:{token[:SECRET_CHARS_MAX]}"


def _told(handler: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
    async def run(request: Request) -> Response:
        try:
            return await handler(request)
        except TooManyError as error:
            response = problem(429, error.message, hint=error.hint)
            response.headers["retry-after"] = str(error.seconds)
            return response
        except WrongError as error:
            return problem(403, error.message, hint=error.hint)
        except ComptrollerError as error:
            return problem_of(error)

    return run
