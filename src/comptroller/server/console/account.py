"""Your account: passkeys, password, sessions, API tokens. What changes how you sign in takes a fresh proof."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.account import PASSKEY_NAME_CHARS_MAX
from comptroller.core.api_token import DAYS_DEFAULT, DAYS_MAX
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.password import LENGTH_MIN
from comptroller.core.role import Right
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.console.sign_in import passkeys_of, picture, where_of
from comptroller.server.passkey import credential_of
from comptroller.server.persons import session_json

PAGE = Page(name="account", path="account", title="You", right=Right.READ, order=95)
LINK = "link"


class ProofNeededError(RefusedError):
    """They are signed in, and have to prove again who they are."""


def routes(console: Console) -> list[Route]:
    """The page, and what its forms and its script ask."""

    def post(path: str, handler: Any) -> Route:
        return console.post(PAGE, path, handler, right=Right.READ)

    return [
        console.get(PAGE, "", show),
        post("prove/begin", begin_proof),
        post("prove/passkey", prove_passkey),
        post("prove/password", prove_password),
        post("passkeys/begin", begin_passkey),
        post("passkeys/add", add_passkey),
        post("passkeys/remove", remove_passkey),
        post("password/begin", begin_password),
        post("password/set", set_password),
        post("codes", make_codes),
        post("sessions/end", end_session),
        post("sessions/others", end_others),
        post("tokens/make", make_token),
        post("tokens/revoke", revoke_token),
    ]


async def show(visit: Visit) -> Response:
    """The page."""
    persons, name = visit.console.persons, visit.caller.person.name
    account = await persons.account_or_new(name)
    tokens = await persons.tokens.tokens(name)
    sessions = [{**session_json(each), "this": each is visit.session} for each in persons.sessions.of(name)]
    return await visit.show(
        "account",
        {
            "account": account,
            "proved": persons.sessions.proved(visit.session),
            "how": visit.session.how,
            "passkeys_possible": persons.passkeys is not None,
            "sessions": sessions,
            "tokens": tokens,
            "rights": [right.value for right in Right if visit.may(right)],
            "days": DAYS_DEFAULT,
            "days_max": DAYS_MAX,
            "length_min": LENGTH_MIN,
        },
    )


# ---------------------------------------------------------------- proving it again


async def begin_proof(visit: Visit) -> Response:
    """Request options for one of the person's own passkeys."""
    await visit.form()
    account = await visit.console.persons.accounts.account(visit.caller.person.name)
    if account is None or not account.passkeys:
        raise RefusedError("you have no passkey here", hint="prove it with your password, or by a new link")
    return visit.json(passkeys_of(visit.console).begin_login(visit.session.id, account.passkeys))


async def prove_passkey(visit: Visit) -> Response:
    """A passkey of the person's own signed."""
    form = await visit.form()
    accounts, name = visit.console.persons.accounts, visit.caller.person.name
    answer = _answer(form.text("answer"))
    found = await accounts.of_passkey(credential_of(answer))
    if found is None or found[0].name != name:
        raise RefusedError("this is no passkey of yours")
    done = passkeys_of(visit.console).finish_login(visit.session.id, form.text("ceremony"), answer, found[1])
    await accounts.signed(name, done)
    return _proved(visit)


async def prove_password(visit: Visit) -> Response:
    """The password and a code."""
    form = await visit.form()
    where = where_of(visit.console, visit.request)
    await visit.console.persons.accounts.sign_in(
        visit.caller.person.name, form.text("password"), form.text("code"), where
    )
    return _proved(visit)


def _proved(visit: Visit) -> Response:
    """Another cookie and another form token: the page is loaded anew."""
    cookie = visit.console.sessions.prove(visit.session)
    response = visit.json({"next": visit.url("account")})
    visit.console.address.give_cookie(response, cookie)
    return response


def _demand_proof(visit: Visit) -> None:
    if not visit.console.sessions.proved(visit.session):
        how = "comptroller approvals open" if visit.session.how == LINK else "prove it on this page, then try again"
        raise ProofNeededError("you signed in a while ago: prove first who you are", hint=how)


# ---------------------------------------------------------------- passkeys


async def begin_passkey(visit: Visit) -> Response:
    """Creation options for one more passkey."""
    await visit.form()
    _demand_proof(visit)
    persons = visit.console.persons
    account = await persons.account_or_new(visit.caller.person.name)
    organization = visit.console.desk.config.organization
    return visit.json(passkeys_of(visit.console).begin_enrolment(visit.session.id, account, organization=organization))


async def add_passkey(visit: Visit) -> Response:
    """One more passkey."""
    form = await visit.form()
    _demand_proof(visit)
    name = form.text("name").strip()[:PASSKEY_NAME_CHARS_MAX] or "passkey"
    key = passkeys_of(visit.console).finish_enrolment(
        visit.session.id, form.text("ceremony"), _answer(form.text("answer")), name=name
    )
    await visit.console.persons.accounts.add_passkey(
        visit.caller.person.name, key, where_of(visit.console, visit.request), owner=visit.session.caller.owner
    )
    visit.session.notice = ("good", "The passkey signs you in from now on, and signs what asks for it.")
    return visit.json({"next": visit.url("account")})


async def remove_passkey(visit: Visit) -> Response:
    """One passkey less; every other session ends."""
    form = await visit.form()

    async def act() -> str:
        _demand_proof(visit)
        name = visit.caller.person.name
        await visit.console.persons.accounts.remove_passkey(
            name, form.text("credential"), where_of(visit.console, visit.request)
        )
        visit.console.sessions.revoke_all(name, but=visit.session)
        return "The passkey is removed, and every other browser signed out."

    return await visit.done(act(), back="account")


# ---------------------------------------------------------------- password


async def begin_password(visit: Visit) -> Response:
    """A secret for an authenticator app, and its picture."""
    await visit.form()
    _demand_proof(visit)
    factor, uri = visit.console.persons.accounts.new_factor(visit.caller.person.name)
    return visit.json({"factor": factor, "picture": picture(uri)})


async def set_password(visit: Visit) -> Response:
    """Password and second factor; every other session ends."""
    form = await visit.form()
    _demand_proof(visit)
    name = visit.caller.person.name
    codes = await visit.console.persons.accounts.set_password(
        name,
        form.text("password"),
        form.text("factor"),
        form.text("code"),
        where_of(visit.console, visit.request),
        owner=visit.session.caller.owner,
    )
    visit.console.sessions.revoke_all(name, but=visit.session)
    return visit.json({"codes": list(codes), "next": visit.url("account")})


async def make_codes(visit: Visit) -> Response:
    """New recovery codes."""
    await visit.form()
    _demand_proof(visit)
    codes = await visit.console.persons.accounts.make_codes(
        visit.caller.person.name, where_of(visit.console, visit.request)
    )
    return visit.json({"codes": list(codes), "next": visit.url("account")})


# ---------------------------------------------------------------- sessions and tokens


async def end_session(visit: Visit) -> Response:
    """One session of one's own."""
    form = await visit.form()

    async def act() -> str:
        await visit.console.persons.end_session(visit.caller, form.text("session"))
        return "That browser is signed out."

    return await visit.done(act(), back="account")


async def end_others(visit: Visit) -> Response:
    """Sign out everywhere else."""
    await visit.form()

    async def act() -> str:
        ended = await visit.console.persons.sign_out(visit.caller, visit.caller.person.name, but=visit.session)
        return f"{ended} other browsers are signed out."

    return await visit.done(act(), back="account")


async def make_token(visit: Visit) -> Response:
    """A token; its text is in this answer alone."""
    form = await visit.form()
    _demand_proof(visit)
    try:
        days = int(form.text("days") or DAYS_DEFAULT)
    except ValueError as error:
        raise UsageError("days are a whole number") from error
    made = await visit.console.persons.make_token(
        visit.caller,
        name=form.text("name").strip(),
        rights=form.many("right"),
        scopes=[part for part in form.text("scopes").replace(",", " ").split() if part],
        days=days,
    )
    return visit.json({"text": made["text"], "next": visit.url("account")})


async def revoke_token(visit: Visit) -> Response:
    """End a token."""
    form = await visit.form()

    async def act() -> str:
        done = await visit.console.persons.revoke_token(visit.caller, form.text("token"))
        return f"The token {done['name']} works no more."

    return await visit.done(act(), back="account")


def _answer(text: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError("the passkey's answer cannot be read") from error
    if not isinstance(found, dict):
        raise UsageError("the passkey's answer cannot be read")
    return found
