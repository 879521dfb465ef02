"""Bills: every format to the same lines, every fault by its line, and what they prove of what is unconfirmed."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.fuzz_kit import fuzz

from comptroller.core.currency import ExchangeRate
from comptroller.core.errors import UsageError
from comptroller.server.bill.compare import Compared, Known, compare
from comptroller.server.bill.item import Item, short_service
from comptroller.server.bill.read import read_bill

EUR = {"EUR": ExchangeRate(currency="EUR", usd=Decimal("1.10"), as_of=date(2026, 11, 1))}
RUN = "01a209ea-4d08-7b2c-a451-7cedf2ca2179"
START = datetime(2026, 11, 1, tzinfo=UTC)
CUR1 = {
    "lineItem/UsageAccountId": "123456789012",
    "lineItem/LineItemType": "Usage",
    "lineItem/UsageStartDate": "2026-11-03T10:00:00Z",
    "lineItem/UsageEndDate": "2026-11-03T11:00:00Z",
    "lineItem/ProductCode": "AmazonEC2",
    "lineItem/Operation": "RunInstances",
    "lineItem/ResourceId": "i-0abc",
    "lineItem/CurrencyCode": "USD",
    "lineItem/UnblendedCost": "1.2500000000",
    "product/regionCode": "us-east-1",
    "resourceTags/user:comptroller:run": RUN,
}
CUR2 = {
    "line_item_usage_account_id": "123456789012",
    "line_item_line_item_type": "Usage",
    "line_item_usage_start_date": "2026-11-03 10:00:00.000",
    "line_item_usage_end_date": "2026-11-03 11:00:00.000",
    "line_item_product_code": "AmazonEC2",
    "line_item_resource_id": "i-0abc",
    "line_item_currency_code": "USD",
    "line_item_unblended_cost": "1.25",
    "product_region_code": "us-east-1",
    "resource_tags": json.dumps({"user_comptroller:run": RUN, "user_name": "x"}),
}
FOCUS = {
    "BilledCost": "1.25",
    "BillingCurrency": "USD",
    "ChargeCategory": "Usage",
    "ChargePeriodStart": "2026-11-03T10:00:00Z",
    "ChargePeriodEnd": "2026-11-03T11:00:00Z",
    "ServiceName": "Amazon Elastic Compute Cloud",
    "SubAccountId": "123456789012",
    "RegionId": "us-east-1",
    "ResourceId": "arn:aws:ec2:us-east-1:123456789012:instance/i-0abc",
    "Tags": json.dumps({"comptroller:run": RUN}),
}


def written(rows: Sequence[Mapping[str, str]]) -> bytes:
    text = io.StringIO()
    sheet = csv.DictWriter(text, fieldnames=list(rows[0]))
    sheet.writeheader()
    sheet.writerows(rows)
    return text.getvalue().encode()


def items(tmp_path: Path, data: bytes, name: str = "bill.csv") -> list[Item]:
    path = tmp_path / name
    path.write_bytes(data)
    return list(read_bill(path, EUR))


def parquet(tmp_path: Path, row: Mapping[str, object], types: Mapping[str, pyarrow.DataType]) -> list[Item]:
    path = tmp_path / "bill.parquet"
    fields = [pyarrow.field(name, types.get(name, pyarrow.string())) for name in row]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([dict(row)], schema=pyarrow.schema(fields)), path)
    return list(read_bill(path, EUR))


def test_every_format_gives_the_same_line(tmp_path: Path) -> None:
    moment = datetime(2026, 11, 3, 10, tzinfo=UTC)
    typed = {
        "BilledCost": pyarrow.decimal128(30, 15),
        "ChargePeriodStart": pyarrow.timestamp("ns", tz="UTC"),
        "ChargePeriodEnd": pyarrow.timestamp("ns", tz="UTC"),
        "Tags": pyarrow.map_(pyarrow.string(), pyarrow.string()),
    }
    row = {**FOCUS, "BilledCost": Decimal("1.25"), "Tags": {"comptroller:run": RUN}}
    row |= {"ChargePeriodStart": moment, "ChargePeriodEnd": moment + timedelta(hours=1)}
    row["Tags"] = [("comptroller:run", RUN)]
    found = [
        items(tmp_path, written([CUR1])),
        items(tmp_path, b"\xef\xbb\xbf" + written([CUR1])),
        items(tmp_path, gzip.compress(written([CUR2])), "bill.csv.gz"),
        items(tmp_path, written([FOCUS])),
        parquet(tmp_path, row, typed),
        parquet(tmp_path, {**CUR2, "line_item_unblended_cost": 1.25}, {"line_item_unblended_cost": pyarrow.float64()}),
    ]
    for (item,) in found:
        assert (item.service, item.account, item.region, item.run) == ("ec2", "123456789012", "us-east-1", RUN)
        assert (item.micros, item.start, item.end) == (1_250_000, moment, moment + timedelta(hours=1))
        assert item.resource.endswith("i-0abc") and item.kind == "usage"


def test_credits_taxes_and_other_currencies(tmp_path: Path) -> None:
    rows = [
        {**CUR1, "lineItem/LineItemType": "Credit", "lineItem/UnblendedCost": "-0.5"},
        {**CUR1, "lineItem/LineItemType": "Tax", "lineItem/UnblendedCost": "0.2"},
        {**CUR1, "lineItem/CurrencyCode": "eur", "lineItem/UnblendedCost": "1E-1"},
    ]
    found = items(tmp_path, written(rows))
    assert [(item.kind, item.micros) for item in found] == [("credit", -500_000), ("tax", 200_000), ("usage", 110_000)]


BROKEN: Mapping[str, tuple[bytes, str]] = {
    "not an amount": (written([CUR1, {**CUR1, "lineItem/UnblendedCost": "=1+1"}]), "line 3: `=1\\+1` is not an amount"),
    "not a number": (written([{**CUR1, "lineItem/UnblendedCost": "NaN"}]), "line 2: `NaN`"),
    "too much": (written([{**CUR1, "lineItem/UnblendedCost": "1e999999"}]), "line 2"),
    "not a time": (written([{**CUR1, "lineItem/UsageStartDate": "yesterday"}]), "line 2: `yesterday` is not a time"),
    "backwards": (written([{**CUR1, "lineItem/UsageEndDate": "2020-01-01T00:00:00Z"}]), "line 2: it ends before"),
    "a currency nobody knows": (written([{**CUR1, "lineItem/CurrencyCode": "XTS"}]), "line 2: the bill is in `XTS`"),
    "a huge field": (written([{**CUR1, "lineItem/ResourceId": "x" * (2 << 20)}]), "line 2"),
    "a long field": (written([{**CUR1, "lineItem/ResourceId": "x" * 3000}]), "line 2: a field is longer"),
    "bad encoding": (written([CUR1]) + b"\xff\xfe\x00", "line 3"),
    "a zero byte": (written([CUR1]) + b"a\0b\n", "line 3"),
    "too few fields": (written([CUR1]) + b"1,2,3\n", "line 3: 3 fields"),
    "an open quote": (written([CUR1]) + b'"never closed\n', "line"),
    "tags that are none": (written([{**CUR2, "resource_tags": "{"}]), "line 2: its tags are not JSON"),
    "no bill": (b"a,b\n1,2\n", "is no bill that is known"),
    "nothing": (b"", "is no bill that is known"),
    "a column twice": (b"BilledCost,billedcost\n", "twice"),
    "cut gzip": (gzip.compress(written([CUR1] * 500))[:-30], "line"),
    "no gzip": (b"\x1f\x8bxxxx", "line 1"),
    "no parquet": (b"PAR1" + b"x" * 50, "row 1"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_every_fault_is_named_by_its_line(tmp_path: Path, name: str) -> None:
    data, said = BROKEN[name]
    with pytest.raises(UsageError, match=said):
        items(tmp_path, data)


@fuzz(150)
@given(st.binary(max_size=400), st.integers(0, 400), st.booleans())
def test_no_bytes_crash_the_reader(
    tmp_path_factory: pytest.TempPathFactory, more: bytes, at: int, packed: bool
) -> None:
    data = written([CUR1, CUR1])
    data = data[:at] + more + data[at:]
    with contextlib.suppress(UsageError):
        items(tmp_path_factory.mktemp("fuzz"), gzip.compress(data) if packed else data)


def test_services_by_every_name() -> None:
    for ours, theirs in (
        ("aws:ec2", "AmazonEC2"),
        ("aws:s3", "AmazonS3"),
        ("aws:lambda", "AWSLambda"),
        ("aws:bedrock-runtime", "AmazonBedrock"),
        ("aws:sagemaker", "AmazonSageMaker"),
        ("aws:elbv2", "AWSELB"),
        ("aws:eks", "AmazonEKS"),
        ("openai", "OpenAI"),
    ):
        assert short_service(ours) == short_service(theirs), (ours, theirs)


# ---------------------------------------------------------------- beside the log


def known(name: str, **changes: object) -> Known:
    given = {
        "run": RUN,
        "service": "aws:ec2",
        "account": "123456789012",
        "region": "us-east-1",
        "at": START + timedelta(days=2, hours=10),
        "reserved": 2_000_000,
    }
    return Known(id=name, **{**given, **changes})  # type: ignore[arg-type]


def billed(dollars: str, **changes: object) -> Item:
    given = {
        "line": 2,
        "service": "ec2",
        "account": "123456789012",
        "region": "us-east-1",
        "resource": "i-0new",
        "run": RUN,
        "kind": "usage",
        "micros": int(Decimal(dollars) * 1_000_000),
        "start": START,
        "end": START + timedelta(days=10),
    }
    return Item(**{**given, **changes})  # type: ignore[arg-type]


def proofs(found: Compared) -> dict[str, int]:
    return {proof.reservation: proof.micros for proof in found.proofs}


def test_what_the_bill_proves_of_what_is_unconfirmed() -> None:
    lost = known("lost", standing="unconfirmed")
    mine = known("mine", standing="settled", settled=3_000_000, made=("i-0mine",))
    lines = [billed("1.5"), billed("2.5", resource="arn:aws:ec2:us-east-1:1:instance/i-0mine")]
    found = compare([lost, mine], lines)
    assert proofs(found) == {"lost": 1_500_000}
    (line,) = found.lines
    assert (line.estimated, line.settled, line.unconfirmed, line.billed) == (4_000_000, 3_000_000, 2_000_000, 4_000_000)
    assert line.difference == 1_000_000 and not found.strays and not found.unbilled


def test_two_lost_calls_share_what_was_billed_and_lose_nothing() -> None:
    lost = [known("a", standing="unconfirmed", reserved=1), known("b", standing="unconfirmed", reserved=2)]
    found = compare(lost, [billed("0.000010")])
    assert sum(proofs(found).values()) == 10 and proofs(found)["b"] > proofs(found)["a"]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"at": START + timedelta(days=9, hours=1)}, {}),
        ({"at": START + timedelta(days=11)}, {}),
        ({"at": START - timedelta(days=1)}, {}),
        ({}, {"run": ""}),
        ({}, {"run": "another"}),
        ({}, {"service": "s3"}),
        ({}, {"kind": "credit", "micros": -5}),
        ({}, {"micros": 0}),
    ],
    ids=["young", "after", "before", "untagged", "another run", "another service", "credit", "nothing"],
)
def test_silence_and_what_is_young_prove_nothing(changes: Mapping[str, object], line: Mapping[str, object]) -> None:
    found = compare([known("lost", standing="unconfirmed", **changes)], [billed("1", **line)])
    assert not found.proofs


def test_nothing_is_proven_while_a_call_of_the_run_is_on_its_way() -> None:
    found = compare([known("lost", standing="unconfirmed"), known("flying")], [billed("1")])
    assert not found.proofs


def test_drift_both_ways() -> None:
    mine = known("mine", standing="settled", settled=7, service="aws:rds", made=("db-1",))
    found = compare(
        [mine], [billed("9", resource="i-stranger", run=""), billed("1", resource="", run="", service="s3")]
    )
    assert [(s.service, s.resource, s.micros) for s in found.strays] == [
        ("ec2", "i-stranger", 9_000_000),
        ("s3", "", 1_000_000),
    ]
    assert [each.id for each in found.unbilled] == ["mine"]


standings = st.sampled_from(["settled", "held", "unconfirmed"])
reservations = st.lists(
    st.tuples(standings, st.integers(0, 10**9), st.sampled_from(["r1", "r2"]), st.sampled_from(["aws:ec2", "aws:s3"])),
    max_size=8,
)
charges = st.lists(
    st.tuples(
        st.integers(-(10**6), 10**9),
        st.sampled_from(["r1", "r2", ""]),
        st.sampled_from(["ec2", "s3"]),
        st.sampled_from(["", "i-1", "i-2"]),
    ),
    max_size=12,
)


@fuzz(150)
@given(reservations, charges)
def test_no_line_is_counted_twice_and_only_what_is_unconfirmed_is_settled(
    ours: list[tuple[str, int, str, str]], theirs: list[tuple[int, str, str, str]]
) -> None:
    known_ = [
        known(str(n), standing=standing, reserved=amount, settled=amount, run=run, service=service, made=(f"i-{n}",))
        for n, (standing, amount, run, service) in enumerate(ours)
    ]
    lines = [
        billed(
            "0", micros=micros, run=run, service=service, resource=resource, kind="credit" if micros < 0 else "usage"
        )
        for micros, run, service, resource in theirs
    ]
    found = compare(known_, lines)
    usage = sum(item.micros for item in lines if item.kind == "usage")
    assert sum(line.billed for line in found.lines) == usage
    assert sum(line.unknown for line in found.lines) == sum(stray.micros for stray in found.strays)
    assert sum(proof.micros for proof in found.proofs) + sum(line.unknown for line in found.lines) <= usage
    assert all(proof.micros >= 0 for proof in found.proofs)
    unconfirmed = {each.id for each in known_ if each.standing == "unconfirmed"}
    assert {proof.reservation for proof in found.proofs} <= unconfirmed
    assert len({proof.reservation for proof in found.proofs}) == len(found.proofs)
