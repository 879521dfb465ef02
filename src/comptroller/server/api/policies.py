"""The policies: what each rule did, an edit checked, tried on what was recorded, and put in force."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from comptroller.core.role import Right
from comptroller.server.api.endpoint import Answer, Ask, Endpoint, Named, Text
from comptroller.server.policies import policies_of
from comptroller.server.policy_files import EDITED_CHARS_MAX
from comptroller.server.problem import Body
from comptroller.server.render import Json
from comptroller.server.trials import DAYS_MAX

Days = Annotated[int, Field(ge=1, le=DAYS_MAX)]
PolicyText = Annotated[str, Field(max_length=EDITED_CHARS_MAX)]


class PolicyFiles(Answer):
    """The files as they lie beside comptroller.yaml. `set` is what an edit of one of them has to name."""

    files: list[dict[str, str]]
    set: str
    in_force: str = Field(description="hash of the rules in force; comments and layout do not count")


class Rules(Answer):
    """Every rule with what it did in the last week, by day, and whether it did anything in 30 days."""

    rules: list[dict[str, object]]
    others: list[dict[str, object]] = Field(description="what decided and is no rule of the policies now")
    days: list[str]
    read: int = Field(description="how many entries are counted so far, of `to_read`")
    to_read: int
    policies: str
    warnings: list[dict[str, object]]


class Changes(Answer):
    """The last changes of configuration and policies, newest first, as entries of the log."""

    changes: list[dict[str, object]]


class EditBody(Body):
    """One file as it would be."""

    file: Named
    text: PolicyText


class TryBody(Body):
    """One file as it would be, and how many days to look back."""

    file: Named
    text: PolicyText
    days: Days = 7


class SuggestBody(Body):
    """How many days to look back."""

    days: Days = 30


class ApplyBody(Body):
    """`expected` is the `set` that the edit began with. `widen`: the caller knows that more may go."""

    file: Named
    text: PolicyText
    expected: Named
    reason: Text
    widen: bool = False


class Checked(Answer):
    """What the loader that enforces says: every mistake with its place, and the rules that differ."""

    ok: bool
    problems: list[dict[str, object]]
    changes: list[dict[str, object]]


class TrialAnswer(Answer):
    """A look at the log: `found` is there once it is `done`."""

    id: str
    kind: Literal["what-if", "suggest"]
    by: str
    days: int
    file: str
    state: Literal["running", "done", "failed", "cancelled"]
    progress: str
    complaint: str
    found: dict[str, object]


class Applied(Answer):
    """What is in force now."""

    file: str
    policies: str
    policies_before: str


async def get_policies(ask: Ask) -> Json:
    """The files."""
    return await policies_of(ask.desk).files()


async def list_rules(ask: Ask) -> Json:
    """What each rule did."""
    return await policies_of(ask.desk).overview()


async def list_policy_changes(ask: Ask) -> Json:
    """Who changed what."""
    return await policies_of(ask.desk).history()


async def check_policies(ask: Ask) -> Json:
    """Check an edit."""
    body = ask.body(EditBody)
    return await policies_of(ask.desk).check(ask.caller, name=body.file, text=body.text)


async def try_policies(ask: Ask) -> Json:
    """Begin to replay the last days under an edit."""
    body = ask.body(TryBody)
    trial = await policies_of(ask.desk).what_if(ask.caller, name=body.file, text=body.text, days=body.days)
    return trial.document()


async def suggest_policies(ask: Ask) -> Json:
    """Begin to look for rules that follow from what was denied and answered."""
    return (await policies_of(ask.desk).suggest(ask.caller, days=ask.body(SuggestBody).days)).document()


async def get_trial(ask: Ask) -> Json:
    """How far a trial is."""
    return policies_of(ask.desk).trial(ask.id).document()


async def cancel_trial(ask: Ask) -> Json:
    """End a trial."""
    policies = policies_of(ask.desk)
    await policies.cancel(ask.caller, ask.id)
    return policies.trial(ask.id).document()


async def apply_policies(ask: Ask) -> Json:
    """Put an edit in force."""
    body = ask.body(ApplyBody)
    return await policies_of(ask.desk).apply(
        ask.caller, name=body.file, text=body.text, expected=body.expected, reason=body.reason, widen=body.widen
    )


_TRIAL = "/policies/trials/{id}"

ENDPOINTS = (
    Endpoint(
        "GET", "/policies", Right.READ, get_policies, answer=PolicyFiles, summary="The policy files, each with its hash"
    ),
    Endpoint(
        "GET", "/policies/rules", Right.READ, list_rules, answer=Rules, summary="Every rule with what it did this week"
    ),
    Endpoint(
        "GET",
        "/policies/changes",
        Right.READ,
        list_policy_changes,
        answer=Changes,
        summary="The last changes of the policies, with author, reason and difference",
    ),
    Endpoint(
        "POST",
        "/policies/check",
        Right.AUTHOR,
        check_policies,
        body=EditBody,
        answer=Checked,
        summary="Check an edited file with the loader that enforces; changes nothing",
    ),
    Endpoint(
        "POST",
        "/policies/what-if",
        Right.AUTHOR,
        try_policies,
        body=TryBody,
        answer=TrialAnswer,
        summary="Begin to replay the last days under an edited file",
    ),
    Endpoint(
        "POST",
        "/policies/suggest",
        Right.AUTHOR,
        suggest_policies,
        body=SuggestBody,
        answer=TrialAnswer,
        summary="Begin to look for rules that follow from what was denied and answered",
    ),
    Endpoint(
        "GET", _TRIAL, Right.AUTHOR, get_trial, answer=TrialAnswer, summary="How far a trial is, or what it found"
    ),
    Endpoint("POST", f"{_TRIAL}/cancel", Right.AUTHOR, cancel_trial, answer=TrialAnswer, summary="End a trial"),
    Endpoint(
        "POST",
        "/policies/apply",
        Right.AUTHOR,
        apply_policies,
        body=ApplyBody,
        answer=Applied,
        summary="Put an edited file in force, with an entry of who did it and why",
    ),
)
