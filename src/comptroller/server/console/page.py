"""What a page of the console is: a name in the navigation, a path, and the right that it takes to see it."""

from __future__ import annotations

from dataclasses import dataclass

from comptroller.core.role import Right


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One page. `path` lies under the console's base (`""` is the first page), `order` is its place in the navigation,
    `key` opens it after `g` (`g a`), `mark` is the name of its icon in `console/_marks.html`."""

    name: str
    path: str
    title: str
    right: Right
    order: int
    key: str = ""
    mark: str = ""
