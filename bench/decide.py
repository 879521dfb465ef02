"""What one decision costs: boundary and judge, a slice of 31 rules out of more and more, beside the unsliced engine."""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

import cedarpy
from cedarpy import pst

from bench.report import Result, emit
from comptroller.boundary.evaluate import CedarBoundary, Slice
from comptroller.boundary.load import LoadedPolicies, read_policies
from comptroller.boundary.schema import AgentFacts, schema_text, validation_actions
from comptroller.boundary.source import PolicyText
from comptroller.core.action import Action, ActionClass, digest
from comptroller.core.brake import Run, RunState
from comptroller.core.budget import Account, Budget, BudgetState
from comptroller.core.estimate import Bound, Estimate, Unit
from comptroller.core.judge import Case, judge
from comptroller.core.verdict import VerdictKind
from comptroller.core.window import Window

SIZES = (10, 100, 1_000, 10_000)
SLICE_RULES = 31
NOW = datetime(2026, 11, 1, tzinfo=UTC)
AGENT = AgentFacts(
    name="research",
    team="ml",
    organization="acme",
    owner="ann",
    purpose="train a model",
    services=frozenset({"aws:ec2"}),
)
CLASSES = frozenset({ActionClass.PROVISION, ActionClass.WRITE})
OTHER_CLASSES = tuple(sorted(set(ActionClass) - CLASSES - {ActionClass.UNKNOWN}))
OPERATIONS_PER_RULES = 25
"""One operation named in a policy for so many rules; the others speak of classes."""

HELD_ABOVE = 8
DENIED_ABOVE = 64


def policy(index: int, scope: str, condition: str) -> str:
    """One rule of the filling: a `forbid` that looks at the context and does not match."""
    return f'@id("rule-{index}") forbid (principal, action in {scope}, resource) when {{ {condition} }};'


def policies(size: int) -> str:
    """`size` rules, of which `SLICE_RULES` (or all, where there are fewer) could decide about the measured actions."""
    uid = 'Comptroller::Action::"{}"'.format
    texts = [
        '@id("go") permit (principal, action in [Comptroller::Action::"provision", Comptroller::Action::"write"], '
        "resource) when { context.named && context.account_named };",
        '@id("many") @outcome("approval") @approvers("Group::approvers") forbid (principal, action in '
        f'Comptroller::Action::"provision", resource) when {{ context.quantity > {HELD_ABOVE} }} '
        'unless { context.grants.contains("many") };',
        '@id("far-too-many") forbid (principal, action in Comptroller::Action::"provision", resource) '
        f"when {{ context.quantity > {DENIED_ABOVE} }};",
    ]
    for index in range(len(texts), min(size, SLICE_RULES)):
        condition = f'context.parameters.contains("InstanceType=x{index}.large") && context.region == "eu-{index}"'
        texts.append(policy(index, uid(("provision", "write")[index % 2]), condition))
    for index in range(len(texts), size):
        if index % OPERATIONS_PER_RULES == 0:
            scope = f"[{uid(f'aws:service{index % 400}:Operation{index}')}]"
        else:
            scope = uid(OTHER_CLASSES[index % len(OTHER_CLASSES)].value)
        texts.append(policy(index, scope, f'context.quantity > {index} && context.region == "eu-{index}"'))
    return "\n".join(texts)


def classes_of(operation: str) -> frozenset[ActionClass] | None:
    """Every operation the filling names is known."""
    return frozenset({ActionClass.READ}) if operation.startswith("aws:service") else None


class Unsliced(CedarBoundary):
    """The peer: the same policies and code, with all rules and their whole schema in every decision."""

    whole: Slice | None = None

    def slice_for(self, action: Action) -> Slice:
        """All rules, whatever the action."""
        if self.whole is None:
            cut = super().slice_for(action)
            everything = pst.PolicySet(
                templates={}, static_policies={rule.id: rule.template for rule in self.rules}, template_links=()
            )
            actions = validation_actions(self._loaded.named)
            actions[cut.action] = cut.classes
            self.whole = Slice(
                action=cut.action,
                classes=cut.classes,
                rules={rule.id: rule for rule in self.rules},
                policies=cedarpy.PolicySet.from_pst(everything),
                schema=cedarpy.Schema.from_str(schema_text(actions)),
                texts=cut.texts,
                hash=cut.hash,
            )
        return self.whole


def actions() -> tuple[tuple[Action, VerdictKind], ...]:
    """One action for each of the three outcomes, all in one slice."""
    outcomes = (
        (1, VerdictKind.ALLOW),
        (HELD_ABOVE + 1, VerdictKind.REQUIRE_APPROVAL),
        (DENIED_ABOVE + 1, VerdictKind.DENY),
    )
    return tuple(
        (
            Action(
                operation="aws:ec2:RunInstances",
                service="aws:ec2",
                classes=CLASSES,
                endpoint="ec2.us-east-1.amazonaws.com",
                agent=AGENT.name,
                run="0199c0de-0000-7000-8000-000000000000",
                account="123456789012",
                region="us-east-1",
                quantity=quantity,
                parameters={"InstanceType": "m8g.12xlarge", "MaxCount": quantity, "MinCount": 1, "ImageId": "ami-1"},
            ),
            outcome,
        )
        for quantity, outcome in outcomes
    )


ESTIMATE = Estimate(
    bounds={
        Unit.CALLS: Bound.exactly(1),
        Unit.USD_MICROS: Bound.exactly(2_153_000),
        Unit.USD_MICROS_PER_HOUR: Bound.exactly(2_153_000),
    }
)


def case_of(action: Action, boundary: CedarBoundary) -> Callable[[], VerdictKind]:
    """A closure that decides `action` from the policies to the verdict, as the engine does."""
    path = f"{AGENT.organization}/{AGENT.team}/{AGENT.name}"
    run = Run(
        id=action.run,
        agent=AGENT.name,
        owner=AGENT.owner,
        path=f"{path}/{action.run}",
        purpose=AGENT.purpose,
        state=RunState.ACTIVE,
        started_at=NOW,
    )
    budgets = tuple(
        BudgetState(
            budget=Budget(scope=scope, unit=unit, window=Window.TOTAL, limit=10**12),
            start="",
            account=Account(settled=5),
        )
        for scope in (AGENT.organization, path, run.path)
        for unit in (Unit.USD_MICROS, Unit.CALLS)
    )
    identity = digest(action)

    def decide() -> VerdictKind:
        result = boundary.evaluate(action, ESTIMATE)
        case = Case(
            digest=identity,
            boundary=result,
            estimate=ESTIMATE,
            budgets=budgets,
            approvals=(),
            brakes=(),
            run=run,
            now=NOW,
        )
        return judge(case).verdict.kind

    return decide


def load(size: int) -> LoadedPolicies:
    """The rules, read and validated."""
    loaded, problems = read_policies(
        [PolicyText(file="bench.cedar", text=policies(size))], classes_of=classes_of, near=lambda _: ()
    )
    if problems:
        raise SystemExit(f"the bench's own policies are wrong: {problems[0]}")
    return loaded


def measure(decide: Callable[[], VerdictKind], expected: VerdictKind) -> float:
    """Microseconds of one decision, which must be the expected one."""
    start = time.perf_counter_ns()
    kind = decide()
    took = time.perf_counter_ns() - start
    if kind is not expected:
        raise SystemExit(f"decided {kind}, expected {expected}")
    return took / 1000


def run_size(size: int, samples: int, peer_seconds: float) -> tuple[Result, list[float]]:
    """p50 over allow, hold and deny in turn; also the samples of held decisions, which ask Cedar twice."""
    loaded = load(size)
    agents = {AGENT.name: AGENT}
    ours = CedarBoundary(loaded, agents, classes_of=classes_of, answers_kept=0)
    peer = Unsliced(loaded, agents, classes_of=classes_of, answers_kept=0)
    pairs = [(case_of(action, ours), case_of(action, peer), outcome) for action, outcome in actions()]
    for mine, theirs, outcome in pairs:
        measure(mine, outcome)
        measure(theirs, outcome)
    cut = ours.slice_for(actions()[0][0])
    if len(cut.rules) != min(size, SLICE_RULES):
        raise SystemExit(f"the slice holds {len(cut.rules)} rules")
    taken: list[float] = []
    held: list[float] = []
    theirs_taken: list[float] = []
    deadline = time.perf_counter() + peer_seconds
    for turn in range(samples):
        mine, theirs, outcome = pairs[turn % len(pairs)]
        taken.append(measure(mine, outcome))
        if outcome is VerdictKind.REQUIRE_APPROVAL:
            held.append(taken[-1])
        if time.perf_counter() < deadline or turn < 2 * len(pairs):
            theirs_taken.append(measure(theirs, outcome))
    result = Result(
        name=f"decide_p50_{size}",
        value=statistics.median(taken),
        unit="us",
        peer="unsliced engine",
        peer_value=statistics.median(theirs_taken),
    )
    return result, held


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure every size and print the results."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer samples")
    parser.add_argument("--json", action="store_true", help="print JSON")
    options = parser.parse_args(arguments)
    samples, peer_seconds = (600, 2.0) if options.quick else (6_000, 10.0)
    results = []
    for size in SIZES:
        result, held = run_size(size, samples, peer_seconds)
        results.append(result)
        if size == 1_000:
            results.append(Result(name=f"decide_held_p50_{size}", value=statistics.median(held), unit="us"))
    emit(results, options.json)


if __name__ == "__main__":
    main()
