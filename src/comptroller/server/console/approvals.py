"""Approvals: the questions that wait, everything a person needs to answer them, and what was answered before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import cast

from starlette.responses import Response
from starlette.routing import Route

from comptroller.core.approval import Approval, ApprovalState, may_take_back
from comptroller.core.audit import Entry
from comptroller.core.errors import UsageError
from comptroller.core.role import Right
from comptroller.server import words
from comptroller.server.beside import for_watching
from comptroller.server.console import standing
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.form import Form
from comptroller.server.console.page import Page
from comptroller.server.neutral import neutral
from comptroller.server.render import Json, entry_json
from comptroller.server.standing import StandingOperations

PENDING_SHOWN_MAX = 20
ANSWERED_SHOWN_MAX = 50
ANSWERED_LOOKED_AT_MAX = 1_000
SIMILAR_LOOKED_AT_MAX = 300
TABLE_ROWS_MIN = 3
"""So many like questions of one run become a table."""
BATCH_MAX = 200
RUN_ENTRIES_READ_MAX = 3_000
RUN_LINES_SHOWN_MAX = 8

PAGE = Page(name="approvals", path="approvals", title="Approvals", right=Right.READ, order=20, key="a")


def routes(console: Console) -> list[Route]:
    """The pages, their parts, and the answers."""
    return [
        console.get(PAGE, "", show),
        console.get(PAGE, "pending", pending),
        console.get(PAGE, "answered", answered),
        console.post(PAGE, "batch", batch, right=Right.ANSWER),
        *standing.routes(console, PAGE),
        console.get(PAGE, "{id}", one),
        console.post(PAGE, "{id}/{verb}", answer, right=Right.ANSWER),
    ]


async def show(visit: Visit) -> Response:
    """The questions that wait."""
    return await visit.show("approvals", {**await _pending(visit), "offers": await standing.offered(visit)})


async def pending(visit: Visit) -> Response:
    """The cards alone."""
    return visit.fragment("approvals_pending", await _pending(visit))


async def one(visit: Visit) -> Response:
    """One question, open or answered: all about it, and what its run did before."""
    approval = await visit.console.operations.find_approval(visit.part("id"))
    (item,) = await _prepared(visit, [approval])
    item["evidence"] = await _evidence(visit, approval)
    return await visit.show("approval", {"a": item, **await _before(visit, approval)})


async def answered(visit: Visit) -> Response:
    """What was answered, newest first, searched by text."""
    text = visit.query("q").strip()[:100]
    page = _page(visit)
    store = visit.console.desk.store
    found = [each for each in await store.answered(limit=ANSWERED_LOOKED_AT_MAX) if _holds(each, text)]
    shown = found[page * ANSWERED_SHOWN_MAX : (page + 1) * ANSWERED_SHOWN_MAX]
    values = {
        "rows": await visit.console.operations.approval_rows(visit.caller, shown),
        "q": text,
        "page_number": page,
        "more": len(found) > (page + 1) * ANSWERED_SHOWN_MAX,
        "looked_at": ANSWERED_LOOKED_AT_MAX,
    }
    return await visit.show("approvals_answered", values)


# ---------------------------------------------------------------- answering


async def answer(visit: Visit) -> Response:
    """Approve, reject, withdraw, or take a yes back."""
    form = await visit.form()
    identifier, verb = visit.part("id"), visit.part("verb")
    operations, caller = visit.console.operations, visit.caller
    comment = form.text("comment")

    async def act() -> str:
        match verb:
            case "approve":
                ceiling = form.text("ceiling").strip() or None
                return _told(await operations.approve(caller, identifier, ceiling_usd=ceiling, comment=comment))
            case "narrow":
                changes = _changes(form)
                ceiling = form.text("ceiling").strip() or None
                less = StandingOperations(operations=operations)
                done = await less.narrow(caller, identifier, changes, ceiling_usd=ceiling, comment=comment)
                return f"Less than was asked; the agent is told how to ask for it: {neutral(done['sentence'])}"
            case "reject":
                done = await operations.reject(caller, identifier, comment=comment)
                return f"Rejected, and the agent is told why: {neutral(done['sentence'])}"
            case "withdraw":
                done = await operations.withdraw(caller, identifier, comment=comment)
                return f"The question is taken back: {neutral(done['sentence'])}"
            case "revoke":
                done = await operations.revoke(caller, identifier, comment=comment)
                return f"The yes is taken back; nothing passed: {neutral(done['sentence'])}"
            case _:
                raise UsageError("there is nothing to answer in this way")

    return await visit.done(act(), back="approvals")


async def batch(visit: Visit) -> Response:
    """Answer several questions at once, each bound to its own digest; what cannot be answered stays and says why."""
    form = await visit.form()
    ids, verb = tuple(dict.fromkeys(form.many("id"))), form.text("verb")
    operations, caller = visit.console.operations, visit.caller

    async def act() -> str:
        if not 1 <= len(ids) <= BATCH_MAX:
            raise UsageError(f"tick between 1 and {BATCH_MAX} of them")
        if verb not in ("approve", "reject"):
            raise UsageError("a table is approved or rejected")
        told = await StandingOperations(operations=operations).answer_batch(
            caller, ids, yes=verb == "approve", comment=form.text("comment")
        )
        failures = [str(row["why"]) for row in cast(list[Json], told["answers"]) if not row["answered"]]
        done = len(ids) - len(failures)
        if not done:
            raise UsageError(failures[0])
        text = f"{'Approved' if verb == 'approve' else 'Rejected'} {done} of {len(ids)}, each for itself"
        return f"{text}; {len(failures)} stay: {failures[0]}" if failures else text

    return await visit.done(act(), back="approvals")


def _changes(form: Form) -> dict[str, str]:
    """What the person lowered: the fields `to:PATH` that differ from their `was:PATH`."""
    paths = [name.removeprefix("to:") for name in form.fields if name.startswith("to:")]
    changes = {path: form.text(f"to:{path}").strip() for path in paths}
    return {path: text for path, text in changes.items() if text and text != form.text(f"was:{path}")}


def _told(done: Json) -> str:
    sentence = neutral(done["sentence"])
    if done["state"] == ApprovalState.PENDING:
        return f"Your yes counts; more people are needed ({neutral(done['progress'])}): {sentence}"
    if done["delayed"]:
        return f"Approved; it can be taken back until {done['usable_at']}: {sentence}"
    return f"Approved, for exactly this and once: {sentence}"


# ---------------------------------------------------------------- what is shown


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One parameter beside what it was the last time: `before` or `now` is None where it was or is not there."""

    name: str
    before: str | None
    now: str | None


async def _pending(visit: Visit) -> dict[str, object]:
    """One page of what waits: what closes first stands first; like questions of a run are one table."""
    found = await visit.console.desk.store.approvals(ApprovalState.PENDING)
    open_now = sorted(found, key=lambda each: (each.expires_at, each.asked_at, each.id))
    groups: dict[tuple[str, str, tuple[str, ...]], list[Approval]] = {}
    for each in open_now:
        groups.setdefault((each.run, each.operation, each.rules), []).append(each)
    units = [
        unit
        for members in groups.values()
        for unit in ([members] if len(members) >= TABLE_ROWS_MIN else [[each] for each in members])
    ]
    page = min(_page(visit), max(0, (len(units) - 1) // PENDING_SHOWN_MAX))
    shown = units[page * PENDING_SHOWN_MAX : (page + 1) * PENDING_SHOWN_MAX]
    flat = [each for unit in shown for each in unit[:BATCH_MAX]]
    ready = {item["id"]: item for item in await _prepared(visit, flat)}
    return {
        "units": [
            {
                "key": unit[0].id if len(unit) < TABLE_ROWS_MIN else f"table-{unit[0].run}-{unit[0].operation}",
                "items": [ready[each.id] for each in unit[:BATCH_MAX]],
                "more": max(0, len(unit) - BATCH_MAX),
                "table": len(unit) >= TABLE_ROWS_MIN,
                "usd_micros": _sum(ready[each.id] for each in unit[:BATCH_MAX]),
            }
            for unit in shown
        ],
        "total": len(open_now),
        "page_number": page,
        "more_pages": len(units) > (page + 1) * PENDING_SHOWN_MAX,
    }


async def _prepared(visit: Visit, approvals: Sequence[Approval]) -> list[Json]:
    """As the operations give them, with what only a page needs."""
    now = visit.console.desk.clock.now()
    items = await visit.console.operations.approval_rows(visit.caller, approvals)
    before = await visit.console.desk.store.answered(limit=SIMILAR_LOOKED_AT_MAX) if items else ()
    hats = await visit.console.desk.approvals.hats(visit.caller.person.name) if items else ()
    for item, approval in zip(items, approvals, strict=True):
        item["withdrawable"] = may_take_back(approval, visit.caller.person, hats)
        left = words.time_left(item["expires_at"], now)
        item["seconds_left"], item["left_text"] = int(left), words.seconds_text(left)
        item["usable_seconds"] = int(words.time_left(item["usable_at"], now)) if item["usable_at"] else 0
        similar = next((each for each in before if _like(each, approval)), None)
        item["similar"] = _similar(approval, similar) if similar is not None else None
        votes = cast(list[Json], item["votes"])
        item["version"] = f"{len(votes)}.{item['obstacle']}.{len(cast(list[Json], item['budget_after']))}"
    return items


def _like(before: Approval, approval: Approval) -> bool:
    return before.id != approval.id and before.agent == approval.agent and before.operation == approval.operation


def _similar(approval: Approval, before: Approval) -> Json:
    """How it differs from the newest answered question of this agent about the same operation."""
    was, now = _parameters(before), _parameters(approval)
    return {
        "id": before.id,
        "state": before.state.value,
        "by": before.answered_by,
        "sentence": before.sentence,
        "differences": [
            Difference(name=name, before=was.get(name), now=now.get(name))
            for name in dict.fromkeys((*was, *now))
            if was.get(name) != now.get(name)
        ],
    }


def _parameters(approval: Approval) -> dict[str, str]:
    facts = approval.facts
    found = {name: str(facts[name]) for name in ("account", "region", "quantity") if facts.get(name)}
    resources = facts.get("resources")
    if isinstance(resources, list | tuple) and resources:
        found["resources"] = ", ".join(map(str, resources))
    pairs = facts.get("parameters")
    for pair in pairs if isinstance(pairs, list | tuple) else ():
        if isinstance(pair, list | tuple) and len(pair) == 2:
            name, text = str(pair[0]), str(pair[1])
            found[name] = f"{found[name]}, {text}" if name in found else text
    return found


async def _before(visit: Visit, approval: Approval) -> dict[str, object]:
    """What the run did before it asked: counts, and the newest lines."""
    store = visit.console.desk.store
    entries: list[Entry] = []
    after = -1
    while len(entries) < RUN_ENTRIES_READ_MAX and (
        rows := await store.entries(after=after, limit=1_000, run=approval.run)
    ):
        entries.extend(rows)
        after = rows[-1].index
    kinds = [str(entry.document.get("kind")) for entry in entries]
    newest = await store.entries_at([entry.index for entry in entries[-RUN_LINES_SHOWN_MAX:]])
    return {
        "lines": [words.entry_line(entry_json(row, for_watching(private))) for row, private in reversed(newest)],
        "done": {name: kinds.count(f"action.{name}") for name in ("allowed", "held", "denied")},
        "done_more": len(entries) >= RUN_ENTRIES_READ_MAX,
    }


async def _evidence(visit: Visit, approval: Approval) -> list[Json]:
    """The entries of the log about this question: index, kind, who, and whether a passkey signed it."""
    store = visit.console.desk.store
    found: list[Json] = []
    after = -1
    for _ in range(RUN_ENTRIES_READ_MAX // 1_000):
        rows = await store.entries(after=after, limit=1_000, run=approval.run)
        if not rows:
            break
        after = rows[-1].index
        for entry in rows:
            body = entry.document.get("body")
            if isinstance(body, dict) and body.get("approval") == approval.id:
                line = words.entry_line(entry_json(entry, ()))
                signed = isinstance(body.get("challenge"), str)
                found.append({"index": entry.index, "word": line.word, "time": line.time, "signed": signed})
    return found


def _holds(approval: Approval, text: str) -> bool:
    """Whether the question or its answer holds `text`, in any case of letters."""
    if not text:
        return True
    told = (approval.sentence, approval.operation, approval.agent, approval.owner, approval.answered_by)
    ids = (approval.id, approval.run, approval.state.value, approval.comment)
    return text.casefold() in " ".join((*told, *ids, *(vote.person for vote in approval.votes))).casefold()


def _sum(items: Iterable[Json]) -> int | None:
    amounts = [item.get("usd_micros") for item in items]
    return sum(each for each in amounts if isinstance(each, int)) if None not in amounts else None


def _page(visit: Visit) -> int:
    text = visit.query("page", "0")
    return min(int(text), 10_000) if text.isascii() and text.isdigit() and len(text) < 6 else 0
