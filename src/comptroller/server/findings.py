"""What in the log asks for a person's look: refusals, freezes, unconfirmed money, broken bounds, holdings that overran.

Folded from entries alone. Detectors that notice more than single entries say are a thing of their own.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from comptroller.core.audit import Entry, EntryKind

KEPT_MAX = 1_000
"""Findings; of more the oldest go."""
EVIDENCE_MAX = 5
"""Entries of one finding that are named besides its first."""
BURST_DENIALS = 10
BURST_SECONDS = 600.0
RUNS_WATCHED_MAX = 1_000

Tone = Literal["wait", "bad"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sort:
    """A sort of finding: what it is called, how bad it is, what it means and what to do next."""

    name: str
    title: str
    tone: Tone
    means: str
    next: str
    page: str = ""
    command: str = ""


SORTS: Mapping[str, Sort] = {
    sort.name: sort
    for sort in (
        Sort(
            name="refused",
            title="The box let something not out",
            tone="bad",
            means="A program in the box tried a way out that is not the gateway's, or a protocol nobody named.",
            next="See where it wanted to go. If it is meant, name the host for the agent; if not, freeze the run.",
            page="audit",
        ),
        Sort(
            name="denied",
            title="Many denials in a short time",
            tone="wait",
            means=f"A run was denied {BURST_DENIALS} times or more within {int(BURST_SECONDS) // 60} minutes.",
            next="Look at what it asks for: a missing line in the configuration, or a goal it should not have.",
            page="boundary",
        ),
        Sort(
            name="limited",
            title="A box went over a limit",
            tone="bad",
            means="The box was ended: it used more of the machine than the agent's limits allow.",
            next="Raise agents.NAME.limits in comptroller.yaml if the work needs it.",
            page="settings",
        ),
        Sort(
            name="frozen",
            title="Frozen",
            tone="bad",
            means="Nothing new leaves this scope until somebody thaws it.",
            next="Find out why, then thaw it or kill it.",
            page="",
        ),
        Sort(
            name="budget",
            title="A budget runs low",
            tone="wait",
            means="A threshold of a limit was passed.",
            next="See what it was spent on, and whether it lasts.",
            page="spend",
        ),
        Sort(
            name="suspense",
            title="Nobody knows the outcome",
            tone="bad",
            means="An action left and no answer came: its whole bound stays held until a person settles it.",
            next="Look at the provider's own records, and settle what it really cost.",
            command="comptroller budget suspense list",
        ),
        Sort(
            name="suspense_high",
            title="Much money is unconfirmed",
            tone="bad",
            means="What is in suspense takes a large part of a budget.",
            next="Settle the oldest of it.",
            command="comptroller budget suspense list",
        ),
        Sort(
            name="price",
            title="A price was too low",
            tone="bad",
            means="A real cost exceeded its bound: that price is distrusted, and the run froze.",
            next="Correct the price, then confirm it.",
            command="comptroller prices",
        ),
        Sort(
            name="overrun",
            title="Past its term, and still there",
            tone="bad",
            means="A holding could not be stopped when nobody paid for it any longer.",
            next="Stop or delete it, at its provider if need be.",
            page="holdings",
        ),
        Sort(
            name="drift",
            title="The books and the provider disagree",
            tone="bad",
            means="A provider lists what nobody here knows of, or does not list what is on the books.",
            next="Adopt it, forget it, or delete it.",
            page="holdings",
        ),
        Sort(
            name="refused_edit",
            title="An edit of the configuration is refused",
            tone="wait",
            means="The files on the disk are not what is in force.",
            next="Correct the line that the entry names.",
            page="settings",
        ),
        Sort(
            name="restored",
            title="The store was restored",
            tone="bad",
            means="The log goes on from a backup: newer entries may be lost.",
            next="Reconcile what was paid meanwhile, then thaw.",
            page="audit",
        ),
        Sort(
            name="crashed",
            title="The server ended without saying so",
            tone="wait",
            means="It found runs or actions that an earlier server had left open.",
            next="See what of it is in suspense.",
            command="comptroller budget suspense list",
        ),
    )
}


@dataclass(slots=True, kw_only=True)
class Finding:
    """One finding. Texts are as they came, and hostile; `evidence` are indices of entries, oldest first."""

    sort: Sort
    subject: str
    detail: str = ""
    agent: str = ""
    run: str = ""
    first_at: str = ""
    last_at: str = ""
    count: int = 0
    open: bool = True
    evidence: list[int] = field(default_factory=list)

    def seen(self, entry: Entry, at: str, detail: str) -> None:
        """One entry more says so."""
        self.count += 1
        self.first_at = self.first_at or at
        self.last_at, self.detail, self.open = at, detail or self.detail, True
        if len(self.evidence) > EVIDENCE_MAX:
            del self.evidence[1]
        self.evidence.append(entry.index)


class FindingsFold:
    """The fold (see `server.following`)."""

    def __init__(self, *, kept_max: int = KEPT_MAX) -> None:
        self._kept_max = kept_max
        self._kept: OrderedDict[tuple[str, str], Finding] = OrderedDict()
        self._denials: OrderedDict[str, deque[tuple[float, int]]] = OrderedDict()
        self.gone = 0
        """How many are not kept any more."""

    def found(self) -> Sequence[Finding]:
        """What is open first, the newest first."""
        newest = list(reversed(self._kept.values()))
        return [item for item in newest if item.open] + [item for item in newest if not item.open]

    def take(self, entry: Entry) -> None:
        """As `server.following.Fold.take`."""
        document = entry.document
        body = document.get("body")
        kind = document.get("kind")
        if isinstance(body, Mapping) and isinstance(kind, str):
            self._take(entry, kind, body, document)

    def _take(self, entry: Entry, kind: str, body: Mapping[str, object], document: Mapping[str, object]) -> None:
        match kind:
            case EntryKind.BOX_REFUSED:
                subject = f"{_text(body, 'look')} to {_text(body, 'destination')}"
                self._see("refused", f"{_of(document, 'run')} {subject}", entry, subject)
            case EntryKind.BOX_LIMITED:
                subject = f"{_text(body, 'limit')}: {_text(body, 'used')} used, {_text(body, 'value')} allowed"
                self._see("limited", _of(document, "run"), entry, subject)
            case EntryKind.ACTION_DENIED:
                self._denied(entry, document)
            case EntryKind.BRAKE_FROZEN | EntryKind.BRAKE_KILLED:
                scope = _text(body, "scope")
                word = kind.removeprefix("brake.")
                self._see("frozen", scope, entry, scope, f"{word} by {_text(body, 'by') or 'the gateway'}")
                if kind == EntryKind.BRAKE_KILLED:
                    self._over("frozen", scope, "killed")
            case EntryKind.BRAKE_THAWED:
                self._over("frozen", _text(body, "scope"), f"thawed by {_text(body, 'by')}")
            case EntryKind.BUDGET_THRESHOLD:
                key = " ".join(_text(body, name) for name in ("scope", "unit", "window"))
                self._see("budget", key, entry, key, f"{_text(body, 'percent')} % is taken")
            case EntryKind.BUDGET_SUSPENSE_HIGH:
                key = " ".join(_text(body, name) for name in ("scope", "unit"))
                self._see("suspense_high", key, entry, key)
            case EntryKind.ACTION_SUSPENSE:
                why = _text(body, "why")
                self._see("suspense", _text(body, "reservation"), entry, _text(body, "operation"), why)
            case EntryKind.SUSPENSE_SETTLED:
                self._over("suspense", _text(body, "reservation"), f"settled by {_text(body, 'by')}")
            case EntryKind.ACTION_SETTLED if body.get("price_distrusted") is True:
                price = _text(body, "price")
                self._see("price", price, entry, price, _text(body, "operation"))
            case EntryKind.PRICE_CONFIRMED:
                self._over("price", _text(body, "price"), f"confirmed by {_text(body, 'by')}")
            case EntryKind.HOLDING_OVERRUN:
                holding = _text(body, "holding")
                self._see("overrun", holding, entry, f"{_text(body, 'kind')} in {_text(body, 'region')}", holding)
            case EntryKind.HOLDING_CLOSED | EntryKind.HOLDING_STOPPED | EntryKind.HOLDING_FORGOTTEN:
                self._over("overrun", _text(body, "holding"), kind.removeprefix("holding."))
            case EntryKind.HOLDING_DRIFT:
                subject = f"{_text(body, 'kind')} in {_text(body, 'region')}"
                self._see("drift", f"{subject} {_text(body, 'drift')}", entry, subject, _text(body, "drift"))
            case EntryKind.CONFIG_REFUSED:
                self._see("refused_edit", "", entry, "comptroller.yaml and policies")
            case EntryKind.CONFIG_LOADED:
                self._over("refused_edit", "", "a later edit is in force")
            case EntryKind.STORE_RESTORED:
                lost = f"{_text(body, 'lost_at_least')} newer entries are lost"
                self._see("restored", _text(body, "restore"), entry, f"epoch {_text(body, 'epoch')}", lost)
            case EntryKind.SERVE_STARTED if body.get("suspended") or body.get("runs_ended"):
                left = f"{_text(body, 'runs_ended')} runs, {_text(body, 'suspended')} actions were open"
                self._see("crashed", str(entry.index), entry, f"version {_text(body, 'version')}", left)
                self._over("crashed", str(entry.index), left)
            case EntryKind.RUN_ENDED:
                for sort in ("refused", "denied", "limited"):
                    self._run_over(sort, _of(document, "run"))

    def _denied(self, entry: Entry, document: Mapping[str, object]) -> None:
        run = _of(document, "run")
        recent = self._denials.get(run)
        if recent is None:
            recent = self._denials[run] = deque(maxlen=BURST_DENIALS)
            if len(self._denials) > RUNS_WATCHED_MAX:
                self._denials.popitem(last=False)
        recent.append((_seconds(_of(document, "at")), entry.index))
        known = self._kept.get(("denied", run))
        if known is not None and known.open:
            known.seen(entry, _of(document, "at"), "")
            return
        if len(recent) == BURST_DENIALS and recent[-1][0] - recent[0][0] <= BURST_SECONDS:
            finding = self._see("denied", run, entry, f"{BURST_DENIALS} denials and more")
            finding.evidence[:0] = [recent[0][1]]
            finding.count = BURST_DENIALS
            recent.clear()

    def _see(self, sort: str, key: str, entry: Entry, subject: str, detail: str = "") -> Finding:
        document = entry.document
        name = (sort, key)
        finding = self._kept.get(name)
        if finding is None:
            finding = self._kept[name] = Finding(
                sort=SORTS[sort], subject=subject, agent=_of(document, "agent"), run=_of(document, "run")
            )
            if len(self._kept) > self._kept_max:
                self._kept.popitem(last=False)
                self.gone += 1
        self._kept.move_to_end(name)
        finding.seen(entry, _of(document, "at"), detail)
        return finding

    def _over(self, sort: str, key: str, why: str) -> None:
        finding = self._kept.get((sort, key))
        if finding is not None:
            finding.open, finding.detail = False, why

    def _run_over(self, sort: str, run: str) -> None:
        if not run:
            return
        if sort == "refused":
            for (kind, key), finding in self._kept.items():
                if kind == sort and key.startswith(f"{run} "):
                    finding.open = False
        elif (known := self._kept.get((sort, run))) is not None:
            known.open = False
        self._denials.pop(run, None)


def _of(document: Mapping[str, object], name: str) -> str:
    value = document.get(name)
    return value if isinstance(value, str) else ""


def _text(body: Mapping[str, object], name: str) -> str:
    value = body.get(name)
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else ""


def _seconds(text: str) -> float:
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0
