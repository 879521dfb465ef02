"""Compiles `services/NAME.yaml`, and the OpenAPI document it names, into a service; every mistake has file and line."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping

from pydantic import ValidationError

from comptroller.core.config import usd_micros
from comptroller.core.config_text import parse_yaml
from comptroller.core.errors import ConfigError
from comptroller.decode.codec import Classes
from comptroller.decode.described.amount import Money
from comptroller.decode.described.document import (
    KEY,
    METHODS,
    CostPart,
    OperationPart,
    PaymentPart,
    ServiceDocument,
    class_named,
    setting_near,
)
from comptroller.decode.described.openapi import MalformedApi, Published, read_api
from comptroller.decode.described.place import Place
from comptroller.decode.described.route import MalformedTemplate, Router, Template
from comptroller.decode.described.sentence import MalformedSentence, Sentence
from comptroller.decode.described.service import Condition, Cost, GraphQL, Operation, Service, value_text
from comptroller.decode.http import METHOD_CLASSES

SERVICE_BYTES_MAX = 2 << 20
API_BYTES_MAX = 32 << 20
READING = frozenset({"GET", "HEAD", "OPTIONS"})

_DOCS = "see docs/services.md for every setting"


def parse_service(raw: bytes, *, name: str, origin: str, read: Callable[[str], bytes]) -> Service:
    """The service of a description's bytes. `read` gives the bytes of a file it names (its OpenAPI document).

    Raises `ConfigError` naming file and line of every mistake.
    """
    document, lines = parse_yaml(raw, origin=origin, bytes_max=SERVICE_BYTES_MAX)
    description = checked(document, origin=origin, lines=lines)
    return compile_service(description, name=name, origin=origin, lines=lines, read=read)


def checked(document: object, *, origin: str, lines: Mapping[str, int]) -> ServiceDocument:
    """The description that a parsed document is. Raises `ConfigError`."""
    try:
        return ServiceDocument.model_validate(document)
    except ValidationError as error:
        mistakes: list[str] = []
        for item in error.errors():
            steps = [str(step) for step in item["loc"] if str(step) not in _BRANCHES]
            path = ".".join(steps)
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                message = f"there is no such setting{setting_near(steps[-1])}"
            mistakes.append(f"{origin}:{_line(lines, path)}: {path + ': ' if path else ''}{message}")
        raise ConfigError("\n".join(dict.fromkeys(mistakes)), hint=_DOCS) from error


def compile_service(
    document: ServiceDocument,
    *,
    name: str,
    origin: str,
    lines: Mapping[str, int],
    read: Callable[[str], bytes],
) -> Service:
    """Put a checked description together. Raises `ConfigError` naming file and line of every mistake."""
    compiler = _Compiler(document, origin, lines)
    operations = tuple(compiler.operations(read))
    if compiler.mistakes:
        raise ConfigError("\n".join(compiler.mistakes), hint=_DOCS)
    otherwise = document.otherwise
    return Service(
        name=name,
        title=document.title or name,
        source=document.source,
        reviewed=document.reviewed,
        hosts=document.hosts,
        origin=origin,
        credential=document.credential,
        headers=document.headers,
        retry=document.retry,
        otherwise=None
        if otherwise == "unknown"
        else frozenset()
        if isinstance(otherwise, str)
        else frozenset(map(class_named, otherwise)),
        refusal=document.refusal,
        operations=operations,
        router=Router(operations),
    )


class _Compiler:
    def __init__(self, document: ServiceDocument, origin: str, lines: Mapping[str, int]) -> None:
        self._document = document
        self._origin = origin
        self._lines = lines
        self.mistakes: list[str] = []

    def operations(self, read: Callable[[str], bytes]) -> Iterator[Operation]:
        published = {f"{each.method} {each.path}": each for each in self._published(read)}
        by_id = {each.name: key for key, each in published.items()}
        described: set[str] = set()
        names: dict[str, str] = {}
        for key, part in self._document.operations.items():
            at = by_id.get(key, key)
            where = f"operations.{key}"
            match = KEY.fullmatch(at)
            if match is None:
                known = ", or an operationId of the OpenAPI document" if published else ""
                self._wrong(where, f"`{key}` is not `METHOD /path`{known}")
                continue
            methods = tuple(match["methods"].split("|"))
            unknown = [method for method in methods if method not in METHODS]
            if unknown:
                self._wrong(where, f"there is no method `{unknown[0]}`; known: {' '.join(METHODS)}")
                continue
            for method in methods:
                each = f"{method} {match['path']}"
                if each in described:
                    self._wrong(where, f"`{each}` is described twice")
                described.add(each)
            other = names.setdefault(part.name, key)
            if other != key and self._document.operations[other].classes != part.classes:
                self._wrong(where, f"the name `{part.name}` is also that of `{other}`, which has other classes")
            operation = self._operation(where, part, methods, match["path"], published.get(at))
            if operation is not None:
                yield operation
        for key, api in published.items():
            if key not in described:
                template = self._template("openapi", api.path)
                if template is not None:
                    yield Operation(
                        name=api.name,
                        methods=(api.method,),
                        template=template,
                        classes=self._given(api.method),
                        kinds=frozenset(api.kinds),
                        line=_line(self._lines, "openapi"),
                        explicit=False,
                    )

    def _published(self, read: Callable[[str], bytes]) -> tuple[Published, ...]:
        file = self._document.openapi
        if file is None:
            return ()
        try:
            return read_api(read(file)).operations
        except (MalformedApi, OSError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            self._wrong("openapi", f"`{file}`: {reason}")
            return ()

    def _given(self, method: str) -> Classes | None:
        """What the file says of every operation of a method; None where it says nothing."""
        given = self._document.methods.get(method)
        return None if given is None else frozenset(map(class_named, given))

    def _operation(
        self, where: str, part: OperationPart, methods: tuple[str, ...], path: str, api: Published | None
    ) -> Operation | None:
        template = self._template(where, path if api is not None else self._document.base + path)
        if template is None:
            return None
        classes = frozenset(map(class_named, part.classes)) if part.classes is not None else self._usual(where, methods)
        kinds = part.body or (api.kinds if api is not None else None)
        if kinds is None:
            kinds = ("none",) if set(methods) <= READING else self._document.body
        hidden = {*part.sensitive, *self._document.sensitive}
        sentence = self._sentence(where, part.sentence, template, hidden) if part.sentence else None
        return Operation(
            name=part.name,
            methods=methods,
            template=template,
            classes=classes,
            kinds=frozenset(kinds),
            line=_line(self._lines, where),
            money=self._money(where, part.payment, template) if part.payment is not None else None,
            cost=_cost(part.cost) if part.cost is not None else None,
            when=tuple(
                Condition(
                    at=self._place(f"{where}.when", each.at, template),
                    equals=_texts(each.equals),
                    unless=_texts(each.unless),
                    begins=None if each.begins is None else tuple(text.casefold().lstrip("./") for text in each.begins),
                    classes=frozenset(map(class_named, each.classes)),
                )
                for each in part.when
            ),
            quantity=Place.parse(part.quantity) if part.quantity else None,
            idempotency=tuple(Place.parse(text) for text in (*part.idempotency, *self._document.idempotency)),
            sensitive=frozenset((*part.sensitive, *self._document.sensitive)),
            sentence=sentence,
            made=Place.parse(part.made) if part.made else None,
            graphql=self._graphql(where, part, methods),
        )

    def _usual(self, where: str, methods: tuple[str, ...]) -> Classes:
        found = {self._given(method) or frozenset({METHOD_CLASSES[method]}) for method in methods}
        if len(found) > 1:
            self._wrong(where, f"{' and '.join(methods)} have different classes by themselves: write `classes`")
        return frozenset().union(*found)

    def _template(self, where: str, path: str) -> Template | None:
        try:
            return Template.parse(path)
        except MalformedTemplate as error:
            self._wrong(where, str(error))
            return None

    def _place(self, where: str, text: str, template: Template) -> Place:
        place = Place.parse(text)
        if place.kind == "path" and place.name not in template.names:
            known = ", ".join(sorted(template.names)) or "none"
            self._wrong(where, f"the path has no parameter `{place.name}`; it has: {known}")
        return place

    def _money(self, where: str, part: PaymentPart, template: Template) -> Money:
        where = f"{where}.payment"
        return Money(
            amount=self._place(f"{where}.amount", part.amount, template) if part.amount else None,
            unit=part.unit or "minor",
            written=part.written,
            currency=self._place(f"{where}.currency", part.currency, template) if part.currency else None,
            payees=tuple(self._place(f"{where}.payee", text, template) for text in part.payees),
            direction=part.direction,
            reversible=part.reversible,
            decimals=self._document.decimals,
        )

    def _sentence(self, where: str, text: str, template: Template, hidden: Collection[str]) -> Sentence | None:
        try:
            sentence = Sentence.parse(text)
        except MalformedSentence as error:
            self._wrong(f"{where}.sentence", str(error))
            return None
        for place in sentence.places:
            if place.kind != "path" and place.steps[0] in hidden:
                self._wrong(f"{where}.sentence", f"`{place.steps[0]}` is sensitive: a sentence is kept in the log")
            self._place(f"{where}.sentence", f"path:{place.name}" if place.kind == "path" else "=", template)
        return sentence

    def _graphql(self, where: str, part: OperationPart, methods: tuple[str, ...]) -> GraphQL | None:
        if part.graphql is False:
            return None
        if methods != ("POST",):
            self._wrong(f"{where}.graphql", "a GraphQL endpoint is read where it is asked by POST")
        tables = ({}, {}) if part.graphql is True else (part.graphql.queries, part.graphql.mutations)
        queries, mutations = (
            {name: frozenset(map(class_named, classes)) for name, classes in table.items()} for table in tables
        )
        return GraphQL(queries=queries, mutations=mutations)

    def _wrong(self, where: str, message: str) -> None:
        self.mistakes.append(f"{self._origin}:{_line(self._lines, where)}: {message}")


_BRANCHES = frozenset({"OperationPart", "PaymentPart", "GraphQLPart", "tuple[str, ...]", "bool", "str", "[key]"})


def _texts(values: tuple[str | int | bool, ...] | None) -> frozenset[str] | None:
    return None if values is None else frozenset(text for value in values if (text := value_text(value)) is not None)


def _cost(part: CostPart) -> Cost:
    return Cost(usd_micros=usd_micros(part.usd), per=Place.parse(part.per) if part.per else None)


def _line(lines: Mapping[str, int], path: str) -> int:
    """The line of a setting, or of what holds it."""
    while path and path not in lines:
        path = path.rpartition(".")[0]
    return lines.get(path, 1)
