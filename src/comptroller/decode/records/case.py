"""One line of a record, and what a reader makes of it: actions, as if they had just come off the wire."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.estimate import Estimate

ID_CHARACTERS_MAX = 512
ACTIONS_MAX = 2000
"""A case that tells of more actions than this is read no further; one more, unknown, stands for the rest."""
RUN = "replay"


class Unread(str):
    """Text whose real content the record does not hold: a file that was named, a variable, a redacted value.

    It is text, so that it can stand where the value stood; whoever weighs the call must look for it."""

    __slots__ = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One recorded case. `members` is the whole JSON object; `line` the line of the file it stood on."""

    id: str
    source: str
    label: str
    kind: str
    line: int
    members: Mapping[str, Value]


@dataclass(frozen=True, slots=True, kw_only=True)
class Who:
    """As whom the cases are judged: the agent, and where a case does not say, the account and the region."""

    agent: str
    account: str = ""
    region: str = "us-east-1"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One AWS call that a record tells of. `unread` holds the members whose content it does not tell; `EVERYTHING`
    among them means that any member may hold anything. `endpoint` is set where the call went to a host of its own."""

    service: str
    operation: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    region: str = ""
    account: str = ""
    unread: frozenset[str] = frozenset()
    also: tuple[str, ...] = ()
    endpoint: str = ""


EVERYTHING = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """One action out of a record. `wire` says whether it was written as a request and read back by the codec (None: it
    is no kind of call that could be). `estimate` is the recorded one, where the record has it; so is `owned`."""

    action: Action
    wire: bool | None = None
    why_not: str = ""
    estimate: Estimate | None = None
    owned: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a case holds. No action at all means that it has no effect outside the machine it ran on. `notes` says what
    was left aside (`other program`)."""

    actions: tuple[Recorded, ...] = ()
    notes: tuple[str, ...] = ()


Reader = Callable[[Case, Who], Reading]
"""The one shape of a reader: pure and total."""


def unknown(case: Case, who: Who, reason: str, *, operation: str = "", service: str = "") -> Recorded:
    """An action nobody understands: it is denied, and counted as undecoded."""
    return Recorded(
        action=Action(
            operation=operation or f"{case.kind}:unknown",
            service=service or case.kind,
            classes=frozenset({ActionClass.UNKNOWN}),
            endpoint="",
            agent=who.agent,
            run=RUN,
            account=who.account,
            reason=reason,
        )
    )
