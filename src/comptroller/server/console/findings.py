"""Findings: what in the log asks for a person's look, what it means, and what to do next."""

from __future__ import annotations

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.role import Right
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.console.reading import Reading
from comptroller.server.findings import SORTS, Finding
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.render import Json

PAGE = Page(name="findings", path="findings", title="Findings", right=Right.READ, order=70, key="f")

SHOWN_MAX = 60
SUBJECT_CHARS_MAX = 200


def routes(console: Console) -> list[Route]:
    """The page."""
    return [console.get(PAGE, "", show)]


async def show(visit: Visit) -> Response:
    """What is open, and with `all` what is over as well."""
    reading = Reading.of(visit.console.desk)
    progress = await reading.catch_up()
    found = reading.findings.found()
    every, sort = visit.query("all") == "yes", visit.query("sort")
    named = [item for item in found if sort in ("", item.sort.name)]
    wanted = [item for item in named if every or item.open]
    known = {page.name for page in visit.console.pages if visit.may(page.right)}
    counts = {name: sum(item.sort.name == name and (every or item.open) for item in found) for name in SORTS}
    return await visit.show(
        "findings",
        {
            "progress": progress,
            "found": [_shown(item, known) for item in wanted[:SHOWN_MAX]],
            "more": max(0, len(wanted) - SHOWN_MAX),
            "over": sum(not item.open for item in named),
            "every": every,
            "sort": sort if sort in SORTS else "",
            "sorts": [(SORTS[name], count) for name, count in counts.items() if count],
            "gone": reading.findings.gone,
        },
    )


def _shown(item: Finding, known: set[str]) -> Json:
    sort = item.sort
    return {
        "sort": sort,
        "page": sort.page if sort.page in known or sort.page == "" else "",
        "linked": not sort.command and (sort.page in known or sort.page == ""),
        "subject": neutral(item.subject, chars_max=SUBJECT_CHARS_MAX),
        "detail": neutral(item.detail, chars_max=SUBJECT_CHARS_MAX),
        "agent": neutral_name(item.agent),
        "run": neutral_name(item.run),
        "first_at": neutral_name(item.first_at)[:19].replace("T", " "),
        "last_at": neutral_name(item.last_at)[:19].replace("T", " "),
        "count": item.count,
        "open": item.open,
        "evidence": item.evidence,
    }
