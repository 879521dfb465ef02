"""The one table of endpoints: every verb of the API and of the control socket."""

from __future__ import annotations

from comptroller.server.api import (
    approvals,
    budgets,
    deputies,
    described,
    entries,
    holdings,
    notices,
    people,
    plans,
    policies,
    runs,
    standing,
    status,
)
from comptroller.server.api.endpoint import Endpoint

AREAS = (
    status,
    runs,
    approvals,
    deputies,
    standing,
    plans,
    budgets,
    holdings,
    entries,
    people,
    notices,
    described,
    policies,
)

ENDPOINTS: tuple[Endpoint, ...] = tuple(endpoint for area in AREAS for endpoint in area.ENDPOINTS)
"""Within one path, and between paths that both fit, the first one is meant."""
