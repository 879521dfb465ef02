"""What people may ask of the policies: look at them, check an edit, try it on what was recorded, put it in force."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

from comptroller.boundary import PolicyError, PolicyText, Problem
from comptroller.boundary.compare import RuleChange, compare
from comptroller.boundary.rule import Rule
from comptroller.core.errors import ConfigError, RefusedError, UsageError
from comptroller.core.role import Right
from comptroller.server.desk import Desk, RulesInForce
from comptroller.server.identity import Caller
from comptroller.server.operations import REASON_CHARS_MAX, ForbiddenError, NotFoundError
from comptroller.server.policy_files import PolicyEdit, diff_text, file_hash, set_hash
from comptroller.server.render import Json, entry_json
from comptroller.server.rule_log import RuleLog, days_back, entry_at
from comptroller.server.trials import Trial, Trials

WEEK_DAYS = 7
UNUSED_DAYS = 30
CHANGES_SHOWN_MAX = 30
CHECKED_AT_ONCE = 2
WIDER_TOLD_MAX = 10


@dataclass(slots=True, kw_only=True)
class Policies:
    """Every verb about the policies of one installation."""

    desk: Desk
    log: RuleLog = field(init=False)
    trials: Trials = field(init=False)
    _checking: asyncio.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self.log = RuleLog(self.desk.store, self.desk.clock)
        self.trials = Trials(self.desk.config_path, self.desk.clock)
        self._checking = asyncio.Semaphore(CHECKED_AT_ONCE)

    async def close(self) -> None:
        """End what runs in the background."""
        await self.trials.close()
        await self.log.close()

    @property
    def rules(self) -> RulesInForce:
        """The policies. Raises `RefusedError` where there are none to be edited."""
        if self.desk.rules is None:
            raise RefusedError("the policies of this server are not edited here")
        return self.desk.rules

    # ------------------------------------------------------------ reading

    async def files(self) -> Json:
        """The files as they are, each with its hash; `set` is what an edit of them has to name. None of them where the
        policies of this server are not edited here."""
        if self.desk.rules is None:
            return {"files": [], "set": set_hash(()), "in_force": ""}
        texts = self.rules.texts()
        return {
            "files": [_file(text) for text in texts],
            "set": set_hash(texts),
            "in_force": self.rules.boundary.policy_hash,
        }

    async def overview(self) -> Json:
        """Every rule with what it did: in the last week by day, and whether it did anything in 30 days."""
        read, total = await self.log.refresh()
        boundary = self.desk.rules.boundary if self.desk.rules is not None else None
        week = days_back(self.desk.clock, WEEK_DAYS)
        month = days_back(self.desk.clock, UNUSED_DAYS)[0]
        rules = boundary.rules if boundary is not None else ()
        rows = [self._rule(rule, week, month) for rule in rules]
        known = {rule.id for rule in rules}
        return {
            "rules": rows,
            "others": [self._used(name, week, month) for name in self.log.use.rules() if name not in known],
            "days": [day.isoformat() for day in week],
            "read": read,
            "to_read": total,
            "policies": boundary.policy_hash if boundary is not None else "",
            "warnings": [problem_json(item) for item in (boundary.warnings if boundary is not None else ())],
        }

    async def history(self) -> Json:
        """The last changes of the policies, newest first: who, when, which files, and the lines that differ."""
        await self.log.refresh()
        shown: list[Json] = []
        for index in reversed(self.log.changes):
            entry = await entry_at(self.desk.store, index)
            if entry is None:
                continue
            told = entry_json(entry, await self.desk.store.private(index))
            body = told.get("body")
            if isinstance(body, dict) and (body.get("files") or body.get("policies") != body.get("policies_before")):
                shown.append(told)
            if len(shown) >= CHANGES_SHOWN_MAX:
                break
        return {"changes": shown}

    # ------------------------------------------------------------ an edit

    async def check(self, caller: Caller, *, name: str, text: str) -> Json:
        """What the loader that enforces says of an edited file, and which rules it changes."""
        _may(caller)
        texts = self._with(name, text)
        async with self._checking:
            return await asyncio.to_thread(self._checked, name, texts)

    def _checked(self, name: str, texts: Sequence[PolicyText]) -> Json:
        try:
            boundary = self.rules.read(texts)
        except PolicyError as error:
            mine = [item for item in error.problems if Path(item.file).name == name]
            others = [item for item in error.problems if Path(item.file).name != name]
            return {"ok": False, "problems": [problem_json(item) for item in (*mine, *others)], "changes": []}
        except ConfigError as error:
            return {"ok": False, "problems": [{"message": error.message, "line": 1}], "changes": []}
        changes = compare(self.rules.boundary.rules, boundary.rules)
        return {
            "ok": True,
            "problems": [],
            "warnings": [problem_json(item) for item in boundary.warnings],
            "rules": len(boundary.rules),
            "policies": boundary.policy_hash,
            "changes": [change_json(item) for item in changes],
            "may_widen": any(item.wider for item in changes),
        }

    async def what_if(self, caller: Caller, *, name: str, text: str, days: int) -> Trial:
        """Begin to replay the last days under the edited rules. Raises `PolicyError`, and `RefusedError` while
        another trial runs."""
        _may(caller)
        texts = self._with(name, text)
        async with self._checking:
            await asyncio.to_thread(self.rules.read, texts)
        return self.trials.start(
            "what-if",
            by=caller.person.name,
            days=days,
            texts=texts,
            name=name,
            text=lines_of(text),
            expected=set_hash(self.rules.texts()),
        )

    async def suggest(self, caller: Caller, *, days: int) -> Trial:
        """Begin to look for rules that follow from what was denied and from what people answered."""
        _may(caller)
        return self.trials.start("suggest", by=caller.person.name, days=days)

    def trial(self, identifier: str) -> Trial:
        """One of the last trials. Raises `NotFoundError`."""
        found = self.trials.find(identifier)
        if found is None:
            raise NotFoundError("there is no such trial any more", hint="begin it again")
        return found

    async def cancel(self, caller: Caller, identifier: str) -> None:
        """End a trial."""
        _may(caller)
        await self.trials.cancel(self.trial(identifier).id)

    async def apply(
        self, caller: Caller, *, name: str, text: str, expected: str, reason: str, widen: bool = False
    ) -> Json:
        """Put an edited file in force. `expected` is the `set` that the editor began with; `widen` says that the person
        knows that more may go. Raises `PolicyError`, and `RefusedError` for what changed meanwhile or may widen."""
        _may(caller)
        reason = reason.strip()
        if not reason:
            raise UsageError("a change of the policies needs a reason: it is written down")
        if len(reason) > REASON_CHARS_MAX:
            raise UsageError(f"the reason has {len(reason)} characters; at most {REASON_CHARS_MAX} are kept")
        before = self.rules.boundary.policy_hash
        told = await self.check(caller, name=name, text=text)
        wider = [str(item["rule"]) for item in told["changes"] if item["may_widen"]]  # type: ignore[attr-defined]
        if wider and not widen:
            raise RefusedError(
                f"more may go with it, because of {', '.join(wider[:WIDER_TOLD_MAX])}",
                hint="try it on what was recorded, and say that you know",
            )
        await self.rules.apply(
            PolicyEdit(
                name=name,
                text=lines_of(text),
                expected=expected,
                by=caller.person.name,
                via=caller.person.via,
                reason=reason,
            )
        )
        return {"file": name, "policies_before": before, "policies": self.rules.boundary.policy_hash}

    def difference(self, *, name: str, text: str) -> str:
        """The lines in which an edited file differs from what lies there."""
        return diff_text(self.rules.texts(), self._with(name, text))

    # ------------------------------------------------------------ within

    def _with(self, name: str, text: str) -> tuple[PolicyText, ...]:
        texts = self.rules.texts()
        edit = PolicyEdit(name=name, text=lines_of(text), expected=set_hash(texts), by="", via="", reason="")
        return edit.applied_to(texts, self.rules.folder)

    def _rule(self, rule: Rule, week: Sequence[date], month: date) -> Json:
        return {
            **self._used(rule.id, week, month),
            "effect": "ask" if rule.obligation else rule.effect,
            "shadow": rule.shadow,
            "file": Path(rule.statement.file).name,
            "line": rule.statement.line,
            "text": rule.statement.text,
            "reason": rule.reason,
            "annotations": dict(rule.template.annotations),
        }

    def _used(self, name: str, week: Sequence[date], month: date) -> Json:
        use = self.log.use.of(name, week[0])
        lately = self.log.use.of(name, month)
        return {
            "rule": name,
            "week": use.document(),
            "days": [day.document() for day in self.log.use.by_day(name, week[0], len(week))],
            "last": lately.last,
            "unused": not lately.last,
        }


def policies_of(desk: Desk) -> Policies:
    """Those of an installation: one for everybody, so that there is one trial at a time and one reading of the log."""
    found = desk.made.get(Policies)
    if not isinstance(found, Policies):
        found = desk.made[Policies] = Policies(desk=desk)
    return found


def lines_of(text: str) -> str:
    """Text of a form as a file: browsers send CR LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def problem_json(item: Problem) -> Json:
    """One mistake with its place."""
    return {
        "file": Path(item.file).name,
        "line": item.line,
        "column": item.column,
        "length": item.length,
        "message": item.message,
        "write": item.write,
    }


def change_json(item: RuleChange) -> Json:
    """One rule that differs."""
    return {"rule": item.rule, "change": item.kind, "may_widen": item.wider, "why": item.why}


def _file(text: PolicyText) -> dict[str, Any]:
    return {"name": Path(text.file).name, "text": text.text, "sha256": file_hash(text.text)}


def _may(caller: Caller) -> None:
    if not caller.may(Right.AUTHOR):
        raise ForbiddenError(
            f"`{caller.person.name}` may not edit policies", hint="a policy author or an administrator may"
        )
