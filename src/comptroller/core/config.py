"""`comptroller.yaml` as a value: parsed from a document, every mistake named by its path. Reads no file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from difflib import get_close_matches
from typing import Annotated, Literal, Self
from urllib.parse import parse_qsl, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)

from comptroller.core.budget import Budget, OnExceed, check_window
from comptroller.core.config_approvals import ApprovalsConfig, DeputyConfig, QuestionsConfig
from comptroller.core.config_console import ConsoleConfig, ConsoleTlsConfig
from comptroller.core.config_notify import (
    SLACK_PATTERN,
    AppriseChannelConfig,
    NotifyConfig,
    QuietConfig,
    RouteConfig,
    SecretConfig,
    SlackChannelConfig,
    WebhookChannelConfig,
    WeeklyConfig,
)
from comptroller.core.config_oidc import OidcConfig, OidcGroupConfig, OidcSecretConfig
from comptroller.core.currency import CODE_PATTERN, DOLLAR, Display, ExchangeRate, display_in
from comptroller.core.errors import ConfigError, UsageError
from comptroller.core.estimate import PRICE_AGE_DAYS_DEFAULT, USD_MICROS_PER_USD, Unit
from comptroller.core.holding import GRACE_SECONDS_DEFAULT
from comptroller.core.retention import KEPT_DAYS_MAX, KEPT_DAYS_MIN, EntryClass
from comptroller.core.role import ROLES_DEFAULT, Role
from comptroller.core.window import Window

NAME_PATTERN = r"^[a-z0-9][a-z0-9-]{0,62}$"
PRICE_FACTOR_MAX = 10
OUTAGE_SECONDS_MAX = 86_400
FX_USD_MAX = 1_000_000
FX_DECIMALS_MAX = 12
TCP_ALLOWANCE_BYTES_MIN = 1 << 10
TCP_ALLOWANCE_BYTES_MAX = 1 << 30
BOX_LIMITS = ("processes", "open_files", "memory_bytes", "file_bytes", "cpu_seconds", "disk_bytes", "wall_seconds")
"""What `agents.NAME.limits` may hold; each applies to the agent's box as a whole, `file_bytes` to every file."""
VARIABLE_PATTERN = r"^[A-Za-z_][A-Za-z0-9_]{0,127}$"
FILES_MAX = 1_000
HOST_PATTERN = r"^(\*\.)?[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$"
PRIVATE_SUFFIXES = frozenset(
    {"corp", "example", "home", "internal", "intranet", "invalid", "lan", "local", "localhost", "private", "test"}
)
"""Names of one label under which only one's own hosts lie: `*.internal` is meant, `*.com` is half the internet."""

MODEL_HOSTS = ("groq", "together", "mistral", "deepseek", "xai", "fireworks", "openrouter", "perplexity", "cerebras")
"""Model services that speak as `openai` does."""
CODECS = (
    *("openai", "anthropic", "gemini", *MODEL_HOSTS, "azure-openai", "openai-compatible", "self-hosted", "mcp"),
    *("stripe", "ethereum", "kubernetes", "http"),
)
"""Codecs that `services` may give further hosts to, besides those of described services."""
FAMILIES = (
    *("aws", "gcp", "azure", "kubernetes", "openai", "anthropic", "gemini", *MODEL_HOSTS, "azure-openai"),
    *("stripe", "http"),
)
"""What a credential may be for, besides described services."""
DESCRIBED = (
    "adyen",
    "discord",
    "github",
    "hubspot",
    "linear",
    "mailgun",
    "notion",
    "paypal",
    "plaid-transfer",
    "postmark",
    "resend",
    "sendgrid",
    "slack",
    "telegram",
    "twilio",
    "wise",
)
"""Services that come with a description."""

Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN)]


def _host(name: str) -> str:
    """A host or `*.domain`, one way to write each. Raises ValueError."""
    labels = name.removeprefix("*.").split(".")
    if any(not label or label.startswith("-") or label.endswith("-") or len(label) > 63 for label in labels):
        raise ValueError(f"`{name}` is not a host name")
    if name.startswith("*.") and (labels[-1].isdigit() or (len(labels) == 1 and labels[0] not in PRIVATE_SUFFIXES)):
        raise ValueError(f"`{name}` names more hosts than anybody knows: write `*.` and a domain of your own")
    return name


Host = Annotated[str, StringConstraints(pattern=HOST_PATTERN), AfterValidator(_host)]
FilePath = Annotated[str, StringConstraints(min_length=1, max_length=4096, pattern=r"^[^\x00-\x1f]+$")]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TeamConfig(_Part):
    """A team; its agents and budgets hang below it."""

    description: str = ""


class PersonConfig(_Part):
    """A person: the groups they answer for, and what they are to the installation. On its own machine the name is
    their operating-system user name. `slack`: their member id there, under which they may answer in a chat."""

    groups: tuple[Name, ...] = Field(default=(), strict=False)
    roles: tuple[Annotated[Role, Field(strict=False)], ...] = Field(default=ROLES_DEFAULT, strict=False, min_length=1)
    deputies: tuple[DeputyConfig, ...] = Field(default=(), strict=False)
    slack: Annotated[str, StringConstraints(pattern=SLACK_PATTERN)] = ""


class LimitConfig(_Part):
    """A limit as people write it: `usd` (dollars, up to six decimals) or whole units. Energy is in milliwatt-hours
    (1 kWh is 1,000,000), carbon in milligrams of CO2 equivalent (1 kg is 1,000,000). `usd_per_hour` limits what may
    stand at the same time."""

    usd: str | int | float | None = None
    usd_per_hour: str | int | float | None = None
    calls: int | None = Field(default=None, ge=0)
    tokens: int | None = Field(default=None, ge=0)
    egress_bytes: int | None = Field(default=None, ge=0)
    gpu_seconds: int | None = Field(default=None, ge=0)
    milliwatt_hours: int | None = Field(default=None, ge=0)
    milligrams_co2e: int | None = Field(default=None, ge=0)

    @field_validator("usd", "usd_per_hour")
    @classmethod
    def _usd(cls, value: str | int | float | None) -> str | int | float | None:
        if value is not None:
            usd_micros(value)
        return value

    def amounts(self) -> dict[Unit, int]:
        """The limits in integer units."""
        pairs = {
            Unit.USD_MICROS: None if self.usd is None else usd_micros(self.usd),
            Unit.USD_MICROS_PER_HOUR: None if self.usd_per_hour is None else usd_micros(self.usd_per_hour),
            Unit.CALLS: self.calls,
            Unit.TOKENS: self.tokens,
            Unit.EGRESS_BYTES: self.egress_bytes,
            Unit.GPU_SECONDS: self.gpu_seconds,
            Unit.MILLIWATT_HOURS: self.milliwatt_hours,
            Unit.MILLIGRAMS_CO2E: self.milligrams_co2e,
        }
        return {unit: amount for unit, amount in pairs.items() if amount is not None}


class TcpConfig(_Part):
    """A service that does not speak HTTP and is carried without being understood: off unless it is named here.

    `tls`: how the gateway encrypts to it, outside the box, and verifies it. `allowance_bytes`: how much a connection
    may send before it has to be allowed again.
    """

    host: Host
    port: int = Field(ge=1, le=65_535)
    tls: Literal["none", "direct", "postgres"] = "none"
    allowance_bytes: int = Field(default=1 << 20, ge=TCP_ALLOWANCE_BYTES_MIN, le=TCP_ALLOWANCE_BYTES_MAX)

    @field_validator("host")
    @classmethod
    def _one(cls, value: str) -> str:
        if value.startswith("*."):
            raise ValueError(f"`{value}` names many hosts: each service is one host and port")
        return value


class FilesConfig(_Part):
    """Which paths of its workspace an agent must not change (`read_only`) or not read (`masked`); relative to the
    workspace, or absolute. What lies elsewhere is shown besides, read-only."""

    read_only: tuple[FilePath, ...] = Field(default=(), strict=False, max_length=FILES_MAX)
    masked: tuple[FilePath, ...] = Field(default=(), strict=False, max_length=FILES_MAX)


class AgentConfig(_Part):
    """A named principal: what it may reach, whose it is, and what one run of it may spend.

    `services` and `hosts` are what the starter policies let it read and write; `limits` limit its box. `forbid`
    names options of `comptroller run` that nobody may use for it.
    """

    team: Name
    owner: Name
    purpose: str = Field(min_length=1, max_length=500)
    workspace: str = "."
    services: tuple[str, ...] = Field(default=(), strict=False)
    hosts: tuple[Host, ...] = Field(default=(), strict=False)
    accounts: tuple[str, ...] = Field(default=(), strict=False)
    credentials: tuple[Name, ...] = Field(default=(), strict=False)
    environment: Mapping[str, str] = Field(default_factory=dict)
    per_run: LimitConfig = LimitConfig()
    limits: Mapping[str, int] = Field(default_factory=dict)
    files: FilesConfig = FilesConfig()
    inherit: tuple[Annotated[str, StringConstraints(pattern=VARIABLE_PATTERN)], ...] = Field(default=(), strict=False)
    devices: tuple[Literal["gpu"], ...] = Field(default=(), strict=False)
    forbid: tuple[Literal["observe", "unsafe-no-box", "publish", "host-service", "layer"], ...] = Field(
        default=(), strict=False
    )
    tcp: tuple[TcpConfig, ...] = Field(default=(), strict=False)
    questions: QuestionsConfig = QuestionsConfig()

    @field_validator("tcp")
    @classmethod
    def _tcp(cls, value: tuple[TcpConfig, ...]) -> tuple[TcpConfig, ...]:
        places = [(each.host, each.port) for each in value]
        for host, port in places:
            if places.count((host, port)) > 1:
                raise ValueError(f"`{host}:{port}` is there twice")
        return value

    @field_validator("limits")
    @classmethod
    def _limits(cls, value: Mapping[str, int]) -> Mapping[str, int]:
        for name, limit in value.items():
            if name not in BOX_LIMITS:
                raise ValueError(f"there is no limit `{name}`; known: {', '.join(BOX_LIMITS)}")
            if limit < 1:
                raise ValueError(f"limit `{name}` must be at least 1")
        return value


DOLLAR_UNITS = {"usd": Unit.USD_MICROS, "usd_per_hour": Unit.USD_MICROS_PER_HOUR}
"""Units as people write them, in dollars."""


class BudgetConfig(_Part):
    """A limit for a scope path, one unit and one window. `limit` is dollars for `usd` and `usd_per_hour`, else the
    unit's integers. `window`: `total`, `hour`, `day`, `week`, `month`, in a time zone of its own `day@Europe/Berlin`,
    or the time just past `rolling:24h`. `on_exceed`: what becomes of an action it has no room for."""

    scope: str = Field(pattern=r"^[a-z0-9][a-z0-9-]{0,62}(/[a-z0-9][a-z0-9-]{0,62}){0,3}$")
    unit: Literal[
        "usd",
        "usd_per_hour",
        "usd_micros",
        "usd_micros_per_hour",
        "calls",
        "tokens",
        "egress_bytes",
        "gpu_seconds",
        "milliwatt_hours",
        "milligrams_co2e",
    ]
    window: Annotated[
        str, Field(examples=["total", "hour", "day", "week", "month", "day@Europe/Berlin", "rolling:24h"])
    ] = "total"
    limit: str | int | float
    on_exceed: Literal["deny", "require_approval"] = "deny"

    @field_validator("window")
    @classmethod
    def _window(cls, value: str) -> str:
        return Window(value).value

    @field_validator("limit")
    @classmethod
    def _limit(cls, value: str | int | float, info: object) -> str | int | float:
        usd_micros(value)
        return value

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.unit not in DOLLAR_UNITS and Decimal(str(self.limit)) % 1:
            raise ValueError(f"a limit in {self.unit} is a whole number")
        check_window(self.budget())
        return self

    def budget(self) -> Budget:
        """The limit in integers."""
        dollars = DOLLAR_UNITS.get(self.unit)
        return Budget(
            scope=self.scope,
            unit=dollars or Unit(self.unit),
            window=Window(self.window),
            limit=usd_micros(self.limit) if dollars else int(Decimal(str(self.limit))),
            on_exceed=OnExceed(self.on_exceed),
        )


class CredentialConfig(_Part):
    """Where a real credential lies, outside the box, and what it is for.

    `service` is the family it is injected for: one of `FAMILIES`, a described service, or `http` with `hosts`.
    """

    source: Literal["env", "file", "aws_profile", "gcp_service_account"]
    service: Annotated[Name, Field(examples=[*FAMILIES, *DESCRIBED])]
    variable: str | None = None
    path: str | None = None
    profile: str | None = None
    account: str = ""
    hosts: tuple[Host, ...] = Field(default=(), strict=False)
    header: str = "authorization"
    prefix: str = "Bearer "

    @field_validator("service")
    @classmethod
    def _service(cls, value: str, info: ValidationInfo) -> str:
        return _known(value, "a service that a credential can be for", FAMILIES, info)

    @model_validator(mode="after")
    def _source(self) -> Self:
        needed = {"env": "variable", "aws_profile": "profile"}.get(self.source, "path")
        if self.service == "aws" and self.source == "env":
            return self
        if getattr(self, needed) is None:
            raise ValueError(f"source `{self.source}` needs `{needed}`")
        if self.service in ("http", "kubernetes") and not self.hosts:
            raise ValueError(f"service `{self.service}` needs `hosts`")
        if self.source == "aws_profile" and self.service != "aws":
            raise ValueError(f"source `aws_profile` is for service `aws`, not for `{self.service}`")
        if self.source == "gcp_service_account" and self.service != "gcp":
            raise ValueError(f"source `gcp_service_account` is for service `gcp`, not for `{self.service}`")
        return self


ToolName = Annotated[str, StringConstraints(pattern=r"^[!-~]{1,128}$")]
ToolClass = Literal[
    "read", "reveal", "write", "provision", "pay", "entitle", "destroy", "execute", "communicate", "infer", "blind"
]


class ServiceConfig(_Part):
    """Extra host names under which a known service is reached (an OpenAI-compatible server, say).

    `tools` says of each tool of an MCP server what it does, by classes; one that is not named may write and execute.
    """

    codec: Annotated[Name, Field(examples=[*CODECS, *DESCRIBED])]
    hosts: tuple[Host, ...] = Field(strict=False)
    tools: Mapping[ToolName, Annotated[tuple[ToolClass, ...], Field(strict=False)]] = Field(default_factory=dict)

    @field_validator("codec")
    @classmethod
    def _codec(cls, value: str, info: ValidationInfo) -> str:
        return _known(value, "a codec", CODECS, info)

    @model_validator(mode="after")
    def _only_tools_of_mcp(self) -> Self:
        if self.tools and self.codec != "mcp":
            raise ValueError("`tools` says what the tools of an MCP server do: it needs codec `mcp`")
        if empty := [name for name, classes in self.tools.items() if not classes]:
            raise ValueError(f"tool `{empty[0]}` has no class: write what it does, `read` where it changes nothing")
        return self


def _day(value: object) -> object:
    """A day as YAML reads it, or as text. Raises ValueError."""
    if type(value) is date:
        return value
    try:
        if not isinstance(value, str) or len(value) != 10:
            raise ValueError
        return date.fromisoformat(value)
    except ValueError as error:
        shown = value.isoformat() if isinstance(value, datetime) else value
        raise ValueError(f"`{shown}` is not a day, as in 2026-11-20") from error


Currency = Annotated[str, StringConstraints(pattern=CODE_PATTERN)]


class FxConfig(_Part):
    """What one unit of a currency is worth in dollars (`usd`), and of which day that is (`as_of`)."""

    usd: str | int | float
    as_of: Annotated[date, BeforeValidator(_day)]

    @field_validator("usd")
    @classmethod
    def _usd(cls, value: str | int | float) -> str | int | float:
        exchange_rate(value)
        return value


class PricesConfig(_Part):
    """How list prices become what is paid. `factors`: what an account pays of the list price (0.85 with a discount of
    15 %). `node_usd_per_hour`: one Kubernetes node, by the cluster's host, `default` for any other. `coin_usd`: the
    most that one coin of a chain may be worth (`eth`). `max_age_days`: after how many days a price counts as old, and
    its bounds widen. `fx`: what other currencies are worth; `display`: the one that reports are in."""

    factors: Mapping[str, str | int | float] = Field(default_factory=dict)
    node_usd_per_hour: Mapping[str, str | int | float] = Field(default_factory=dict)
    coin_usd: Mapping[Name, str | int | float] = Field(default_factory=dict)
    max_age_days: int = Field(default=PRICE_AGE_DAYS_DEFAULT, ge=1, le=3650)
    fx: Mapping[Currency, FxConfig] = Field(default_factory=dict)
    display: Currency = DOLLAR

    @field_validator("factors")
    @classmethod
    def _factors(cls, value: Mapping[str, str | int | float]) -> Mapping[str, str | int | float]:
        for account, factor in value.items():
            price_factor(factor, account)
        return value

    @field_validator("node_usd_per_hour", "coin_usd")
    @classmethod
    def _nodes(cls, value: Mapping[str, str | int | float]) -> Mapping[str, str | int | float]:
        for dollars in value.values():
            usd_micros(dollars)
        return value

    @model_validator(mode="after")
    def _display(self) -> Self:
        if DOLLAR in self.fx:
            raise ValueError(f"fx.{DOLLAR}: the dollar is the unit of account and has no rate")
        try:
            display_in(self.display, self.rates())
        except UsageError as error:
            raise ValueError(f"display: {error.message}") from error
        return self

    def rates(self) -> dict[str, ExchangeRate]:
        """Currency code -> its rate."""
        return {
            code: ExchangeRate(currency=code, usd=exchange_rate(rate.usd), as_of=rate.as_of)
            for code, rate in self.fx.items()
        }

    def shown_in(self, currency: str | None = None) -> Display:
        """How reports show money: in `currency`, else as configured. Raises `UsageError`."""
        return display_in(self.display if currency is None else currency, self.rates())

    def factor_of(self) -> dict[str, Decimal]:
        """Account -> factor."""
        return {account: price_factor(factor, account) for account, factor in self.factors.items()}

    def coins(self) -> dict[str, int]:
        """Coin -> the most it may be worth, in micro-dollars."""
        return {coin: usd_micros(dollars) for coin, dollars in self.coin_usd.items()}

    def nodes(self) -> dict[str, int]:
        """Cluster host, or `default` -> micro-dollars an hour."""
        return {host: usd_micros(dollars) for host, dollars in self.node_usd_per_hour.items()}


class HoldingsConfig(_Part):
    """What becomes of things that agents brought about and that are not paid for any longer.

    `grace_seconds`: how long their owner has after being told. `stop`: stop them then, through their provider; without
    it they are only told of. `delete`: kinds (`aws:rds:db-instance`) that may be deleted where they cannot be stopped.
    `tags`: put tags on everything that is made, by which it is known again; nothing without our tag is ever stopped.
    """

    grace_seconds: int = Field(default=GRACE_SECONDS_DEFAULT, ge=0, le=86_400)
    stop: bool = True
    delete: tuple[Annotated[str, StringConstraints(pattern=r"^[!-~]{3,200}$")], ...] = Field(default=(), strict=False)
    tags: bool = True


_Days = Annotated[int | None, Field(ge=KEPT_DAYS_MIN, le=KEPT_DAYS_MAX)]


class RetentionConfig(_Part):
    """After how many days entries of a class may leave the store, once they are archived; without it, never."""

    actions: _Days = None
    approvals: _Days = None
    holdings: _Days = None
    changes: _Days = None
    findings: _Days = None
    box: _Days = None

    def days(self) -> dict[EntryClass, int]:
        """The classes that have a term."""
        return {each: days for each in EntryClass if (days := getattr(self, each.value)) is not None}


def _check_store(store: str) -> None:
    """Raise ValueError for what is no store; no message repeats it, since a password may be in it."""
    if store == "sqlite":
        return
    if not store.startswith(("postgresql://", "postgres://")):
        raise ValueError("store: `sqlite` (in the state folder) or postgresql://USER@HOST:PORT/DATABASE")
    try:
        found = urlsplit(store)
        secret = found.password is not None or {"password", "sslpassword"} & dict(parse_qsl(found.query)).keys()
    except ValueError:
        raise ValueError("store: this PostgreSQL URL cannot be read") from None
    if secret:
        raise ValueError(
            "store: agents can read this file, so the password does not belong in it: put it into a passfile "
            "(~/.pgpass, or passfile=FILE in the URL) or PGPASSWORD"
        )


class Config(_Part):
    """The whole of `comptroller.yaml`. `upstreams` (HOST: URL) is for development and demo; `private` names hosts
    that may resolve to private addresses."""

    version: Literal[1]
    organization: Name
    teams: Mapping[Name, TeamConfig]
    people: Mapping[Name, PersonConfig]
    agents: Mapping[Name, AgentConfig]
    budgets: tuple[BudgetConfig, ...] = Field(default=(), strict=False)
    services: Mapping[Name, ServiceConfig] = Field(default_factory=dict)
    credentials: Mapping[Name, CredentialConfig] = Field(default_factory=dict)
    approvals: ApprovalsConfig = ApprovalsConfig()
    notify: NotifyConfig = NotifyConfig()
    console: ConsoleConfig = ConsoleConfig()
    prices: PricesConfig = PricesConfig()
    holdings: HoldingsConfig = HoldingsConfig()
    retention: RetentionConfig = RetentionConfig()
    store: str = "sqlite"
    store_outage_max: int = Field(default=0, ge=0, le=OUTAGE_SECONDS_MAX)
    upstreams: Mapping[Host, str] = Field(default_factory=dict)
    private: tuple[Host, ...] = Field(default=(), strict=False)

    @model_validator(mode="after")
    def _references(self) -> Self:
        for name, agent in self.agents.items():
            if agent.team not in self.teams:
                raise ValueError(f"agents.{name}.team: there is no team `{agent.team}`")
            if agent.owner not in self.people:
                raise ValueError(f"agents.{name}.owner: there is no person `{agent.owner}`")
            for credential in agent.credentials:
                if credential not in self.credentials:
                    raise ValueError(f"agents.{name}.credentials: there is no credential `{credential}`")
        for name, person in self.people.items():
            for deputy in person.deputies:
                if deputy.person not in self.people:
                    raise ValueError(f"people.{name}.deputies: there is no person `{deputy.person}`")
                if deputy.person == name:
                    raise ValueError(f"people.{name}.deputies: nobody is their own deputy")
        members = [person.slack for person in self.people.values() if person.slack]
        if twice := [member for member in members if members.count(member) > 1]:
            raise ValueError(f"people: two of them have the Slack member `{twice[0]}`")
        groups = {group for person in self.people.values() for group in person.groups}
        self.notify.check_names(agents=self.agents.keys(), groups=groups)
        keys = [budget.budget().key for budget in self.budgets]
        for key in keys:
            if keys.count(key) > 1:
                raise ValueError(f"budgets: `{key[0]}` has two limits for {key[1]} per {key[2]}")
            if key[0].split("/")[0] != self.organization:
                raise ValueError(f"budgets: scope `{key[0]}` does not begin with `{self.organization}`")
        _check_store(self.store)
        return self

    def path_of(self, agent: str) -> str:
        """The scope path of an agent: `organization/team/agent`."""
        return f"{self.organization}/{self.agents[agent].team}/{agent}"


def price_factor(value: str | int | float, account: str) -> Decimal:
    """What an account pays of the list price, above 0 and up to `PRICE_FACTOR_MAX`. Raises ValueError."""
    try:
        factor = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"`{value}` of account `{account}` is not a factor") from error
    if not factor.is_finite() or not 0 < factor <= PRICE_FACTOR_MAX or isinstance(value, bool):
        raise ValueError(f"the factor of account `{account}` must be above 0 and at most {PRICE_FACTOR_MAX}")
    return factor


def exchange_rate(value: str | int | float) -> Decimal:
    """What one unit of a currency is worth in dollars, above 0 and up to `FX_USD_MAX`. Raises ValueError."""
    try:
        rate = Decimal(str(value))
    except InvalidOperation as error:
        raise ValueError(f"`{value}` is not a rate") from error
    if isinstance(value, bool) or not rate.is_finite() or not 0 < rate <= FX_USD_MAX:
        raise ValueError(f"`{value}` is not a rate: write what one unit is worth in dollars, up to {FX_USD_MAX:,}")
    if rate != rate.quantize(Decimal(1).scaleb(-FX_DECIMALS_MAX)):
        raise ValueError(f"`{value}` has more than {FX_DECIMALS_MAX} decimals")
    return rate


def usd_micros(value: str | int | float) -> int:
    """Dollars as written (`"400.01"`, 5, 0.5) to integer micro-dollars. Raises ValueError."""
    try:
        micros = Decimal(str(value)) * USD_MICROS_PER_USD
        if not micros.is_finite() or micros < 0 or micros >= 10**18:
            raise ValueError(f"`{value}` is not an amount of dollars")
        if micros % 1:
            raise ValueError(f"`{value}` has more than six decimals")
    except InvalidOperation as error:
        raise ValueError(f"`{value}` is not an amount of dollars") from error
    return int(micros)


def parse_config(
    document: object, *, origin: str, lines: Mapping[str, int] | None = None, services: Collection[str] = ()
) -> Config:
    """Build the configuration from a parsed document. `lines` maps a dotted path to its line in `origin`, `services`
    are those that `services/NAME.yaml` describe.

    Raises `ConfigError` naming file, line, path and what is wrong, all mistakes at once.
    """
    try:
        return Config.model_validate(document, context={"services": tuple(services)})
    except ValidationError as error:
        known = lines or {}
        mistakes = []
        for item in error.errors():
            path = ".".join(str(part) for part in item["loc"])
            line = next((known[p] for p in _prefixes(path) if p in known), 1)
            message = item["msg"].removeprefix("Value error, ")
            if item["type"] == "extra_forbidden":
                message = f"there is no such setting{_near(str(item['loc'][-1]))}"
            mistakes.append(f"{origin}:{line}: {path + ': ' if path else ''}{message}")
        raise ConfigError("\n".join(mistakes), hint="see docs/configuration.md for every setting") from error


def _known(name: str, what: str, builtin: Collection[str], info: ValidationInfo) -> str:
    """`name`, where it is built in or described. Raises ValueError with the one that may be meant."""
    own = info.context.get("services", ()) if isinstance(info.context, Mapping) else ()
    known = (*builtin, *DESCRIBED, *own)
    if name in known:
        return name
    close = get_close_matches(name, known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known: {', '.join(known)}, and services/NAME.yaml of your own"
    raise ValueError(f"`{name}` is not {what}; {hint}")


_CHANNELS = (AppriseChannelConfig, WebhookChannelConfig, SlackChannelConfig, SecretConfig)
_NOTIFY = (NotifyConfig, RouteConfig, QuietConfig, WeeklyConfig, *_CHANNELS)


def _near(word: str) -> str:
    parts = (Config, TeamConfig, PersonConfig, LimitConfig, AgentConfig, BudgetConfig, CredentialConfig, ServiceConfig)
    more = (PricesConfig, RetentionConfig, ApprovalsConfig, DeputyConfig, QuestionsConfig)
    console = (ConsoleConfig, ConsoleTlsConfig, OidcConfig, OidcSecretConfig, OidcGroupConfig, *_NOTIFY)
    names = sorted(
        {field.alias or name for part in (*parts, *more, *console) for name, field in part.model_fields.items()}
    )
    close = get_close_matches(word, names, n=1)
    return f"; did you mean `{close[0]}`?" if close else ""


def _prefixes(path: str) -> list[str]:
    parts = path.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
