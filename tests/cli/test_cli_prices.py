"""`comptroller prices`: shown, refreshed from files and from servers that speak as the real ones do, confirmed."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner, Result

from comptroller.cli import main
from comptroller.cli.price_lists import Fetcher, rows_of_files
from comptroller.compose import open_installation
from comptroller.core.distrust import Distrust
from comptroller.core.errors import ConfigError, RefusedError
from comptroller.ports import Changes, Wants
from comptroller.price.listing import merged
from comptroller.server.place import Paths
from comptroller.stores.sqlite import SqliteStore
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer

SAMPLES = Path(__file__).parent.parent / "price" / "samples"
TODAY = date(2026, 11, 23)
KEY = "aws:ec2:RunInstances/us-east-1/p4d.24xlarge"


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An installation in a folder with a short path."""
    base = Path(tempfile.mkdtemp(prefix="cp-"))
    monkeypatch.setenv("XDG_STATE_HOME", str(base / "s"))
    monkeypatch.delenv("COMPTROLLER_CONFIG", raising=False)
    folder = base / "shop"
    folder.mkdir()
    monkeypatch.chdir(folder)
    assert call("init").exit_code == 0
    yield folder
    shutil.rmtree(base)


def call(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="comptroller")


def shown(*arguments: str) -> dict[str, dict[str, object]]:
    done = call("prices", "show", *arguments, "--json")
    assert done.exit_code == 0, done.output
    return {f"{row['region']} {row['sku']}": row for row in json.loads(done.stdout)["prices"]}


def prices_of(home: Path) -> Path:
    return Paths.of(home / "comptroller.yaml").prices


def test_prices_are_shown_with_source_and_age(home: Path) -> None:
    rows = shown("p4d")
    row = rows["us-east-1 p4d.24xlarge"]
    assert row["low"] == row["high"] == 21.957642 and row["as_of"] == "2026-09-06"
    assert row["age_days"] == (datetime.now(UTC).date() - date(2026, 9, 6)).days
    text = call("prices", "show", "ebs:*").stdout
    assert "ebs:gp3" in text and "days old" in text and "$0.08 / GB-month" in text
    elsewhere = shown("m5.large", "--provider", "aws", "--region", "eu-west-1")["eu-west-1 m5.large"]
    assert elsewhere["low"] < 0.107 < elsewhere["high"]  # type: ignore[operator]
    scaled = shown("c7gn.16xlarge")["us-east-1 c7gn.16xlarge"]
    assert "scaled" in str(scaled["basis"])
    assert "people are asked" in call("prices", "show", "no-such-thing").stdout


def test_models_have_prices_too_and_letter_case_does_not_double_a_row(home: Path) -> None:
    rows = shown("gpt-4o")
    assert rows["* gpt-4o:input"]["per"] == "million tokens"
    assert 0 < float(str(rows["* gpt-4o:input"]["low"])) <= float(str(rows["* gpt-4o:input"]["high"]))
    assert list(shown("M5.LARGE")) == ["us-east-1 m5.large"]
    assert not shown("gpt-4o", "--region", "no-such-region")
    assert "every price is trusted" in call("prices", "show", "--distrusted").stdout


def test_a_list_by_hand_is_compared_with_what_was_in_force(home: Path) -> None:
    own = home / "own.csv"
    own.write_text("provider,region,sku,usd,per,as_of,source\naws,us-east-1,p4d.24xlarge,20,hour,2026-11-01,offer\n")
    told = call("prices", "refresh", "--from", "own.csv").stdout
    assert "1 price read: 0 new, 0 dearer, 1 cheaper" in told and "$21.957642 -> $20" in told
    own.write_text(own.read_text().replace(",20,", ",-20,"))
    wrong = call("prices", "refresh", "--from", "own.csv")
    assert "`own.csv`: line 2 is no price" in wrong.stderr and "provider,region,sku" in wrong.stderr


def test_a_refresh_from_files_lies_over_the_shipped_prices(home: Path) -> None:
    for given in (SAMPLES, SAMPLES / "aws_ec2.csv"):
        done = call("prices", "refresh", "--from", str(given))
        assert done.exit_code == 0, done.output
    path = prices_of(home)
    assert path.stat().st_mode & 0o777 == 0o600
    row = shown("m5.large", "--region", "eu-west-1", "--provider", "aws")["eu-west-1 m5.large"]
    assert row["low"] == row["high"] == 0.107 and "AWS price list" in str(row["basis"])
    again = call("prices", "refresh", "--from", str(path), "--json")
    assert json.loads(again.stdout)["dearer"] == json.loads(again.stdout)["new"] == 0


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ((), "say where from"),
        (("--from", "comptroller.yaml"), "no price list"),
        (("--from", "policies"), "no price list"),
        (("--from", "odd.json"), "no page"),
        (("--from", "broken.json"), "cannot be read"),
        (("--from", "empty.json"), "no price that can be used"),
        (("--provider", "gcp"), "needs a key"),
    ],
)
def test_what_is_no_list_is_refused_and_changes_nothing(home: Path, arguments: tuple[str, ...], text: str) -> None:
    (home / "odd.json").write_text('{"x": 1}')
    (home / "broken.json").write_text("{")
    (home / "empty.json").write_text('{"Items": []}')
    done = call("prices", "refresh", *arguments)
    assert done.exit_code != 0 and text in done.stderr, done.output
    assert not prices_of(home).exists()


def answer(request: HttpRequest) -> HttpAnswer:
    """The three services as they answer, on one server."""
    path = request.path
    if path.endswith("/region_index.json"):
        offer = path.split("/")[4]
        listed = {"eu-west-1": {"currentVersionUrl": f"/offers/v1.0/aws/{offer}/20261120/eu-west-1/index.json"}}
        return _json({"regions": listed if offer == "AmazonEC2" else {}})
    if path == "/offers/v1.0/aws/AmazonEC2/20261120/eu-west-1/index.csv":
        return HttpAnswer(status=200, body=(SAMPLES / "aws_ec2.csv").read_bytes())
    if path == "/api/retail/prices":
        page = json.loads((SAMPLES / "azure.json").read_text())
        first, second = dict(page), dict(page)
        first["Items"], second["Items"] = page["Items"][:4], page["Items"][4:]
        if request.query.get("skip") == "4":
            return _json(second)
        host = request.headers["host"]
        where = "http://elsewhere.example/" if "elsewhere" in request.query["$filter"] else f"http://{host}"
        return _json({**first, "NextPageLink": f"{where}/api/retail/prices?skip=4"})
    if path.startswith("/v1/services/"):
        if request.headers.get("x-goog-api-key") != "secret-key":
            return HttpAnswer(status=403, body=b"{}")
        return HttpAnswer(status=200, body=(SAMPLES / "gcp.json").read_bytes())
    return HttpAnswer(status=404, body=b"")


def _json(value: object) -> HttpAnswer:
    return HttpAnswer(status=200, body=json.dumps(value).encode())


@pytest.fixture
def fetcher() -> Iterator[Fetcher]:
    with HttpServer(answer) as server, httpx.Client() as client:
        yield Fetcher(
            client=client,
            today=TODAY,
            say=lambda text: None,
            aws_base=server.url,
            azure_base=server.url,
            gcp_base=server.url,
            gcp_key="secret-key",
        )


def test_lists_are_fetched_as_the_services_publish_them(fetcher: Fetcher) -> None:
    assert len(merged(fetcher.aws(["eu-west-1", "mars-1"]))) == 4
    assert len(merged(fetcher.azure(["westeurope"]))) == 2
    assert len(merged(fetcher.gcp())) == 4
    assert "secret-key" not in repr(fetcher)


def test_a_page_that_goes_on_elsewhere_is_not_followed(fetcher: Fetcher) -> None:
    with pytest.raises(RefusedError, match="another host"):
        merged(fetcher.azure(["elsewhere"]))


def test_a_refusal_names_the_host_and_no_key(fetcher: Fetcher) -> None:
    wrong = Fetcher(client=fetcher.client, today=TODAY, say=fetcher.say, gcp_base=fetcher.gcp_base, gcp_key="wrong-key")
    with pytest.raises(RefusedError, match="status 403") as caught:
        merged(wrong.gcp())
    assert "wrong-key" not in str(caught.value)
    with pytest.raises(RefusedError, match="cannot be read"):
        merged(Fetcher(client=fetcher.client, today=TODAY, say=fetcher.say, aws_base="http://127.0.0.1:1").aws(["x"]))


def test_a_folder_of_lists_is_read_whole() -> None:
    assert {key[0] for key in merged(rows_of_files(SAMPLES, today=TODAY))} == {"aws", "azure", "gcp"}
    with pytest.raises(ConfigError):
        merged(rows_of_files(Path(__file__).parent / "nowhere.csv", today=TODAY))


async def test_a_running_installation_takes_over_a_newer_list_and_refuses_a_damaged_one(home: Path) -> None:
    config = home / "comptroller.yaml"
    installation = await open_installation(config)
    try:
        await installation.begin()
        assert not await installation.reload_prices()
        assert call("prices", "refresh", "--from", str(SAMPLES)).exit_code == 0
        assert await installation.reload_prices() and not await installation.reload_prices()
        found = installation.engine.pricer.book.machine("aws", "eu-west-1", "m5.large")
        assert found is not None and found.high == 107_000
        entries = [entry.document for entry in await installation.store.entries(limit=1000)]
        (changed,) = [entry["body"] for entry in entries if entry["kind"] == "price.changed"]
        assert isinstance(changed, dict) and changed["new"] == changed["rows"] and len(changed["prices"]) == 64
        prices_of(home).write_text("nonsense")
        with pytest.raises(ConfigError):
            await installation.reload_prices()
        assert not await installation.reload_prices()
        assert installation.engine.pricer.book.machine("aws", "eu-west-1", "m5.large") == found
    finally:
        await installation.close()
    with pytest.raises(ConfigError):
        await open_installation(config)


async def test_a_distrusted_price_is_shown_and_survives_a_restart(home: Path) -> None:
    config = home / "comptroller.yaml"
    item = Distrust(key=KEY, trusted=False, reason="it cost more", by="comptroller", at=datetime.now(UTC))
    installation = await open_installation(config)
    try:
        await installation.store.commit(
            Wants(now=installation.clock.now()), lambda facts: (Changes(distrusts=(item,)), None)
        )
        await installation.begin()
        assert KEY in installation.engine.pricer.book.distrusted
        assert shown("p4d.24xlarge", "--provider", "aws")["us-east-1 p4d.24xlarge"]["trust"] == "DISTRUSTED"
        text = call("prices", "show", "--distrusted").stdout
        assert KEY in text and "DISTRUSTED" in text
        await installation.desk.trust.confirm(KEY, by="ann")
        assert KEY not in installation.engine.pricer.book.distrusted
        assert shown("p4d.24xlarge", "--provider", "aws")["us-east-1 p4d.24xlarge"]["trust"] == "confirmed"
    finally:
        await installation.close()


def test_a_damaged_list_is_made_anew(home: Path) -> None:
    assert call("prices", "refresh", "--from", str(SAMPLES)).exit_code == 0
    prices_of(home).write_text("nonsense")
    assert call("prices", "show").exit_code != 0
    done = call("prices", "refresh", "--from", str(SAMPLES))
    assert done.exit_code == 0 and "made anew" in done.stderr
    assert shown("p4d")


def test_a_person_confirms_through_the_server(home: Path) -> None:
    async def distrust() -> None:
        store = await SqliteStore.open(Paths.of(home / "comptroller.yaml").store)
        item = Distrust(key=KEY, trusted=False, reason="it cost more", by="comptroller", at=datetime.now(UTC))
        await store.commit(Wants(now=item.at), lambda facts: (Changes(distrusts=(item,)), None))
        await store.close()

    asyncio.run(distrust())
    server = subprocess.Popen(
        [sys.executable, "-m", "comptroller", "serve"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    try:
        assert server.stdout is not None and any(line == "ready\n" for line in server.stdout)
        done = call("prices", "confirm", KEY, "--comment", "looked it up", "--json")
        assert done.exit_code == 0, done.output
        assert json.loads(done.stdout)["trusted"] is True
        again = call("prices", "confirm", KEY)
        assert again.exit_code == 1 and "not distrusted" in again.stderr
        assert "confirmed by" in call("prices", "show", "--distrusted").stdout
    finally:
        server.terminate()
        server.communicate(timeout=60)


def test_confirming_needs_the_server(home: Path) -> None:
    done = call("prices", "confirm", KEY)
    assert done.exit_code != 0 and "is not running" in done.stderr
