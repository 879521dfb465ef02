"""Attacks on the yes: what it is for, what the person saw, and what may never stand in the store."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from tests.engine.conftest import ANN, BEN, CONFIG, Bench, TurnedClock, boundary_of

from comptroller.cli.show import approval_text
from comptroller.compose import build_engine, starter_policies
from comptroller.compose_state import SystemIds
from comptroller.core.action import ActionClass
from comptroller.core.approval import ApprovalState
from comptroller.core.asking import OPEN_MAX_DEFAULT, PER_HOUR_MAX_DEFAULT
from comptroller.core.budget import Budget
from comptroller.core.config import parse_config
from comptroller.core.errors import RefusedError
from comptroller.core.estimate import Unit
from comptroller.core.request import Header, Request, Stream
from comptroller.core.verdict import VerdictKind
from comptroller.core.window import Window
from comptroller.engine.gatekeeper import Refused, Released
from comptroller.engine.sequencer import Sequencer
from comptroller.server.render import approval_json
from comptroller.stores.sqlite import SqliteStore

AUTHORIZATION = (
    "AWS4-HMAC-SHA256 Credential=AKIAX/20261123/us-east-1/{}/aws4_request, SignedHeaders=host, Signature=" + "0" * 64
)
FORM = "application/x-www-form-urlencoded"


def asked(bench: Bench, host: str, method: str, target: str, body: bytes = b"", **headers: str) -> Request:
    return Request(
        scheme="https",
        method=method,
        host=host,
        port=443,
        target=target,
        headers=tuple(Header(name.replace("_", "-"), value) for name, value in headers.items()),
        body=body,
        agent="bot",
        run=bench.run.id,
    )


def stripe(bench: Bench, path: str, form: str, **headers: str) -> Request:
    return asked(bench, "api.stripe.com", "POST", path, form.encode(), content_type=FORM, **headers)


async def question(bench: Bench, request: Request) -> Refused:
    answer = await bench.engine.gatekeeper.admit(request, hold_seconds=0)
    assert isinstance(answer, Refused) and answer.approval is not None, answer
    return answer


PAYMENT = "amount=100&currency=usd&payment_method=pm_1"


@pytest.mark.parametrize(
    "other",
    [
        (f"{PAYMENT}&confirm=true", {}),
        (f"{PAYMENT}&off_session=true", {}),
        (f"{PAYMENT}&transfer_data[destination]=acct_evil", {}),
        (f"{PAYMENT}&on_behalf_of=acct_evil", {}),
        (f"{PAYMENT}&application_fee_amount=99", {}),
        (f"{PAYMENT}&metadata[a]=b", {}),
        (PAYMENT.replace("100", "101"), {}),
        (PAYMENT.replace("usd", "eur"), {}),
        (PAYMENT, {"stripe_account": "acct_evil"}),
        (PAYMENT, {"stripe_context": "acct_evil"}),
        (PAYMENT, {"stripe_version": "2019-01-01"}),
    ],
)
async def test_a_yes_for_one_payment_releases_no_other(bench: Bench, other: tuple[str, dict[str, str]]) -> None:
    first = await question(bench, stripe(bench, "/v1/payment_intents", PAYMENT))
    assert first.approval is not None
    await bench.engine.approvals.approve(first.approval.id, BEN, ceiling_usd_micros=1_000_000)
    form, headers = other
    answer = await bench.engine.gatekeeper.admit(stripe(bench, "/v1/payment_intents", form, **headers), hold_seconds=0)
    assert isinstance(answer, Refused)
    same = await bench.engine.gatekeeper.admit(stripe(bench, "/v1/payment_intents", PAYMENT), hold_seconds=0)
    assert isinstance(same, Released)


@pytest.mark.parametrize(
    ("request_of", "seen"),
    [
        (
            lambda bench: stripe(
                bench, "/v1/payment_intents", f"{PAYMENT}&confirm=true&transfer_data[destination]=acct_evil"
            ),
            ["confirm = true", "transfer_data.destination = acct_evil"],
        ),
        (
            lambda bench: asked(bench, "api.example.com", "DELETE", "/users?all=true&force", b""),
            ["query.all = true", "query.force"],
        ),
        (
            lambda bench: asked(bench, "api.example.com", "DELETE", "/users", b'{"all":true}'),
            ["body = not shown: 12 bytes, SHA-256 "],
        ),
        (
            lambda bench: asked(
                bench,
                "ec2.us-east-1.amazonaws.com",
                "POST",
                "/",
                b"Action=AuthorizeSecurityGroupIngress&Version=2016-11-15&GroupId=sg-1&IpPermissions.1.IpProtocol=-1"
                b"&IpPermissions.1.IpRanges.1.CidrIp=0.0.0.0/0",
                content_type=FORM,
                authorization=AUTHORIZATION.format("ec2"),
            ),
            ["IpPermissions.IpRanges.CidrIp = 0.0.0.0/0", "IpPermissions.IpProtocol = -1"],
        ),
    ],
)
async def test_the_person_sees_what_would_change_the_answer(bench: Bench, request_of, seen: list[str]) -> None:  # type: ignore[no-untyped-def]
    request = replace(request_of(bench), accounts={"aws": "123456789012"})
    held = await question(bench, request)
    assert held.approval is not None
    text = approval_text(approval_json(held.approval, person=ANN))
    for fact in seen:
        assert fact in text


async def test_an_unread_body_is_never_asked_about(bench: Bench) -> None:
    """A yes would be for a digest that holds for every body of that length."""
    config = parse_config(
        {**CONFIG, "agents": {"bot": {**CONFIG["agents"]["bot"], "services": ["aws:bedrock-runtime"]}}},  # type: ignore[index]
        origin="t",
    )
    bench.boundary = boundary_of(config, starter_policies())
    gatekeeper = bench.engine.gatekeeper
    request = replace(
        asked(
            bench,
            "bedrock-runtime.us-east-1.amazonaws.com",
            "POST",
            "/model/some.model/invoke",
            content_type="application/json",
            authorization=AUTHORIZATION.format("bedrock"),
        ),
        accounts={"aws": "123456789012"},
        stream=Stream(length_bytes=9_000_000),
    )
    action, said = gatekeeper.preview(request)
    assert not action.undecodable, action.reason
    assert action.classes == {ActionClass.INFER}
    assert said.kind is VerdictKind.REQUIRE_APPROVAL, "so that the gateway hashes the body before it asks"
    answer = await gatekeeper.admit(request, hold_seconds=0)
    assert isinstance(answer, Refused) and answer.approval is None
    assert answer.verdict.reasons[0].code == "unbound_body"
    bound = replace(request, stream=Stream(length_bytes=9_000_000, sha256="a" * 64))
    held = await question(bench, bound)
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, BEN, ceiling_usd_micros=10)
    swapped = replace(request, stream=Stream(length_bytes=9_000_000, sha256="b" * 64))
    assert isinstance(await gatekeeper.admit(swapped, hold_seconds=0), Refused)
    assert isinstance(await gatekeeper.admit(bound, hold_seconds=0), Released)


async def test_the_agent_s_own_name_never_answers(bench: Bench, sequencer: Sequencer) -> None:
    held = await sequencer.admit(bench.proposal())
    assert held.approval is not None
    with pytest.raises(Exception, match="excludes"):
        await bench.engine.approvals.approve(held.approval.id, replace(ANN, name="bot"))


async def test_two_votes_of_one_person_are_one(bench: Bench, sequencer: Sequencer) -> None:
    quorum = starter_policies().replace('@id("provision")', '@quorum("2")\n@id("provision")')
    bench.reload(quorum)
    held = await sequencer.admit(bench.proposal())
    assert held.approval is not None
    await bench.engine.approvals.approve(held.approval.id, BEN)
    again = await bench.engine.approvals.approve(held.approval.id, BEN)
    assert again.state.value == "pending"
    assert (await sequencer.admit(bench.proposal())).permit is None


async def test_people_are_not_flooded_with_questions(bench: Bench, sequencer: Sequencer) -> None:
    """An agent that asks for a thousand things hides one among them: near-equal questions are so many questions."""
    proposals = [bench.proposal(parameters={"n": n}) for n in range(OPEN_MAX_DEFAULT + 5)]
    done = [await sequencer.admit(proposal) for proposal in proposals]
    assert len(await bench.store.approvals(ApprovalState.PENDING)) == OPEN_MAX_DEFAULT
    assert done[OPEN_MAX_DEFAULT].verdict.reasons[0].code == "too_many_questions"
    assert {each.verdict.reasons[0].code for each in done[OPEN_MAX_DEFAULT + 1 :]} == {"frozen"}
    assert (await bench.kinds()).count("brake.frozen") == 1
    (brake,) = await bench.store.brakes()
    assert brake.scope == bench.run.path and brake.by == "comptroller" and "asked too much" in brake.reason
    assert (await sequencer.admit(bench.proposal(ActionClass.READ))).permit is None, "nothing more leaves"

    assert done[0].approval is not None and done[1].approval is not None
    answered = await bench.engine.approvals.approve(done[0].approval.id, BEN)
    assert answered.state is ApprovalState.APPROVED, "what was asked is still answered"
    assert (await sequencer.admit(proposals[0])).permit is None, "and releases nothing while the run is frozen"
    await bench.engine.approvals.withdraw(done[1].approval.id, ANN)
    await bench.engine.brakes.thaw(bench.run.id, by="ann", reason="looked at them")
    assert (await sequencer.admit(proposals[0])).permit is not None
    assert (await sequencer.admit(proposals[2])).approval == done[2].approval
    assert (await sequencer.admit(proposals[-1])).approval is not None, "there is room again"


async def test_answered_questions_count_towards_the_hour(bench: Bench, sequencer: Sequencer) -> None:
    """Rejecting a flood as it comes does not make it none; the hour that is over does."""
    for n in range(PER_HOUR_MAX_DEFAULT):
        held = await sequencer.admit(bench.proposal(parameters={"n": n}))
        assert held.approval is not None, n
        await bench.engine.approvals.reject(held.approval.id, BEN, comment="no")
    again = await sequencer.admit(bench.proposal(parameters={"n": 0}))
    assert again.verdict.reasons[0].code == "rejected", "the same again is no new question"
    over = await sequencer.admit(bench.proposal(parameters={"n": -1}))
    assert over.verdict.reasons[0].code == "too_many_questions" and "within an hour" in over.verdict.reasons[0].text
    await bench.engine.brakes.thaw(bench.run.id, by="ann", reason="I know")
    assert (await sequencer.admit(bench.proposal(parameters={"n": -1}))).approval is not None, "an hour begins anew"


async def test_the_hour_is_counted_across_a_restart_and_across_runs(bench: Bench, sequencer: Sequencer) -> None:
    for n in range(PER_HOUR_MAX_DEFAULT - 1):
        held = await sequencer.admit(bench.proposal(parameters={"n": n}))
        assert held.approval is not None
        await bench.engine.approvals.withdraw(held.approval.id, BEN)
    after = build_engine(bench.config, bench.store, lambda: bench.boundary, clock=bench.clock, ids=SystemIds())
    bench.run = await after.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    assert (await after.sequencer.admit(bench.proposal(parameters={"n": "last"}))).approval is not None
    assert (await after.sequencer.admit(bench.proposal(parameters={"n": "over"}))).approval is None
    bench.clock.turn(3_601)
    await after.brakes.thaw(bench.run.id, by="ann", reason="an hour later")
    assert (await after.sequencer.admit(bench.proposal(parameters={"n": "over"}))).approval is not None


async def test_asking_all_at_once_is_counted_too(bench: Bench, sequencer: Sequencer) -> None:
    proposals = [bench.proposal(parameters={"n": n}) for n in range(OPEN_MAX_DEFAULT * 3)]
    await asyncio.gather(*(sequencer.admit(proposal) for proposal in proposals))
    assert len(await bench.store.approvals(ApprovalState.PENDING)) == OPEN_MAX_DEFAULT


async def test_a_run_does_not_follow_its_agent_out_of_its_budget(bench: Bench, sequencer: Sequencer) -> None:
    """The team of an agent changes while it runs: the run's own limit and brakes would be left behind."""
    first = await sequencer.admit(bench.proposal(ActionClass.READ))
    assert first.permit is not None
    moved = {**CONFIG, "teams": {"ml": {}, "ops": {}}, "agents": {"bot": {**CONFIG["agents"]["bot"], "team": "ops"}}}  # type: ignore[index, dict-item]
    bench.engine.runbook.config = parse_config(moved, origin="t")
    after = await sequencer.admit(bench.proposal(ActionClass.READ))
    assert after.permit is None and "team changed" in after.verdict.reasons[0].text
    await bench.engine.runs.end(bench.run.id, exit_code=0)
    with pytest.raises(RefusedError, match="began as"):
        await bench.engine.runs.start(agent="bot", purpose=None, resume=bench.run.id, per_run={})


# ---------------------------------------------------------------- what the store keeps

CANARY = "51HcanaryCANARYcanaryCANARY"
KEY = "sk_live_" + CANARY


def everywhere(bench: Bench) -> Iterator[Request]:
    """Requests with a secret in every place where an agent, or an SDK of its, could put one."""
    ec2, query = "ec2.us-east-1.amazonaws.com", f"api_key={KEY}"
    signed = {"authorization": AUTHORIZATION.format("ec2"), "content_type": FORM}
    for host in ("api.example.com", "unnamed.example"):
        yield asked(bench, host, "GET", f"/a?{query}&b=c")
        yield asked(bench, host, "GET", f"/a?x={KEY}")
        yield asked(bench, host, "GET", f"/a?{KEY}")
        yield asked(bench, host, "GET", f"/bot1:{CANARY}9/send")
        yield asked(bench, host, "GET", f"/{KEY}/x")
        yield asked(bench, host, "POST", "/a", f"password={KEY}".encode(), content_type=FORM)
        yield asked(bench, host, "POST", "/a", KEY.encode(), authorization=f"Bearer {KEY}", cookie=KEY, x_api_key=KEY)
        yield asked(bench, host, "POST", "/a", b"x", proxy_authorization=f"Basic {KEY}", x_custom=KEY, referer=KEY)
        yield asked(bench, host, "GET", f"/a\\{KEY}?{query}")
        yield asked(bench, host, "GET", "/a", x_http_method_override=KEY)
        yield asked(bench, host, "GET", "/a", accept=f"text/{KEY}", content_type=f"a/b; p={KEY}")
        yield asked(bench, host, "GET", f"/a?next=https://user:{CANARY}@other.example/")
        yield asked(bench, host, "GET", f"/a?u=https%3A%2F%2Fb.s3.amazonaws.com%2Fk%3FX-Amz-Signature%3D{CANARY}9")
    yield stripe(bench, "/v1/customers", f"email=a@b.example&metadata[key]={KEY}", authorization=f"Bearer {KEY}")
    yield stripe(bench, "/v1/customers", f"card[number]={KEY}&name={KEY}&source={KEY}")
    yield stripe(bench, f"/v1/nowhere/{KEY}", f"a={KEY}")
    yield stripe(bench, "/v1/transfers", f"amount=1&currency=usd&destination={KEY}", idempotency_key=KEY)
    chat = {"model": "gpt-4o", "messages": [{"role": "user", "content": KEY}], "max_tokens": 5, "user": KEY}
    body = json.dumps(chat).encode()
    yield asked(
        bench,
        "api.openai.com",
        "POST",
        "/v1/chat/completions",
        body,
        content_type="application/json",
        openai_project=KEY,
    )
    tools = {**chat, "tools": [{"type": "mcp", "server_url": f"https://x.example/?k={KEY}", "authorization": KEY}]}
    yield asked(
        bench,
        "api.openai.com",
        "POST",
        "/v1/chat/completions",
        json.dumps(tools).encode(),
        content_type="application/json",
    )
    yield asked(bench, "api.openai.com", "POST", "/v1/x", KEY.encode(), content_type="application/json")
    yield asked(bench, ec2, "GET", f"/?Action=DescribeInstances&Version=2016-11-15&X-Amz-Signature={CANARY}9")
    yield asked(bench, ec2, "POST", "/", f"Action={KEY}&Version=2016-11-15".encode(), **signed)
    run = f"Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1&InstanceType=t3.micro&UserData={KEY}"
    yield asked(bench, ec2, "POST", "/", run.encode(), **signed)
    tags = "Action=CreateTags&Version=2016-11-15&ResourceId.1=i-1&Tag.1.Key=Password&Tag.1.Value=" + KEY
    yield asked(bench, ec2, "POST", "/", tags.encode(), **signed)
    yield asked(bench, ec2, "POST", "/", b"x", authorization=f"Bearer {KEY}")
    yield asked(bench, f"{CANARY.lower()}.amazonaws.com", "GET", f"/{KEY}", x_amz_security_token=KEY)
    dynamo = json.dumps({"TableName": "t", "Item": {"api_key": {"S": KEY}, "note": {"S": f"use {KEY}"}}}).encode()
    yield asked(
        bench,
        "dynamodb.us-east-1.amazonaws.com",
        "POST",
        "/",
        dynamo,
        content_type="application/x-amz-json-1.0",
        x_amz_target="DynamoDB_20120810.PutItem",
        authorization=AUTHORIZATION.format("dynamodb"),
    )
    secret = json.dumps({"Name": "prod/db", "SecretString": KEY, "ClientRequestToken": "1" * 32}).encode()
    yield asked(
        bench,
        "secretsmanager.us-east-1.amazonaws.com",
        "POST",
        "/",
        secret,
        content_type="application/x-amz-json-1.1",
        x_amz_target="secretsmanager.CreateSecret",
        authorization=AUTHORIZATION.format("secretsmanager"),
    )
    yield replace(asked(bench, "api.example.com", KEY.upper(), "/"), method=f"GET {KEY}")


async def test_no_secret_reaches_the_store(tmp_path: Path) -> None:
    """A real store after real traffic, read as raw bytes: entries, fields beside them, questions, runs."""
    bot = {**CONFIG["agents"]["bot"], "questions": {"open_max": 1_000, "per_hour_max": 1_000}}  # type: ignore[index]
    config = parse_config({**CONFIG, "agents": {"bot": bot}}, origin="t")
    store = await SqliteStore.open(tmp_path / "store.sqlite")
    boundary = boundary_of(config, starter_policies())
    engine = build_engine(config, store, lambda: boundary, clock=TurnedClock(), ids=SystemIds())
    told: list[object] = []
    engine.hub.subscribe(lambda kind, summary: told.append((kind, dict(summary))))
    run = await engine.runs.start(agent="bot", purpose=None, resume=None, per_run={})
    for unit in (Unit.CALLS, Unit.USD_MICROS):
        await engine.ledger.set_budget(Budget(scope="acme", unit=unit, window=Window.TOTAL, limit=10**12), by="ann")
    bench = Bench(engine=engine, store=store, clock=TurnedClock(), boundary=boundary, run=run, config=config)
    count = 0
    for number, request in enumerate(everywhere(bench)):
        count += 1
        answer = await engine.gatekeeper.admit(
            replace(request, accounts={"aws": "123456789012"}, attempt=str(number)), hold_seconds=0
        )
        where = f"request {number}: {request.method[:8]} {request.host}{request.target[:40]}"
        if isinstance(answer, Refused):
            assert CANARY not in answer.message, where
        kept = b"".join(path.read_bytes() for path in tmp_path.glob("store.sqlite*"))
        assert CANARY.encode() not in kept, where
        assert CANARY not in repr(told), where
    assert count > 40 and len(told) >= count
    await store.close()
