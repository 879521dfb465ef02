"""Grants over an engine: a question with its pattern, terms, and a way to ask for many of the like."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

from tests.engine.conftest import Bench

from comptroller.core.action import ActionClass
from comptroller.core.approval import Approval
from comptroller.core.pattern import pattern_json, proposed
from comptroller.core.standing import Terms
from comptroller.engine.sequencer import Proposal

CENTS = 10_000


def alike(bench: Bench, *classes: ActionClass, **changes: Any) -> Proposal:
    """A proposal with the pattern that its question carries."""
    usd_micros = changes.pop("usd_micros", 10 * CENTS)
    made = bench.proposal(*classes, usd_micros=usd_micros, **changes)
    pattern = proposed(made.action, made.estimate, frozenset({"MaxCount"}))
    return replace(made, like=None if pattern is None else pattern_json(pattern))


async def asked(bench: Bench, proposal: Proposal) -> Approval:
    """The question about it."""
    answer = await bench.engine.sequencer.admit(proposal)
    assert answer.approval is not None, answer.verdict
    return answer.approval


def terms(bench: Bench, **changes: Any) -> Terms:
    """Twenty, ten dollars, an hour, this run."""
    fields: dict[str, Any] = {
        "count": 20,
        "usd_micros": 1_000 * CENTS,
        "expires_at": bench.clock.now() + timedelta(hours=1),
    }
    return Terms(**{**fields, **changes})
