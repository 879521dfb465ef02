"""Settings of an agent's box: limits, files, variables, devices."""

from __future__ import annotations

import pytest

from comptroller.core.config import AgentConfig, Config, parse_config
from comptroller.core.errors import ConfigError


def parsed(**settings: object) -> AgentConfig:
    document = {
        "version": 1,
        "organization": "acme",
        "teams": {"main": {}},
        "people": {"ann": {}},
        "agents": {"bot": {"team": "main", "owner": "ann", "purpose": "test", **settings}},
    }
    found = parse_config(document, origin="comptroller.yaml")
    assert isinstance(found, Config)
    return found.agents["bot"]


def test_everything_is_off_by_default() -> None:
    agent = parsed()
    assert (dict(agent.limits), agent.files.read_only, agent.files.masked) == ({}, (), ())
    assert (agent.inherit, agent.devices) == ((), ())


def test_what_may_be_set() -> None:
    agent = parsed(
        limits={"disk_bytes": 1, "wall_seconds": 2},
        files={"read_only": ["data", "/srv/set"], "masked": [".env"]},
        inherit=["MY_TOKEN"],
        devices=["gpu"],
    )
    assert agent.limits["wall_seconds"] == 2 and agent.files.masked == (".env",)


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"limits": {"disk": 1}}, "limits"),
        ({"limits": {"disk_bytes": 0}}, "limits"),
        ({"files": {"hidden": ["x"]}}, "files.hidden"),
        ({"files": {"masked": [""]}}, "files.masked"),
        ({"files": {"masked": ["a\nb"]}}, "files.masked"),
        ({"files": {"read_only": ["x\0"]}}, "files.read_only"),
        ({"inherit": ["NOT A NAME"]}, "inherit"),
        ({"inherit": ["A=B"]}, "inherit"),
        ({"devices": ["sda"]}, "devices"),
    ],
)
def test_mistakes_are_named(settings: dict[str, object], path: str) -> None:
    with pytest.raises(ConfigError, match=f"agents.bot.{path}"):
        parsed(**settings)
