"""Every page of the console, each a module with `PAGE` and `routes(console)`."""

from __future__ import annotations

from comptroller.server.console import account, approvals, boundary, login, now, sign_in, strong

PAGES = (now, approvals, boundary, account)
"""In the navigation."""
DOORS = (login, sign_in, strong)
"""The way in and out."""
