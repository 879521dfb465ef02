"""The approval, flooding and kill-switch tests of `agent-security-harness`, live, against an agent behind a gateway.

The target is an agent of ours on loopback: whatever it is asked to do, it does by HTTP through the gateway, and it
tells what it met there. What really ran is what the service outside was sent. The harness's probes of what a model says
are left out: there is no model here.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from gateway_kit import ANN, BEN, Kit, serving
from protocol_tests.approval_binding_harness import ApprovalBindingHarness
from protocol_tests.hitl_harness import HITLSecurityTests
from protocol_tests.kill_switch_harness import KillSwitchTests

from comptroller.boundary import CedarBoundary, PolicyText
from comptroller.compose import agent_facts, registry_of, starter_policies
from comptroller.core.approval import ApprovalState
from comptroller.core.errors import ComptrollerError
from comptroller.server.render import approval_json
from comptroller.server.standing import grouped
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

T = TypeVar("T")
ASKED = """
@id("asked")
@outcome("approval")
@approvers("Group::approvers")
@exclude("agent")
@reason("a person decides about every change here")
forbid (principal, action == Comptroller::Action::"http:api.example.com:POST", resource)
unless { context.grants.contains("asked") };
"""
FORBIDDEN = """
@id("declared")
forbid (principal, action == Comptroller::Action::"http:api.example.com:POST", resource)
when { context.parameters.contains("path=%s") };
"""
LOCKED = 423
"""What the agent answers where its run is stopped: it does nothing any more."""
TOO_MANY = 429


@dataclass
class Agent:
    """An agent that serves JSON-RPC, and the people who answer for it."""

    kit: Kit
    loop: asyncio.AbstractEventLoop
    ran: list[dict[str, Any]] = field(default_factory=list)

    def wait(self, work: Coroutine[Any, Any, T]) -> T:
        """The engine's answer, from any thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def act(self, method: str, path: str, body: object = None) -> httpx.Response:
        """One call to the world, as any program of the agent's makes it."""
        with httpx.Client(verify=self.kit.trust, timeout=30) as client:
            return client.request(method, f"https://api.example.com{path}", json=body)

    # ------------------------------------------------------------ as the harness's JSON-RPC target

    def serve(self, request: HttpRequest) -> HttpAnswer:
        """`approvals/request` and `message/send` act; `/shutdown` is its operator's kill; all else it does not know."""
        asked = json.loads(request.body)
        if request.path == "/shutdown":
            self.wait(self.kit.engine.brakes.kill(self.kit.run.path, by="ann", reason="the kill switch"))
            return _answer(200, {"result": {"killed": self.kit.run.id}})
        if asked["method"] == "approvals/request":
            return self._request(dict(asked["params"]))
        if asked["method"] in ("message/send", "tools/call"):
            answer = self.act("GET", "/tools/run")
            if answer.status_code == 200:
                return _answer(200, {"result": {"text": answer.text}})
            return _answer(LOCKED, {"error": {"code": -32000, "message": answer.text}})
        # Ways to go on that only a person has.
        return _answer(403, {"error": {"code": -32601, "message": f"an agent cannot `{asked['method']}`"}})

    def _request(self, wanted: dict[str, Any]) -> HttpAnswer:
        """Do it, and say what came of it: the question as a person is shown it, or the refusal."""
        no = wanted.pop("decision", None) == "deny"
        answer = self.act("POST", f"/{wanted['action']}", wanted)
        name = answer.headers.get("x-comptroller-approval", "")
        if not name:
            stopped = "frozen" in answer.text
            return _answer(TOO_MANY if stopped else 200, {"result": {"refused": answer.text}})
        if no:
            self.wait(self.kit.engine.approvals.reject(name, BEN, comment="not this transfer"))
        pending = self.wait(self.kit.store.approvals(ApprovalState.PENDING))
        question = self.wait(self.kit.store.approval(name))
        assert question is not None
        # The place at which people find it: what is alike is one question, as `approvals batch` lists them.
        place = next((n for n, (_, rows) in enumerate(grouped(pending), 1) if question in rows), 0)
        return _answer(200, {"result": approval_json(question, person=BEN), "queue_position": place})

    # ------------------------------------------------------------ as the harness's approval target

    def bind(self, asked: dict[str, Any]) -> dict[str, Any]:
        """The five operations of the approval tests."""
        match asked["op"]:
            case "profile":
                return {"_status": 200, "single_use": True}
            case "executions":
                return {"_status": 200, "executions": [dict(each) for each in self.ran]}
            case "declare":
                path = f"/{asked['deny']['tool']}{asked['deny']['args']['path']}"
                self.kit.boundary[0] = _boundary(self.kit, ASKED + FORBIDDEN % path)
                return {"_status": 200, "declared": True}
            case "call":
                answer = self._write(asked)
                return {"_status": answer.status_code, "text": answer.text}
            case "approve":
                name = self._write(asked).headers.get("x-comptroller-approval", "")
                if name:
                    self.wait(self.kit.engine.approvals.approve(name, BEN))
                return {"_status": 200, "approved": bool(name)}
        raise AssertionError(asked)

    def _write(self, asked: dict[str, Any]) -> httpx.Response:
        return self.act(
            "POST", f"/{asked['tool']}{asked['args']['path']}", {key: asked[key] for key in ("tool", "args")}
        )


def _answer(status: int, body: dict[str, Any]) -> HttpAnswer:
    document = {"jsonrpc": "2.0", "id": "1", **body}
    return HttpAnswer(status=status, body=json.dumps(document, default=str).encode())


def _boundary(kit: Kit, policies: str) -> CedarBoundary:
    return CedarBoundary.load(
        [PolicyText(file="starter.cedar", text=starter_policies() + policies)],
        agent_facts(kit.config),
        classes_of=registry_of(kit.config).classes_of,
    )


@contextlib.asynccontextmanager
async def agent_of(folder: Path) -> AsyncIterator[Agent]:
    """An agent with a run of its own, and the service outside."""
    ran: list[dict[str, Any]] = []

    def outside(request: HttpRequest) -> HttpAnswer:
        ran.append(json.loads(request.body or b"{}"))
        return HttpAnswer(body=b"done")

    folder.mkdir()
    with HttpServer(outside) as service:
        upstreams = {"api.example.com": f"http://127.0.0.1:{service.port}"}
        async with serving(folder, upstreams=upstreams, policies=ASKED) as kit:
            yield Agent(kit=kit, loop=asyncio.get_running_loop(), ran=ran)


async def of(agent: Agent, work: Callable[[], T]) -> T:
    """The harness blocks: it has a thread of its own, from which the gateway is the world."""
    return await agent.kit.client(work)


async def test_approvals_bind(tmp_path: Path) -> None:
    async with agent_of(tmp_path / "a") as agent:
        results = await of(agent, ApprovalBindingHarness(agent.bind).run_all)
        assert [each.test_id for each in results if each.passed] == ["APB-001", "APB-002", "APB-003"], results


@pytest.mark.parametrize(
    ("test", "burst"),
    [
        ("test_hitl_001_approval_flood", 25),
        ("test_hitl_002_risk_priority_starvation", 10),
        ("test_hitl_003_context_stripping", 1),
        ("test_hitl_004_reversal_replay", 1),
    ],
)
async def test_reviewers_are_not_flooded(tmp_path: Path, test: str, burst: int) -> None:
    async with agent_of(tmp_path / "a") as agent:
        with HttpServer(agent.serve) as target:
            suite = HITLSecurityTests(f"http://127.0.0.1:{target.port}/", burst=burst)
            result = await of(agent, getattr(suite, test))
        assert result.passed, result.details
        assert agent.ran == []


@pytest.mark.parametrize(
    "test",
    [
        "test_ir_009_kill_switch_latency",
        "test_ir_010_post_termination_prevention",
        "test_ir_011_kill_switch_bypass",
        "test_ir_012_graceful_degradation",
    ],
)
async def test_killed_is_killed(tmp_path: Path, test: str) -> None:
    async with agent_of(tmp_path / "a") as agent:
        with HttpServer(agent.serve) as target:
            suite = KillSwitchTests(f"http://127.0.0.1:{target.port}")
            if test == "test_ir_011_kill_switch_bypass":
                await of(agent, suite._send_kill_signal)
                suite._seen.clear()
            await of(agent, getattr(suite, test))
        assert [each.passed for each in suite.results] == [True], suite.results
        with pytest.raises(ComptrollerError):
            await agent.kit.engine.brakes.thaw(agent.kit.run.path, by=ANN.name, reason="go on")
