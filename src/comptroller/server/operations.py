"""What people may ask of a running installation: one method a verb, the same for the socket and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, TypeVar

from comptroller import __version__
from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.brake import Run, RunState
from comptroller.core.budget import Budget, OnExceed
from comptroller.core.config import DOLLAR_UNITS, usd_micros
from comptroller.core.errors import RefusedError, UsageError
from comptroller.core.estimate import Unit
from comptroller.core.holding import Holding
from comptroller.core.made import Made
from comptroller.core.role import Right
from comptroller.core.window import FORMS, Window
from comptroller.server.beside import Sight
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller
from comptroller.server.pulse import Pulse
from comptroller.server.render import (
    Json,
    approval_json,
    budget_tree,
    burn_json,
    entry_json,
    holding_json,
    run_json,
    settled_json,
    suspense_json,
)

ENTRIES_MAX = 1_000
ANSWERED_SHOWN_MAX = 200
WAIT_SECONDS_MAX = 25.0
REASON_CHARS_MAX = 500
PREFIX_CHARS_MIN = 6
AMOUNT_MAX = 10**18

BrakeVerb = Literal["freeze", "thaw", "kill"]
T = TypeVar("T")


class NotFoundError(RefusedError):
    """The named thing does not exist."""


class ForbiddenError(RefusedError):
    """The caller is known, and may not do this."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Operations:
    """Every verb over one installation. Raises `ComptrollerError`s; renders to JSON objects."""

    desk: Desk
    pulse: Pulse

    # ------------------------------------------------------------ reading

    async def status(self, caller: Caller) -> Json:
        """Who asks, what runs, what waits."""
        runs = await self.desk.store.runs()
        return {
            "version": __version__,
            "organization": self.desk.config.organization,
            "config": self.desk.config_path,
            "person": caller.person.name,
            "groups": sorted(caller.person.groups),
            "operator": caller.operator,
            "runs_active": sum(run.state is RunState.ACTIVE for run in runs),
            "pending": await self.desk.store.approvals_count(ApprovalState.PENDING),
            "entries": await self.desk.store.size(),
        }

    async def runs(self) -> Json:
        """Every run, newest first."""
        brakes = await self.desk.store.brakes()
        return {"runs": [run_json(run, brakes) for run in await self.desk.store.runs()]}

    async def run(self, name: str) -> Json:
        """One run by id or by an unambiguous beginning or end of it."""
        return run_json(await self.find_run(name), await self.desk.store.brakes())

    async def find_run(self, name: str) -> Run:
        """The run called `name`. Raises `NotFoundError`, or `UsageError` where several are meant."""
        return _pick(name, [(run.id, run) for run in await self.desk.store.runs()], "run", "comptroller tail")

    async def approvals(self, caller: Caller, state: str = "") -> Json:
        """Approvals, newest first: of one state, or all."""
        try:
            wanted = ApprovalState(state) if state else None
        except ValueError as error:
            known = ", ".join(s.value for s in ApprovalState)
            raise UsageError(f"there is no state `{state}`", hint=f"one of: {known}") from error
        rows = await self.desk.store.approvals_page(wanted, limit=ANSWERED_SHOWN_MAX)
        return {"approvals": await self.approval_rows(caller, rows)}

    async def approval(self, caller: Caller, name: str) -> Json:
        """One approval by id or by an unambiguous beginning or end of it."""
        found = await self.find_approval(name)
        await self.within(caller, found.run)
        return await self._shown(caller, found)

    async def find_approval(self, name: str) -> Approval:
        """The approval called `name`. Raises `NotFoundError`, or `UsageError` where several are meant."""
        exact = await self.desk.store.approval(name)
        if exact is not None:
            return exact
        return _pick(
            name, [(a.id, a) for a in await self.desk.store.approvals()], "approval", "comptroller approvals list"
        )

    async def budgets(self) -> Json:
        """The budget tree with the room each limit leaves."""
        return {"budgets": budget_tree(await self.desk.store.budgets(self.desk.clock.now()))}

    async def entries(
        self, caller: Caller, *, after: int, limit: int, run: str = "", wait_seconds: float = 0.0
    ) -> Json:
        """Entries above `after`, in order, with what the caller may see beside them; where there are none, the first to
        come within `wait_seconds`."""
        run_id = (await self.find_run(run)).id if run else ""
        limit = max(1, min(limit, ENTRIES_MAX))
        deadline = self.desk.clock.now().timestamp() + min(wait_seconds, WAIT_SECONDS_MAX)
        while True:
            beats = self.pulse.beats
            rows = await self.desk.store.entries(after=after, limit=limit, run=run_id)
            left = deadline - self.desk.clock.now().timestamp()
            if rows or left <= 0:
                break
            await self.pulse.wait(beats, left)
            if self.pulse.beats == beats:
                break
        sight = Sight(self.desk, caller)
        shown = [entry_json(row, await sight.seen(row, await self.desk.store.private(row.index))) for row in rows]
        return {"entries": shown, "next": rows[-1].index if rows else after, "size": await self.desk.store.size()}

    # ------------------------------------------------------------ answering

    async def approve(self, caller: Caller, name: str, *, ceiling_usd: str | None = None, comment: str = "") -> Json:
        """The caller's yes. Raises `ConflictError` with its kind."""
        demand(caller, Right.ANSWER, "answer")
        approval = await self.find_approval(name)
        await self.within(caller, approval.run)
        ceiling = dollars(ceiling_usd) if ceiling_usd else None
        done = await self.desk.approvals.approve(
            approval.id, caller.person, ceiling_usd_micros=ceiling, comment=_comment(comment)
        )
        return await self._shown(caller, done)

    async def reject(self, caller: Caller, name: str, *, comment: str = "") -> Json:
        """The caller's no."""
        demand(caller, Right.ANSWER, "answer")
        approval = await self.find_approval(name)
        await self.within(caller, approval.run)
        done = await self.desk.approvals.reject(approval.id, caller.person, comment=_comment(comment))
        return await self._shown(caller, done)

    async def withdraw(self, caller: Caller, name: str, *, comment: str = "") -> Json:
        """Take a question back."""
        approval = await self.find_approval(name)
        done = await self.desk.approvals.withdraw(approval.id, caller.person, comment=_comment(comment))
        return await self._shown(caller, done)

    async def revoke(self, caller: Caller, name: str, *, comment: str = "") -> Json:
        """Take an unused yes back."""
        approval = await self.find_approval(name)
        done = await self.desk.approvals.revoke(approval.id, caller.person, comment=_comment(comment))
        return await self._shown(caller, done)

    async def brake(self, caller: Caller, verb: BrakeVerb, scope: str, *, reason: str = "") -> Json:
        """Freeze, thaw or kill a scope or a run. Who may stop an agent need not be who lets it go on."""
        if verb != "thaw":
            demand(caller, Right.STOP, "stop an agent")
        path = await self._scope(scope)
        _covered(caller, path)
        reason = _comment(reason)
        match verb:
            case "freeze":
                await self.desk.brakes.freeze(path, by=caller.person.name, reason=reason)
            case "kill":
                await self.desk.brakes.kill(path, by=caller.person.name, reason=reason)
            case "thaw":
                _operator(caller, "let a stopped agent go on")
                await self.desk.brakes.thaw(path, by=caller.person.name, reason=reason)
        return {"scope": path, "did": verb, "by": caller.person.name, "reason": reason}

    async def set_budget(
        self, caller: Caller, *, scope: str, unit: str, limit: str, window: str = "total", on_exceed: str = ""
    ) -> Json:
        """Set one limit; `usd` and `usd_per_hour` take dollars. An empty `on_exceed` leaves it as it is."""
        _operator(caller, "set a budget")
        organization = self.desk.config.organization
        path = await self._scope(scope)
        try:
            known = DOLLAR_UNITS.get(unit) or Unit(unit)
            counted = Window(window)
            wanted = OnExceed(on_exceed) if on_exceed else None
        except ValueError as error:
            raise UsageError(
                f"`{unit}` per `{window}` is no limit: {error}",
                hint=f"units: {', '.join((*DOLLAR_UNITS, *Unit))}; windows: {FORMS}; on exceed: {', '.join(OnExceed)}",
            ) from error
        amount = dollars(limit) if unit in DOLLAR_UNITS else _whole(limit)
        if path.split("/", 1)[0] != organization:
            raise UsageError(f"scope `{path}` does not begin with `{organization}`")
        budget = Budget(scope=path, unit=known, window=counted, limit=amount)
        if wanted is None:
            before = await self.desk.store.budgets(self.desk.clock.now())
            wanted = next((s.budget.on_exceed for s in before if s.budget.key == budget.key), OnExceed.DENY)
        budget = replace(budget, on_exceed=wanted)
        await self.desk.ledger.set_budget(budget, by=caller.person.name)
        states = await self.desk.store.budgets(self.desk.clock.now())
        return {"budget": next(row for row in budget_tree([s for s in states if s.budget.key == budget.key]))}

    # ------------------------------------------------------------ what agents own

    async def holdings(self, *, every: bool = False) -> Json:
        """What agents brought about and is still there, with what it costs; with `every` also what is gone."""
        now = self.desk.clock.now()
        terms = {item.id: item for item in await self.desk.store.open_reservations()}
        items = await self.desk.store.holdings(every=every)
        shown = [holding_json(item, terms.get(item.term_reservation), now) for item in items]
        return {"holdings": shown, **burn_json(items, await self.desk.store.budgets(now))}

    async def holding(self, name: str) -> Json:
        """One holding by id, by an unambiguous beginning or end of it, or by its provider's name."""
        item = await self.find_holding(name)
        terms = {each.id: each for each in await self.desk.store.open_reservations()}
        return holding_json(item, terms.get(item.term_reservation), self.desk.clock.now())

    async def find_holding(self, name: str) -> Holding:
        """The holding called `name`. Raises `NotFoundError`, or `UsageError` where several are meant."""
        items = await self.desk.store.holdings(every=True)
        named = [(item.id, item) for item in items if item.resource == name and item.open]
        if len(named) == 1:
            return named[0][1]
        return _pick(name, named or [(item.id, item) for item in items], "holding", "comptroller holdings list")

    async def stop_holding(self, caller: Caller, name: str, *, reason: str = "", delete: bool = False) -> Json:
        """Ask its provider to stop it, or to delete it. Who may stop what an agent made need not be who deletes it."""
        demand(caller, Right.STOP, "stop what an agent made")
        if delete:
            _operator(caller, "delete what an agent made")
        item = await self.find_holding(name)
        _covered(caller, item.path)
        why = _comment(reason) or f"stopped by {caller.person.name}"
        await self.desk.keeper.stop(item, by=caller.person.name, why=why, delete=delete)
        return await self.holding(item.id)

    async def forget_holding(self, caller: Caller, name: str, *, reason: str) -> Json:
        """Take it off the books: from now on nobody here pays for it, and nobody stops it."""
        _operator(caller, "take something off the books")
        item = await self.find_holding(name)
        done = await self.desk.holdings.forget(item, by=caller.person.name, reason=_why_needed(reason))
        return await self.holding(done.id)

    async def adopt_holding(
        self,
        caller: Caller,
        *,
        kind: str,
        resource: str,
        agent: str,
        account: str = "",
        region: str = "",
        endpoint: str = "",
        reason: str,
    ) -> Json:
        """Put something on the books that lives and that nobody here knows of."""
        _operator(caller, "put something on the books")
        if agent not in self.desk.config.agents:
            raise UsageError(
                f"there is no agent `{agent}`", hint=f"known: {', '.join(sorted(self.desk.config.agents))}"
            )
        made = Made(kind=kind, resource=resource, account=account, region=region, endpoint=endpoint)
        done = await self.desk.holdings.adopt(made, agent=agent, by=caller.person.name, reason=_why_needed(reason))
        return await self.holding(done.id)

    async def drift(self) -> Json:
        """Ask every provider what is there: what they list and the books do not, and the other way round."""
        return {"drift": [dict(each) for each in await self.desk.keeper.reconcile()]}

    async def suspense(self) -> Json:
        """What nobody knows the outcome of, oldest first."""
        now = self.desk.clock.now()
        return {"suspense": [suspense_json(row, now) for row in await self.desk.suspense.unconfirmed()]}

    async def settle_suspense(
        self, caller: Caller, name: str, *, cost_usd: str, amounts: str = "", reason: str, source: str = "person"
    ) -> Json:
        """Settle what is in suspense at what it really cost. `amounts`: other units (`tokens=12,calls=1`)."""
        _operator(caller, "settle what is unconfirmed")
        if source not in ("person", "bill"):
            raise UsageError(f"`{source}` is neither person nor bill")
        rows = await self.desk.suspense.unconfirmed()
        known = [(row.reservation.id, row.reservation) for row in rows]
        found = _pick(name, known, "unconfirmed reservation", "comptroller budget suspense list")
        given = {Unit.USD_MICROS: dollars(cost_usd), **_amounts(amounts)}
        done = await self.desk.suspense.settle(
            found.id, given, by=caller.person.name, reason=_comment(reason), source=source
        )
        return {"settled": settled_json(done)}

    async def confirm_price(self, caller: Caller, *, key: str, reason: str = "") -> Json:
        """Believe a price again that a real cost exceeded. Raises `RefusedError` where it is not distrusted."""
        _operator(caller, "confirm a price")
        item = await self.desk.trust.confirm(key, by=caller.person.name, reason=_comment(reason))
        return {"key": item.key, "by": item.by, "trusted": item.trusted}

    async def remove_archived(self, caller: Caller, *, file: str) -> Json:
        """Remove from the store what retention lets go and the archive `file` holds."""
        _operator(caller, "remove archived entries")
        path = Path(file)
        if not path.is_absolute():
            raise UsageError("an archive is named by its whole path")
        done = await self.desk.remove_archived(path, caller.person.name)
        return {"archive": path.name, "removed": done.count, "stay": done.stay, "entry": done.index}

    # ------------------------------------------------------------ within

    async def _shown(self, caller: Caller, approval: Approval) -> Json:
        return (await self.approval_rows(caller, [approval]))[0]

    async def approval_rows(self, caller: Caller, approvals: Sequence[Approval]) -> list[Json]:
        """Several approvals as the caller sees them."""
        now, person = self.desk.clock.now(), caller.person
        budgets = await self.desk.store.budgets(now)
        paths = {run.id: run.path for run in await self.desk.store.runs()}
        hats = await self.desk.approvals.hats(person.name)
        people = {name: frozenset(each.groups) for name, each in self.desk.config.people.items()}
        return [
            approval_json(
                each, person=person, path=paths.get(each.run, ""), budgets=budgets, now=now, hats=hats, people=people
            )
            for each in approvals
            if caller.covers(paths.get(each.run, ""))
        ]

    async def within(self, caller: Caller, run_id: str) -> None:
        """Refuse a caller whose token is for other scopes than the run's."""
        if caller.scopes:
            _covered(caller, (await self.find_run(run_id)).path)

    async def _scope(self, name: str) -> str:
        """A scope path: itself where it is one we know, else the path of the run it names."""
        config = self.desk.config
        known = {config.organization}
        known |= {f"{config.organization}/{team}" for team in config.teams}
        known |= {config.path_of(agent) for agent in config.agents}
        runs = await self.desk.store.runs()
        if name in known or name in {run.path for run in runs}:
            return name
        if name in config.agents:
            return config.path_of(name)
        return (await self.find_run(name)).path


def _pick(name: str, items: Sequence[tuple[str, T]], what: str, listing: str) -> T:
    exact = [item for key, item in items if key == name]
    close = exact or [
        item for key, item in items if len(name) >= PREFIX_CHARS_MIN and (key.startswith(name) or key.endswith(name))
    ]
    if not close:
        raise NotFoundError(f"there is no {what} `{name}`", hint=f"see them all: {listing}")
    if len(close) > 1:
        raise UsageError(f"`{name}` means {len(close)} {what}s", hint="write more of the id")
    return close[0]


def demand(caller: Caller, right: Right, what: str) -> None:
    """Raise `ForbiddenError` unless the caller has a role that carries `right`, and came with nothing narrower."""
    if not caller.may(right):
        raise ForbiddenError(
            f"`{caller.person.name}` may not {what}: it takes the right `{right}`",
            hint="an administrator gives roles: people.NAME.roles in comptroller.yaml",
        )


def _covered(caller: Caller, path: str) -> None:
    if not caller.covers(path):
        raise ForbiddenError(f"this token is not for `{path}`", hint=f"it is for: {', '.join(caller.scopes)}")


def _operator(caller: Caller, what: str) -> None:
    if not caller.operator:
        raise ForbiddenError(
            f"`{caller.person.name}` may not {what}", hint="the user who owns this installation, or root, may"
        )


def _why_needed(text: str) -> str:
    if not text.strip():
        raise UsageError("this needs a reason: it is written down", hint="--reason TEXT")
    return _comment(text)


def _comment(text: str) -> str:
    if len(text) > REASON_CHARS_MAX:
        raise UsageError(f"the text has {len(text)} characters; at most {REASON_CHARS_MAX} are kept")
    return text.strip()


def dollars(text: str) -> int:
    """Dollars as typed (`400`, `400.01`, `$1,200`) to micro-dollars. Raises `UsageError`."""
    try:
        return usd_micros(text.strip().removeprefix("$").replace(",", ""))
    except ValueError as error:
        raise UsageError(str(error), hint="write dollars with a point: 400.01") from error


def _amounts(text: str) -> dict[Unit, int]:
    """`tokens=1200,gpu_seconds=3`. Raises `UsageError`."""
    found: dict[Unit, int] = {}
    for pair in filter(None, (part.strip() for part in text.split(","))):
        name, _, number = pair.partition("=")
        try:
            unit = Unit(name.strip())
        except ValueError as error:
            raise UsageError(f"`{name}` is no unit", hint=f"units: {', '.join(u.value for u in Unit)}") from error
        found[unit] = _whole(number)
    return found


def _whole(text: str) -> int:
    digits = text.strip().replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdigit()) or int(digits[:20]) >= AMOUNT_MAX or len(digits) > 19:
        raise UsageError(f"`{text}` is not a whole number", hint="write digits only; for dollars use the unit `usd`")
    return int(digits)
