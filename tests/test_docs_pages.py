"""The pages are held against the code: examples decide as told, settings are complete, links lead somewhere."""

from __future__ import annotations

import re
from pathlib import Path

import jsonschema
import pytest
import yaml
from tools import build_config_schema
from tools.build_config_schema import SECTIONS

from comptroller.boundary import AgentFacts, CedarBoundary, PolicyText
from comptroller.boundary.load import RULES_MAX
from comptroller.boundary.rule import ANNOTATIONS
from comptroller.boundary.schema import AGENT_ATTRIBUTES, CONTEXT_ATTRIBUTES
from comptroller.cli.reach import NotStartedError
from comptroller.cli.run import EXIT_LOST
from comptroller.compose import agent_facts, registry_of, starter_policies
from comptroller.core import config as settings
from comptroller.core.action import Action, ActionClass, Payment
from comptroller.core.audit import EntryKind
from comptroller.core.config import Config
from comptroller.core.config_text import CONFIG_BYTES_MAX, parse_config_text
from comptroller.core.errors import ConfigError, RefusedError, StoreError, UsageError
from comptroller.core.estimate import Estimate
from comptroller.core.request import BOUND_STREAM_BYTES_MAX, BUFFERED_BODY_BYTES_MAX
from comptroller.core.verdict import EXPIRES_SECONDS_DEFAULT, TTL_SECONDS_DEFAULT
from comptroller.enforce.gateway import GatewaySettings
from comptroller.enforce.sandbox.limits import LIMITS
from comptroller.engine.gatekeeper import INFLIGHT_MAX
from comptroller.engine.sequencer import RESEND_SECONDS_MAX
from comptroller.price import estimate
from comptroller.server.attach import CONNECTIONS_MAX, END_CODE, HOLD_SECONDS
from comptroller.server.place import Paths
from comptroller.server.sessions import LINK_SECONDS_MAX, SESSION_IDLE_SECONDS_MAX, SESSION_SECONDS_MAX

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = sorted([*ROOT.glob("*.md"), *DOCS.glob("**/*.md")])
CONFIGURATION = (DOCS / "configuration.md").read_text("utf-8")
POLICIES = (DOCS / "policies.md").read_text("utf-8")
OPERATIONS = (DOCS / "operations.md").read_text("utf-8")
RECORDS = sorted((DOCS / "rfd").glob("*.md"))


def _blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def _section(text: str, heading: str) -> str:
    found = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", text, re.MULTILINE | re.DOTALL)
    assert found is not None, f"there is no section `{heading}`"
    return found[1]


def _rows(section: str) -> list[str]:
    """What stands in backticks at the beginning of each row of the section's tables."""
    return re.findall(r"^\| `@?([A-Za-z0-9_]+)[^|]*\|", section, re.MULTILINE)


# ---------------------------------------------------------------- links and names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_leads_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```", "", page.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r"(?:src|srcset|href)=\"([^\"]+)\"", text)
    for target in targets:
        if re.match(r"https?://", target):
            continue
        name, _, anchor = target.partition("#")
        file = (page.parent / name).resolve() if name else page
        assert file.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE)
            known = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
            assert anchor in known, f"{page.name} links to {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_file_that_a_page_names_exists(page: Path) -> None:
    named = re.findall(r"`((?:tests|src|bench|tools|docs|requirements)/[A-Za-z0-9_./-]+)`", page.read_text("utf-8"))
    named += [f"src/comptroller/{name}" for name in re.findall(r"`([a-z_]+/[a-z_/0-9]+\.py)`", page.read_text("utf-8"))]
    missing = [
        name
        for name in named
        if not (ROOT / name.removeprefix("src/comptroller/")).exists() and not (ROOT / name).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_test_that_a_page_names_exists(page: Path) -> None:
    everything = "\n".join(file.read_text("utf-8") for file in (ROOT / "tests").glob("**/test_*.py"))
    named = re.findall(r"`(test_[a-z0-9_]+)`", page.read_text("utf-8"))
    assert [name for name in named if f"def {name}(" not in everything] == []


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record.name)
def test_a_decision_has_its_number_a_state_and_a_test_that_holds_it(record: Path) -> None:
    text = record.read_text("utf-8")
    number = int(record.name[:4])
    assert text.startswith(f"# RFD {number}: ")
    state = re.search(r"^State: (\w+)(?: by (\d+))?$", text, re.MULTILINE)
    assert state is not None and state[1] in {"proposed", "accepted", "replaced", "abandoned"}
    assert number == 1 or re.search(r"`tests/[a-z_/]+", text), "an RFD names the test that holds it"
    assert len(text.splitlines()) <= 40, "half a page"


def test_decisions_are_numbered_without_gaps() -> None:
    assert [int(record.name[:4]) for record in RECORDS] == list(range(1, len(RECORDS) + 1))


# ---------------------------------------------------------------- configuration


def _example() -> Config:
    (text,) = _blocks(CONFIGURATION, "yaml")
    return parse_config_text(text.encode(), origin="docs/configuration.md")


def test_the_complete_example_parses_and_fits_the_schema() -> None:
    example = _example()
    assert set(example.agents) == {"trainer", "shop"}
    (text,) = _blocks(CONFIGURATION, "yaml")
    schema = yaml.safe_load((DOCS / "comptroller.schema.json").read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    jsonschema.validate(yaml.safe_load(text), schema)
    registry_of(example)


def test_the_complete_example_uses_every_setting_but_the_one_for_development() -> None:
    unused = set(Config.model_fields) - {
        name for name in Config.model_fields if re.search(rf"^{name}:", _example_text(), re.M)
    }
    assert unused == {"upstreams"}


def _example_text() -> str:
    return _blocks(CONFIGURATION, "yaml")[0]


def test_the_schema_is_current_and_says_what_each_setting_means() -> None:
    assert build_config_schema.main(["--check"]) == 0
    schema = yaml.safe_load((DOCS / "comptroller.schema.json").read_text("utf-8"))
    parts = [schema, *schema["$defs"].values()]
    assert [
        name for part in parts for name, each in part.get("properties", {}).items() if not each.get("description")
    ] == []
    assert build_config_schema.main(["--chekc"]) == 2


def test_every_configuration_class_has_its_section() -> None:
    classes = {name for name in vars(settings) if name.endswith("Config") or name == "Config"}
    assert classes == set(SECTIONS)


@pytest.mark.parametrize("name", SECTIONS)
def test_every_setting_is_described_and_none_is_invented(name: str) -> None:
    described = _rows(_section(CONFIGURATION, SECTIONS[name]))
    assert described == [field.alias or setting for setting, field in getattr(settings, name).model_fields.items()]


def test_every_limit_of_a_process_is_named() -> None:
    assert {limit for limit in LIMITS if f"`{limit}`" in _section(CONFIGURATION, "agents")} == set(LIMITS)


# ---------------------------------------------------------------- policies


def _boundary(block: str) -> CedarBoundary:
    """The starter pack with the block's rules in it; a rule of the same id takes the other's place."""
    config = _example()
    ids = re.findall(r'@id\("([^"]+)"\)', block)
    starter = starter_policies()
    for name in ids:
        starter = re.sub(rf'@id\("{name}"\)[^;]*;', "", starter)
    registry = registry_of(config)
    return CedarBoundary.load(
        [PolicyText(file="starter.cedar", text=starter), PolicyText(file="own.cedar", text=block)],
        agent_facts(config),
        classes_of=registry.classes_of,
        near=registry.operations_near,
        groups={"approvers": 2, "finance": 1},
    )


def _block(name: str) -> str:
    return next(block for block in _blocks(POLICIES, "cedar") if f'@id("{name}")' in block)


@pytest.mark.parametrize("block", _blocks(POLICIES, "cedar"), ids=lambda block: re.findall(r'@id\("([^"]+)', block)[0])
def test_every_example_loads_without_a_mistake_or_warning(block: str) -> None:
    assert _boundary(block).warnings == ()


def _machine(kind: str = "t3.micro", *, region: str = "us-east-1", count: int = 1) -> Action:
    return Action(
        operation="aws:ec2:RunInstances",
        service="aws:ec2",
        classes=frozenset({ActionClass.PROVISION}),
        endpoint=f"ec2.{region}.amazonaws.com",
        agent="trainer",
        run="run-1",
        account="123456789012",
        region=region,
        quantity=count,
        parameters={"InstanceType": kind, "MinCount": count, "MaxCount": count},
    )


def _transfer(amount_minor: int, payee: str = "acct_1Supplier") -> Action:
    return Action(
        operation="stripe:transfers:create",
        service="stripe",
        classes=frozenset({ActionClass.PAY}),
        endpoint="api.stripe.com",
        agent="shop",
        run="run-1",
        account="acct_1AcmeShop",
        parameters={"amount": amount_minor},
        payment=Payment(amount_minor=amount_minor, currency="usd", payee=payee),
    )


def _write(agent: str, host: str, service: str = "http") -> Action:
    return Action(
        operation=f"http:{host}:POST",
        service=service,
        classes=frozenset({ActionClass.WRITE}),
        endpoint=host,
        agent=agent,
        run="run-1",
    )


def _bucket(operation: str) -> Action:
    return Action(
        operation=operation,
        service="aws:s3",
        classes=frozenset({ActionClass.ENTITLE}),
        endpoint="s3.eu-central-1.amazonaws.com",
        agent="trainer",
        run="run-1",
        account="123456789012",
    )


@pytest.mark.parametrize(
    ("block", "action", "verdict", "rules"),
    [
        ("provision", _machine(), "allow", None),
        ("provision", _machine("t3.large"), "require_approval", ("provision",)),
        ("provision", _machine(count=2), "require_approval", ("provision",)),
        ("provision", _machine(region="us-west-2"), "require_approval", ("provision",)),
        ("large-transfers", _transfer(100_000), "require_approval", ("pay",)),
        ("large-transfers", _transfer(100_001), "require_approval", ("large-transfers", "pay")),
        ("no-public-buckets", _bucket("aws:s3:PutBucketAcl"), "deny", ("no-public-buckets",)),
        ("no-public-buckets", _machine("p4d.24xlarge"), "deny", ("no-large-machines",)),
        ("no-public-buckets", _machine(), "require_approval", ("provision",)),
        ("known-payees", _transfer(100), "require_approval", ("pay",)),
        ("known-payees", _transfer(100, "acct_stranger"), "deny", ("known-payees",)),
    ],
)
def test_the_examples_decide_as_the_page_says(
    block: str, action: Action, verdict: str, rules: tuple[str, ...] | None
) -> None:
    result = _boundary(_block(block)).evaluate(action, estimate(action))
    assert result.kind.value == verdict
    assert rules is None or result.rules == rules


def test_the_rule_for_one_team_is_for_that_team() -> None:
    block = _block("web-asks-before-writing")
    facts = {
        name: AgentFacts(
            name=name,
            team=team,
            organization="acme",
            owner="ann",
            purpose="x",
            hosts=frozenset({"catalogue.example.com", "other.example.com"}),
        )
        for name, team in (("shop", "web"), ("trainer", "research"))
    }
    registry = registry_of(_example())
    boundary = CedarBoundary.load(
        [PolicyText(file="a", text=starter_policies()), PolicyText(file="b", text=block)],
        facts,
        classes_of=registry.classes_of,
    )
    free = Estimate(bounds={})
    decided = {
        (agent, host): boundary.evaluate(_write(agent, host), free).kind.value
        for agent in facts
        for host in ("catalogue.example.com", "other.example.com")
    }
    assert decided == {
        ("shop", "catalogue.example.com"): "require_approval",
        ("shop", "other.example.com"): "allow",
        ("trainer", "catalogue.example.com"): "allow",
        ("trainer", "other.example.com"): "allow",
    }


def test_every_class_attribute_and_annotation_is_described() -> None:
    assert set(_rows(_section(POLICIES, "Classes"))) == {item.value for item in ActionClass}
    assert _rows(_section(POLICIES, "What a rule can ask")) == [name.rstrip("?") for name in CONTEXT_ATTRIBUTES]
    assert sorted(_rows(_section(POLICIES, "Annotations"))) == sorted(ANNOTATIONS)
    section = _section(POLICIES, "What a rule can ask")
    assert [name for name in AGENT_ATTRIBUTES if f"`{name}`" not in section and f".{name}`" not in section] == []


@pytest.mark.parametrize("cls", list(ActionClass), ids=str)
def test_the_starter_pack_treats_every_class_as_the_table_says(cls: ActionClass) -> None:
    row = re.search(rf"^\| `{cls.value}` \|[^|]*\| ([^|]*) \|$", _section(POLICIES, "Classes"), re.MULTILINE)
    assert row is not None
    told = {"g": "allow", "a": "require_approval", "d": "deny"}[row[1][0]]
    named = Action(
        operation="aws:s3:Anything",
        service="aws:s3",
        classes=frozenset({cls}),
        endpoint="s3.eu-central-1.amazonaws.com",
        agent="trainer",
        run="run-1",
        account="123456789012",
    )
    boundary = _boundary("")
    assert boundary.evaluate(named, Estimate(bounds={})).kind.value == told


def test_a_wrong_file_is_told_where_the_page_is() -> None:
    with pytest.raises(ConfigError) as caught:
        parse_config_text(b"version: 2\n", origin="comptroller.yaml")
    assert caught.value.hint.startswith("see docs/configuration.md")


def test_every_refusal_in_the_table_is_one_that_the_program_says() -> None:
    section = _section(OPERATIONS, "Common refusals")
    rows = re.findall(r"^\| (.+?) \|", section, re.MULTILINE)[2:]
    source = "\n".join(
        file.read_text("utf-8") for file in (ROOT / "src").glob("**/*.*") if file.suffix in (".py", ".cedar")
    )
    plain = re.sub(r"\{[^{}]*\}", "…", source.replace("`", ""))
    said = [phrase for row in rows for phrase in re.findall(r"`([^`]+)`", row)]
    assert len(said) >= 12
    pieces = [(phrase, piece.strip()) for phrase in said for piece in phrase.split("…") if len(piece.strip()) > 3]
    assert [phrase for phrase, piece in pieces if piece not in plain] == []


def test_every_file_of_the_state_folder_is_described() -> None:
    section = _section(OPERATIONS, "The state folder")
    names = [
        getattr(Paths(Path("state")), name).name for name, member in vars(Paths).items() if isinstance(member, property)
    ]
    assert len(names) >= 10
    assert [name for name in names if f"`{name}`" not in section] == []


def test_every_kind_of_entry_is_described_and_none_is_invented() -> None:
    section = _section(OPERATIONS, "See what happens")
    told = re.findall(r"`([a-z]+\.[a-z_]+)`", "\n".join(re.findall(r"^\| (`[^|]*) \|", section, re.MULTILINE)))
    assert sorted(told) == sorted(kind.value for kind in EntryKind)


def test_the_limits_are_those_of_the_program() -> None:
    told = [
        row.rpartition("| ")[2] for row in re.findall(r"^(\| .*) \|$", _section(OPERATIONS, "Limits"), re.MULTILINE)
    ]
    gateway = GatewaySettings()
    assert told[1:] == [
        f"{HOLD_SECONDS / 60:.0f} minutes",
        f"{EXPIRES_SECONDS_DEFAULT // 3600} hours",
        f"{TTL_SECONDS_DEFAULT // 60} minutes",
        f"{RESEND_SECONDS_MAX // 60} minutes",
        f"{LINK_SECONDS_MAX // 60} minutes",
        f"{SESSION_SECONDS_MAX // 3600} hours, {SESSION_IDLE_SECONDS_MAX // 3600} hour",
        f"{BUFFERED_BODY_BYTES_MAX >> 20} MiB",
        f"{BOUND_STREAM_BYTES_MAX >> 20} MiB",
        f"{gateway.spool_bytes_max >> 30} GiB",
        f"{gateway.header_bytes_max >> 10} KiB, {gateway.headers_max} of them",
        str(gateway.connections_max),
        str(CONNECTIONS_MAX),
        str(INFLIGHT_MAX),
        f"{gateway.response_seconds_max / 60:.0f} minutes",
        str(RULES_MAX),
        f"{CONFIG_BYTES_MAX >> 20} MiB",
    ]


def test_the_exit_codes_are_those_of_the_program() -> None:
    codes = {StoreError: 1, RefusedError: 1, UsageError: 2, NotStartedError: EXIT_LOST}
    assert {error: error.exit_code for error in codes} == codes
    section = _section(OPERATIONS, "Exit codes")
    told = set(re.findall(r"^\| ([0-9, ]+) \|", section, re.MULTILINE))
    assert told == {"0", "1", "2", str(END_CODE), str(EXIT_LOST), "126, 127"}
