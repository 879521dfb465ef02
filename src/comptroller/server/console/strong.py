"""The strong yes in the console: a passkey signs exactly this question, and the signature becomes part of the vote."""

from __future__ import annotations

import json
from dataclasses import replace

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.account import Account
from comptroller.core.approval import ApprovalState, Assurance
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.role import Right
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.console.sign_in import passkeys_of
from comptroller.server.neutral import neutral
from comptroller.server.operations import dollars
from comptroller.server.passkey import PasskeyError

_PLACE = Page(name="approvals", path="approvals", title="", right=Right.READ, order=0)


def routes(console: Console) -> list[Route]:
    """Below each approval."""
    return [
        console.post(_PLACE, "{id}/passkey/begin", begin, right=Right.ANSWER),
        console.post(_PLACE, "{id}/passkey/finish", finish, right=Right.ANSWER),
    ]


async def begin(visit: Visit) -> Response:
    """What the passkey has to sign, for this person, this browser and this question."""
    form = await visit.form()
    approval = await visit.console.operations.find_approval(visit.part("id"))
    ceiling = form.text("ceiling").strip()
    begun = passkeys_of(visit.console).begin_yes(
        visit.session.id, await _account(visit), approval, ceiling_usd_micros=dollars(ceiling) if ceiling else None
    )
    return visit.json(begun)


async def finish(visit: Visit) -> Response:
    """The signature, and with it the yes."""
    form = await visit.form()
    try:
        answer = json.loads(form.text("answer"))
    except (ValueError, RecursionError) as error:
        raise UsageError("the passkey's answer cannot be read") from error
    if not isinstance(answer, dict):
        raise UsageError("the passkey's answer cannot be read")
    console, account = visit.console, await _account(visit)

    async def act() -> str:
        approval = await console.operations.find_approval(visit.part("id"))
        try:
            signed = passkeys_of(console).finish_yes(visit.session.id, form.text("ceremony"), answer, account, approval)
            await console.persons.accounts.signed(account.name, signed.assertion)
        except RefusedError as error:
            where = console.persons.where(visit.session)
            await console.persons.accounts.tell_refused(error.message, where, person=account.name)
            raise PasskeyError(error.message, hint=error.hint) from error
        person = replace(visit.caller.person, assurance=Assurance.PASSKEY, proof=signed.proof)
        ceiling = signed.ceiling_usd_micros
        done = await console.operations.approve(
            replace(visit.caller, person=person),
            approval.id,
            ceiling_usd=None if ceiling is None else f"{ceiling // 10**6}.{ceiling % 10**6:06}",
            comment=form.text("comment"),
        )
        if done["state"] == ApprovalState.PENDING:
            return f"Your signed yes counts; more people are needed: {neutral(done['sentence'])}"
        return f"Signed and approved, for exactly this and once: {neutral(done['sentence'])}"

    return await visit.done(act(), back="approvals")


async def _account(visit: Visit) -> Account:
    account = await visit.console.persons.accounts.account(visit.caller.person.name)
    if account is None or not account.passkeys:
        raise RefusedError("you have no passkey yet", hint="add one on your account page")
    return account
