"""Shared by all tests: Hypothesis profiles, nightly tests left out by default, and no skipped test in CI."""

from __future__ import annotations

import os
import sys

import pytest
from hypothesis import HealthCheck, settings

settings.register_profile("ci", max_examples=50, deadline=None, print_blob=True, derandomize=True)
settings.register_profile(
    "nightly",
    max_examples=100_000,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("ci")

pytest.register_assert_rewrite("comptroller.testing.store_conformance", "comptroller.testing.store_machine")

skipped_key = pytest.StashKey[list[str]]()


RECURSION_LIMIT = sys.getrecursionlimit()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Libraries that tests import may raise the limit to where deeply nested input ends the process."""
    sys.setrecursionlimit(RECURSION_LIMIT)


def pytest_configure(config: pytest.Config) -> None:
    """Start with nothing skipped."""
    config.stash[skipped_key] = []


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out `nightly` tests unless `-m` asks for some set of tests by name."""
    if config.option.markexpr:
        return
    nightly = [item for item in items if item.get_closest_marker("nightly")]
    if nightly:
        config.hook.pytest_deselected(items=nightly)
        items[:] = [item for item in items if item not in nightly]


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]):
    """Remember what was skipped; an expected failure is not a skip."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail"):
        item.config.stash[skipped_key].append(f"{report.nodeid}: {report.longreprtext}")
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):
    """A file skipped as a whole counts too."""
    report = yield
    if report.skipped:
        collector.config.stash[skipped_key].append(f"{report.nodeid}: {report.longrepr}")
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a skipped test is a failure: what is not run proves nothing."""
    if os.environ.get("CI") == "true" and session.config.stash[skipped_key] and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Say which skips made the run fail."""
    if os.environ.get("CI") == "true":
        for line in config.stash[skipped_key]:
            terminalreporter.write_line(f"skipped, which fails in CI: {line}", red=True)
