"""`comptroller policy`: exit codes, places of mistakes, and explanations, over real files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from comptroller.cli.policy import policy
from comptroller.compose import starter_policies
from comptroller.core.errors import ConfigError, UsageError

CONFIG = """
version: 1
organization: acme
teams: {ml: {}}
people: {ann: {groups: [approvers]}}
agents:
  research:
    team: ml
    owner: ann
    purpose: train a model
    services: [aws:ec2]
    hosts: [docs.example.com]
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An installation with the starter pack; the working directory is inside it."""
    (tmp_path / "comptroller.yaml").write_text(CONFIG)
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "starter.cedar").write_text(starter_policies())
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, stdin: str = "") -> Result:
    """Run one `policy` command; errors of ours are raised as the command line's `main` receives them."""
    result = CliRunner().invoke(policy, arguments, input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def explained(stdin: object, *options: str) -> dict[str, object]:
    """The JSON explanation of an action."""
    result = run("explain", "-", "--json", *options, stdin=json.dumps(stdin))
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_good_policies_end_with_0(folder: Path) -> None:
    result = run("check", str(folder))
    assert (result.exit_code, result.output) == (0, "14 rules in 1 file: good\n")
    document = json.loads(run("check", "--json").stdout)
    assert (document["ok"], document["rules"], document["problems"], document["warnings"]) == (True, 14, [], [])
    assert len(document["policy_hash"]) == 64


def test_a_mistake_ends_with_1_and_has_its_place(folder: Path) -> None:
    (folder / "policies" / "own.cedar").write_text(
        '@id("own")\nforbid (principal, action, resource)\nwhen { context.nmaed };\n'
    )
    result = run("check", str(folder))
    assert result.exit_code == 1
    assert "own.cedar:3: `own`: attribute `nmaed` not found; write: `context.named`" in result.output
    assert "1 problem: these policies are not used" in result.output
    document = json.loads(run("check", "--json").stdout)
    assert (document["ok"], document["policy_hash"]) == (False, None)
    (problem,) = document["problems"]
    assert (Path(problem["file"]).name, problem["line"], problem["write"]) == ("own.cedar", 3, "`context.named`")


def test_an_operation_of_a_real_service_is_checked(folder: Path) -> None:
    own = folder / "policies" / "own.cedar"
    own.write_text('@id("own") forbid (principal, action == Comptroller::Action::"aws:ec2:RunInstances", resource);')
    assert run("check").exit_code == 0
    own.write_text('@id("own") forbid (principal, action == Comptroller::Action::"aws:ec2:RunInstance", resource);')
    result = run("check")
    assert result.exit_code == 1
    assert "own.cedar:1: nobody knows an operation `aws:ec2:RunInstance`" in result.output


def test_a_dead_rule_is_a_warning(folder: Path) -> None:
    (folder / "policies" / "own.cedar").write_text('@id("own") forbid (principal, action, resource) when { false };')
    result = run("check")
    assert result.exit_code == 0
    assert "own.cedar:1: `own` can never apply" in result.output


def test_no_configuration_is_an_error_of_use(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as raised:
        run("check", str(tmp_path))
    assert raised.value.exit_code == 2
    assert run("check", str(tmp_path / "nowhere")).exit_code == 2


def test_an_action_is_explained(folder: Path) -> None:
    told = explained({"operation": "aws:ec2:RunInstances", "region": "us-east-1", "quantity": 8})
    assert (told["verdict"], told["determining"]) == ("require_approval", ["provision"])
    assert told["action"] == {"id": "op:provision", "classes": ["provision"]}
    assert told["slice"]["of"] == 14  # type: ignore[index]
    assert told["advice"] == []
    text = run("explain", "-", stdin='{"operation": "aws:ec2:RunInstances"}').output
    assert "require_approval: aws:ec2:RunInstances by research" in text
    assert "asks one of group approvers, not the agent (provision)" in text
    assert "* asks people provision" in text


def test_what_to_write_is_told_to_the_person(folder: Path) -> None:
    told = explained({"operation": "http:new.example.com:GET", "classes": ["read"]})
    assert (told["verdict"], told["determining"]) == ("deny", ["unnamed"])
    assert told["advice"] == ["comptroller.yaml: agents.research.hosts: add new.example.com"]
    text = run("explain", "-", stdin='{"operation": "http:new.example.com:GET", "classes": ["read"]}').output
    assert "agents.research.hosts: add new.example.com" in text


@pytest.mark.parametrize(
    ("operation", "service"),
    [("aws:s3:GetObject", "aws:s3"), ("stripe:transfers:create", "stripe"), ("openai:models:list", "openai")],
)
def test_the_service_follows_from_the_operation(folder: Path, operation: str, service: str) -> None:
    told = explained({"operation": operation})
    assert told["advice"] == [f"comptroller.yaml: agents.research.services: add {service}"]


def test_parameters_and_payments_reach_the_policies(folder: Path) -> None:
    (folder / "policies" / "own.cedar").write_text(
        '@id("own") forbid (principal, action, resource) when { context.parameters.contains("Size=1.50") };\n'
        '@id("paid") forbid (principal, action, resource) '
        "when { context has amount_minor && context.amount_minor > 5 };"
    )
    base = {"operation": "aws:ec2:X", "classes": ["read"]}
    assert explained(base)["verdict"] == "allow"
    assert explained({**base, "payment": {"amount_minor": 6}})["determining"] == ["paid"]
    result = run(
        "explain",
        "-",
        "--json",
        stdin='{"operation":"x:y","service":"aws:ec2","classes":["read"],"parameters":{"Size":1.50}}',
    )
    assert json.loads(result.stdout)["determining"] == ["own"]


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("{", "no JSON", "operation"),
        ("[]", "JSON object", "operation"),
        ("{}", "needs an `operation`", "RunInstances"),
        ('{"operation": 5}', "`operation` has the wrong type", "--help"),
        ('{"operation": "a:b", "operation": "c:d"}', "appears twice", ""),
        ('{"operation": "a:b", "quantity": true}', "`quantity` has the wrong type", "--help"),
        ('{"operation": "a:b", "quantity": NaN}', "`NaN` is not JSON", ""),
        ('{"operation": "a:b", "clases": ["read"]}', "no member `clases`", "`classes`"),
        ('{"operation": "a:b", "classes": ["raed"]}', "no class `raed`", "`read`"),
        ('{"operation": "a:b"}', "no operation is known as `a:b`", "classes"),
        ('{"operation": "a:b", "classes": ["read"], "agent": "x"}', "no agent `x`", "research"),
        ('{"operation": "a:b", "classes": ["read"], "payment": {"amount_minor": "5"}}', "`amount_minor`", "40000"),
        ('{"operation": ' + "[" * 100_000, "nested deeper", ""),
        ('{"operation": "' + "a" * (1 << 20) + '"}', "at most", ""),
    ],
)
def test_a_wrong_action_is_refused_with_a_hint(folder: Path, text: str, message: str, hint: str) -> None:
    with pytest.raises(UsageError) as raised:
        run("explain", "-", stdin=text)
    assert message in raised.value.message
    assert hint in raised.value.hint
    assert raised.value.exit_code == 2


def test_a_service_that_does_not_exist_is_warned_about(folder: Path) -> None:
    tools = "services: {tools: {codec: mcp, hosts: [tools.example]}}\n"
    wrong = "[opanai, aws:dynamodbb, mcp:tools.example, gcp:compute, github, tools]"
    (folder / "comptroller.yaml").write_text(CONFIG.replace("[aws:ec2]", wrong) + tools)
    warnings = json.loads(run("check", "--json").stdout)["warnings"]
    told = {item["message"].split("`")[1]: item["write"] for item in warnings}
    assert told["opanai"] == "openai" and told["aws:dynamodbb"] == "aws:dynamodb"
    assert told["tools"] == "agents.research.hosts: [tools.example]" and len(told) == 3
    assert {item["line"] for item in warnings} == {11}


@pytest.mark.parametrize(
    ("operation", "service"),
    [
        ("gcp:compute:instances.insert", "gcp:compute"),
        ("azure:Microsoft.Compute/virtualMachines:write", "azure:compute"),
        ("azure:vault/secrets:get", "azure:keyvault"),
        ("kubernetes:apps/deployments:create", "kubernetes"),
        ("mcp:tools.example:tools/call", "mcp:tools.example"),
    ],
)
def test_the_service_of_an_operation_is_the_one_to_name(folder: Path, operation: str, service: str) -> None:
    advice = explained({"operation": operation, "classes": ["read"]})["advice"]
    assert advice == [f"comptroller.yaml: agents.research.services: add {service}"]


def test_a_misspelt_operation_is_told_the_nearest_ones(folder: Path) -> None:
    with pytest.raises(UsageError, match="no operation is known as") as raised:
        run("explain", "-", stdin='{"operation": "aws:ec2:RunInstance"}')
    assert "`aws:ec2:RunInstances`" in raised.value.hint
