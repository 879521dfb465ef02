"""Real tokens of real people, one a role, at a real installation over TCP."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
from server_kit import ME, Place, configured, make_place, open_place

from comptroller.core.approval import Assurance, Person
from comptroller.core.role import Role, rights_of
from comptroller.server.identity import Caller

API = "/api/v1"


def with_roles() -> dict[str, object]:
    """One person a role, and the one we are."""
    return (
        {ME: {"groups": ["approvers"]}}
        | {f"one-{role.value}": {"groups": ["approvers"], "roles": [role.value]} for role in Role}
        | {"one-all": {"groups": ["approvers"], "roles": [role.value for role in Role]}}
    )


async def token_of(place: Place, role: Role | None, *, called: str = "test") -> str:
    """A token that may all its person may; without a role, of the person who has every one."""
    name = f"one-{role.value if role else 'all'}"
    person = Person(name=name, groups=frozenset({"approvers"}), via="uid:1", assurance=Assurance.SOCKET)
    caller = Caller(person=person, roles=frozenset({role} if role else Role))
    rights = [right.value for right in rights_of(caller.roles)]
    text, _ = await place.house.persons.tokens.make(caller, name=called, rights=rights, scopes=(), days=1)
    return text


@contextlib.asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Place]:
    made = make_place(folder, configured(people=with_roles()))
    await open_place(made)
    try:
        yield made
    finally:
        await made.house.close()


def over_tcp(place: Place, token: str = "") -> httpx.AsyncClient:
    headers = {"authorization": f"Bearer {token}"} if token else {}
    return httpx.AsyncClient(base_url=place.house.page_origin + API, headers=headers, timeout=30)


@contextlib.contextmanager
def served(folder: Path) -> Iterator[tuple[str, dict[Role | None, str], Place]]:
    """An installation in a thread of its own, for clients that block: its address and a token a role."""
    ready, done = threading.Event(), asyncio.Event()
    found: dict[str, object] = {}

    async def live() -> None:
        async with opened(folder) as place:
            run = await place.run()
            held = await place.held(run)
            tokens = {role: await token_of(place, role) for role in (*Role, None)}
            found.update(origin=place.house.page_origin, tokens=tokens, place=place, run=run, held=held)
            found["loop"] = asyncio.get_running_loop()
            ready.set()
            await done.wait()

    thread = threading.Thread(target=lambda: asyncio.run(live()))
    thread.start()
    try:
        assert ready.wait(30)
        yield str(found["origin"]), found["tokens"], found["place"]  # type: ignore[misc]
    finally:
        found["loop"].call_soon_threadsafe(done.set)  # type: ignore[attr-defined]
        thread.join(30)
