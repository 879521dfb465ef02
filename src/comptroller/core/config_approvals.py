"""What `comptroller.yaml` says of asking people: deputies, how much an agent may ask, whom we ask ourselves."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from comptroller.core.asking import OPEN_MAX_DEFAULT, PER_HOUR_MAX_DEFAULT, Deputy, QuestionLimits
from comptroller.core.verdict import APPROVERS_DEFAULT, Obligation

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


def moment(value: object, *, end: bool = False) -> datetime:
    """A day or a time as it is written; a day begins, or with `end` is over, at midnight UTC. Raises ValueError."""
    try:
        if isinstance(value, str):
            value = date.fromisoformat(value) if len(value) == 10 else datetime.fromisoformat(value)
        if isinstance(value, datetime):
            if value.tzinfo is None:
                raise ValueError(f"`{value}` has no time zone: write 2026-12-20T18:00Z")
            return value.astimezone(UTC)
        if isinstance(value, date):
            day = datetime(value.year, value.month, value.day, tzinfo=UTC)
            return day + timedelta(days=1) if end else day
    except OverflowError as error:
        raise ValueError(f"`{value}` is too far away") from error
    except ValueError as error:
        if "time zone" in str(error):
            raise
    raise ValueError(f"`{value}` is neither a day as 2026-12-20 nor a time as 2026-12-20T18:00Z")


def _moment(value: object, info: ValidationInfo) -> datetime:
    return moment(value, end=info.field_name == "until")


_SCHEMA = WithJsonSchema({"type": "string", "examples": ["2026-12-20", "2026-12-20T18:00Z"]})
Moment = Annotated[datetime, BeforeValidator(_moment), _SCHEMA]


class DeputyConfig(_Part):
    """Who may answer in somebody's place, from when until when: days in UTC, both included, or times. `groups` are
    those in which; without it, in all that person's."""

    person: Name
    since: Moment = Field(alias="from")
    until: Moment
    groups: tuple[Name, ...] | None = Field(default=None, strict=False)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.until <= self.since:
            raise ValueError("`until` is not after `from`")
        return self

    def deputy(self, stands_for: str) -> Deputy:
        """As a value."""
        groups = None if self.groups is None else frozenset(self.groups)
        return Deputy(person=self.person, stands_for=stands_for, since=self.since, until=self.until, groups=groups)


class QuestionsConfig(_Part):
    """How much an agent may ask people. Beyond it its run is frozen: nobody reads a flood, and one question may hide in
    it."""

    open_max: int = Field(default=OPEN_MAX_DEFAULT, ge=1, le=1_000)
    per_hour_max: int = Field(default=PER_HOUR_MAX_DEFAULT, ge=1, le=10_000)

    def limits(self) -> QuestionLimits:
        """As a value."""
        return QuestionLimits(open_max=self.open_max, per_hour_max=self.per_hour_max)


class ApprovalsConfig(_Part):
    """Whom Comptroller asks of itself: about a cost that nobody knows, and beyond a budget that lets people say so.
    Whom a policy asks is written in the policy."""

    approvers: Name = APPROVERS_DEFAULT
    quorum: int = Field(default=1, ge=1, le=16)
    exclude: tuple[Literal["agent", "owner", "requester", "author"], ...] = Field(default=("agent",), strict=False)

    def asking(self) -> Obligation:
        """As a question without its rule."""
        return Obligation(
            rule="", approvers=self.approvers, quorum=self.quorum, exclude=frozenset((*self.exclude, "agent"))
        )
