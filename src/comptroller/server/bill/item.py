"""One line of a bill as all formats have it: AWS cost and usage reports, FOCUS. Whatever is no such line is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Literal

from comptroller.core.currency import DOLLAR, ExchangeRate
from comptroller.core.errors import UsageError
from comptroller.core.estimate import USD_MICROS_PER_USD

Kind = Literal["usage", "tax", "credit"]
TEXT_CHARACTERS_MAX = 2048
TAGS_CHARACTERS_MAX = 256 << 10
AMOUNT_DIGITS_MAX = 12
RUN_TAGS = (
    "comptroller:run",
    "user:comptroller:run",
    "user_comptroller:run",
    "user_comptroller_run",
    "comptroller_run",
)
"""Our tag as services write it in bills."""

_NAMES: Mapping[str, Sequence[str]] = {
    "cost": ("lineitem/unblendedcost", "line_item_unblended_cost", "billedcost"),
    "service": ("lineitem/productcode", "line_item_product_code", "servicename"),
    "account": ("lineitem/usageaccountid", "line_item_usage_account_id", "subaccountid"),
    "resource": ("lineitem/resourceid", "line_item_resource_id", "resourceid"),
    "start": ("lineitem/usagestartdate", "line_item_usage_start_date", "chargeperiodstart"),
    "end": ("lineitem/usageenddate", "line_item_usage_end_date", "chargeperiodend"),
    "type": ("lineitem/lineitemtype", "line_item_line_item_type", "chargecategory"),
    "currency": ("lineitem/currencycode", "line_item_currency_code", "billingcurrency"),
    "region": ("product/regioncode", "product_region_code", "product/region", "product_region", "regionid"),
    "run": (
        "resourcetags/user:comptroller:run",
        "resource_tags_user_comptroller_run",
        "resource_tags_user_comptroller:run",
    ),
    "tags": ("resource_tags", "tags"),
}
"""What a line tells -> the columns that may tell it, in any case: the first that is there counts."""
_NEEDED = ("cost", "service", "start", "end", "type", "currency")
_SHORT: Mapping[str, str] = {
    "amazonec2": "ec2",
    "awslambda": "lambda",
    "amazonbedrock": "bedrock",
    "bedrock-runtime": "bedrock",
    "awselb": "elasticloadbalancing",
    "elb": "elasticloadbalancing",
    "elbv2": "elasticloadbalancing",
    "amazonelasticache": "elasticache",
    "amazones": "opensearch",
    "amazoncloudwatch": "cloudwatch",
    "logs": "cloudwatch",
    "awsqueueservice": "sqs",
    "awsevents": "events",
    "awskms": "kms",
    "amazonstates": "stepfunctions",
    "amazon elastic compute cloud": "ec2",
    "amazon elastic compute cloud - compute": "ec2",
    "amazon simple storage service": "s3",
    "amazon relational database service": "rds",
    "amazon elastic kubernetes service": "eks",
    "elastic load balancing": "elasticloadbalancing",
    "aws lambda": "lambda",
    "amazon bedrock": "bedrock",
}
"""What a bill calls a service -> what we do, where taking `Amazon` or `AWS` off its beginning is not enough."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """One line. `micros` is what was billed in micro-dollars (negative: given back), `run` our tag or empty."""

    line: int
    service: str
    account: str
    region: str
    resource: str
    run: str
    kind: Kind
    micros: int
    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Layout:
    """Which column of a file tells what."""

    columns: Mapping[str, str]

    def item(self, line: int, row: Mapping[str, object], rates: Mapping[str, ExchangeRate]) -> Item:
        """One line. Raises `UsageError` that names it."""

        def told(name: str) -> object:
            column = self.columns.get(name)
            return row.get(column) if column is not None else None

        currency = _text(told("currency"), line).upper() or DOLLAR
        cost = _amount(told("cost"), line)
        if currency != DOLLAR:
            rate = rates.get(currency)
            if rate is None:
                raise UsageError(
                    f"line {line}: the bill is in `{currency[:10]}`, and nobody said what that is worth",
                    hint="write it under prices.fx in comptroller.yaml",
                )
            cost *= rate.usd
        start, end = _moment(told("start"), line), _moment(told("end"), line)
        if end < start:
            raise UsageError(f"line {line}: it ends before it begins")
        return Item(
            line=line,
            service=short_service(_text(told("service"), line)),
            account=_text(told("account"), line),
            region=_text(told("region"), line).lower(),
            resource=_text(told("resource"), line),
            run=_text(told("run"), line) or _run(told("tags"), line),
            kind=_kind(_text(told("type"), line), cost),
            micros=int((cost * USD_MICROS_PER_USD).to_integral_value()),
            start=start,
            end=end,
        )


def layout_of(names: Sequence[str], origin: str) -> Layout:
    """Where a file has what a comparison needs. Raises `UsageError` for a file that is no bill that is known."""
    lower: dict[str, str] = {}
    for name in names:
        if name.lower() in lower:
            raise UsageError(f"`{origin}` names the column `{name[:60]}` twice")
        lower[name.lower()] = name
    found = {
        what: lower[next(name for name in known if name in lower)]
        for what, known in _NAMES.items()
        if any(name in lower for name in known)
    }
    missing = [what for what in _NEEDED if what not in found]
    if missing:
        raise UsageError(
            f"`{origin}` is no bill that is known: nothing in it tells {', '.join(missing)}",
            hint="an AWS cost and usage report (1 or 2) or FOCUS 1.x, as CSV, CSV.gz or parquet",
        )
    return Layout(columns=found)


def short_service(name: str) -> str:
    """`AmazonEC2`, `aws:ec2`, `Amazon Elastic Compute Cloud` -> `ec2`; any other in lower case, without its maker."""
    lower = name.strip().lower().removeprefix("aws:")
    if lower in _SHORT:
        return _SHORT[lower]
    for maker in ("amazon ", "aws ", "amazon", "aws"):
        if lower.startswith(maker) and len(lower) > len(maker):
            return lower.removeprefix(maker)
    return lower


def _kind(name: str, cost: Decimal) -> Kind:
    if name.lower() == "tax":
        return "tax"
    return "credit" if cost < 0 or name.lower() in ("credit", "refund", "adjustment") else "usage"


def _run(tags: object, line: int) -> str:
    """Our tag out of a map, a list of pairs (parquet), or either as JSON text."""
    if isinstance(tags, str) and tags.strip():
        if len(tags) > TAGS_CHARACTERS_MAX:
            raise UsageError(f"line {line}: its tags are longer than {TAGS_CHARACTERS_MAX} characters")
        try:
            tags = json.loads(tags)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"line {line}: its tags are not JSON") from error
    pairs: Mapping[str, object] = {}
    if isinstance(tags, Mapping):
        pairs = {str(name): value for name, value in tags.items()}
    elif isinstance(tags, list | tuple):
        pairs = {str(pair[0]): pair[1] for pair in tags if isinstance(pair, list | tuple) and len(pair) == 2}
    found = next((pairs[name] for name in RUN_TAGS if isinstance(pairs.get(name), str)), "")
    return str(found)[:TEXT_CHARACTERS_MAX]


def _text(value: object, line: int) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else str(value)
    if len(text) > TEXT_CHARACTERS_MAX:
        raise UsageError(f"line {line}: a field is longer than {TEXT_CHARACTERS_MAX} characters")
    return text.strip()


def _amount(value: object, line: int) -> Decimal:
    text = str(value).strip() if value is not None else ""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or (amount and amount.adjusted() > AMOUNT_DIGITS_MAX):
        raise UsageError(f"line {line}: `{text[:40]}` is not an amount")
    return amount if amount.adjusted() > -30 else Decimal(0)


def _moment(value: object, line: int) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo is not None else value.replace(tzinfo=UTC)
    text = str(value).strip() if value is not None else ""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(f"line {line}: `{text[:40]}` is not a time") from error
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
