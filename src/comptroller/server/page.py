"""The approvals page on 127.0.0.1: one-time link, strict cookie, Host and Origin checked, CSRF tokens."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable
from importlib import resources
from typing import cast
from urllib.parse import parse_qs

import jinja2
from starlette.applications import Starlette
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from comptroller.core.approval import ApprovalState, Assurance, Person
from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.server import words
from comptroller.server.identity import Caller
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.operations import WAIT_SECONDS_MAX, BrakeVerb, ForbiddenError, Operations
from comptroller.server.problem import Body, body_bytes, number, parsed, problem, problem_of
from comptroller.server.render import Json, time_text
from comptroller.server.sessions import SESSION_SECONDS_MAX, Session, Sessions, same_secret

COOKIE = "comptroller"
RECENT_SHOWN_MAX = 60
RUNS_SHOWN_MAX = 20
FIELDS_MAX = 8
COOKIES_MAX = 8
BEATS_MAX = 2**53
FORM_TYPE = "application/x-www-form-urlencoded"
STATIC = {
    "page.css": "text/css; charset=utf-8",
    "page.js": "text/javascript; charset=utf-8",
    "login.js": "text/javascript; charset=utf-8",
    "mark.svg": "image/svg+xml",
}
SECURITY_HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "cache-control": "no-store",
}


class Login(Body):
    """`POST /login`."""

    token: str


class Page:
    """The page of one server on one loopback port.

    Its content lies under an unpredictable path, and so does the cookie: a cookie for 127.0.0.1 goes to every port of
    it, and another user's server on another port shall not see ours.
    """

    def __init__(self, operations: Operations, *, port: int) -> None:
        self._operations = operations
        self._host = f"127.0.0.1:{port}"
        self.origin = f"http://{self._host}"
        self._base = f"/{secrets.token_urlsafe(16)}"
        self._sessions = Sessions(operations.desk.clock)
        self.watchers = 0
        environment = jinja2.Environment(
            loader=jinja2.PackageLoader("comptroller.server", "templates"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters |= {"n": neutral, "name": neutral_name, "short": words.short_id}
        environment.globals |= {
            "amount": words.amount_text,
            "price": words.price_text,
            "part": words.part_text,
            "efforts": words.efforts_text,
            "reversible": words.reversible_text,
        }
        self._templates = environment
        self._static = {name: (resources.files("comptroller.server") / "static" / name).read_bytes() for name in STATIC}

    def link(self, caller: Caller) -> Json:
        """A one-time link for `caller`. The secret is in the fragment: it reaches no server, log or referrer."""
        token, expires_at = self._sessions.link(caller)
        return {"url": f"{self.origin}/login#{token}", "expires_at": time_text(expires_at)}

    def app(self) -> ASGIApp:
        """The ASGI application behind its guard."""
        base = self._base
        routes = [
            Route("/", self._nowhere, methods=["GET"]),
            Route("/login", self._login_page, methods=["GET"]),
            Route("/login", self._login, methods=["POST"]),
            Route("/static/{name}", self._file, methods=["GET"]),
            Route(f"{base}/", self._signed_in(self._index), methods=["GET"]),
            Route(f"{base}/changes", self._signed_in(self._changes), methods=["GET"]),
            Route(f"{base}/approvals/{{id}}/{{verb}}", self._signed_in(self._answer), methods=["POST"]),
            Route(f"{base}/brake/{{verb}}", self._signed_in(self._brake), methods=["POST"]),
            Route(f"{base}/logout", self._signed_in(self._logout), methods=["POST"]),
        ]
        return _Guard(Starlette(routes=routes), host=self._host, origin=self.origin)

    # ------------------------------------------------------------ signing in

    async def _nowhere(self, request: Request) -> Response:
        return self._signed_out(401)

    async def _login_page(self, request: Request) -> Response:
        return self._html("login.html", {})

    async def _login(self, request: Request) -> Response:
        try:
            token = cast(Login, await parsed(request, Login)).token
            cookie = self._sessions.login(token)
        except UsageError as error:
            return problem_of(error)
        except ComptrollerError as error:
            return problem(429, error.message, hint=error.hint)
        if cookie is None:
            return problem(403, "this link was used or is too old", hint="comptroller approvals open")
        response = JSONResponse({"next": f"{self._base}/"})
        response.set_cookie(
            COOKIE, cookie, max_age=SESSION_SECONDS_MAX, path=f"{self._base}/", httponly=True, samesite="strict"
        )
        return response

    def _signed_in(
        self, handler: Callable[[Request, Session], Awaitable[Response]]
    ) -> Callable[[Request], Awaitable[Response]]:
        async def run(request: Request) -> Response:
            session = next((found for cookie in _cookies(request) if (found := self._sessions.find(cookie))), None)
            if session is None:
                return self._signed_out(401)
            try:
                return await handler(request, session)
            except ComptrollerError as error:
                return problem_of(error)

        return run

    async def _logout(self, request: Request, session: Session) -> Response:
        await self._form(request, session)
        for cookie in _cookies(request):
            self._sessions.end(cookie)
        return self._signed_out(200)

    # ------------------------------------------------------------ reading

    async def _index(self, request: Request, session: Session) -> Response:
        if "refresh" not in request.query_params:
            self._sessions.touch(session)
        beats = self._operations.pulse.beats
        now = self._operations.desk.clock.now()
        pending = cast(
            list[Json], (await self._operations.approvals(session.caller, ApprovalState.PENDING))["approvals"]
        )
        runs = cast(list[Json], (await self._operations.runs())["runs"])
        budgets = cast(list[Json], (await self._operations.budgets())["budgets"])
        recent = await self._operations.recent(count=RECENT_SHOWN_MAX)
        notice = session.notice
        if "refresh" not in request.query_params:
            session.notice = None
        for item in pending:
            item["seconds_left"] = int(words.time_left(item["expires_at"], now))
            item["left_text"] = words.seconds_text(words.time_left(item["expires_at"], now))
        return self._html(
            "page.html",
            {
                "base": self._base,
                "csrf": session.csrf,
                "beats": beats,
                "notice": notice,
                "person": session.caller.person.name,
                "groups": sorted(session.caller.person.groups),
                "operator": session.caller.operator,
                "organization": self._operations.desk.config.organization,
                "upstreams": sorted(self._operations.desk.config.upstreams),
                "pending": list(reversed(pending)),
                "runs": [run for run in runs if run["state"] == "active"][:RUNS_SHOWN_MAX],
                "ended": sum(run["state"] != "active" for run in runs),
                "budgets": [_bar(row) for row in budgets],
                "recent": [words.entry_line(entry) for entry in recent],
            },
        )

    async def _changes(self, request: Request, session: Session) -> Response:
        """Answer once something happened after `beats`, or after a while."""
        self.watchers += 1
        try:
            seen = int(number(request, "beats", 0, BEATS_MAX))
            await self._operations.pulse.wait(seen, WAIT_SECONDS_MAX)
        finally:
            self.watchers -= 1
        return JSONResponse({"beats": self._operations.pulse.beats})

    async def _file(self, request: Request) -> Response:
        name = request.path_params["name"]
        if name not in STATIC:
            return problem(404, "there is no such file")
        return Response(self._static[name], media_type=STATIC[name])

    # ------------------------------------------------------------ answering

    async def _answer(self, request: Request, session: Session) -> Response:
        form = await self._form(request, session)
        identifier, verb = request.path_params["id"], request.path_params["verb"]
        caller = _through_page(session.caller)

        async def act() -> str:
            if verb == "approve":
                ceiling = form.get("ceiling", "").strip() or None
                done = await self._operations.approve(
                    caller, identifier, ceiling_usd=ceiling, comment=form.get("comment", "")
                )
                if done["state"] == ApprovalState.PENDING:
                    return f"Your yes counts; more people are needed: {neutral(done['sentence'])}"
                return f"Approved, for exactly this and once: {neutral(done['sentence'])}"
            if verb == "reject":
                done = await self._operations.reject(caller, identifier, comment=form.get("comment", ""))
                return f"Rejected: {neutral(done['sentence'])}"
            raise UsageError("there is nothing to answer in this way")

        return await self._done(session, act)

    async def _brake(self, request: Request, session: Session) -> Response:
        form = await self._form(request, session)
        verb = request.path_params["verb"]

        async def act() -> str:
            if verb not in ("freeze", "thaw", "kill"):
                raise UsageError("a brake can freeze, thaw or kill")
            done = await self._operations.brake(
                _through_page(session.caller),
                cast(BrakeVerb, verb),
                form.get("scope", ""),
                reason=form.get("reason", ""),
            )
            told = {"freeze": "Frozen", "thaw": "Thawed", "kill": "Killed"}[verb]
            return f"{told}: {neutral_name(done['scope'])}"

        return await self._done(session, act)

    async def _done(self, session: Session, act: Callable[[], Awaitable[str]]) -> Response:
        """Do it, and show the page again with what came of it."""
        self._sessions.touch(session)
        try:
            session.notice = ("good", await act())
        except ComptrollerError as error:
            kind = getattr(error, "kind", "")
            text = neutral(error.message) + (f" ({kind})" if kind else "")
            session.notice = ("bad", f"{text}. {neutral(error.hint)}" if error.hint else text)
        return RedirectResponse(f"{self._base}/", status_code=303)

    async def _form(self, request: Request, session: Session) -> dict[str, str]:
        """The fields of a posted form, its token checked. Raises `ForbiddenError`."""
        if request.headers.get("content-type", "").split(";")[0].strip() != FORM_TYPE:
            raise ForbiddenError("only this page's own forms are accepted")
        try:
            text = (await body_bytes(request)).decode("utf-8")
            fields = parse_qs(text, keep_blank_values=True, max_num_fields=FIELDS_MAX, strict_parsing=bool(text))
        except ValueError as error:
            raise UsageError("the form cannot be read") from error
        if any(len(values) != 1 for values in fields.values()):
            raise UsageError("a field appears twice")
        form = {name: values[0] for name, values in fields.items()}
        if not same_secret(form.get("csrf", ""), session.csrf):
            raise ForbiddenError("the form's token is missing or old", hint="reload the page")
        return form

    def _signed_out(self, status: int) -> Response:
        return self._html("out.html", {}, status)

    def _html(self, template: str, values: dict[str, object], status: int = 200) -> Response:
        return HTMLResponse(self._templates.get_template(template).render(values), status_code=status)


class _Guard:
    """In front of everything: the right Host, no foreign Origin, and the security headers on every answer."""

    def __init__(self, app: ASGIApp, *, host: str, origin: str) -> None:
        self._app = app
        self._host = host
        self._origin = origin

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in SECURITY_HEADERS.items():
                    headers[name] = value
            await send(message)

        refusal = self._refusal(Request(scope))
        if refusal is not None:
            await refusal(scope, receive, with_headers)
            return
        await self._app(scope, receive, with_headers)

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.getlist("host") != [self._host]:
            return problem(421, f"this is {self._origin}, under no other name")
        origins = request.headers.getlist("origin")
        if request.method not in ("GET", "HEAD"):
            if origins != [self._origin]:
                return problem(403, "requests from elsewhere are refused")
        elif origins and origins != [self._origin]:
            return problem(403, "requests from elsewhere are refused")
        if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none") and not (
            request.method == "GET" and request.url.path == "/login"
        ):
            return problem(403, "requests from elsewhere are refused")
        return None


def _cookies(request: Request) -> list[str]:
    """Every value of our cookie: another server on this address may have set one of the same name for all paths."""
    pairs = (part.partition("=") for line in request.headers.getlist("cookie") for part in line.split(";"))
    return [value.strip() for name, _, value in pairs if name.strip() == COOKIE][:COOKIES_MAX]


def _through_page(caller: Caller) -> Caller:
    person = caller.person
    through = Person(name=person.name, groups=person.groups, via="page", assurance=Assurance.SESSION)
    return Caller(person=through, roles=caller.roles)


def _bar(row: Json) -> Json:
    """A budget with the widths of its bar in per mille."""
    limit = cast(int, row["limit"])
    settled, room = cast(int, row["settled"]), cast(int, row["room"])
    held = cast(int, row["dispatched"]) + cast(int, row["reserved"]) + cast(int, row["suspense"])
    whole = max(limit, settled + held, 1)
    return {
        **row,
        "held": held,
        "settled_width": settled * 1000 // whole,
        "held_width": -(-held * 1000 // whole),
        "tight": room * 10 < limit,
    }
