"""What recorded actions would meet: policies, an agent and prices, put together without a server, store or network."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from comptroller import price
from comptroller.boundary import AgentFacts, CedarBoundary, PolicyText
from comptroller.compose import agent_facts, policy_texts, registry_of, starter_policies
from comptroller.core.action import Action
from comptroller.core.config import Config
from comptroller.core.errors import ConfigError, UsageError
from comptroller.core.estimate import Estimate
from comptroller.core.verdict import BoundaryResult
from comptroller.decode.records import Recorded, Who
from comptroller.decode.registry import CodecRegistry
from comptroller.server.descriptions import described_services
from comptroller.server.place import Paths, find_config, load_config
from comptroller.server.prices import book_of, load_prices

AGENT_DEFAULT = "replay"
STARTER = "the starter pack"
WILDCARDS = ("aws:*", "azure:*", "gcp:*")


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """One action with its price and what the policies say of it."""

    action: Action
    estimate: Estimate
    result: BoundaryResult


@dataclass(frozen=True, slots=True, kw_only=True)
class Judge:
    """Policies and the agent that recorded actions are judged as. `origin` says where the policies come from."""

    boundary: CedarBoundary
    who: Who
    origin: str
    texts: tuple[PolicyText, ...]
    registry: CodecRegistry
    prices: price.Prices

    def judge(self, recorded: Recorded) -> Judged:
        """The verdict of the policies; a recorded estimate counts before a new one."""
        action = self.as_agent(recorded.action)
        estimate = recorded.estimate or self.prices.estimate(action)
        return Judged(
            action=action, estimate=estimate, result=self.boundary.evaluate(action, estimate, owned=recorded.owned)
        )

    def as_agent(self, action: Action) -> Action:
        """The action as one of an agent that is configured here."""
        return action if action.agent in self.boundary.agents else replace(action, agent=self.who.agent)


def judge_of(config: Path | None, policies: Path | None, agent: str | None) -> Judge:
    """What `--config`, `--policy` and `--agent` mean together. Raises `ConfigError` and `UsageError`."""
    path = _config_path(config)
    settings = load_config(path) if path is not None else None
    texts, origin = _texts(path, policies)
    if settings is None or path is None:
        registry = CodecRegistry()
        name = agent or AGENT_DEFAULT
        facts: Mapping[str, AgentFacts] = {name: _everything_named(name, registry)}
        groups = None
    else:
        registry = registry_of(settings, described_services(path))
        facts = agent_facts(settings)
        name = _agent(agent, facts)
        groups = Counter(group for person in settings.people.values() for group in person.groups)
    boundary = CedarBoundary.load(
        texts, facts, classes_of=registry.classes_of, near=registry.operations_near, groups=groups
    )
    return Judge(
        boundary=boundary,
        who=Who(agent=name, account=_account(settings, name)),
        origin=origin,
        texts=texts,
        registry=registry,
        prices=_prices(settings, path),
    )


def _prices(settings: Config | None, path: Path | None) -> price.Prices:
    """The installation's own prices: its list, its factors; what a real cost once exceeded is not looked up."""
    if settings is None or path is None:
        return price.Prices()
    newer = load_prices(Paths.of(path).prices)
    return price.Prices(book=book_of(settings, newer, today=datetime.now(UTC).date()))


def _config_path(config: Path | None) -> Path | None:
    """The installation that is meant; None where none was named and none lies here or above."""
    if config is not None:
        return config.resolve() if config.is_file() else find_config(config)
    try:
        return find_config(None)
    except ConfigError:
        return None


def _texts(path: Path | None, policies: Path | None) -> tuple[tuple[PolicyText, ...], str]:
    if policies is not None:
        files = sorted(policies.glob("*.cedar"))
        if not files:
            raise ConfigError(f"no *.cedar file in `{policies}`: nothing would be allowed", hint="name their folder")
        try:
            return tuple(PolicyText(file=str(file), text=file.read_text("utf-8")) for file in files), str(policies)
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"cannot read policies in `{policies}`: {error}") from error
    if path is not None:
        texts = policy_texts(path)
        return texts, str(Path(texts[0].file).parent)
    return (PolicyText(file="starter.cedar", text=starter_policies()),), STARTER


def _everything_named(name: str, registry: CodecRegistry) -> AgentFacts:
    """The agent where nothing is configured: every service that has a name is named for it, and no host."""
    services = frozenset(codec for codec in registry.codecs if codec != "http") | frozenset(WILDCARDS)
    return AgentFacts(
        name=name, team=AGENT_DEFAULT, organization=AGENT_DEFAULT, owner=AGENT_DEFAULT, purpose="", services=services
    )


def _agent(name: str | None, facts: Mapping[str, AgentFacts]) -> str:
    known = ", ".join(sorted(facts)) or "none"
    if name is None and len(facts) == 1:
        return next(iter(facts))
    if name is None or name not in facts:
        what = "as which agent are the cases judged?" if name is None else f"there is no agent `{name}`"
        raise UsageError(what, hint=f"--agent NAME, one of: {known}")
    return name


def _account(settings: Config | None, agent: str) -> str:
    """The AWS account whose credential the agent has: that of the calls whose record names none."""
    if settings is None:
        return ""
    named = settings.agents[agent].accounts
    return named[0] if len(named) == 1 else ""
