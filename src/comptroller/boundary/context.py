"""The context record of one action: all a policy may ask about it, and nothing an agent could have granted itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from comptroller.boundary.schema import AgentFacts
from comptroller.core.action import DEPTH_MAX, Action, Value, canonical
from comptroller.core.estimate import Estimate, Unit

LONG_MAX = 2**63 - 1
LONG_MIN = -(2**63)
PARAMETERS_MAX = 64
PARAMETERS_WALKED_MAX = 20_000

SERVICES_WITH_ACCOUNTS = ("aws:", "azure:", "gcp:")
"""Where every resource belongs to an account: there an unknown account is not a named one."""

SERVICE_OF_ANY_HOST = "http"
"""The service of every host without a codec of its own: naming it must not name the whole internet."""


class TooManyParameters(ValueError):
    """More parameters than a policy is shown: what is left out could be what a rule forbids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What is named for one agent, made ready for matching. `*.example.com` names every host below it, not itself."""

    services: frozenset[str]
    service_prefixes: tuple[str, ...]
    hosts: frozenset[str]
    host_suffixes: tuple[str, ...]
    accounts: frozenset[str]

    @classmethod
    def of(cls, facts: AgentFacts) -> Reach:
        """The reach of an agent."""
        hosts = [_host(host) for host in facts.hosts]
        return cls(
            services=facts.services - {SERVICE_OF_ANY_HOST, ""},
            service_prefixes=tuple(item[:-1] for item in facts.services if item.endswith(":*") and len(item) > 2),
            hosts=frozenset(host for host in hosts if not host.startswith("*.")) - {""},
            host_suffixes=tuple(host[1:] for host in hosts if host.startswith("*.") and len(host) > 2),
            accounts=facts.accounts,
        )

    def names(self, service: str, host: str) -> bool:
        """True where the service or the host is named."""
        name = _host(host)
        below = any(name.endswith(suffix) and len(name) > len(suffix) for suffix in self.host_suffixes)
        return below or name in self.hosts or service in self.services or service.startswith(self.service_prefixes)

    def names_account(self, service: str, account: str) -> bool:
        """True where the account is named, where no account is named at all, or where the service has none."""
        if not self.accounts or account in self.accounts:
            return True
        return not account and not service.startswith(SERVICES_WITH_ACCOUNTS)


def context_of(
    action: Action,
    estimate: Estimate,
    *,
    reach: Reach,
    purpose: str,
    texts: frozenset[str] | None,
    grants: Sequence[str] = (),
    owned: bool = False,
) -> dict[str, object]:
    """The record. `texts` are the parameters any rule in the slice looks for (None: it may look at all of them).

    `grants`, `findings` and `owned` come from the engine alone. Raises `TooManyParameters`.
    """
    context: dict[str, object] = {
        "operation": action.operation,
        "service": action.service,
        "host": _host(action.host),
        "account": action.account,
        "region": action.region,
        "quantity": clamped(action.quantity),
        "price_unknown": estimate.unknown(Unit.USD_MICROS) or estimate.unknown(Unit.USD_MICROS_PER_HOUR),
        "purpose": purpose,
        "named": reach.names(action.service, action.host),
        "account_named": reach.names_account(action.service, action.account),
        "owned": owned,
        "parameters": scalars(action.parameters, texts),
        "findings": [],
        "grants": sorted(grants),
    }
    for attribute, unit in (
        ("usd_micros_high", Unit.USD_MICROS),
        ("usd_micros_per_hour_high", Unit.USD_MICROS_PER_HOUR),
    ):
        high = estimate.high(unit)
        if high is not None:
            context[attribute] = clamped(high)
    if action.payment is not None:
        context["amount_minor"] = clamped(action.payment.amount_minor)
        context["currency"] = action.payment.currency
        context["payee"] = action.payment.payee
    return context


def clamped(number: int) -> int:
    """`number` within Cedar's 64 bits: a limit below that is exceeded either way."""
    return max(LONG_MIN, min(LONG_MAX, int(number)))


def scalars(parameters: Mapping[str, Value], texts: frozenset[str] | None = None) -> list[str]:
    """Parameters as `Name=value`, nested ones as `Outer.Inner=value` (members of a list under the list's own name).

    Only those in `texts` where that is given: no rule asks for the others, and padding cannot push one out. Raises
    `TooManyParameters` where more than `PARAMETERS_MAX` would have to be shown.
    """
    if texts is not None and not texts:
        return []
    found: set[str] = set()
    stack: list[tuple[str, Value, int]] = [
        (name, value, 1) for name, value in parameters.items() if texts is None or _wanted(name, texts)
    ]
    walked = 0
    while stack:
        path, value, depth = stack.pop()
        walked += 1
        if walked > PARAMETERS_WALKED_MAX or depth > DEPTH_MAX:
            raise TooManyParameters("the parameters are too many, or nested too deep, to be shown to a policy")
        if isinstance(value, Mapping):
            stack += [(f"{path}.{name}", member, depth + 1) for name, member in value.items()]
        elif isinstance(value, Sequence) and not isinstance(value, (str, bytes, bytearray)):
            stack += [(path, member, depth + 1) for member in value]
        else:
            text = f"{path}={_text(value)}"
            if texts is None or text in texts:
                found.add(text)
            if len(found) > PARAMETERS_MAX:
                raise TooManyParameters(f"more than {PARAMETERS_MAX} parameters would have to be shown to a policy")
    return sorted(found)


def _wanted(name: str, texts: frozenset[str]) -> bool:
    """True where a parameter of this name, or one within it, may be what a rule asks for."""
    return any(text.startswith((f"{name}=", f"{name}.")) for text in texts)


def _text(value: Value) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int() | float() | Decimal():
            return str(value)
        case datetime():
            return str(canonical(value))
        case bytes() | bytearray():
            return "bytes"
        case _:
            raise TooManyParameters(f"a {type(value).__name__} cannot be shown to a policy")


def _host(name: str) -> str:
    return name.lower().rstrip(".")
