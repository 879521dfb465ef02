"""Every page of the console, each a module with `PAGE` and `routes(console)`."""

from __future__ import annotations

from comptroller.server.console import (
    account,
    approvals,
    audit,
    boundary,
    findings,
    holdings,
    login,
    now,
    settings,
    sign_in,
    spend,
    strong,
)

PAGES = (now, approvals, spend, holdings, audit, boundary, findings, settings, account)
"""In the navigation."""
DOORS = (login, sign_in, strong)
"""The way in and out."""
