"""Signing in with a one-time link, signing out, and the way in for links of messages."""

from __future__ import annotations

from typing import cast

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from comptroller.core.audit import EntryKind
from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.core.role import Right
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.console.sign_in import where_of
from comptroller.server.problem import Body, parsed, problem, problem_of


class Login(Body):
    """`POST /login`."""

    token: str


def routes(console: Console) -> list[Route]:
    """What is reached without a session, and the way out of one."""

    async def nowhere(request: Request) -> Response:
        return console.outside("out.html", status=401)

    async def page(request: Request) -> Response:
        return console.outside("login.html")

    async def go(request: Request) -> Response:
        return console.outside("go.html")

    async def login(request: Request) -> Response:
        try:
            token = cast(Login, await parsed(request, Login)).token
            where = where_of(console, request)
            cookie = console.sessions.login(token, address=where.address, agent=where.agent)
        except UsageError as error:
            return problem_of(error)
        except ComptrollerError as error:
            return problem(429, error.message, hint=error.hint)
        if cookie is None:
            return problem(403, "this link was used or is too old", hint="comptroller approvals open")
        session = console.sessions.find(cookie)
        if session is not None:
            body: dict[str, object] = {"person": session.caller.person.name, "how": "one-time link"}
            await console.persons.accounts.note(EntryKind.PERSON_SIGNED_IN, body, where)
        response = JSONResponse({"next": console.address.url("")})
        console.address.give_cookie(response, cookie)
        return response

    door = Page(name="logout", path="logout", title="", right=Right.READ, order=0)
    at_root = [] if console.address.base == console.address.prefix else [Route("/", nowhere, methods=["GET"])]
    return [
        *at_root,
        Route("/login", page, methods=["GET"]),
        Route("/login", login, methods=["POST"]),
        Route("/go/{path:path}", go, methods=["GET"]),
        console.post(door, "", _logout, right=Right.READ),
    ]


async def _logout(visit: Visit) -> Response:
    await visit.form()
    body: dict[str, object] = {"person": visit.caller.person.name, "how": "this browser"}
    await visit.console.persons.accounts.note(EntryKind.PERSON_SIGNED_OUT, body)
    for cookie in visit.console.address.cookies(visit.request):
        visit.console.sessions.end(cookie)
    response = visit.console.outside("out.html")
    visit.console.address.take_cookie(response)
    return response
