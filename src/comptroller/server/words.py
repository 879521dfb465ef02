"""JSON objects of `server/render.py` in plain words, made harmless to look at. Used by terminal, page and notices."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Literal

from comptroller.core.estimate import Unit, usd_text
from comptroller.server.neutral import neutral, neutral_name

Tone = Literal["good", "wait", "bad", "dim"]
SENTENCE_CHARS_MAX = 400
_EFFORT_NAMES: Mapping[str, str] = {
    Unit.TOKENS: "tokens",
    Unit.GPU_SECONDS: "accelerator time",
    Unit.MILLIWATT_HOURS: "energy",
    Unit.MILLIGRAMS_CO2E: "carbon",
}

_TONES: Mapping[str, tuple[str, Tone, str]] = {
    "action.allowed": ("+", "good", "allowed"),
    "action.held": ("?", "wait", "held"),
    "action.denied": ("x", "bad", "denied"),
    "action.settled": ("=", "dim", "settled"),
    "action.suspense": ("!", "wait", "suspense"),
    "approval.voted": ("v", "wait", "one yes"),
    "approval.approved": ("+", "good", "approved"),
    "approval.rejected": ("x", "bad", "rejected"),
    "approval.expired": (".", "dim", "expired"),
    "approval.withdrawn": (".", "dim", "withdrawn"),
    "approval.revoked": ("x", "bad", "yes taken back"),
    "approval.escalated": ("!", "wait", "escalated"),
    "deputy.set": (">", "dim", "deputy"),
    "deputy.ended": ("<", "dim", "deputy ended"),
    "approval.narrowed": ("v", "wait", "narrowed"),
    "standing.granted": ("+", "wait", "standing yes"),
    "standing.revoked": ("x", "bad", "revoked"),
    "standing.expired": (".", "dim", "standing over"),
    "plan.approved": ("+", "good", "plan approved"),
    "brake.frozen": ("#", "bad", "frozen"),
    "brake.thawed": ("+", "good", "thawed"),
    "brake.killed": ("#", "bad", "killed"),
    "box.refused": ("x", "bad", "refused"),
    "box.limited": ("#", "bad", "over a limit"),
    "door.opened": ("/", "wait", "door opened"),
    "door.closed": (".", "dim", "door closed"),
    "run.started": (">", "dim", "run started"),
    "run.ended": ("<", "dim", "run ended"),
    "budget.set": ("$", "dim", "budget set"),
    "budget.threshold": ("!", "wait", "budget"),
    "holding.opened": ("+", "wait", "owns"),
    "holding.adopted": ("+", "wait", "adopted"),
    "holding.renewed": ("=", "dim", "paid on"),
    "holding.overrun": ("!", "bad", "past its term"),
    "holding.marked": ("!", "bad", "not paid for"),
    "holding.stopping": ("#", "wait", "stopping"),
    "holding.ordered": (">", "dim", "asked"),
    "holding.stopped": ("#", "good", "rests"),
    "holding.closed": (".", "good", "gone"),
    "holding.forgotten": (".", "wait", "forgotten"),
    "holding.drift": ("?", "bad", "drift"),
    "budget.suspense_high": ("!", "wait", "unconfirmed"),
    "suspense.settled": ("=", "good", "confirmed"),
    "share.taken": (".", "dim", "share taken"),
    "share.returned": (".", "dim", "share returned"),
    "store.recovered": ("+", "good", "store is back"),
    "price.changed": ("$", "dim", "prices"),
    "price.confirmed": ("$", "good", "price confirmed"),
    "serve.started": (">", "dim", "serve started"),
    "serve.stopped": ("<", "dim", "serve stopped"),
    "config.loaded": (".", "dim", "configuration"),
    "config.refused": ("x", "bad", "edit refused"),
    "person.invited": (">", "wait", "invited"),
    "person.enrolled": ("+", "good", "enrolled"),
    "person.reset": ("#", "wait", "access reset"),
    "person.signed_in": (">", "dim", "signed in"),
    "person.signed_out": ("<", "dim", "signed out"),
    "person.refused": ("x", "bad", "sign-in refused"),
    "person.locked": ("#", "bad", "locked"),
    "person.passkey_added": ("+", "wait", "passkey added"),
    "person.passkey_removed": ("x", "wait", "passkey removed"),
    "person.password_set": ("+", "wait", "password set"),
    "person.codes_made": ("+", "wait", "recovery codes"),
    "person.token_made": ("+", "wait", "token made"),
    "person.token_revoked": ("x", "good", "token revoked"),
    "person.changed": ("!", "wait", "person changed"),
    "field.erased": (".", "dim", "field erased"),
    "log.witnessed": (".", "dim", "another log"),
    "store.restored": ("#", "bad", "restored"),
    "audit.archived": (".", "dim", "archived"),
    "delivery.failed": ("!", "wait", "not delivered"),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One entry for people. Every text is already neutral."""

    index: int
    time: str
    mark: str
    tone: Tone
    word: str
    agent: str
    run: str
    text: str


def amount_text(unit: str, amount: int | None) -> str:
    """An amount in its unit: `$4.00`, `$12.10/h`, `1,200 tokens`."""
    if amount is None:
        return "unknown"
    match unit:
        case Unit.USD_MICROS:
            return usd_text(amount)
        case Unit.USD_MICROS_PER_HOUR:
            return f"{usd_text(amount)}/h"
        case Unit.EGRESS_BYTES:
            return bytes_text(amount)
        case Unit.GPU_SECONDS:
            return f"{amount / 3600:,.1f} GPU hours" if amount >= 3600 else f"{amount:,} GPU seconds"
        case Unit.MILLIWATT_HOURS:
            return f"{amount / 1_000_000:,.2f} kWh" if amount >= 100_000 else f"{amount / 1000:,.1f} Wh"
        case Unit.MILLIGRAMS_CO2E:
            return f"{amount / 1_000_000:,.2f} kg CO2e" if amount >= 100_000 else f"{amount / 1000:,.1f} g CO2e"
        case _:
            name = neutral_name(unit).replace("_", " ")
            return f"{amount:,} {name.removesuffix('s') if amount == 1 else name}"


def bytes_text(count: int) -> str:
    """`1.5 MB`."""
    size = float(count)
    for name in ("B", "kB", "MB", "GB"):
        if abs(size) < 1000:
            return f"{size:.0f} {name}" if name == "B" else f"{size:.1f} {name}"
        size /= 1000
    return f"{size:.1f} TB"


def seconds_text(seconds: float) -> str:
    """`2 h 5 min`, `12 min`, `40 s`; never negative."""
    left = max(0, int(seconds))
    if left >= 86_400:
        return _two(left // 86_400, "d", left % 86_400 // 3600, "h")
    if left >= 3600:
        return _two(left // 3600, "h", left % 3600 // 60, "min")
    return f"{left // 60} min" if left >= 120 else f"{left} s"


def _two(more: int, unit: str, less: int, smaller: str) -> str:
    return f"{more} {unit} {less} {smaller}" if less else f"{more} {unit}"


def short_id(identifier: object) -> str:
    """The end of an id: UUIDv7s of one minute share their beginning."""
    return neutral_name(identifier)[-8:]


def price_text(approval: Mapping[str, object]) -> str:
    """What a held action costs, in one phrase."""
    if approval["price_unknown"]:
        ceiling = approval["ceiling_usd_micros"]
        return f"cost unknown, at most {usd_text(ceiling)}" if isinstance(ceiling, int) else "cost unknown"
    now, hourly, term = approval["usd_micros"], approval["usd_micros_per_hour"], approval["term_seconds"]
    if isinstance(hourly, int) and hourly > 0:
        reserved = f", {usd_text(now)} reserved" if isinstance(now, int) else ""
        until = f" for {seconds_text(term)}" if isinstance(term, int) and reserved else ""
        return f"{usd_text(hourly)} an hour until stopped{reserved}{until}"
    if isinstance(now, int):
        return usd_text(now)
    return "no charge of its own"


def part_text(part: Mapping[str, object]) -> str:
    """One part of an action: `2 x start 1 x m5.large in us-east-1 · each $0.10 an hour`."""
    count = part["count"]
    many = isinstance(count, int) and count > 1
    now, hourly = part["usd_micros"], part["usd_micros_per_hour"]
    cost = usd_text(now) if isinstance(now, int) and now else ""
    if isinstance(hourly, int) and hourly:
        cost = f"{usd_text(hourly)} an hour"
    if part["price_unknown"]:
        cost = "cost unknown"
    each = "each " if many and not part["price_unknown"] else ""
    text = neutral(part["text"], chars_max=SENTENCE_CHARS_MAX)
    return f"{f'{count:,} x ' if many else ''}{text}{f' · {each}{cost}' if cost else ''}"


def efforts_text(efforts: Mapping[str, object]) -> str:
    """Tokens, accelerator time, energy and carbon, each at most; empty where none of them applies."""
    known = [amount_text(unit, amount) for unit, amount in efforts.items() if isinstance(amount, int) and amount]
    unknown = [_EFFORT_NAMES.get(unit, neutral_name(unit)) for unit, amount in efforts.items() if amount is None]
    told = [f"at most {', '.join(known)}"] if known else []
    if unknown:
        told.append(f"{', '.join(unknown)} unknown")
    return "; ".join(told)


def reversible_text(payment: object) -> str:
    """Whether a payment can be taken back, as far as anybody knows; empty where nobody does, or nothing is paid."""
    reversible = payment.get("reversible") if isinstance(payment, Mapping) else None
    if not isinstance(reversible, bool):
        return ""
    return "can be taken back" if reversible else "cannot be taken back"


def time_left(expires_at: object, now: datetime) -> float:
    """Seconds until an RFC 3339 moment; 0 where it is not one."""
    try:
        return (datetime.fromisoformat(str(expires_at)) - now).total_seconds()
    except ValueError:
        return 0.0


def suggestion(*, agent: str, service: str, host: str, hosts: Sequence[str], services: Sequence[str]) -> str:
    """The line for `comptroller.yaml` that would let an agent reach what it was denied; empty where none would."""
    if _inner(host):
        return ""
    named = any(host == known or (known.startswith("*.") and host.endswith(known[1:])) for known in hosts)
    if not agent or not host or named or service in services:
        return ""
    if service and service != "http":
        return f"agents.{neutral_name(agent)}.services: [{neutral_name(', '.join([*services, service]))}]"
    return f"agents.{neutral_name(agent)}.hosts: [{neutral_name(', '.join([*hosts, host]))}]"


def _inner(host: str) -> bool:
    """True for an address that no agent is let to by its name alone: metadata services, private networks."""
    try:
        return not ip_address(host.strip("[]")).is_global
    except ValueError:
        return False


def entry_line(entry: Mapping[str, object]) -> Line:
    """One entry of the log as a line for people. Total: an entry nobody foresaw is shown by its kind."""
    kind = str(entry.get("kind") or "")
    mark, tone, word = _TONES.get(kind, ("·", "dim", neutral_name(kind)))
    index = entry.get("index")
    if _map(entry.get("body")).get("would") == "deny":
        mark, tone, word = "~", "wait", "would deny"
    return Line(
        index=index if isinstance(index, int) else -1,
        time=neutral_name(entry.get("at") or "")[:19].replace("T", " "),
        mark=mark,
        tone=tone,
        word=word,
        agent=neutral_name(entry.get("agent") or ""),
        run=neutral_name(entry.get("run") or ""),
        text=neutral(_text(kind, _map(entry.get("body")), _map(entry.get("beside"))), chars_max=SENTENCE_CHARS_MAX),
    )


def _map(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _text(kind: str, body: Mapping[str, object], beside: Mapping[str, object]) -> str:
    what = str(beside.get("sentence") or body.get("operation") or "")
    match kind:
        case "action.allowed":
            money = _amounts(_map(body.get("reserved")))
            by = body.get("approved_by")
            yes = f", approved by {', '.join(map(str, by))}" if isinstance(by, list) and by else ""
            would = f" · {_reasons(body)} · it went: the run is observed" if body.get("would") else ""
            lowered = f" · {body['lowered']}" if body.get("lowered") else ""
            if body.get("standing"):
                yes += (
                    f", {body.get('standing_use')} of {body.get('standing_count')} of standing grant {body['standing']}"
                )
            return f"{what}{f' ({money} reserved{yes})' if money else f' ({yes[2:]})' if yes else ''}{lowered}{would}"
        case "action.held":
            return f"{what} · {_reasons(body)} · approval {body.get('approval', '')}"
        case "action.denied":
            return f"{what} · {_reasons(body, said=what)}"
        case "action.settled":
            money = _amounts(_map(body.get("actual")))
            more = f" · more than reserved: {body.get('exceeded')}" if body.get("exceeded") else ""
            status = body.get("status")
            how = f"status {status}" if status else "connection ended" if body.get("ok") is True else "never sent"
            return f"{what} · {how}{f' · {money}' if money else ''}{more}"
        case "action.suspense":
            return f"{what} · {body.get('why', '')} · {_amounts(_map(body.get('reserved'))) or 'one call'} stays held"
        case "serve.started":
            return _started(body)
        case "serve.stopped":
            return f"version {body.get('version')}"
        case "box.refused":
            return _refused(body, beside)
        case "door.opened" | "door.closed":
            return _door(body)
        case "box.limited":
            return f"ended its box · {body.get('limit')}: {body.get('used')} used, {body.get('value')} allowed"
        case "config.loaded":
            return loaded_text(body)
        case "config.refused":
            return f"the old rules stay in force · {beside.get('reason', '')}"
        case "budget.set":
            limit = body.get("limit")
            shown = amount_text(str(body.get("unit")), limit if isinstance(limit, int) else None)
            window = "" if body.get("window") == "total" else f" per {body.get('window')}"
            return f"{body.get('scope')} · {shown}{window} · by {body.get('by')}"
        case "budget.threshold":
            return threshold_text(body)
        case "holding.ordered":
            by = f" · by {body['by']}" if body.get("by") else ""
            return f"{body.get('operation')} · {body.get('way')}{by}"
        case "holding.drift":
            return f"{body.get('kind')} {beside.get('resource', '')} in {body.get('region')} · {body.get('drift')}"
        case _ if kind.startswith("holding."):
            return holding_text({**body, "resource": beside.get("resource", ""), "why": beside.get("reason", "")})
        case "budget.suspense_high":
            held, unit = body.get("suspense"), str(body.get("unit"))
            shown = amount_text(unit, held if isinstance(held, int) else None)
            whole = amount_text(unit, limit if isinstance(limit := body.get("limit"), int) else None)
            return f"{body.get('scope')} · {shown} of {whole} is unconfirmed · comptroller budget suspense list"
        case "suspense.settled":
            money = _amounts(_map(body.get("actual"))) or "nothing"
            was = _amounts(_map(body.get("was"))) or "nothing"
            return f"{what} · {money} instead of {was} held · by {body.get('by')} · {beside.get('reason', '')}"
        case "price.changed":
            counts = [
                f"{body[name]:,} {name}" for name in ("new", "dearer", "cheaper", "gone") if _count(body.get(name))
            ]
            rows = body.get("rows")
            return f"a newer list of {rows} row{'s' * (rows != 1)} · {', '.join(counts) or 'every price as before'}"
        case "price.confirmed":
            reason = beside.get("reason") or body.get("reason")
            return f"{body.get('price')} · by {body.get('by')}{f' · {reason}' if reason else ''}"
        case "run.started":
            again = " · resumed" if body.get("resumed") else ""
            return f"{beside.get('purpose', '')} · owner {body.get('owner')}{again}{_wall(body)}"
        case "run.ended":
            code = body.get("exit_code")
            ended = "without an exit code" if code is None else f"with exit code {code}"
            why = f" · {body['reason']}" if body.get("reason") else ""
            return f"{ended}{why}{_wall(body)}"
        case "approval.escalated":
            groups = body.get("groups")
            return f"{body.get('approval', '')} · {', '.join(map(str, groups)) if isinstance(groups, list) else ''} too"
        case _ if kind.startswith("deputy."):
            groups = body.get("groups")
            which = f" in {', '.join(map(str, groups))}" if isinstance(groups, list) else ""
            return f"{body.get('person')} for {body.get('of')}{which} · until {body.get('until')} · by {body.get('by')}"
        case _ if kind.startswith("person."):
            return person_text(body, beside)
        case _ if kind.startswith("approval."):
            comment = f" · “{beside['comment']}”" if beside.get("comment") else ""
            stands_for = f" for {body['stands_for']}" if body.get("stands_for") else ""
            by_whom = f" · by {body['by']}{stands_for}" if body.get("by") else ""
            self_made = " (self-approved)" if body.get("self_approved") else ""
            return f"{body.get('operation', '')} {body.get('approval', '')}{by_whom}{self_made}{comment}".strip()
        case _ if kind.startswith(("standing.", "plan.")):
            by_whom = f" · by {body['by']}" if body.get("by") else ""
            why = f" · {beside['reason']}" if beside.get("reason") else ""
            return f"{beside.get('sentence', '')} {body.get('standing') or body.get('plan')}{by_whom}{why}".strip()
        case _ if kind.startswith("brake."):
            reason = beside.get("reason") or body.get("reason")
            return f"{body.get('scope')} · by {body.get('by')}{f' · {reason}' if reason else ''}"
        case "delivery.failed":
            return f"{body.get('event')} to {body.get('channel')} · {body.get('reason')} · comptroller notify status"
        case _:
            return _rest({**body, **beside})


def person_text(body: Mapping[str, object], beside: Mapping[str, object]) -> str:
    """Who, how or what, from where, and who did it where that is somebody else."""
    named = ("how", "what", "name", "rights", "scopes", "groups", "roles")
    parts = [str(body.get("person") or "somebody unknown")]
    for name in named:
        value = body.get(name)
        shown = ", ".join(map(str, value)) if isinstance(value, list | tuple) else value
        parts += [f"{name} {shown}" if name in ("rights", "scopes", "groups", "roles") else str(shown)] if shown else []
    count = body.get("count")
    parts += [f"{count:,} times"] if isinstance(count, int) and count > 1 else []
    parts += [f"from {beside['address']}"] if beside.get("address") else []
    by = body.get("by")
    parts += [f"by {by}"] if by and by != body.get("person") else []
    return " · ".join(parts)


def holding_text(item: Mapping[str, object]) -> str:
    """What it is, where, what it costs by the hour, and why it came to its state."""
    rate = item.get("rate_usd_micros_per_hour")
    cost = f"{usd_text(rate)}/h" if isinstance(rate, int) else "rate unknown"
    place = f" in {item['region']}" if item.get("region") else ""
    why = f" · {item['why']}" if item.get("why") else ""
    return f"{item.get('kind')} {item.get('resource') or '(its answer did not name it)'}{place} · {cost}{why}"


def threshold_text(body: Mapping[str, object]) -> str:
    """How much of which budget is taken now: `acme/ml · 80 % of $50.00 per month is taken: $40.12`."""
    unit, (taken, limit) = str(body.get("unit")), (body.get(name) for name in ("taken", "limit"))
    shown = [amount_text(unit, amount if isinstance(amount, int) else None) for amount in (taken, limit)]
    window = "" if body.get("window") == "total" else f" per {body.get('window')}"
    return f"{body.get('scope')} · {body.get('percent')} % of {shown[1]}{window} is taken: {shown[0]}"


def _door(body: Mapping[str, object]) -> str:
    """Which door, and what went through it as far as that was counted."""
    if body.get("door") == "publish":
        reach = " · anybody who reaches this machine" if body.get("wide") is True else ""
        what = f"{body.get('listen')} leads into the box{reach}"
    else:
        what = f"{body.get('host')} leads to {body.get('to')} ({body.get('protocol')})"
    count = body.get("connections")
    return f"{what} · {count} connection{'' if count == 1 else 's'}" if isinstance(count, int) else what


def _wall(body: Mapping[str, object]) -> str:
    """What a run's entries say where the wall was not all there."""
    return f"{' · observed' if body.get('observed') else ''}{' · NO BOX' if body.get('unboxed') else ''}"


def _started(body: Mapping[str, object]) -> str:
    """Version, what a crash left open, and where hosts go in development."""
    ended, suspended = body.get("runs_ended"), body.get("suspended")
    upstreams = _map(body.get("upstreams"))
    parts = [
        f"version {body.get('version')}",
        *([f"{ended} runs cut off before are ended"] if ended else []),
        *([f"{suspended} actions without a known outcome stay held"] if suspended else []),
        *([f"development upstreams: {', '.join(map(str, upstreams))}"] if upstreams else []),
    ]
    return " · ".join(parts)


def loaded_text(body: Mapping[str, object]) -> str:
    """What an edit of the configuration or the policies changed, and what of it waits for a new start."""
    changed = "changed policies" if body.get("policies") != body.get("policies_before") else "the policies as before"
    later = body.get("later")
    names = ", ".join(map(str, later)) if isinstance(later, list | tuple) else ""
    by = f" · by {body['by']}{' (who owns the file)' if body.get('via') == 'file' else ''}" if body.get("by") else ""
    edited = "" if body.get("via") not in (None, "", "file") else "comptroller.yaml as edited, "
    return f"{edited}{changed}{f'; not yet in force: {names}' if names else ''}{by}"


def _refused(body: Mapping[str, object], beside: Mapping[str, object]) -> str:
    """A refusal of the box: what it looked like and where it wanted to go, in the order people read."""
    count = body.get("count")
    more = f" · {count:,} times" if isinstance(count, int) and count > 1 else ""
    detail = f" · {beside['detail']}" if beside.get("detail") else ""
    return f"{body.get('look', '')} to {body.get('destination', '')}{detail}{more}"


def _amounts(amounts: Mapping[str, object]) -> str:
    """Money first; bare calls are not worth a word."""
    parts = [
        amount_text(unit, amount)
        for unit, amount in sorted(amounts.items(), key=lambda item: item[0] != Unit.USD_MICROS)
        if isinstance(amount, int) and amount and unit != Unit.CALLS
    ]
    return ", ".join(parts)


def _reasons(body: Mapping[str, object], *, said: str = "") -> str:
    """Why, without what was `said` already."""
    reasons = body.get("reasons")
    texts = [str(_map(r).get("text", "")) for r in reasons] if isinstance(reasons, list) else []
    return "; ".join(dict.fromkeys(t for t in texts if t and t not in said)) or "no rule permits it"


def _count(value: object) -> bool:
    return isinstance(value, int) and value > 0


def _rest(values: Mapping[str, object]) -> str:
    shown = [f"{k}={v}" for k, v in values.items() if isinstance(v, str | int) and v not in ("", False)]
    return " ".join(shown)
