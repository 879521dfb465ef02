"""Every page of the console, each a module with `PAGE` and `routes(console)`."""

from __future__ import annotations

from comptroller.server.console import approvals, login, now

PAGES = (now, approvals)
"""In the navigation."""
DOORS = (login,)
"""The way in and out."""
