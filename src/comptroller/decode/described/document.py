"""`services/NAME.yaml` as values: what a person writes to describe a service, every mistake named by its path."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, StringConstraints, field_validator, model_validator

from comptroller.core.action import ActionClass
from comptroller.core.config import Host, usd_micros
from comptroller.decode.described.place import PLACE_FORMS, MalformedPlace, Place
from comptroller.decode.http import METHOD_CLASSES, OVERRIDE_HEADERS

NAME_CHARACTERS_MAX = 128
OPERATIONS_MAX = 5000
SENTENCE_CHARACTERS_MAX = 300
DECIMALS_MAX = 8

METHODS = tuple(METHOD_CLASSES)
KEY = re.compile(r"(?P<methods>[A-Z]{3,7}(?:\|[A-Z]{3,7})*) (?P<path>/\S*)")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,127}")
HEADER_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
UNBINDABLE = frozenset(
    {"authorization", "connection", "content-encoding", "content-length", "content-type", "cookie", "expect", "host"}
    | {"keep-alive", "proxy-authorization", "te", "trailer", "transfer-encoding", "upgrade", *OVERRIDE_HEADERS}
)
"""Headers that no description may pass on: framing, credentials, and what makes a server do something else."""


def _header(name: str) -> str:
    if not HEADER_NAME.fullmatch(name) or name in UNBINDABLE:
        raise ValueError(f"`{name}` is not a header that can be passed on; write it in lower case")
    return name


def _place(text: str) -> str:
    try:
        Place.parse(text)
    except MalformedPlace as error:
        raise ValueError(f"{error}; places are written {PLACE_FORMS}") from error
    return text


def _classes(names: tuple[str, ...]) -> tuple[str, ...]:
    if not names:
        raise ValueError("at least one class")
    for name in names:
        class_named(name)
    return names


def class_named(name: str) -> ActionClass:
    """The class of this name. Raises ValueError with the one that may be meant."""
    if name not in set(ActionClass):
        near = get_close_matches(name, list(ActionClass), 1)
        hint = f"; did you mean `{near[0]}`?" if near else f"; known: {' '.join(ActionClass)}"
        raise ValueError(f"there is no class `{name}`{hint}")
    return ActionClass(name)


HeaderName = Annotated[str, AfterValidator(_header)]
PlaceText = Annotated[str, AfterValidator(_place)]
Classes = Annotated[tuple[str, ...], Field(strict=False), AfterValidator(_classes)]
Kind = Literal["json", "form", "multipart", "raw", "none"]
Kinds = Annotated[tuple[Kind, ...], Field(strict=False, min_length=1)]
Scalar = str | int | bool


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, populate_by_name=True)


class PaymentPart(_Part):
    """Where the money of a request is written."""

    amount: PlaceText | None = None
    unit: Literal["minor", "major"] | None = None
    written: Literal["number", "text"] | None = None
    currency: PlaceText | None = None
    payee: Annotated[tuple[PlaceText, ...], Field(strict=False)] | PlaceText = ()
    direction: Literal["out", "in", "reserve"] = "out"
    reversible: bool | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if (self.amount is None) != (self.unit is None):
            raise ValueError("`amount` and `unit` (minor or major) belong together")
        if self.amount is not None and self.currency is None:
            raise ValueError("an amount needs its `currency`: a place, or `=usd`")
        return self

    @property
    def payees(self) -> tuple[str, ...]:
        """The places of the payee."""
        return (self.payee,) if isinstance(self.payee, str) else self.payee


class CostPart(_Part):
    """What one call costs at once; `per` is the place of a whole number, or of a list whose members are counted."""

    usd: str | int | float
    per: PlaceText | None = None

    @field_validator("usd")
    @classmethod
    def _usd(cls, value: str | int | float) -> str | int | float:
        usd_micros(value)
        return value


class ConditionPart(_Part):
    """Classes that a request has besides, where `at` holds anything: one of `is`, none of `unless`, or a text that
    begins as one of `begins`."""

    at: PlaceText
    equals: Annotated[tuple[Scalar, ...] | None, Field(alias="is", strict=False)] = None
    unless: Annotated[tuple[Scalar, ...] | None, Field(strict=False)] = None
    begins: Annotated[tuple[str, ...] | None, Field(strict=False)] = None
    classes: Classes

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.equals, self.unless, self.begins)) > 1:
            raise ValueError("one of `is`, `unless` and `begins`")
        return self


class GraphQLPart(_Part):
    """Classes of top-level fields; a query is `read` and a mutation `write` where nothing else is said."""

    queries: Mapping[str, Classes] = Field(default_factory=dict)
    mutations: Mapping[str, Classes] = Field(default_factory=dict)

    @field_validator("queries", "mutations", mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if not isinstance(value, Mapping):
            return value
        return {name: tuple(each.split()) if isinstance(each, str) else each for name, each in value.items()}


class OperationPart(_Part):
    """One operation. `NAME CLASS…` is the short form of `{name: NAME, classes: [CLASS, …]}`."""

    name: str = Field(pattern=rf"^{NAME.pattern}$")
    classes: Classes | None = None
    body: Kinds | None = None
    payment: PaymentPart | None = None
    cost: CostPart | None = None
    when: Annotated[tuple[ConditionPart, ...], Field(strict=False)] = ()
    quantity: PlaceText | None = None
    idempotency: Annotated[tuple[PlaceText, ...], Field(strict=False)] = ()
    sensitive: Annotated[tuple[str, ...], Field(strict=False)] = ()
    sentence: Annotated[str, StringConstraints(max_length=SENTENCE_CHARACTERS_MAX)] = ""
    made: PlaceText | None = None
    graphql: GraphQLPart | bool = False

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: object) -> object:
        if isinstance(value, str):
            name, *classes = value.split()
            return {"name": name, "classes": tuple(classes) or None} if value.strip() else {"name": ""}
        return value

    @field_validator("idempotency")
    @classmethod
    def _tokens(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _only_tokens(value)

    @model_validator(mode="after")
    def _pays(self) -> Self:
        if self.payment is not None and ActionClass.PAY not in (self.classes or ()):
            raise ValueError("`payment` belongs to an operation of class `pay`")
        return self


class CredentialPart(_Part):
    """How the real key is put on a request, and what the box sees in its place."""

    header: str = Field(default="authorization", pattern=rf"^{HEADER_NAME.pattern}$")
    prefix: str = Field(default="Bearer ", max_length=32)
    encode: Literal["none", "basic"] = "none"
    optional: bool = False
    variables: Mapping[Annotated[str, StringConstraints(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,63}$")], str] = Field(
        default_factory=dict
    )


class RefusalPart(_Part):
    """The service's own way to say no. `{message}`, `{code}` and `{operation}` stand for ours, in any text."""

    status: int = Field(default=403, ge=400, le=499)
    headers: Mapping[HeaderName, str] = Field(default_factory=dict)
    body: Mapping[str, object] = Field(default_factory=lambda: {"error": {"code": "{code}", "message": "{message}"}})


class ServiceDocument(_Part):
    """The whole of `services/NAME.yaml`."""

    version: Literal[1]
    title: str = Field(default="", max_length=100)
    source: str = Field(default="", max_length=300)
    reviewed: bool = True
    hosts: tuple[Host, ...] = Field(strict=False, min_length=1)
    openapi: str | None = None
    base: str = Field(default="", pattern=r"^(/[A-Za-z0-9._~-]+)*$")
    credential: CredentialPart = CredentialPart()
    headers: tuple[HeaderName, ...] = Field(default=(), strict=False)
    retry: HeaderName | None = None
    idempotency: Annotated[tuple[PlaceText, ...], Field(strict=False)] = ()
    sensitive: tuple[str, ...] = Field(default=(), strict=False)
    body: Kinds = ("json",)
    methods: Mapping[str, Classes] = Field(default_factory=dict)
    otherwise: Literal["unknown", "method"] | Classes = "unknown"
    decimals: Mapping[str, int] = Field(default_factory=dict)
    refusal: RefusalPart = RefusalPart()
    operations: Mapping[str, OperationPart] = Field(default_factory=dict)

    @field_validator("idempotency")
    @classmethod
    def _tokens(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return _only_tokens(value)

    @field_validator("methods")
    @classmethod
    def _methods(cls, value: Mapping[str, tuple[str, ...]]) -> Mapping[str, tuple[str, ...]]:
        for method, classes in value.items():
            own = METHOD_CLASSES.get(method)
            if own is None:
                raise ValueError(f"there is no method `{method}`; known: {' '.join(METHODS)}")
            if weaker(own, {class_named(name) for name in classes}):
                raise ValueError(f"{method} would count as less than `{own}`: class the operations one by one instead")
        return value

    @field_validator("decimals")
    @classmethod
    def _decimals(cls, value: Mapping[str, int]) -> Mapping[str, int]:
        for code, count in value.items():
            if not re.fullmatch(r"[a-z]{3}", code) or not 0 <= count <= DECIMALS_MAX:
                raise ValueError(f"`{code}: {count}`: a currency in lower case and 0 to {DECIMALS_MAX} decimals")
        return value

    @field_validator("operations")
    @classmethod
    def _operations(cls, value: Mapping[str, OperationPart]) -> Mapping[str, OperationPart]:
        if len(value) > OPERATIONS_MAX:
            raise ValueError(f"more than {OPERATIONS_MAX} operations")
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.credential.header in self.headers:
            raise ValueError(f"headers: `{self.credential.header}` carries the credential and is never passed on")
        if not self.operations and self.openapi is None and self.otherwise == "unknown":
            raise ValueError("nothing is described: write `operations`, or `openapi` with a file")
        return self


PARTS: tuple[type[_Part], ...] = (
    ServiceDocument,
    OperationPart,
    PaymentPart,
    CostPart,
    ConditionPart,
    GraphQLPart,
    CredentialPart,
    RefusalPart,
)
"""Every part of a description, the whole first."""


def weaker(own: ActionClass, classes: Iterable[ActionClass]) -> bool:
    """True where `classes` say less of a request than its method's class `own` does."""
    given = set(classes)
    if own is ActionClass.DESTROY:
        return ActionClass.DESTROY not in given
    return own is ActionClass.WRITE and given <= {ActionClass.READ, ActionClass.REVEAL}


def setting_near(word: str) -> str:
    """`; did you mean …` for a setting that does not exist; empty where nothing is near."""
    names = sorted({field.alias or name for part in PARTS for name, field in part.model_fields.items()})
    close = get_close_matches(word, names, 1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _only_tokens(places: tuple[str, ...]) -> tuple[str, ...]:
    for text in places:
        if Place.parse(text).kind not in ("header", "json", "form"):
            raise ValueError(f"`{text}`: an idempotency token is in a header, or in a JSON or form member")
        if Place.parse(text).many:
            raise ValueError(f"`{text}`: an idempotency token is one member")
    return places
