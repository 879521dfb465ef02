"""What an edit of `comptroller.yaml` means for people: whose roles and groups change, and who administers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from comptroller.core.config import PersonConfig
from comptroller.core.role import Role

Roster = Mapping[str, Mapping[str, Sequence[str]]]
"""Name -> `roles` and `groups`."""


def roster_of(people: Mapping[str, PersonConfig]) -> Roster:
    """Everybody who is configured, in order."""
    return {
        name: {"roles": sorted(person.roles), "groups": sorted(person.groups)}
        for name, person in sorted(people.items())
    }


def administrators(roster: Roster) -> tuple[str, ...]:
    """Everybody who administers."""
    return tuple(name for name, person in roster.items() if Role.ADMINISTRATOR in person["roles"])


def roster_changes(before: Roster, after: Roster) -> list[Mapping[str, object]]:
    """One body of a `person.changed` entry for everybody who came, went, or whose roles or groups are others."""
    nothing: Mapping[str, Sequence[str]] = {"roles": [], "groups": []}
    changes: list[Mapping[str, object]] = []
    for name in sorted(before.keys() | after.keys()):
        old, new = before.get(name), after.get(name)
        if old != new:
            what = "added" if old is None else "removed" if new is None else "changed"
            changes.append({"person": name, "what": what, **(new or nothing), "was": dict(old or nothing)})
    return changes
