"""Standing grants and batches as verbs: what `comptroller approvals` and the console ask for beyond one yes."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from comptroller.core.approval import Approval, ApprovalState
from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.core.pattern import Pattern, opened
from comptroller.core.standing import Standing, Terms, standing_text
from comptroller.engine.standing import offers
from comptroller.server.desk import Desk
from comptroller.server.identity import Caller
from comptroller.server.operations import Operations, _comment, _pick, dollars
from comptroller.server.render import Json, time_text

BATCH_MAX = 200
OFFERS_LOOKED_AT_MAX = 1_000
"""An offer comes from so many of the newest answers."""
UNTIL_HOURS_DEFAULT = 8
_SPAN = re.compile(r"([1-9][0-9]{0,3})(m|h|d)")
_CLOCK = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person asks for beside the approval: as typed. `until` is `18:00` (UTC), `2h`, `30m`, `1d` or a time."""

    count: int
    usd: str | None = None
    until: str = ""
    every_run: bool = False
    include: Sequence[str] = ()
    free: Sequence[str] = ()
    at_most: Mapping[str, int] = field(default_factory=dict)
    prefixes: Sequence[str] = ()
    any_resource: bool = False
    each_usd: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StandingOperations:
    """Every verb over one installation. Raises `ComptrollerError`s; renders to JSON objects."""

    operations: Operations

    @property
    def _desk(self) -> Desk:
        return self.operations.desk

    async def listed(self, *, every: bool = False) -> Json:
        """Standing grants, oldest first; with `every` also those that are over."""
        now = self._desk.clock.now()
        return {"standing": [standing_json(item, now) for item in await self._desk.standing.listed(every=every)]}

    async def one(self, name: str) -> Json:
        """One standing grant."""
        return standing_json(await self._find(name), self._desk.clock.now())

    async def preview(self, caller: Caller, approval: str, wish: Wish) -> Json:
        """The grant as it would be given, to be read before it is. Records nothing."""
        approval_id, terms, shape = await self._read(caller, approval, wish)
        item = await self._desk.standing.preview(approval_id, caller.person, terms, shape=shape)
        return {**standing_json(item, self._desk.clock.now()), "id": "", "state": "proposed"}

    async def grant(self, caller: Caller, approval: str, wish: Wish, *, sentence: str = "") -> Json:
        """Give it. `sentence`, where given, must be what the person read: else something changed meanwhile."""
        approval_id, terms, shape = await self._read(caller, approval, wish)
        shown = await self._desk.standing.preview(approval_id, caller.person, terms, shape=shape)
        if sentence and sentence != standing_text(shown):
            raise UsageError("the grant would not be the one that was shown", hint="read it again, then grant it")
        item = await self._desk.standing.grant(approval_id, caller.person, terms, shape=shape)
        return standing_json(item, self._desk.clock.now())

    async def revoke(self, caller: Caller, name: str, *, reason: str = "") -> Json:
        """Take it back."""
        item = await self._find(name)
        if item.run:
            await self.operations.within(caller, item.run)
        done = await self._desk.standing.revoke(item.id, by=caller.person.name, reason=_comment(reason))
        return standing_json(done, self._desk.clock.now())

    async def offered(self, caller: Caller) -> Json:
        """What the caller said yes to so often that one standing yes may do."""
        found = offers(await self._desk.store.answered(limit=OFFERS_LOOKED_AT_MAX), caller.person)
        return {
            "offers": [
                {"approval": offer.approval, "run": run, "like": key, "yeses": offer.yeses, "sentence": offer.text}
                for (run, key), offer in found.items()
            ]
        }

    async def narrow(
        self,
        caller: Caller,
        name: str,
        changes: Mapping[str, str],
        *,
        ceiling_usd: str | None = None,
        comment: str = "",
    ) -> Json:
        """The caller's yes to less than was asked: the smaller question, approved where nobody else is asked."""
        approval = await self.operations.find_approval(name)
        await self.operations.within(caller, approval.run)
        if self._desk.narrower is None:
            raise UsageError("nothing is held here that could be lowered")
        done = await self._desk.narrower.narrow(
            approval.id,
            caller.person,
            changes,
            ceiling_usd_micros=dollars(ceiling_usd) if ceiling_usd else None,
            comment=_comment(comment),
            hats=await self._desk.approvals.hats(caller.person.name),
        )
        (shown,) = await self.operations.approval_rows(caller, [done])
        return shown

    async def batches(self, caller: Caller) -> Json:
        """What waits, the like of it together: the largest batch first."""
        pending = await self._desk.store.approvals(ApprovalState.PENDING)
        shown = {row["id"]: row for row in await self.operations.approval_rows(caller, pending)}
        return {"batches": [batch_json(key, rows, shown) for key, rows in grouped(pending)]}

    async def answer_batch(
        self, caller: Caller, ids: Sequence[str], *, yes: bool, comment: str = "", ceiling_usd: str | None = None
    ) -> Json:
        """Answer several questions at once, each bound to its own digest and each its own entry. What could not be
        answered stays open and says why."""
        if not 1 <= len(set(ids)) <= BATCH_MAX:
            raise UsageError(f"a batch has 1 to {BATCH_MAX} questions")

        async def answer(name: str) -> Json:
            try:
                if yes:
                    done = await self.operations.approve(caller, name, ceiling_usd=ceiling_usd, comment=comment)
                else:
                    done = await self.operations.reject(caller, name, comment=comment)
            except ComptrollerError as error:
                return {"id": name, "answered": False, "state": "", "sentence": "", "why": error.message}
            return {"id": done["id"], "answered": True, "state": done["state"], "sentence": done["sentence"], "why": ""}

        # One turn of the loop: the store writes them together.
        rows = await asyncio.gather(*(answer(name) for name in dict.fromkeys(ids)))
        return {"answers": list(rows), "answered": sum(bool(row["answered"]) for row in rows), "asked": len(rows)}

    async def _find(self, name: str) -> Standing:
        items = await self._desk.standing.listed(every=True)
        return _pick(name, [(item.id, item) for item in items], "standing grant", "comptroller approvals standing list")

    async def _read(self, caller: Caller, name: str, wish: Wish) -> tuple[str, Terms, Callable[[Pattern], Pattern]]:
        approval = await self.operations.find_approval(name)
        await self.operations.within(caller, approval.run)
        each = dollars(wish.each_usd) if wish.each_usd else None

        def shape(pattern: Pattern) -> Pattern:
            return opened(
                pattern,
                free=wish.free,
                at_most=wish.at_most,
                prefixes=wish.prefixes,
                any_resource=wish.any_resource,
                usd_micros_max=each,
            )

        like = approval.facts.get("like")
        price = like.get("usd_micros_max") if isinstance(like, Mapping) else None
        most = each if each is not None else price if isinstance(price, int) else 0
        terms = Terms(
            count=wish.count,
            usd_micros=dollars(wish.usd) if wish.usd else most * wish.count,
            expires_at=until_of(wish.until, self._desk.clock.now()),
            every_run=wish.every_run,
            include=frozenset(wish.include),
        )
        return approval.id, terms, shape


def until_of(text: str, now: datetime) -> datetime:
    """The time that `text` means: `18:00` (the next one, UTC), `30m`, `2h`, `1d`, or RFC 3339. Raises `UsageError`."""
    if not text:
        return now + timedelta(hours=UNTIL_HOURS_DEFAULT)
    if match := _SPAN.fullmatch(text):
        seconds = {"m": 60, "h": 3_600, "d": 86_400}[match[2]]
        return now + timedelta(seconds=int(match[1]) * seconds)
    if match := _CLOCK.fullmatch(text):
        at = now.astimezone(UTC).replace(hour=int(match[1]), minute=int(match[2]), second=0, microsecond=0)
        return at if at > now else at + timedelta(days=1)
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"`{text[:40]}` is no time", hint="18:00 (UTC), 30m, 2h, 1d or 2026-11-24T18:00Z") from error
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def grouped(pending: Sequence[Approval]) -> list[tuple[str, list[Approval]]]:
    """Questions of one run that are alike but for names of resources and counts, the largest group first."""
    found: dict[tuple[str, str], list[Approval]] = {}
    for approval in pending:
        like = approval.facts.get("like")
        key = like.get("key") if isinstance(like, Mapping) else None
        found.setdefault((approval.run, str(key or approval.digest)), []).append(approval)
    named = [(f"{run[-8:]}-{key[-8:]}", rows) for (run, key), rows in found.items()]
    return sorted(named, key=lambda each: -len(each[1]))


def batch_json(key: str, rows: Sequence[Approval], shown: Mapping[object, Json]) -> Json:
    """One batch as a table: what all have in common once, and of each row what only it has."""
    members = [shown[row.id] for row in rows if row.id in shown]
    parameters = [_pairs(member.get("parameters")) for member in members]
    names = list(dict.fromkeys(name for each in parameters for name in each))
    differs = [name for name in names if len({each.get(name, "") for each in parameters}) > 1]
    prices = [member.get("usd_micros") for member in members]
    first = members[0] if members else {}
    return {
        "key": key,
        "run": rows[0].run,
        "agent": rows[0].agent,
        "operation": rows[0].operation,
        "count": len(members),
        "classes": first.get("classes", []),
        "usd_micros": sum(price for price in prices if isinstance(price, int)),
        "price_unknown": any(bool(member.get("price_unknown")) for member in members),
        "common": [[name, parameters[0][name]] for name in names if name not in differs and name in parameters[0]],
        "differs": differs,
        "rows": [
            {
                "id": member["id"],
                "digest": member["digest"],
                "sentence": member["sentence"],
                "resources": member.get("resources", []),
                "own": [[name, each.get(name, "")] for name in differs],
                "usd_micros": member.get("usd_micros"),
                "expires_at": member["expires_at"],
                "obstacle": member.get("obstacle", ""),
            }
            for member, each in zip(members, parameters, strict=True)
        ],
    }


def _pairs(told: object) -> dict[str, str]:
    found: dict[str, str] = {}
    for pair in told if isinstance(told, list | tuple) else ():
        name, text = str(pair[0]), str(pair[1])
        found[name] = f"{found[name]}, {text}" if name in found else text
    return found


def standing_json(item: Standing, now: datetime) -> Json:
    """One standing grant. Texts are as they are: showing them is `server/words.py`."""
    pattern = item.pattern
    over = item.ended_why.partition(" by ")[0] or ("expired" if now >= item.expires_at else "")
    return {
        "id": item.id,
        "state": "open" if item.open_at(now) else over or "over",
        "sentence": standing_text(item),
        "agent": item.agent,
        "run": item.run,
        "every_run": not item.run and not item.one_run,
        "operation": pattern.operation,
        "classes": sorted(pattern.classes),
        "account": pattern.account,
        "region": pattern.region,
        "endpoint": pattern.endpoint,
        "equal": [[path, pattern.shown.get(path, "")] for path in sorted(pattern.equal)],
        "at_most": dict(pattern.at_most),
        "free": sorted(pattern.free),
        "resources": list(pattern.resources),
        "match": pattern.match.value,
        "usd_micros_each": pattern.usd_micros_max,
        "usd_micros_per_hour_each": pattern.usd_micros_per_hour_max,
        "count": item.count,
        "used": item.used,
        "left": item.left,
        "usd_micros": item.usd_micros,
        "spent_usd_micros": item.spent_usd_micros,
        "left_usd_micros": item.left_usd_micros,
        "include": sorted(item.include),
        "rules": list(item.rules),
        "granted_by": item.person,
        "granted_at": time_text(item.granted_at),
        "expires_at": time_text(item.expires_at),
        "self_approved": item.person == item.owner,
        "approval": item.approval,
        "plan": item.plan,
        "ended_by": item.ended_by,
        "ended_why": item.ended_why,
    }
