"""The console as one ASGI application: pages behind a session, the stream, the files, the guard in front."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Literal

import jinja2
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp

from comptroller.core.approval import ApprovalState, Assurance, Person
from comptroller.core.brake import BrakeState
from comptroller.core.errors import ComptrollerError, ConflictError
from comptroller.core.role import Right
from comptroller.server import words
from comptroller.server.console.address import Address
from comptroller.server.console.form import Form, read_form
from comptroller.server.console.guard import Guard
from comptroller.server.console.page import Page
from comptroller.server.console.reading import Reading
from comptroller.server.console.static import Static
from comptroller.server.console.stream import Stream
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.operations import ForbiddenError, Operations
from comptroller.server.persons import Persons
from comptroller.server.problem import problem, problem_of, status_of
from comptroller.server.pulse import Pulse
from comptroller.server.render import Json, time_text
from comptroller.server.sessions import Session, Sessions

BRAKES_SHOWN_MAX = 3
LIVE_HEADER = "x-comptroller-live"
"""A form that our own script sent: it wants to know what came of it, and stays where it is."""
AUTOMATIC = "refresh"
"""In the query of what a page fetches by itself: it does not count as something the person did."""

Handler = Callable[["Visit"], Awaitable[Response]]


class Console:
    """The console of one server. `pages` are modules with `PAGE` and `routes(console)`, `doors` those that need
    only the routes: they have no place in the navigation."""

    def __init__(
        self,
        operations: Operations,
        *,
        address: Address,
        pages: Sequence[ModuleType],
        doors: Sequence[ModuleType] = (),
        persons: Persons | None = None,
    ) -> None:
        self.operations = operations
        self.address = address
        self.persons = persons or Persons(operations.desk)
        self.persons.at(address.origins)
        self.sessions: Sessions = self.persons.sessions
        self.stream = Stream(operations.desk)
        self.static = Static()
        self.pages: tuple[Page, ...] = tuple(sorted((module.PAGE for module in pages), key=lambda page: page.order))
        self._modules = (*doors, *pages)
        self._templates = _templates()

    @property
    def desk(self) -> Desk:
        """The installation."""
        return self.operations.desk

    @property
    def pulse(self) -> Pulse:
        """What counts durable entries."""
        return self.operations.pulse

    @property
    def watchers(self) -> int:
        """How many browsers follow the stream."""
        return self.stream.watchers

    def link(self, caller: Caller) -> Json:
        """A one-time link for `caller`. The secret is in the fragment: it reaches no server, log or referrer."""
        token, expires_at = self.sessions.link(caller)
        return {
            "url": f"{self.address.origin}{self.address.prefix}/login#{token}",
            "expires_at": time_text(expires_at),
        }

    def app(self) -> ASGIApp:
        """The ASGI application behind its guard."""
        routes: list[BaseRoute] = [
            Route("/static/{version}/{name:path}", self.static.answer, methods=["GET"]),
            *self._own_static(),
        ]
        for module in self._modules:
            routes.extend(module.routes(self))
        first = Page(name="stream", path="stream", title="", right=Right.READ, order=0)
        routes.append(self.get(first, "", self._follow))
        routes.append(self.get(first, "count", self._count))
        app = Starlette(routes=routes, exception_handlers={404: _no_such, 405: _no_such})
        return Guard(app, self.address)

    # ------------------------------------------------------------ for pages

    def get(self, page: Page, path: str, handler: Handler, *, right: Right | None = None) -> Route:
        """A route under the page's path that reads. It takes the page's right, or `right`."""
        return self._route(page, path, handler, "GET", right or page.right)

    def post(self, page: Page, path: str, handler: Handler, *, right: Right) -> Route:
        """A route under the page's path that a form is posted to. The handler reads it with `visit.form()`."""
        return self._route(page, path, handler, "POST", right)

    def render(self, template: str, values: Mapping[str, object]) -> str:
        """A template as text."""
        return self._templates.get_template(template).render(values)

    def asset(self, name: str) -> str:
        """The address of one of our own files."""
        return f"{self.address.base}/static/{self.static.version}/{name}"

    def outside(self, template: str, values: Mapping[str, object] | None = None, *, status: int = 200) -> Response:
        """A page for somebody who is not signed in; its files lie outside the base, which stays unknown."""
        prefix = self.address.prefix
        own = {
            "prefix": prefix,
            "asset": lambda name: f"{prefix}/static/{self.static.version}/{name}",
            "local": not self.address.secure,
        }
        return HTMLResponse(self.render(template, {**own, **(values or {})}), status_code=status)

    def session_of(self, request: Request) -> Session | None:
        """The living session of a request."""
        found = (self.sessions.find(cookie) for cookie in self.address.cookies(request))
        return next((session for session in found if session is not None), None)

    async def shell(self, visit: Visit) -> dict[str, object]:
        """What the shell around every page shows."""
        config = self.desk.config
        brakes = [brake for brake in await self.desk.store.brakes() if brake.state is not BrakeState.FREE]
        return {
            "pages": [page for page in self.pages if visit.may(page.right)],
            "organization": config.organization,
            "groups": sorted(visit.session.caller.person.groups),
            "roles": sorted(visit.session.caller.roles),
            "upstreams": sorted(config.upstreams),
            "complaint": self.desk.complaint,
            "pending_count": await self.pending(),
            "brakes": brakes[:BRAKES_SHOWN_MAX],
            "brakes_more": max(0, len(brakes) - BRAKES_SHOWN_MAX),
            "stream_at": await self.desk.store.size() - 1,
        }

    async def pending(self) -> int:
        """How many questions wait."""
        return await self.desk.store.approvals_count(ApprovalState.PENDING)

    # ------------------------------------------------------------ within

    def _own_static(self) -> list[Route]:
        """The same files under the base, which nobody else on this port could have put into a browser's cache."""
        own = self.address.base.removeprefix(self.address.prefix)
        path = f"{own}/static/{{version}}/{{name:path}}"
        return [Route(path, self.static.answer, methods=["GET"])] if own else []

    def _route(self, page: Page, path: str, handler: Handler, method: str, right: Right) -> Route:
        below = "/".join(part for part in (page.path, path.strip("/")) if part)
        own = self.address.base.removeprefix(self.address.prefix)

        async def run(request: Request) -> Response:
            session = self.session_of(request)
            if session is None:
                return self.outside("out.html", status=401)
            visit = Visit(console=self, page=page, request=request, session=session)
            seen = method == "GET" and AUTOMATIC not in request.query_params
            if seen:
                self.sessions.touch(session)
            renewed = self.sessions.rotated(session) if seen and session.rotate else ""
            try:
                demand(visit, right)
                with Reading.of(self.desk).showing():
                    response = await handler(visit)
            except ComptrollerError as error:
                response = problem_of(error)
            if renewed:
                self.address.give_cookie(response, renewed)
            return response

        return Route(f"{own}/{below}", run, methods=[method])

    async def _follow(self, visit: Visit) -> Response:
        return await self.stream.answer(visit.request, alive=lambda: self.session_of(visit.request) is visit.session)

    async def _count(self, visit: Visit) -> Response:
        return visit.json({"pending": await self.pending()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A request, whose it is and the page it belongs to."""

    console: Console
    page: Page
    request: Request
    session: Session

    @property
    def caller(self) -> Caller:
        """Who asks, as the engine is told: this person, through the console."""
        caller = self.session.caller
        person = Person(name=caller.person.name, groups=caller.person.groups, via="page", assurance=Assurance.SESSION)
        return Caller(person=person, roles=caller.roles, owner=caller.owner)

    def may(self, right: Right) -> bool:
        """Whether the person's roles carry `right`."""
        return self.session.caller.may(right)

    def query(self, name: str, default: str = "") -> str:
        """A query parameter of this request."""
        return self.request.query_params.get(name, default)

    def part(self, name: str) -> str:
        """A part of the path (`{id}`)."""
        return str(self.request.path_params[name])

    def url(self, path: str = "") -> str:
        """The address of a path under the console's base."""
        return self.console.address.url(path)

    async def form(self) -> Form:
        """The posted form, its token checked. Raises `ForbiddenError`, `UsageError`."""
        return await read_form(self.request, self.session)

    # ------------------------------------------------------------ answering

    async def show(self, name: str, values: Mapping[str, object], *, status: int = 200) -> Response:
        """The page `console/NAME.html` in its shell."""
        notice, self.session.notice = self.session.notice, None
        shell = await self.console.shell(self)
        return self._html(name, {**shell, **values, "notice": notice}, status)

    def fragment(self, name: str, values: Mapping[str, object]) -> Response:
        """The part `console/_NAME.html` alone: what a page fetches again when something happened."""
        return self._html(f"_{name}", {**self._own(), **values}, 200)

    def json(self, value: object, *, status: int = 200) -> Response:
        """A value for the page's own script."""
        return JSONResponse(value, status_code=status)

    async def done(self, doing: Awaitable[str], *, back: str = "") -> Response:
        """Do it, and say what came of it: where the person is (a form sent by our script), or on the page `back`.

        `doing` gives the sentence that is shown; its `ComptrollerError` is told as such.
        """
        self.console.sessions.touch(self.session)
        tone: Literal["good", "bad"] = "good"
        status, kind = 200, ""
        try:
            text = neutral(await doing)
        except ComptrollerError as error:
            tone, status = "bad", status_of(error)
            kind = str(error.kind) if isinstance(error, ConflictError) else ""
            text = neutral(error.message) + (f" ({kind})" if kind else "")
            text = f"{text}. {neutral(error.hint)}" if error.hint else text
        if self.request.headers.get(LIVE_HEADER):
            return self.json({"tone": tone, "text": text, "kind": kind}, status=status)
        self.session.notice = (tone, text)
        return RedirectResponse(self.url(back), status_code=303)

    def _own(self) -> dict[str, object]:
        """What every template may use."""
        return {
            "url": self.url,
            "asset": self.console.asset,
            "csrf": self.session.csrf,
            "person": self.session.caller.person.name,
            "may": lambda right: self.may(Right(right)),
            "page": self.page,
        }

    def _html(self, name: str, values: Mapping[str, object], status: int) -> Response:
        text = self.console.render(f"console/{name}.html", {**self._own(), **values})
        return HTMLResponse(text, status_code=status)


def demand(visit: Visit, right: Right) -> None:
    """Raise `ForbiddenError` unless the person's roles carry `right`."""
    if not visit.may(right):
        raise ForbiddenError(
            f"`{visit.caller.person.name}` has no role that may {right}",
            hint="an administrator can give one: people.NAME.roles in comptroller.yaml",
        )


def _templates() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("comptroller.server", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"n": neutral, "name": neutral_name, "short": words.short_id, "slug": _slug}
    environment.globals |= {
        "amount": words.amount_text,
        "price": words.price_text,
        "part": words.part_text,
        "efforts": words.efforts_text,
        "reversible": words.reversible_text,
        "duration": words.seconds_text,
    }
    return environment


def _slug(text: object) -> str:
    """A name as part of an HTML id or class."""
    return re.sub(r"[^a-z0-9]+", "-", str(text).lower()).strip("-") or "x"


async def _no_such(request: Request, error: Exception) -> Response:
    return problem(404 if getattr(error, "status_code", 404) == 404 else 405, "there is nothing here")
