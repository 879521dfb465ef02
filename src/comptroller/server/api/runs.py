"""Runs, and the brake on them."""

from __future__ import annotations

from typing import cast

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Moment, Named, Text
from comptroller.server.operations import BrakeVerb
from comptroller.server.problem import Body
from comptroller.server.render import Json


class Run(Answer):
    """One execution of an agent in one box."""

    id: str
    agent: str
    owner: str
    path: str
    purpose: str
    state: str
    brake: str
    brake_scope: str | None
    brake_reason: str | None
    brake_by: str | None
    started_at: Moment
    ended_at: Moment | None
    exit_code: int | None
    observed: bool
    unboxed: bool


class Runs(Answer):
    """Runs, newest first."""

    runs: list[Run]
    next: str | None = None


class BrakeBody(Body):
    """What is stopped or let go on: a scope, an agent, or a run by its id."""

    scope: Named
    reason: Text = ""


class Braked(Answer):
    """What was done to which scope."""

    scope: str
    did: str = Field(description="freeze, thaw or kill")
    by: str
    reason: str


async def list_runs(ask: Ask) -> Json:
    """Every run."""
    runs = cast(list[Json], (await ask.operations.runs())["runs"])
    shown, following = ask.page.cut(runs, lambda run: str(run["id"]))
    return {"runs": shown, "next": following}


async def get_run(ask: Ask) -> Json:
    """One run."""
    return await ask.operations.run(ask.id)


async def freeze(ask: Ask) -> Json:
    """Nothing new leaves."""
    return await _brake(ask, "freeze")


async def thaw(ask: Ask) -> Json:
    """What was frozen goes on."""
    return await _brake(ask, "thaw")


async def kill(ask: Ask) -> Json:
    """Freeze, and end the processes."""
    return await _brake(ask, "kill")


async def _brake(ask: Ask, verb: BrakeVerb) -> Json:
    body = ask.body(BrakeBody)
    return await ask.operations.brake(ask.caller, verb, body.scope, reason=body.reason)


ENDPOINTS = (
    Endpoint("GET", "/runs", Right.READ, list_runs, answer=Runs, listing="runs", summary="Runs, newest first"),
    Endpoint("GET", "/runs/{id}", Right.READ, get_run, answer=Run, summary="One run"),
    Endpoint(
        "POST",
        "/freeze",
        Right.STOP,
        freeze,
        body=BrakeBody,
        answer=Braked,
        summary="Let nothing new of a scope leave",
        scoped=True,
    ),
    Endpoint("POST", "/thaw", Right.OPERATE, thaw, body=BrakeBody, answer=Braked, summary="Let a frozen scope go on"),
    Endpoint(
        "POST",
        "/kill",
        Right.STOP,
        kill,
        body=BrakeBody,
        answer=Braked,
        summary="Freeze a scope, end its processes, its credentials and what it brought about",
        scoped=True,
    ),
)
