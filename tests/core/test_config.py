"""`comptroller.yaml`: every mistake is named with its line, nothing ambiguous is accepted."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from comptroller.core.config import Config, usd_micros
from comptroller.core.config_text import parse_config_text
from comptroller.core.errors import ConfigError

GOOD = """\
version: 1
organization: acme
teams: {ml: {}}
people:
  ann: {groups: [approvers]}
agents:
  bot:
    team: ml
    owner: ann
    purpose: look around
    hosts: [api.example.com, "*.example.org"]
    per_run: {usd: "2.50", calls: 100}
budgets:
  - {scope: acme, unit: usd, limit: 400.01}
  - {scope: acme/ml, unit: calls, window: day, limit: 1000}
"""


def parse(text: str) -> Config:
    return parse_config_text(text.encode(), origin="comptroller.yaml")


def wrong(text: str) -> str:
    with pytest.raises(ConfigError) as caught:
        parse(text)
    return str(caught.value)


def test_a_good_one() -> None:
    config = parse(GOOD)
    assert config.path_of("bot") == "acme/ml/bot"
    assert config.agents["bot"].per_run.amounts() == {"usd_micros": 2_500_000, "calls": 100}
    assert [budget.budget().limit for budget in config.budgets] == [400_010_000, 1000]


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("team: ml", "team: mll", "there is no team `mll`"),
        ("owner: ann", "owner: bob", "there is no person `bob`"),
        ("purpose: look around", "pupose: x", "comptroller.yaml:10: agents.bot.pupose"),
        ("unit: usd", "unit: eur", "comptroller.yaml:14: budgets.0.unit"),
        ("limit: 400.01", "limit: -1", "not an amount"),
        ("limit: 400.01", "limit: .nan", "not an amount"),
        ("limit: 1000", "limit: 10.5", "whole number"),
        ("    per_run:", "    limits: {memory: 1}\n    per_run:", "there is no limit `memory`"),
        ("    per_run:", "    limits: {processes: 0}\n    per_run:", "at least 1"),
        ("scope: acme/ml", "scope: other/ml", "does not begin with `acme`"),
        ("version: 1", "version: 2", "comptroller.yaml:1: version"),
        ("people:", "people: {}\npeople:", "`people` appears twice"),
        ("  bot:", "  Bot:", "agents.Bot"),
        ("[api.example.com,", "[http://api.example.com,", "agents.bot.hosts.0"),
        ("people:", "people: [", "not YAML"),
        ("teams: {ml: {}}", "teams: &t {ml: {}}\nservices: *t", "aliases"),
        ("window: day", "window: year", "budgets.1.window"),
        ("people:", "store: mysql://elsewhere\npeople:", "store: `sqlite`"),
    ],
)
def test_mistakes_are_named(old: str, new: str, says: str) -> None:
    assert old in GOOD
    assert says in wrong(GOOD.replace(old, new, 1))


def test_two_limits_for_the_same_are_refused() -> None:
    assert "two limits" in wrong(GOOD + "  - {scope: acme, unit: usd, limit: 5}\n")


@pytest.mark.parametrize("text", ["", "[]", "1", "\x00", "- a", "a: b", "!!python/object:os.system x", "? [a]\n: b"])
def test_no_configuration_at_all(text: str) -> None:
    assert "comptroller.yaml" in wrong(text)


def test_a_file_that_is_no_text() -> None:
    with pytest.raises(ConfigError, match="UTF-8"):
        parse_config_text(b"\xff\xfe", origin="x")


@given(st.text(max_size=200))
@settings(max_examples=200, deadline=None)
def test_reading_is_total(text: str) -> None:
    try:
        parse_config_text(text.encode("utf-8", "surrogatepass"), origin="x")
    except ConfigError as error:
        assert str(error)


@pytest.mark.parametrize(
    ("written", "micros"), [("400.01", 400_010_000), (5, 5_000_000), (0.1, 100_000), ("0.000001", 1), (0, 0)]
)
def test_dollars(written: str | int | float, micros: int) -> None:
    assert usd_micros(written) == micros


@pytest.mark.parametrize("written", ["0.0000001", "-1", "1e30", "abc", "", "inf", "1,000"])
def test_not_dollars(written: str) -> None:
    with pytest.raises(ValueError):
        usd_micros(written)


@pytest.mark.parametrize("secret", ["u:hunter2@h", "u@h?password=hunter2", "u@h?sslpassword=hunter2", "u:hunter2@[h"])
def test_a_stores_password_does_not_belong_where_agents_read(secret: str) -> None:
    place, _, query = secret.partition("?")
    url = f"postgresql://{place}/db" + (f"?{query}" if query else "")
    told = wrong(GOOD.replace("people:", f"store: {url}\npeople:", 1))
    assert "hunter2" not in told and "store: " in told
    fine = parse(GOOD.replace("people:", "store: postgresql://u@h/db?sslmode=verify-full\npeople:", 1))
    assert fine.store == "postgresql://u@h/db?sslmode=verify-full"
