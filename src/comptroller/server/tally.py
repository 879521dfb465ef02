"""What a run's person is told: notices while it lives, one summary at its end. Never shown to the agent."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from comptroller.core.brake import Run
from comptroller.core.estimate import usd_text
from comptroller.server.neutral import neutral, neutral_name
from comptroller.server.words import amount_text, holding_text, loaded_text, suggestion, threshold_text

NOTICE_CHARS_MAX = 600
OBSERVED_KEPT_MAX = 1_000
OBSERVED_TOLD_MAX = 20
"""Different actions of an observed run that its summary lists; the log has them all."""
REFUSALS_TOLD_MAX = 50
"""Different refusals a person is told of in one run: more would bury the questions. The log has them all."""
_REFUSALS = frozenset({"denied", "box", "would_deny"})
_TOLD_AGAIN = frozenset({10, 100, 1_000, 10_000, 100_000})


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One line for a run's standard error; already neutral."""

    kind: str
    text: str
    key: str


@dataclass(slots=True)
class Tally:
    """Counts of one attachment of one run."""

    allowed: int = 0
    held: int = 0
    denied: int = 0
    refused: int = 0
    settled: Counter[str] = field(default_factory=Counter)
    made: list[str] = field(default_factory=list)
    would_deny: int = 0
    observed: Counter[str] = field(default_factory=Counter)
    untold: int = 0
    _refusals: int = 0
    _told: Counter[str] = field(default_factory=Counter)

    def count(self, kind: str, summary: Mapping[str, object]) -> None:
        """Take one event into account."""
        match kind:
            case "action.allowed":
                self.allowed += 1
                if summary.get("would"):
                    self._would_deny(summary)
            case "action.held":
                self.held += 1
            case "action.denied" | "store.lost":
                self.denied += 1
            case "box.refused":
                count = summary.get("count")
                self.refused += count if isinstance(count, int) else 1
            case "action.settled":
                actual = summary.get("actual")
                for unit, amount in actual.items() if isinstance(actual, Mapping) else ():
                    if isinstance(amount, int):
                        self.settled[str(unit)] += amount

    def _would_deny(self, summary: Mapping[str, object]) -> None:
        self.would_deny += 1
        host = neutral_name(summary.get("host") or "", chars_max=200)
        what = f"{neutral_name(summary.get('operation') or '', chars_max=200)}{f' at {host}' if host else ''}"
        if what in self.observed or len(self.observed) < OBSERVED_KEPT_MAX:
            self.observed[what] += 1

    def worth_telling(self, notice: Notice) -> bool:
        """True for the first of its kind and then ever more rarely. A question is told whatever came before it."""
        if notice.kind in _REFUSALS and notice.key not in self._told:
            if self._refusals >= REFUSALS_TOLD_MAX:
                self.untold += 1
                return False
            self._refusals += 1
        self._told[notice.key] += 1
        count = self._told[notice.key]
        told = count == 1 or count in _TOLD_AGAIN
        if not told:
            self.untold += 1
        return told

    def data(self, run: Run, *, held_usd_micros: int) -> dict[str, object]:
        """The summary's figures. `held_usd_micros` is dispatched or in suspense still."""
        return {
            "run": run.id,
            "agent": run.agent,
            "allowed": self.allowed,
            "held": self.held,
            "denied": self.denied,
            **({"observed": True} if run.observed else {}),
            **({"unboxed": True} if run.unboxed else {}),
            **({"would_deny": self.would_deny, "would_deny_actions": dict(self.observed)} if run.observed else {}),
            "refused": self.refused,
            "settled": dict(self.settled),
            "settled_usd_micros": self.settled["usd_micros"],
            "held_usd_micros": held_usd_micros,
        }

    def text(self, data: Mapping[str, object]) -> str:
        """The summary in one line."""
        still = data["held_usd_micros"]
        parts = [
            f"{self.allowed} allowed",
            *([f"{self.held} held"] if self.held else []),
            *([f"{self.denied} denied"] if self.denied else []),
            *([f"{self.refused} not let out"] if self.refused else []),
        ]
        money = f"cost {usd_text(self.settled['usd_micros'])}"
        if isinstance(still, int) and still:
            money += f", {usd_text(still)} still held"
        tokens = self.settled["tokens"]
        extra = f", {amount_text('tokens', tokens)}" if tokens else ""
        more = f"\n  {self.untold} notices were not shown here: comptroller tail" if self.untold else ""
        seen = self._observed_text(str(data["run"])) if data.get("observed") else ""
        return f"{seen}run {neutral_name(data['run'])}: {money}{extra} · {', '.join(parts)}{more}"

    def _observed_text(self, run: str) -> str:
        """What an observed run did that would have been denied, and where to go from there."""
        if not self.would_deny:
            return "observed: nothing of what went would have been denied\n"
        listed = self.observed.most_common(OBSERVED_TOLD_MAX)
        rows = [f"  {count} x {what}" for what, count in listed]
        more = len(self.observed) - len(listed)
        rows += [f"  and {more} other actions"] if more > 0 else []
        head = f"observed: {self.would_deny} went that would have been denied:"
        return "\n".join([head, *rows, f"  rules for them: comptroller policy suggest {neutral_name(run)}"]) + "\n"


def notice_of(
    kind: str, summary: Mapping[str, object], *, agent: str, hosts: Sequence[str], services: Sequence[str]
) -> Notice | None:
    """What the person should be told of one event; None for what needs no word."""
    approval = neutral_name(summary.get("approval") or "")
    what = neutral(summary.get("sentence") or summary.get("operation") or "", chars_max=300)
    match kind:
        case "action.held":
            price = summary.get("usd_micros_high")
            cost = f" ({usd_text(price)})" if isinstance(price, int) and price else ""
            text = f"held: {what}{cost}\n  answer: comptroller approvals show {approval}"
            return Notice(kind="held", text=text, key=f"held {approval}")
        case "action.allowed" if summary.get("would"):
            text = f"went, and would have been denied: {what} · {_why(summary, what)}"
            key = f"would {summary.get('host')} {what}"[:300]
            return Notice(kind="would_deny", text=text[:NOTICE_CHARS_MAX], key=key)
        case "approval.approved":
            return Notice(kind="approved", text=f"approved by {_by(summary)}: {what}", key=f"yes {approval}")
        case "approval.rejected":
            comment = neutral(summary.get("comment") or "", chars_max=200)
            said = f" “{comment}”" if comment else ""
            return Notice(kind="rejected", text=f"rejected by {_by(summary)}: {what}{said}", key=f"no {approval}")
        case "approval.expired":
            return Notice(kind="expired", text=f"nobody answered in time: {what}", key=f"late {approval}")
        case "action.denied":
            return _denied(what, summary, agent=agent, hosts=hosts, services=services)
        case "box.refused":
            return _refused(summary)
        case "budget.threshold":
            what = neutral(threshold_text(summary), chars_max=300)
            return Notice(kind="budget", text=f"budget: {what}", key=f"budget {what}")
        case "holding.opened":
            what = neutral(holding_text(summary), chars_max=300)
            return Notice(kind="holding", text=f"it lives now, and costs: {what}", key=f"holding {what}")
        case "holding.marked" | "holding.overrun" | "holding.stopped" | "holding.closed":
            word = {"marked": "not paid for any longer", "overrun": "past its term, and still there"}.get(
                kind.removeprefix("holding."), kind.removeprefix("holding.")
            )
            what = neutral(holding_text(summary), chars_max=300)
            return Notice(kind="holding", text=f"{word}: {what}", key=f"{kind} {what}")
        case "store.lost":
            why, hint = str(summary.get("why") or ""), str(summary.get("hint") or "")
            said = f"denied, {beside}: {why}" if (beside := summary.get("beside")) else f"nothing passes: {why}"
            return Notice(kind="store", text=neutral_lines(f"{said}\nnext: {hint}"), key=f"store {beside} {why}")
        case "store.outage":
            why, hint = str(summary.get("why") or ""), str(summary.get("hint") or "")
            text = f"the store is lost, `read` and `infer` go on for a while: {why}\nnext: {hint}"
            return Notice(kind="store", text=neutral_lines(text), key=f"lost {why}")
        case "store.recovered":
            text = f"the store is back after {summary.get('seconds')} s; what went on is in its log"
            return Notice(kind="store", text=text, key=f"back {summary.get('journal')}")
        case "config.refused":
            reason = str(summary.get("reason") or "")
            text = f"an edit is refused, the old rules stay in force:\n{reason}"
            return Notice(kind="config", text=neutral_lines(text), key=f"edit {summary.get('config')} {reason}"[:300])
        case "config.loaded":
            key = f"edit {summary.get('config')} {summary.get('policies')}"
            return Notice(kind="config", text=f"in force: {neutral(loaded_text(summary))}", key=key)
        case "brake.frozen" | "brake.thawed":
            word = kind.removeprefix("brake.")
            reason = neutral(summary.get("reason") or "", chars_max=200)
            text = f"{word}{f' by {_by(summary)}' if summary.get('by') else ''}{f': {reason}' if reason else ''}"
            return Notice(kind=word, text=text, key=text)
        case _:
            return None


def neutral_lines(text: str) -> str:
    """Several lines for a terminal: each neutral, the later ones indented, all of them bounded."""
    return "\n  ".join(neutral(line.strip()) for line in text.splitlines())[:NOTICE_CHARS_MAX]


def _by(summary: Mapping[str, object]) -> str:
    return neutral_name(summary.get("by") or "nobody", chars_max=80)


def _denied(
    what: str, summary: Mapping[str, object], *, agent: str, hosts: Sequence[str], services: Sequence[str]
) -> Notice:
    known, why, line = _known(summary), _why(summary, what), ""
    classes, rules = summary.get("classes"), summary.get("rules")
    readable = not (isinstance(classes, Sequence) and "unknown" in classes)
    unnamed = isinstance(rules, Sequence) and "unnamed" in rules
    if readable and (unnamed or any(r.get("code") == "no_permit" for r in known)):
        line = suggestion(
            agent=agent,
            service=str(summary.get("service") or ""),
            host=str(summary.get("host") or ""),
            hosts=hosts,
            services=services,
        )
    within = summary.get("part_services")
    if readable and unnamed and not line and isinstance(within, Sequence):
        missing = [str(one) for one in within if not {str(one), f"{str(one).partition(':')[0]}:*"} & set(services)]
        if missing:
            named = neutral_name(", ".join([*services, *missing]))
            line = f"agents.{neutral_name(agent)}.services: [{named}]"
    text = f"denied: {what} · {why}" + (f"\n  to let it through, in comptroller.yaml: {line}" if line else "")
    return Notice(kind="denied", text=text[:NOTICE_CHARS_MAX], key=f"denied {summary.get('host')} {what} {why}"[:300])


def _known(summary: Mapping[str, object]) -> list[Mapping[str, object]]:
    reasons = summary.get("reasons")
    return [r for r in reasons if isinstance(r, Mapping)] if isinstance(reasons, Sequence) else []


def _why(summary: Mapping[str, object], what: str) -> str:
    """The reasons in one phrase, without what was said already."""
    texts = dict.fromkeys(neutral(reason.get("text", ""), chars_max=200) for reason in _known(summary))
    return "; ".join(text for text in texts if text not in what) or "no rule permits it"


def _refused(summary: Mapping[str, object]) -> Notice:
    look = neutral_name(summary.get("look") or "a connection", chars_max=40)
    destination = neutral_name(summary.get("destination") or "", chars_max=200)
    detail = neutral(summary.get("detail") or "", chars_max=200)
    count = summary.get("count")
    more = f", {count:,} times" if isinstance(count, int) and count > 1 else ""
    text = f"not let out of the box: {look} to {destination}{f' ({detail})' if detail else ''}{more}"
    return Notice(kind="box", text=text, key=f"box {look} {destination} {detail}")
