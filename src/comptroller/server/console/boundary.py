"""Boundary: every rule with what it did, rules to try before they are in force, and the editor that puts them there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from comptroller.core.errors import ComptrollerError, UsageError
from comptroller.core.estimate import usd_text
from comptroller.core.role import Right
from comptroller.server.console.app import Console, Visit
from comptroller.server.console.page import Page
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.policies import Policies, policies_of
from comptroller.server.policy_files import EDITED_CHARS_MAX
from comptroller.server.render import Json
from comptroller.server.trials import DAYS_MAX, Trial

PAGE = Page(name="boundary", path="boundary", title="Boundary", right=Right.READ, order=60, key="b")
RULES_SHOWN_MAX = 40
TEXT_LINES_MAX = 60
LINE_CHARS_MAX = 300
DIFF_LINES_MAX = 60
HISTORY_SHOWN_MAX = 8
PROBLEMS_SHOWN_MAX = 20
WEEK_PIXELS = 70
BAR_PIXELS = 22
DAYS_DEFAULT = 7
NEW_FILE = "own.cedar"
GROUPS = (
    ("ask", "Ask people", "held until somebody says yes"),
    ("forbid", "Forbid", "nobody is asked"),
    ("permit", "Permit", "goes, unless a rule above holds it back"),
    ("shadow", "In shadow mode", "tried on every action, and decides nothing"),
)


def routes(console: Console) -> list[Route]:
    """The page, the editor, and what they do."""
    pages = _Pages(policies_of(console.desk))
    return [
        console.get(PAGE, "", pages.show),
        console.get(PAGE, "rules", pages.rules),
        console.get(PAGE, "edit", pages.edit, right=Right.AUTHOR),
        console.post(PAGE, "check", pages.check, right=Right.AUTHOR),
        console.post(PAGE, "what-if", pages.what_if, right=Right.AUTHOR),
        console.post(PAGE, "suggest", pages.suggest, right=Right.AUTHOR),
        console.get(PAGE, "trial/{id}", pages.trial, right=Right.AUTHOR),
        console.get(PAGE, "trial/{id}/found", pages.found, right=Right.AUTHOR),
        console.post(PAGE, "trial/{id}/cancel", pages.cancel, right=Right.AUTHOR),
        console.post(PAGE, "apply", pages.apply, right=Right.AUTHOR),
    ]


@dataclass(frozen=True, slots=True)
class _Pages:
    """The handlers, over the policies of one installation."""

    policies: Policies

    # ------------------------------------------------------------ reading

    async def show(self, visit: Visit) -> Response:
        """The whole page."""
        try:
            self.policies.rules.texts()
            files = await self.policies.files()
        except ComptrollerError as error:
            return await visit.show("boundary", {"missing": f"{error.message}. {error.hint}", **_nothing()})
        history = cast(list[Json], (await self.policies.history())["changes"])
        values = {
            **await self._rules(visit),
            "missing": "",
            "files": files["files"],
            "history": [_change(entry) for entry in history[:HISTORY_SHOWN_MAX]],
            **self._suggested(),
        }
        return await visit.show("boundary", values)

    async def rules(self, visit: Visit) -> Response:
        """The rules alone."""
        return visit.fragment("boundary_rules", await self._rules(visit))

    async def _rules(self, visit: Visit) -> dict[str, object]:
        told = await self.policies.overview()
        rows = [_row(row) for row in cast(list[Json], told["rules"])]
        wanted = visit.query("q").strip().lower()
        found = [row for row in rows if not wanted or wanted in str(row["search"])]
        start = _number(visit.query("from", "0"))
        shown = found[start : start + RULES_SHOWN_MAX]
        shadows = [row for row in rows if row["group"] == "shadow"]
        asks = sum(int(str(row["would_total"])) for row in shadows)
        return {
            "groups": [
                (name, title, about, [row for row in shown if row["group"] == name]) for name, title, about in GROUPS
            ],
            "others": [_row(row) for row in cast(list[Json], told["others"])][:RULES_SHOWN_MAX] if not start else [],
            "total": len(rows),
            "matching": len(found),
            "unused": sum(bool(row["unused"]) for row in rows if row["group"] != "shadow"),
            "shadows": len(shadows),
            "would": asks,
            "q": visit.query("q")[:80],
            "start": start,
            "next": start + RULES_SHOWN_MAX if start + RULES_SHOWN_MAX < len(found) else None,
            "before": max(0, start - RULES_SHOWN_MAX) if start else None,
            "read": told["read"],
            "to_read": told["to_read"],
            "warnings": [_problem(item) for item in cast(list[Json], told["warnings"])][:PROBLEMS_SHOWN_MAX],
            "policies": str(told["policies"]),
        }

    def _suggested(self) -> dict[str, object]:
        trial = self.policies.trials.latest("suggest")
        return {"suggest": trial, "lessons": _lessons(trial), "drafts": _drafts(trial)}

    # ------------------------------------------------------------ the editor

    async def edit(self, visit: Visit) -> Response:
        """The editor, with a file, a suggestion, or what a trial tried."""
        files = await self.policies.files()
        texts = {str(file["name"]): str(file["text"]) for file in cast(list[Json], files["files"])}
        name = visit.query("file") or next(iter(texts), NEW_FILE)
        text, why = texts.get(name, ""), ""
        if (trial := self.policies.trials.find(visit.query("trial"))) is not None:
            name, text, why = _from_trial(trial, texts, visit.query("lesson"), visit.query("draft"), name, text)
        return await self._editor(visit, name, text, expected=str(files["set"]), why=why)

    async def _editor(
        self, visit: Visit, name: str, text: str, *, expected: str, why: str = "", told: Json | None = None
    ) -> Response:
        texts = self.policies.rules.texts()
        if told is None:
            try:
                told = await self.policies.check(visit.caller, name=name, text=text)
            except ComptrollerError as error:
                told = {"ok": False, "problems": [{"message": error.message, "line": 1}], "changes": []}
        names = sorted({*(_name(one.file) for one in texts), name})
        return await visit.show(
            "boundary_edit",
            {
                "file": name,
                "text": text,
                "names": names,
                "expected": expected,
                "why": why,
                "told": _told(told),
                "chars_max": EDITED_CHARS_MAX,
                "days": DAYS_DEFAULT,
                "days_max": DAYS_MAX,
                "new": NEW_FILE,
            },
        )

    async def check(self, visit: Visit) -> Response:
        """What is wrong with a text: as JSON for the editor's script, else as the editor again."""
        form = await visit.form()
        name, text = form.text("file"), form.text("text")
        told = await self.policies.check(visit.caller, name=name, text=text)
        if visit.request.headers.get("accept", "").startswith("application/json"):
            return visit.json(_told(told))
        return await self._editor(visit, name, text, expected=form.text("expected"), told=told)

    async def what_if(self, visit: Visit) -> Response:
        """Begin a trial, and show it."""
        form = await visit.form()
        name, text, days = form.text("file"), form.text("text"), _number(form.text("days", str(DAYS_DEFAULT)))
        try:
            trial = await self.policies.what_if(visit.caller, name=name, text=text, days=days)
        except ComptrollerError as error:
            visit.session.notice = ("bad", neutral(f"{error.message.splitlines()[0]}. {error.hint}"))
            return await self._editor(visit, name, text, expected=form.text("expected"))
        return RedirectResponse(visit.url(f"boundary/trial/{trial.id}"), status_code=303)

    async def suggest(self, visit: Visit) -> Response:
        """Begin to look for suggestions."""
        form = await visit.form()

        async def act() -> str:
            await self.policies.suggest(visit.caller, days=_number(form.text("days", "30")))
            return "Looking at what was denied and answered. It takes a moment; load the page again."

        return await visit.done(act(), back="boundary#suggestions")

    # ------------------------------------------------------------ a trial

    async def trial(self, visit: Visit) -> Response:
        """One trial: how far it is, or what it found and the form that puts it in force."""
        return await visit.show("boundary_trial", self._trial(visit))

    async def found(self, visit: Visit) -> Response:
        """What a trial found, alone."""
        return visit.fragment("boundary_found", self._trial(visit))

    def _trial(self, visit: Visit) -> dict[str, object]:
        trial = self.policies.trial(visit.part("id"))
        try:
            difference = self.policies.difference(name=trial.name, text=trial.text) if trial.name else ""
        except ComptrollerError:
            difference = ""
        return {"trial": trial, "found": _found(trial), "diff": diff_lines(difference)}

    async def cancel(self, visit: Visit) -> Response:
        """End a trial."""
        await visit.form()

        async def act() -> str:
            await self.policies.cancel(visit.caller, visit.part("id"))
            return "Cancelled."

        return await visit.done(act(), back=f"boundary/trial/{visit.part('id')}")

    async def apply(self, visit: Visit) -> Response:
        """Put an edited file in force."""
        form = await visit.form()
        trial = self.policies.trials.find(form.text("trial"))
        back = "boundary"

        async def act() -> str:
            if trial is None:
                raise UsageError("there is no such trial any more", hint="try the edit again, then apply it")
            done = await self.policies.apply(
                visit.caller,
                name=trial.name,
                text=trial.text,
                expected=trial.expected,
                reason=form.text("reason"),
                widen=form.ticked("widen"),
            )
            return f"In force: {done['file']}, by {visit.caller.person.name}."

        if trial is not None:
            back = f"boundary/trial/{trial.id}"
        response = await visit.done(act(), back="boundary")
        notice = visit.session.notice
        if notice is not None and notice[0] == "bad" and isinstance(response, RedirectResponse):
            return RedirectResponse(visit.url(back), status_code=303)
        return response


# ---------------------------------------------------------------- rows


def _nothing() -> dict[str, object]:
    return {"files": [], "history": [], "suggest": None, "lessons": [], "drafts": [], "groups": [], "others": []}


def _row(row: Json) -> Json:
    """A rule as it is shown."""
    week = cast(Mapping[str, Any], row["week"])
    counts, dollars = week["actions"], week["usd_micros"]
    group = "shadow" if row.get("shadow") else str(row.get("effect", ""))
    told = []
    for word, text in (("allowed", "let go"), ("asked", "asked"), ("denied", "denied")):
        if counts[word]:
            money = f", {usd_text(dollars[word])}" if word == "asked" and dollars.get(word) else ""
            told.append(f"{counts[word]:,} {text}{money}")
    if counts["let_ask"]:
        told.append(f"{counts['let_ask']:,} let be asked about")
    answers = " · ".join(f"{counts[word]:,} {word}" for word in ("yes", "no") if counts[word])
    would = []
    for word, text in (("approval", "asked"), ("deny", "denied"), ("allow", "let go")):
        count = counts[f"would_{word}"]
        if count:
            money = usd_text(dollars.get(f"would_{word}", 0))
            would.append(f"would have {text} {count:,} {'times' if count != 1 else 'time'}, {money}")
    text = str(row.get("text", ""))
    return {
        "rule": row["rule"],
        "group": group,
        "file": row.get("file", ""),
        "line": row.get("line", 0),
        "reason": row.get("reason", ""),
        "lines": plain_lines(text, TEXT_LINES_MAX),
        "annotations": [
            (name, value)
            for name, value in cast(Mapping[str, str], row.get("annotations", {})).items()
            if name not in ("id", "reason")
        ],
        "told": told,
        "answers": answers,
        "would": would,
        "would_total": sum(counts[f"would_{word}"] for word in ("approval", "deny", "allow")),
        "last": str(row["last"])[:10],
        "unused": row["unused"],
        "bars": bars(cast(Sequence[Json], row["days"]), shadow=group == "shadow"),
        "said": ", ".join(told or would) or "nothing this week",
        "search": f"{row['rule']} {row.get('reason', '')} {text}".lower(),
    }


_DID = (("allowed", "spent"), ("asked", "held"), ("let_ask", "held"), ("denied", "unconfirmed"))
_WOULD = (("would_approval", "held"), ("would_deny", "unconfirmed"), ("would_allow", "spent"))


def bars(days: Sequence[Json], *, shadow: bool) -> list[tuple[str, int, int, int, int]]:
    """(kind, x, y, width, height) of the rectangles of one week, stacked by what was done."""
    words = _WOULD if shadow else _DID
    counts = [cast(Mapping[str, Mapping[str, int]], day)["actions"] for day in days]
    most = max((sum(each[word] for word, _ in words) for each in counts), default=0)
    if not most:
        return []
    width = WEEK_PIXELS // max(1, len(counts))
    found = []
    for number, each in enumerate(counts):
        below = 0
        for word, kind in words:
            height = -(-each[word] * BAR_PIXELS // most)
            if height:
                found.append((kind, number * width, max(0, BAR_PIXELS - below - height), width - 2, height))
                below += height
    return found


def plain_lines(text: str, lines_max: int) -> list[str]:
    """Lines of a text that show what they hold."""
    lines = text.splitlines()
    shown = [_plain(line) for line in lines[:lines_max]]
    return shown if len(lines) <= lines_max else [*shown, f"… {len(lines) - lines_max} more lines"]


def _plain(line: str) -> str:
    """One line, its indentation kept."""
    bare = line.lstrip(" ")
    return " " * min(len(line) - len(bare), 40) + neutral(bare.replace("\t", "  "), chars_max=LINE_CHARS_MAX)


def diff_lines(text: str) -> list[tuple[str, str]]:
    """(`add`, `del`, `head` or nothing, line) of a difference."""
    kinds = {"+": "add", "-": "del", "@": "head"}
    lines = text.splitlines()
    shown = [(kinds.get(line[:1], ""), f"{line[:1]}{_plain(line[1:])}") for line in lines[:DIFF_LINES_MAX]]
    more = len(lines) - DIFF_LINES_MAX
    return [*shown, ("head", f"… {more} more lines")] if more > 0 else shown


def _change(entry: Json) -> Json:
    """A change of the policies as it is shown."""
    body = cast(Mapping[str, Any], entry["body"])
    beside = cast(Mapping[str, Any], entry.get("beside") or entry.get("private") or {})
    diff = beside.get("diff")
    return {
        "index": entry["index"],
        "at": str(entry["at"])[:16].replace("T", " "),
        "by": body.get("by") or "nobody knows",
        "file_owner": body.get("via") == "file",
        "files": list(body.get("files") or ()),
        "before": str(body.get("policies_before"))[:12],
        "after": str(body.get("policies"))[:12],
        "reason": str(beside.get("reason") or ""),
        "diff": diff_lines(diff) if isinstance(diff, str) else [],
    }


# ---------------------------------------------------------------- an edit and a trial


def _from_trial(
    trial: Trial, texts: Mapping[str, str], lesson: str, draft: str, name: str, text: str
) -> tuple[str, str, str]:
    """File, text and a word about where it comes from: what was tried, or one of the suggestions."""
    if trial.kind == "what-if":
        return trial.name, trial.text, "as it was tried"
    if lesson:
        found = trial.found.get("answered", [])
        item = found[_number(lesson)] if _number(lesson) < len(found) else None
        if item is not None:
            return str(item["file"]), str(item["text"]), "suggested from answers"
    if draft:
        found = trial.found.get("suggested", [])
        item = found[_number(draft)] if _number(draft) < len(found) else None
        if item is not None:
            before = texts.get(NEW_FILE, "")
            joined = f"{before.rstrip()}\n\n{item['cedar']}" if before else str(item["cedar"])
            return NEW_FILE, joined, "suggested from what was denied"
    return name, text, ""


def _lessons(trial: Trial | None) -> list[Json]:
    """Edits that spare questions."""
    found = trial.found.get("answered", []) if trial is not None else []
    return [
        {
            "number": number,
            "rule": item["rule"],
            "agent": item["agent"],
            "operation": item["operation"],
            "effect": f"{item['questions']:,} questions fewer, {usd_text(item['usd_micros'])}",
            "deny": item["kind"] == "deny",
            "lines": plain_lines(str(item["cedar"]), TEXT_LINES_MAX),
        }
        for number, item in enumerate(found[:RULES_SHOWN_MAX])
    ]


def _drafts(trial: Trial | None) -> list[Json]:
    """Rules for what was denied."""
    found = trial.found.get("suggested", []) if trial is not None else []
    return [
        {
            "number": number,
            "agent": item["agent"],
            "operations": item["operations"][:3],
            "more": max(0, len(item["operations"]) - 3),
            "count": item["count"],
            "asks": item["asks"],
            "lines": plain_lines(str(item["cedar"]), TEXT_LINES_MAX),
        }
        for number, item in enumerate(found[:RULES_SHOWN_MAX])
    ]


def _told(told: Json) -> Json:
    """A check as it is shown, every text harmless."""
    problems = [_problem(item) for item in cast(list[Json], told["problems"])][:PROBLEMS_SHOWN_MAX]
    warnings = [_problem(item) for item in cast(list[Json], told.get("warnings", []))][:PROBLEMS_SHOWN_MAX]
    changes = [
        {**item, "rule": neutral_name(item["rule"]), "why": neutral(item["why"])}
        for item in cast(list[Json], told["changes"])[:RULES_SHOWN_MAX]
    ]
    return {
        "ok": told["ok"],
        "problems": problems,
        "warnings": warnings,
        "changes": changes,
        "rules": told.get("rules", 0),
        "may_widen": told.get("may_widen", False),
    }


def _problem(item: Json) -> Json:
    return {
        "file": neutral_name(item.get("file", "")),
        "line": item.get("line", 1),
        "column": item.get("column", 0),
        "length": item.get("length", 0),
        "message": neutral(item["message"], chars_max=LINE_CHARS_MAX),
        "write": neutral(item.get("write", ""), chars_max=LINE_CHARS_MAX),
    }


_LACKING = {
    "erased": "what lay beside their entry was erased",
    "too_large": "their parameters were too large to be kept",
    "secret": "they hold secrets, which are never kept",
    "parts": "they brought about further actions, which their entry does not hold",
}


def _found(trial: Trial) -> Json:
    """What a trial found, as it is shown."""
    found = trial.found
    if trial.kind != "what-if" or not found:
        return {}
    before, after = found["before"], found["after"]
    return {
        "actions": f"{found['actions']:,}",
        "cut_short": found["cut_short"],
        "since": str(found["since"])[:16].replace("T", " "),
        "changed": f"{found['changed']:,}",
        "wider": found["wider"],
        "may_widen": found["may_widen"] or bool(found["wider"]),
        "rows": [
            (
                title,
                f"{before['actions'][word]:,}",
                f"{after['actions'][word]:,}",
                usd_text(before["usd_micros"][word]),
                usd_text(after["usd_micros"][word]),
            )
            for word, title in (("allow", "go by themselves"), ("ask", "are asked about"), ("deny", "are denied"))
        ],
        "changes": [_way(item) for item in found["changes"]],
        "rules_changed": found["rules_changed"],
        "lacking": [(f"{found['inexact'][name]:,}", text) for name, text in _LACKING.items() if found["inexact"][name]],
        "inexact": found["inexact"]["any"],
        "otherwise": found["otherwise"],
        "seconds": found["seconds"],
    }


def _way(change: Mapping[str, Any]) -> Json:
    words = {"allow": "goes", "ask": "asked", "deny": "denied"}
    return {
        "from": words[change["from"]],
        "to": words[change["to"]],
        "wider": change["wider"],
        "count": f"{change['count']:,}",
        "dollars": usd_text(change["usd_micros"]),
        "unpriced": change["unpriced"],
        "rules": [(name, f"{count:,}") for name, count in list(change["rules"].items())[:10]],
        "examples": [
            {
                "entry": item["entry"],
                "agent": item["agent"],
                "what": item["sentence"] or item["operation"],
                "dollars": "" if item["usd_micros"] is None else usd_text(item["usd_micros"]),
                "exact": item["exact"],
            }
            for item in change["examples"][:8]
        ],
    }


def _number(text: str) -> int:
    """A number out of an address or a form; 0 for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 0


def _name(file: str) -> str:
    return file.rpartition("/")[2]
