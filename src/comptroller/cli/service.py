"""`comptroller service`: describe an API that Comptroller does not know, and try the description out."""

from __future__ import annotations

import re
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import click
import httpx

from comptroller import price
from comptroller.boundary import CedarBoundary, explain
from comptroller.cli.client import config_option, config_path, json_option, print_json
from comptroller.compose import load_boundary, registry_of
from comptroller.core.action import Action
from comptroller.core.config import NAME_PATTERN, Config
from comptroller.core.errors import ConfigError, MissingError, RefusedError, UsageError
from comptroller.core.estimate import Estimate, Unit, usd_text
from comptroller.core.request import BUFFERED_BODY_BYTES_MAX, Header, Request
from comptroller.core.verdict import VerdictKind
from comptroller.decode.described import SHIPPED, DescribedCodec, Service, shipped_service
from comptroller.decode.described.amount import money_text
from comptroller.decode.described.check import Doubt, doubts
from comptroller.decode.described.load import API_BYTES_MAX
from comptroller.decode.described.openapi import Api, MalformedApi, read_api
from comptroller.decode.described.propose import proposed_service
from comptroller.server.descriptions import described_services, load_service
from comptroller.server.neutral import neutral
from comptroller.server.place import SERVICES_FOLDER, load_config, service_files

FETCH_SECONDS = 30.0
REDIRECTS_MAX = 3
REQUESTS_MAX = 100
REQUEST_FILE_BYTES_MAX = 4 << 20
NO_AGENT = "nobody"
PREVIEW_RUN = "preview"


@click.group()
def service() -> None:
    """Describe an API of your own in services/NAME.yaml, and test descriptions."""


@service.command("list")
@json_option
@config_option
def list_command(as_json: bool, config: Path | None) -> None:
    """List the services that are known by a description: your own and those built in."""
    path = _config_path(config)
    own = {file.stem: load_service(file) for file in service_files(path)} if path is not None else {}
    rows = [*own.values(), *(shipped_service(name) for name in SHIPPED if name not in own)]
    if as_json:
        print_json({"services": [_row(each, built_in=each.name not in own) for each in rows]})
        return
    for each in rows:
        kind = "" if each.name in own else "built in"
        if each.name in own and not each.reviewed:
            kind = "not reviewed yet"
        hosts = ", ".join(each.hosts[:3]) + (", …" if len(each.hosts) > 3 else "")
        click.echo(neutral(f"{each.name:<16} {len(each.operations):>5} operations  {hosts}  {kind}").rstrip())


@service.command()
@click.argument("source", metavar="URL|FILE")
@click.option("--name", help="What to call it; by default after the document's title.")
@click.option("--host", "hosts", multiple=True, help="A host it is reached at; by default those of the document.")
@click.option("--force", is_flag=True, help="Overwrite a description of this name.")
@config_option
def add(source: str, name: str | None, hosts: tuple[str, ...], force: bool, config: Path | None) -> None:
    """Write services/NAME.yaml out of the OpenAPI document at URL or in FILE.

    Lists every operation with a proposed class. Nothing of it counts before you have reviewed it.
    """
    raw = _fetch(source) if re.match(r"[a-z]+://", source, re.IGNORECASE) else _read(Path(source), API_BYTES_MAX)
    try:
        api = read_api(raw, members=True)
    except MalformedApi as error:
        raise UsageError(f"`{source}`: {error}", hint="give an OpenAPI 3.x or Swagger 2.0 document") from error
    named = name or _name_of(api, source)
    if not re.fullmatch(NAME_PATTERN, named):
        raise UsageError(f"`{named}` cannot be the name of a service", hint="--name lower-case-with-hyphens")
    found = hosts or api.hosts
    if not found:
        raise UsageError("the document names no host", hint="--host api.example.com")
    path = _config_path(config)
    folder = (path.parent if path is not None else Path.cwd()) / SERVICES_FOLDER
    target = folder / f"{named}.yaml"
    if (target.exists() or target.is_symlink()) and not force:
        raise RefusedError(f"`{target}` is there already", hint="edit it, or overwrite it with --force")
    text = proposed_service(api, name=named, source=_origin_of(source, api), hosts=found)
    try:
        folder.mkdir(exist_ok=True)
        target.unlink(missing_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UsageError(f"cannot write `{target}`: {error.strerror}", hint=f"ls -ld {folder}") from error
    try:
        made = load_service(target)
    except ConfigError as error:
        raise ConfigError(
            f"`{target}` was written, and parts of the document cannot be used:\n{error.message}", hint=error.hint
        ) from error
    click.echo(f"wrote {neutral(target)}: {len(made.operations)} operations")
    click.echo(_counted(made))
    click.echo(f"next: review it, set `reviewed: true`, then: comptroller service test {named}")
    click.echo(f"and name it for an agent in comptroller.yaml: services: [{named}]")


@service.command()
@click.argument("name", metavar="NAME|FILE")
@click.argument("target", metavar="[URL|PATH]", required=False)
@click.option("--request", "files", multiple=True, type=click.Path(path_type=Path), help="A file of requests (.http).")
@click.option("-X", "--method", help="Method of the request to URL or PATH; GET, or POST with --data.")
@click.option("-H", "--header", "headers", multiple=True, help="`Name: value`, may be repeated.")
@click.option("-d", "--data", help="Body of the request.")
@click.option("--agent", help="Whose verdict to show; needed where there are several agents.")
@json_option
@config_option
def test(
    name: str,
    target: str | None,
    files: tuple[Path, ...],
    method: str | None,
    headers: tuple[str, ...],
    data: str | None,
    agent: str | None,
    as_json: bool,
    config: Path | None,
) -> None:
    """Check a description, and show what requests would do, cost and be told.

    Ends with 0 where nothing is wrong with it, 1 where it cannot be used, or where operations have no class or are
    never reached. One that nobody has reviewed is not wrong: its calls are refused all the same.
    """
    path = _config_path(config)
    try:
        found = _find(name, path)
    except ConfigError as error:
        _show_broken(name, error, as_json)
        sys.exit(1)
    findings = doubts(found)
    requests = [each for file in files for each in _requests(file, found)]
    if target is not None:
        requests.append(_request(method or ("POST" if data else "GET"), target, list(headers), data or "", found))
    elif method or headers or data:
        raise UsageError(
            "a request needs its URL or path", hint=f"comptroller service test {name} -X POST /v1/things -d '{{}}'"
        )
    judge = _Judge.load(path, found, agent) if requests else None
    tried = [_tried(each, found, judge) for each in requests]
    if as_json:
        print_json(_document(found, findings, tried))
    else:
        _show(found, findings, tried)
    if any(each.failure for each in findings):
        sys.exit(1)


# ---------------------------------------------------------------- what is meant


def _config_path(config: Path | None) -> Path | None:
    """The configuration, where there is one."""
    try:
        return config_path(config)
    except ConfigError:
        if config is not None:
            raise
        return None


def _find(name: str, path: Path | None) -> Service:
    """The description called `name`, in a file, beside the configuration or built in. Raises `UsageError`."""
    file = Path(name)
    if file.suffix in (".yaml", ".yml") or "/" in name:
        return load_service(file)
    own = {each.stem: each for each in service_files(path)} if path is not None else {}
    if name in own:
        return load_service(own[name])
    if name in SHIPPED:
        return shipped_service(name)
    known = ", ".join((*own, *SHIPPED))
    raise UsageError(f"there is no description of `{name}`", hint=f"known: {known}; comptroller service add URL|FILE")


def _fetch(url: str) -> bytes:
    """The bytes at a URL, over https only. Raises `UsageError` or `MissingError`."""
    hint = "download the document yourself, and give its file"
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"`{url}` is not a URL", hint=hint) from error
    if parts.scheme.lower() != "https" or not parts.hostname:
        raise UsageError(
            f"`{url}` is not fetched: a description decides what is allowed, so it comes over https", hint=hint
        )
    body = bytearray()
    try:
        with httpx.Client(timeout=FETCH_SECONDS, follow_redirects=False) as client:
            for _ in range(REDIRECTS_MAX + 1):
                with client.stream("GET", url, headers={"accept": "application/json, application/yaml, */*"}) as answer:
                    if answer.is_redirect and answer.next_request is not None:
                        url = str(answer.next_request.url)
                        if not url.startswith("https://"):
                            raise UsageError("the address leads away from https", hint=hint)
                        continue
                    if answer.status_code != httpx.codes.OK:
                        raise UsageError(f"`{url}` answers with status {answer.status_code}", hint=hint)
                    for piece in answer.iter_bytes():
                        body += piece
                        if len(body) > API_BYTES_MAX:
                            raise UsageError(f"`{url}` is larger than {API_BYTES_MAX >> 20} MiB", hint=hint)
                    return bytes(body)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise MissingError(f"`{url}` cannot be fetched: {str(error) or type(error).__name__}", hint=hint) from error
    raise UsageError(f"`{url}` leads from one address to the next", hint=hint)


def _read(file: Path, bytes_max: int) -> bytes:
    try:
        with file.open("rb") as stream:
            raw = stream.read(bytes_max + 1)
    except OSError as error:
        raise UsageError(f"cannot read `{file}`: {error.strerror}", hint="give a file, or an https URL") from error
    if len(raw) > bytes_max:
        raise UsageError(f"`{file}` is larger than {bytes_max >> 20} MiB")
    return raw


def _name_of(api: Api, source: str) -> str:
    text = re.sub(r"\b(api|rest|openapi|swagger|v?\d+(\.\d+)*)\b", " ", api.title.lower()) or Path(source).stem
    name = re.sub(r"[^a-z0-9]+", "-", text).strip("-")[:40].strip("-")
    return name or re.sub(r"[^a-z0-9]+", "-", Path(source).stem.lower()).strip("-")[:40] or "service"


def _origin_of(source: str, api: Api) -> str:
    shown = source.partition("?")[0] if "://" in source else Path(source).name
    return f"{shown}{f', version {api.version}' if api.version else ''}"


# ---------------------------------------------------------------- requests


def _requests(file: Path, known: Service) -> Iterator[Request]:
    """The requests of a `.http` file: request line, headers, an empty line, body; `###` between two."""
    try:
        text = _read(file, REQUEST_FILE_BYTES_MAX).decode("utf-8").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise UsageError(f"`{file}` is not UTF-8 text") from error
    count = 0
    for block in re.split(r"(?m)^###.*$", text):
        lines = block.strip("\n").split("\n")
        while lines and (not lines[0].strip() or lines[0].lstrip().startswith(("# ", "//"))):
            lines.pop(0)
        if not lines:
            continue
        count += 1
        if count > REQUESTS_MAX:
            raise UsageError(f"`{file}` has more than {REQUESTS_MAX} requests")
        words = lines[0].split()
        if len(words) < 2 or len(words) > 3:
            raise UsageError(
                f"`{file}`: `{lines[0][:80]}` is no request line", hint="POST https://api.example.com/v1/things"
            )
        end = next((index for index, line in enumerate(lines) if not line.strip()), len(lines))
        yield _request(words[0], words[1], lines[1:end], "\n".join(lines[end + 1 :]).rstrip("\n"), known)


def _request(method: str, target: str, lines: Sequence[str], data: str, known: Service) -> Request:
    headers: list[Header] = []
    for line in lines:
        name, mark, value = line.partition(":")
        if not mark or not name.strip():
            raise UsageError(f"`{line[:80]}` is no header", hint="-H 'Name: value'")
        headers.append(Header(name.strip().lower(), value.strip()))
    host = next((header.value.lower() for header in headers if header.name == "host"), "")
    try:
        parts = urlsplit(target)
        if parts.scheme:
            host = (parts.hostname or "").lower()
            target = parts.path + (f"?{parts.query}" if "?" in target else "") or "/"
    except ValueError as error:
        raise UsageError(f"`{target}` is not a URL") from error
    if host and not any(host == own or (own.startswith("*.") and host.endswith(own[1:])) for own in known.hosts):
        raise UsageError(
            f"`{host}` is no host of `{known.name}`: this request would be none of its calls",
            hint=f"give a path, or one of its hosts: {', '.join(known.hosts)}",
        )
    headers = [header for header in headers if header.name != "host"]
    body = data.encode("utf-8")
    if len(body) > BUFFERED_BODY_BYTES_MAX:
        raise UsageError(f"a request body is at most {BUFFERED_BODY_BYTES_MAX >> 20} MiB here")
    if body and not any(header.name == "content-type" for header in headers):
        kind = "application/json" if data.lstrip()[:1] in ("{", "[") else "application/x-www-form-urlencoded"
        headers.append(Header("content-type", kind))
    return Request(
        scheme="https",
        method=method.upper(),
        host=host or known.hosts[0].replace("*", "api"),
        port=443,
        target=target,
        headers=tuple(headers),
        body=body,
        agent=NO_AGENT,
        run=PREVIEW_RUN,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Judge:
    """The policies of the installation, for one agent."""

    boundary: CedarBoundary
    agent: str

    @classmethod
    def load(cls, path: Path | None, found: Service, agent: str | None) -> _Judge | None:
        """None where there is no installation. Raises `UsageError` where it is not clear whose verdict is meant."""
        if path is None:
            return None
        config = load_config(path)
        if agent is None and len(config.agents) > 1:
            raise UsageError("which agent?", hint=f"--agent {' | '.join(sorted(config.agents))}")
        chosen = agent or next(iter(config.agents))
        if chosen not in config.agents:
            raise UsageError(f"there is no agent `{chosen}`", hint=f"agents: {', '.join(sorted(config.agents))}")
        return cls(boundary=_boundary(config, path, found), agent=chosen)

    def advice(self, action: Action, estimate: Estimate) -> list[str]:
        """What a person could write to have it allowed or asked."""
        return list(explain(self.boundary, action, estimate).advice)

    def verdict(self, action: Action, estimate: Estimate) -> tuple[str, list[str], list[str]]:
        """Verdict, rules and reasons, before any budget is looked at."""
        result = self.boundary.evaluate(action, estimate)
        kind, rules = result.kind, list(result.rules)
        reasons = [reason.text for reason in result.reasons]
        if kind is VerdictKind.ALLOW and estimate.unknown(Unit.USD_MICROS):
            return VerdictKind.REQUIRE_APPROVAL.value, rules, ["nobody can say what this costs"]
        return kind.value, rules, reasons


def _boundary(config: Config, path: Path, found: Service) -> CedarBoundary:
    own = [each for each in described_services(path) if each.name != found.name]
    mine = [*own, found] if found.name not in SHIPPED or found.origin != shipped_service(found.name).origin else own
    registry_of(config, mine)
    return load_boundary(config, path, described=mine)


def _tried(request: Request, found: Service, judge: _Judge | None) -> dict[str, object]:
    """What one request would do, as if the description were reviewed."""
    codec = DescribedCodec.of(replace(found, reviewed=True))
    action = codec.decode(replace(request, agent=judge.agent if judge else NO_AGENT))
    estimate = price.estimate(action)
    verdict, rules, reasons = judge.verdict(action, estimate) if judge else (None, [], [])
    payment = action.payment
    return {
        "request": f"{request.method} {request.host}{request.target}",
        "operation": action.operation,
        "classes": sorted(action.classes),
        "sentence": codec.sentence(action),
        "unknown_because": action.reason or None,
        "quantity": action.quantity,
        "payment": None
        if payment is None
        else {
            "amount": money_text(payment),
            "amount_minor": payment.amount_minor,
            "currency": payment.currency,
            "payee": payment.payee,
            "direction": payment.direction,
            "reversible": payment.reversible,
        },
        "estimate": {unit.value: {"low": bound.low, "high": bound.high} for unit, bound in estimate.bounds.items()},
        "basis": estimate.basis,
        "idempotency": dict(action.call.idempotency),
        "verdict": verdict,
        "rules": rules,
        "reasons": reasons,
        "advice": _advice(action, estimate, found, judge),
    }


def _advice(action: Action, estimate: Estimate, found: Service, judge: _Judge | None) -> list[str]:
    if action.undecodable and "no described operation" in action.reason:
        return [f"{found.origin}: describe it under `operations`"]
    return judge.advice(action, estimate) if judge else []


# ---------------------------------------------------------------- what is shown


def _row(each: Service, *, built_in: bool) -> dict[str, object]:
    return {
        "name": each.name,
        "title": each.title,
        "hosts": list(each.hosts),
        "operations": len(each.operations),
        "built_in": built_in,
        "reviewed": each.reviewed,
        "source": each.source,
    }


def _counted(found: Service) -> str:
    counts = Counter(cls for operation in found.operations for cls in operation.classes or ("no class",))
    return "classes: " + ", ".join(f"{count} {cls}" for cls, count in counts.most_common())


def _document(found: Service, findings: Sequence[Doubt], tried: Sequence[dict[str, object]]) -> dict[str, object]:
    counts = Counter(cls.value for operation in found.operations for cls in operation.classes or ())
    return {
        "service": found.name,
        "file": found.origin,
        "ok": not any(each.failure for each in findings),
        "reviewed": found.reviewed,
        "operations": len(found.operations),
        "classes": dict(sorted(counts.items())),
        "problems": [_finding(found, each) for each in findings if each.failure],
        "warnings": [_finding(found, each) for each in findings if not each.failure],
        "requests": list(tried),
    }


def _finding(found: Service, each: Doubt) -> dict[str, object]:
    return {"file": found.origin, "line": each.line, "message": each.message}


def _show_broken(name: str, error: ConfigError, as_json: bool) -> None:
    lines = error.message.split("\n")
    if not as_json:
        for line in lines:
            click.echo(neutral(line))
        click.echo(f"{len(lines)} problem{'s' * (len(lines) != 1)}: this description is not used")
        return
    problems = []
    for line in lines:
        match = re.match(r"(.*?):(\d+): (.*)", line)
        problems.append(
            {"file": match[1], "line": int(match[2]), "message": match[3]}
            if match
            else {"file": name, "line": 1, "message": line}
        )
    print_json(
        {"service": Path(name).stem, "file": name, "ok": False, "problems": problems, "warnings": [], "requests": []}
    )


def _show(found: Service, findings: Sequence[Doubt], tried: Sequence[dict[str, object]]) -> None:
    for each in findings:
        mark = "" if each.failure else "warning: "
        click.echo(neutral(f"{mark}{found.origin}:{each.line}: {each.message}"))
    for item in tried:
        click.echo(neutral(item["request"]))
        click.echo(f"  {neutral(item['sentence'])}")
        click.echo(
            f"  operation  {neutral(item['operation'])}   classes {' '.join(map(str, _listed(item['classes'])))}"
        )
        payment = item["payment"]
        if isinstance(payment, dict):
            way = {"out": "to", "in": "from", "reserve": "reserved for"}[str(payment["direction"])]
            click.echo(neutral(f"  amount     {payment['amount']} {way} {payment['payee'] or '(payee not stated)'}"))
        click.echo(f"  estimate   {_money(item['estimate'])}   ({neutral(item['basis'])})")
        if item["verdict"]:
            rules = ", ".join(map(str, _listed(item["rules"])))
            click.echo(neutral(f"  verdict    {item['verdict']}{f' ({rules})' if rules else ''}"))
            for reason in _listed(item["reasons"]):
                click.echo(f"             {neutral(reason)}")
            for line in _listed(item["advice"]):
                click.echo(f"  to change  {neutral(line)}")
    failures = sum(each.failure for each in findings)
    if failures:
        click.echo(f"{failures} problem{'s' * (failures != 1)} in {neutral(found.origin)}")
    else:
        end = "good" if found.reviewed else "no mistake found; refused until `reviewed: true`"
        click.echo(f"{len(found.operations)} operations; {_counted(found)}: {end}")


def _listed(value: object) -> list[object]:
    return list(value) if isinstance(value, list | tuple) else []


def _money(estimate: object) -> str:
    bound = estimate.get(Unit.USD_MICROS.value) if isinstance(estimate, dict) else None
    if not isinstance(bound, dict):
        return "one call"
    return "an unknown amount" if bound["high"] is None else f"at most {usd_text(int(bound['high']))}"
