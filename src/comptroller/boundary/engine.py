"""One question to Cedar, and the only reading of its answer: an error or a missing decision is never an allow."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import cedarpy


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What Cedar said. `reasons` are the ids of the policies that decided; `errors` is Cedar's own text."""

    kind: Literal["allow", "deny", "error"]
    reasons: tuple[str, ...] = ()
    errors: tuple[str, ...] = ()


def ask(request: Mapping[str, object], policies: Any, entities: Any, schema: Any) -> Answer:
    """Decide one request. Cedar skips a `forbid` that errs and has a third answer for requests it cannot read:
    both are an `error` here, and so is anything that is neither its allow nor its deny."""
    result = cedarpy.is_authorized(request, policies, entities, schema)
    reasons = tuple(result.diagnostics.reasons)
    errors = tuple(str(error) for error in result.diagnostics.errors)
    if errors:
        return Answer(kind="error", reasons=reasons, errors=errors)
    if result.decision is cedarpy.Decision.Allow and reasons:
        return Answer(kind="allow", reasons=reasons)
    if result.decision is cedarpy.Decision.Deny:
        return Answer(kind="deny", reasons=reasons)
    return Answer(kind="error", errors=("no decision",))
