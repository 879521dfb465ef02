"""`comptroller report spend` on a log that the real engine wrote, in every form."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.csv
import pyarrow.parquet
import pytest
import yaml
from click.testing import CliRunner, Result
from tests.server.spend_kit import CONFIG, Installation, installation, ordinary

from comptroller.cli import main
from comptroller.server.place import Paths
from comptroller.server.spend.focus import COLUMNS, FOCUS
from comptroller.stores.sqlite import SqliteStore

FX = {"fx": {"EUR": {"usd": "1.25", "as_of": "2026-11-20"}}}
HOSTILE = "=cmd|' /C calc'!A0\u202e<script>alert(1)</script>\x1b[31m\r\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a configuration and no log yet."""
    project = tmp_path / "project"
    project.mkdir()
    (project / "comptroller.yaml").write_text(yaml.safe_dump({**CONFIG, "prices": FX}))
    monkeypatch.chdir(project)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("COMPTROLLER_CONFIG", raising=False)
    Paths.of(project / "comptroller.yaml").folder.mkdir(parents=True)
    return project


def fill(folder: Path, *, days: int = 5, hostile: bool = False) -> None:
    async def filled() -> None:
        store = await SqliteStore.open(Paths.of(folder / "comptroller.yaml").store)
        made = await installation(store)
        await ordinary(made, days)
        if hostile:
            await _hostile(made)
        await store.close()

    asyncio.run(filled())


async def _hostile(made: Installation) -> None:
    await made.act("shop", HOSTILE, operation=HOSTILE, region=HOSTILE, account=HOSTILE)
    await made.settle(-1, 0.5)


def spend(*arguments: str, exit_code: int = 0) -> Result:
    done = CliRunner().invoke(main, ["report", "spend", *arguments])
    assert done.exit_code == exit_code, done.output
    return done


def as_json(*arguments: str) -> Mapping[str, Any]:
    found = json.loads(spend("--json", *arguments).stdout)
    assert isinstance(found, dict)
    return found


def test_the_table_fits_and_adds_up(folder: Path) -> None:
    fill(folder)
    lines = spend("--by", "team,agent").stdout.splitlines()
    assert lines[0].split() == [
        *("team", "agent", "settled", "held", "unconfirmed", "tokens", "energy", "carbon", "calls"),
    ]
    assert [line.split()[0] for line in lines[1:5]] != [] and lines[4].startswith("total")
    assert all(len(line) <= 100 for line in lines)
    assert "held: not settled yet" in lines[-1]
    found = as_json("--by", "team,agent")
    settled = found["total"]["units"]["usd_micros"]["settled"]
    assert settled == sum(row["units"]["usd_micros"]["settled"] for row in found["rows"]) > 0
    assert f"${settled / 1e6:.2f}" in lines[4]


def test_json_says_what_it_is_about(folder: Path) -> None:
    fill(folder)
    found = as_json(
        "--by", "day", "--since", "2026-11-28", "--until", "2026-12-01T00:00:00+01:00", "--scope", "acme/ml"
    )
    assert found["by"] == ["day"] and found["scope"] == "acme/ml"
    assert found["since"] == "2026-11-28T00:00:00+00:00" and found["until"] == "2026-12-01T00:00:00+01:00"
    assert [row["group"]["day"] for row in found["rows"]] == ["2026-11-28", "2026-11-29", "2026-11-30"]
    assert found["currency"] == "USD" and found["exchange_rate"] is None


def test_another_currency_by_its_rate(folder: Path) -> None:
    fill(folder)
    dollars, euros = as_json("--by", "team"), as_json("--by", "team", "--currency", "eur")
    assert euros["exchange_rate"] == {"usd": "1.25", "as_of": "2026-11-20"}
    for one, other in zip(dollars["rows"], euros["rows"], strict=True):
        assert one["units"] == other["units"], "the units of account stay what they are"
        assert Decimal(one["money"]["settled"]) == Decimal(other["money"]["settled"]) * Decimal("1.25")
    said = spend("--currency", "EUR").stdout
    assert "EUR" in said and "1 EUR = 1.25 USD of 2026-11-20" in said
    assert "$" not in said


def test_a_currency_without_a_rate_is_refused(folder: Path) -> None:
    fill(folder, days=1)
    said = spend("--currency", "CHF", exit_code=2).stderr
    assert "`CHF`" in said and "prices.fx" in said


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--by", "planet"], "spend cannot be grouped by `planet`"),
        (["--by", "team,team"], "named twice"),
        (["--since", "yesterday"], "neither a day nor a moment"),
        (["--since", "2026-13-01"], "neither a day nor a moment"),
        (["--since", "2026-12-01", "--until", "2026-11-01"], "not before"),
        (["--json", "--format", "csv"], "two forms"),
        (["--output", "no/such/folder/x.csv", "--format", "csv"], "No such file"),
    ],
)
def test_mistakes_are_answered(folder: Path, arguments: list[str], says: str) -> None:
    fill(folder, days=1)
    assert says in spend(*arguments, exit_code=2).stderr


def test_without_a_log(folder: Path) -> None:
    done = CliRunner().invoke(main, ["report", "spend"])
    assert done.exit_code in (1, 2) and "next: " in done.stderr, done.output


def test_an_empty_log(folder: Path) -> None:
    asyncio.run(_empty(folder))
    assert spend().stdout.splitlines()[-1].split() == ["total", "$0.00", "0"]
    assert as_json()["rows"] == []
    assert len(spend("--format", "csv").stdout.splitlines()) == 1
    spend("--format", "parquet", "--output", "empty.parquet")
    assert pyarrow.parquet.read_table("empty.parquet").num_rows == 0


async def _empty(folder: Path) -> None:
    store = await SqliteStore.open(Paths.of(folder / "comptroller.yaml").store)
    await store.close()


# ---------------------------------------------------------------- files


def test_csv_and_parquet_hold_the_same_and_add_up(folder: Path) -> None:
    fill(folder)
    spend("--by", "team,service,day", "--format", "csv", "--output", "spend.csv")
    spend("--by", "team,service,day", "--format", "parquet", "-o", "spend.parquet")
    names = [column.name for column in COLUMNS]
    read = pyarrow.csv.read_csv("spend.csv", convert_options=pyarrow.csv.ConvertOptions(strings_can_be_null=True))
    table = pyarrow.parquet.read_table("spend.parquet")
    assert read.column_names == table.column_names == names
    assert read.num_rows == table.num_rows > 0
    whole = as_json("--by", "team,service,day")["total"]
    with Path("spend.csv").open(newline="") as lines:
        rows = list(csv.DictReader(lines))
    for row, other in zip(rows, table.to_pylist(), strict=True):
        assert Decimal(row["BilledCost"]) == other["BilledCost"]
        assert json.loads(row["Tags"]) == dict(other["Tags"]) == {"comptroller/team": row["x_Team"]}
        assert other["ChargePeriodStart"].isoformat().replace("+00:00", "Z") == row["ChargePeriodStart"]
        assert (row["RegionId"] or None) == other["RegionId"]
    for standing, column in (("settled", "BilledCost"), ("held", "x_HeldCost"), ("unconfirmed", "x_UnconfirmedCost")):
        assert sum(Decimal(row[column]) for row in rows) == Decimal(whole["money"][standing])
    for unit, column in (("tokens", "Tokens"), ("milliwatt_hours", "MilliwattHours"), ("calls", "Calls")):
        for standing, before in (("settled", ""), ("held", "Held"), ("unconfirmed", "Unconfirmed")):
            counted = sum(row[f"x_{before}{column}"] for row in table.to_pylist())
            assert counted == whole["units"][unit][standing]


def test_a_charge_lies_in_one_billing_period(folder: Path) -> None:
    fill(folder)
    for by in ("", "team", "week,agent", "agent,month", "day"):
        rows = list(csv.DictReader(io.StringIO(spend("--by", by, "--format", "csv").stdout)))
        for row in rows:
            assert row["BillingPeriodStart"] <= row["ChargePeriodStart"] < row["ChargePeriodEnd"]
            assert row["ChargePeriodEnd"] <= row["BillingPeriodEnd"]
        assert {row["BillingPeriodStart"] for row in rows} == {"2026-11-01T00:00:00Z", "2026-12-01T00:00:00Z"}
        whole = as_json("--by", by)["total"]["money"]["settled"]
        assert sum(Decimal(row["BilledCost"]) for row in rows) == Decimal(whole)


def test_names_of_providers_and_groups(folder: Path) -> None:
    fill(folder)
    rows = list(csv.DictReader(io.StringIO(spend("--by", "service,region,account", "--format", "csv").stdout)))
    assert {(row["ProviderName"], row["ServiceProviderName"], row["ServiceName"]) for row in rows} == {
        ("AWS", "AWS", "aws:ec2"),
        ("OpenAI", "OpenAI", "openai"),
        ("Anthropic", "Anthropic", "anthropic"),
        ("Stripe", "Stripe", "stripe"),
    }
    assert {row["RegionId"] for row in rows if row["ServiceName"] == "aws:ec2"} == {"us-east-1", "eu-west-1"}
    assert {row["BillingAccountId"] for row in rows} == {"acme"}


def test_every_column_that_is_ours_says_so() -> None:
    names = [column.name for column in COLUMNS]
    assert len(set(names)) == len(names)
    assert all(name.startswith("x_") for name in names if name not in {column.name for column in FOCUS})


def test_hostile_names_are_harmless_everywhere(folder: Path) -> None:
    fill(folder, hostile=True)
    by = "service,operation,region,account,day"
    table = spend("--by", by).stdout
    text = spend("--by", by, "--format", "csv").stdout
    spend("--by", by, "--format", "parquet", "-o", "spend.parquet")
    written = json.dumps(pyarrow.parquet.read_table("spend.parquet").to_pylist(), default=str, ensure_ascii=False)
    for said in (table, text, written, spend("--json", "--by", by).stdout):
        assert not any(bad in said for bad in ("\u202e", "\x1b"))
    assert "<U+202E>" in table and "<U+001B>" in text and "<U+202E>" in written
    rows = list(csv.DictReader(io.StringIO(text)))
    assert all(cell[:1] not in tuple("=+-@") for row in rows for cell in row.values())
    assert any(row["x_Service"].startswith("'=cmd") for row in rows)


def test_a_file_that_was_there_stays_where_a_report_cannot_be_made(folder: Path) -> None:
    fill(folder, days=1)
    Path("spend.csv").write_text("before")
    Paths.of(folder / "comptroller.yaml").store.write_bytes(b"not a store" * 1000)
    assert CliRunner().invoke(main, ["report", "spend", "--format", "csv", "-o", "spend.csv"]).exit_code != 0
    assert Path("spend.csv").read_text() == "before"


def test_parquet_says_what_to_install(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(folder, days=1)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    said = spend("--format", "parquet", "-o", "x.parquet", exit_code=2).stderr
    assert "comptroller[reports]" in said and not Path("x.parquet").exists()
    assert spend("--format", "csv").stdout, "nothing else needs it"
