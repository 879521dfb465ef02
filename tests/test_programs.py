"""Programs nobody here wrote, in real boxes: the AWS CLI, curl, model SDKs and a LangChain agent; and edits while one
runs."""

from __future__ import annotations

import hashlib
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml

from comptroller.server.place import Paths
from comptroller.testing.aws_server import AwsServer
from comptroller.testing.loopback import HttpAnswer, HttpRequest, HttpServer
from comptroller.testing.model_server import Conversation, ModelServer, ToolCall, Turn

PROGRAM = [sys.executable, "-P", "-m", "comptroller"]
SECONDS_MAX = 60
IMAGE = "ami-12c6146b"
OPENAI_KEY = "sk-real-key-that-never-enters-a-box"
MODEL = "gpt-4o-mini"
LARGE_PIECE, LARGE_PIECES = b"x" * 65_536, 400
EDIT_SECONDS_MAX = 4.0
"""A reload is looked for every second; the rest is a slow machine."""
AWS_NAMES = ("ec2", "sts", "iam", "s3", "dynamodb", "secretsmanager")


class Talk:
    """What a command said, read line by line as it comes."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.lines: list[str] = []
        self._process = process
        self._changed = threading.Condition()
        self._ended = False
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            with self._changed:
                self.lines.append(line.rstrip("\n"))
                self._changed.notify_all()
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def until(self, words: str) -> str:
        """Wait for a line that holds `words`."""

        def found() -> str | None:
            return next((line for line in self.lines if words in line), None)

        with self._changed:
            assert self._changed.wait_for(lambda: found() is not None or self._ended, SECONDS_MAX)
        line = found()
        assert line is not None, self.lines
        return line

    def end(self) -> tuple[int, str]:
        """(exit code, standard output)."""
        assert self._process.stdout is not None
        out = self._process.stdout.read()
        code = self._process.wait(SECONDS_MAX)
        self._reader.join()
        self._process.stdout.close()
        assert self._process.stderr is not None
        self._process.stderr.close()
        return code, out


class Shop:
    """An installation as `init` made it, edited as its notices say, with local services behind the real names."""

    def __init__(self, base: Path, aws: AwsServer, model: ModelServer, web: HttpServer) -> None:
        self.aws, self.model, self.web = aws, model, web
        self.folder = base / "shop"
        self.folder.mkdir()
        kept = {name: value for name, value in os.environ.items() if name not in ("CI", "COMPTROLLER_CONFIG")}
        self.environment = {
            **{name: value for name, value in kept.items() if not name.startswith("AWS_")},
            "XDG_STATE_HOME": str(base / "s"),
            "OPENAI_API_KEY": OPENAI_KEY,
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        keys = base / "keys"
        keys.write_text("[default]\naws_access_key_id = AKIAREALREALREALREAL\naws_secret_access_key = real\n")
        self.call("init")
        self.edit(
            services=["openai", *(f"aws:{name}" for name in AWS_NAMES)],
            hosts=["web.example.com"],
            credentials=["openai", "aws"],
            top={
                "credentials": {
                    "openai": {"source": "env", "service": "openai", "variable": "OPENAI_API_KEY"},
                    "aws": {
                        "source": "aws_profile",
                        "service": "aws",
                        "profile": "default",
                        "path": str(keys),
                        "account": "123456789012",
                    },
                },
                "upstreams": {
                    **{f"{name}.us-east-1.amazonaws.com": aws.url for name in AWS_NAMES},
                    "*.s3.us-east-1.amazonaws.com": aws.url,
                    "*.s3.amazonaws.com": aws.url,
                    "iam.amazonaws.com": aws.url,
                    "api.openai.com": model.url,
                    "web.example.com": web.url,
                    "late.example.com": web.url,
                },
            },
        )

    @property
    def config(self) -> Path:
        return self.folder / "comptroller.yaml"

    def edit(self, *, top: Mapping[str, object] | None = None, **agent: object) -> None:
        """Change settings of the file, as a person would in an editor."""
        document = yaml.safe_load(self.config.read_text("utf-8"))
        document["agents"]["agent"].update(agent)
        self.config.write_text(yaml.safe_dump({**document, **(top or {})}, sort_keys=False), "utf-8")

    def call(self, *words: str) -> str:
        """What a command prints; it must succeed."""
        done = subprocess.run(
            [*PROGRAM, *words],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=SECONDS_MAX,
        )
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def start(self, *words: str, options: Sequence[str] = ()) -> tuple[subprocess.Popen[str], Talk]:
        process = subprocess.Popen(
            [*PROGRAM, "run", *options, "--", *words],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        return process, Talk(process)

    def run(self, *words: str, options: Sequence[str] = ("--on-hold", "fail")) -> tuple[int, str, str]:
        """(exit code, standard output, standard error)."""
        _, talk = self.start(*words, options=options)
        code, out = talk.end()
        return code, out, "\n".join(talk.lines)

    def script(self, text: str, *, options: Sequence[str] = ("--on-hold", "fail")) -> tuple[int, str, str]:
        """Run a Python program that lies in the workspace."""
        (self.folder / "program.py").write_text(text, "utf-8")
        return self.run(sys.executable, "program.py", options=options)

    def close(self) -> None:
        """End the server and wait until it is gone."""
        pid = int(Paths(next(Path(self.environment["XDG_STATE_HOME"], "comptroller").iterdir())).lock.read_text())
        descriptor = os.pidfd_open(pid)
        try:
            signal.pidfd_send_signal(descriptor, signal.SIGTERM)
            assert select.select([descriptor], [], [], SECONDS_MAX)[0]
        finally:
            os.close(descriptor)


def weather_script(conversation: Conversation) -> Turn:
    """Asks for the weather once, then says what it was told."""
    if conversation.results:
        return Turn(text=f"Today: {conversation.results[-1]}.")
    return Turn(calls=(ToolCall(name="weather", arguments={"city": "Oslo"}),))


def web_answer(request: HttpRequest) -> HttpAnswer:
    """Large for `/large`; else what came in."""
    if request.path == "/large":
        return HttpAnswer(content_type="application/octet-stream", body=(LARGE_PIECE for _ in range(LARGE_PIECES)))
    said = {"method": request.method, "length": len(request.body), "sha256": hashlib.sha256(request.body).hexdigest()}
    return HttpAnswer(body=json.dumps(said).encode())


@pytest.fixture(scope="module")
def shop() -> Iterator[Shop]:
    base = Path(tempfile.mkdtemp(prefix="cp-"))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, base)
        aws = stack.enter_context(AwsServer())
        model = stack.enter_context(ModelServer(weather_script))
        web = stack.enter_context(HttpServer(web_answer))
        made = Shop(base, aws, model, web)
        made.call("policy", "check")
        assert made.run("true")[0] == 0
        stack.callback(made.close)
        yield made


def summary_of(errors: str) -> str:
    """The one line of ours in what a quiet run said."""
    ours = [line for line in errors.splitlines() if line.startswith("comptroller: ")]
    assert len(ours) == 1, errors
    return ours[0]


def approval_in(line: str) -> str:
    """The approval that a line names."""
    found = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", line)
    assert found is not None, line
    return found.group()


def random_file(path: Path, size: int) -> str:
    """The SHA-256 of a new file of so many bytes."""
    data = os.urandom(size)
    path.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


# ---------------------------------------------------------------- the AWS CLI

AWS_SESSION = r"""
set -eu
aws sts get-caller-identity --query Account --output text
aws ec2 describe-instances --query Reservations --output text
aws s3 mb s3://cli-bucket
aws s3 sync --quiet tree s3://cli-bucket/tree
cat tree/twenty | aws s3 cp - s3://cli-bucket/piped
aws s3api put-object --bucket cli-bucket --key trailer --body tree/three --checksum-algorithm CRC32 > /dev/null
aws s3 ls s3://cli-bucket/tree/
aws s3 cp --quiet s3://cli-bucket/tree/twenty back && cmp back tree/twenty
"""


def test_the_aws_cli_works_unasked_in_what_is_named(shop: Shop) -> None:
    tree = shop.folder / "tree"
    tree.mkdir()
    small = random_file(tree / "a b+c=é.txt", 6)
    three, twenty = random_file(tree / "three", 3_000_000), random_file(tree / "twenty", 20_000_000)
    code, out, errors = shop.run("bash", "-c", AWS_SESSION)
    assert code == 0, errors
    assert out.splitlines()[0] == "123456789012"
    assert "20000000 twenty" in out and "a b+c=é.txt" in out
    assert "held" not in summary_of(errors) and "denied" not in summary_of(errors)
    uploads = {
        "tree/a b+c=é.txt": small,
        "tree/three": three,
        "tree/twenty": twenty,
        "piped": twenty,
        "trailer": three,
    }
    client = shop.aws.client("s3")
    try:
        for key, digest in uploads.items():
            stored = client.get_object(Bucket="cli-bucket", Key=key)["Body"].read()
            assert hashlib.sha256(stored).hexdigest() == digest, key
    finally:
        client.close()


def test_what_the_aws_cli_asks_beyond_that_is_held_in_the_services_own_words(shop: Shop) -> None:
    held = r"""
    aws iam create-user --user-name eve; echo $?
    aws secretsmanager get-secret-value --secret-id vault; echo $?
    """
    code, out, errors = shop.run("bash", "-c", held)
    assert (code, out.split()) == (0, ["255", "255"])
    assert "(AccessDenied) when calling the CreateUser operation: comptroller: held for approval" in errors
    assert "(AccessDeniedException) when calling the GetSecretValue operation" in errors
    assert "comptroller: held: create user eve" in errors and "comptroller: held: read secret vault" in errors
    client = shop.aws.client("iam")
    try:
        assert client.list_users()["Users"] == []
    finally:
        client.close()


def test_a_held_machine_starts_once_when_another_process_says_yes(shop: Shop) -> None:
    before = set(shop.aws.instances())
    words = (
        f"ec2 run-instances --image-id {IMAGE} --instance-type t3.micro --query Instances[].InstanceId --output text"
    )
    _, talk = shop.start("aws", *words.split(), options=["--on-hold", "wait"])
    approval = approval_in(talk.until("comptroller approvals show"))
    assert set(shop.aws.instances()) == before
    shown = shop.call("approvals", "show", approval)
    assert "start 1 x t3.micro" in shown and f"comptroller approvals approve {approval}" in shown
    assert shop.call("approvals", "approve", approval).startswith("approved, once")
    code, out = talk.end()
    assert code == 0, talk.lines
    assert {out.strip()} == set(shop.aws.instances()) - before
    assert approval not in shop.call("approvals", "list")


BOTO = f"""
import boto3, botocore.exceptions
try:
    made = boto3.client("ec2").run_instances(ImageId="{IMAGE}", InstanceType="t3.small", MinCount=1, MaxCount=1)
    print("made", made["Instances"][0]["InstanceId"])
except botocore.exceptions.ClientError as error:
    print(error.response["ResponseMetadata"]["HTTPStatusCode"], error.response["Error"]["Code"])
    print(error.response["Error"]["Message"])
    raise SystemExit(3)
"""


def test_a_call_issued_anew_in_a_resumed_run_passes_exactly_once(shop: Shop, tmp_path: Path) -> None:
    before = set(shop.aws.instances())
    summary = tmp_path / "summary.json"
    options = ["--on-hold", "fail", "--json-summary", str(summary)]
    code, out, errors = shop.script(BOTO, options=options)
    assert (code, out.splitlines()[0]) == (3, "403 UnauthorizedOperation"), errors
    approval = approval_in(out)
    assert approval in errors
    run = json.loads(summary.read_text())["run"]
    shop.call("approvals", "approve", approval)

    code, out, errors = shop.script(BOTO, options=[*options, "--resume", run])
    assert code == 0, out + errors
    made = set(shop.aws.instances()) - before
    assert made == {out.split()[1]}
    assert json.loads(summary.read_text())["run"] == run

    code, out, errors = shop.script(BOTO, options=[*options, "--resume", run])
    assert (code, out.splitlines()[0]) == (3, "403 UnauthorizedOperation")
    assert approval_in(out) != approval
    assert set(shop.aws.instances()) - before == made


# ---------------------------------------------------------------- curl

CURL_SESSION = r"""
curl -sS https://web.example.com/look; echo
curl -sS -d '{"a": 1}' -H 'content-type: application/json' https://web.example.com/post; echo
curl -sS https://web.example.com/large | sha256sum
curl -sS -T upload https://web.example.com/put; echo
curl -sS -H 'Expect: 100-continue' --data-binary @upload https://web.example.com/post; echo
curl -sS --http2 -o /dev/null -w '%{http_version} %{http_code}
' https://web.example.com/two
curl -sS http://web.example.com/plain; echo
curl -sS -o /dev/null -w '%{http_code}
' https://elsewhere.example.org/
curl -sS -o /dev/null -w '%{http_code}
' http://169.254.169.254/latest/meta-data/
"""


def test_curl_meets_the_named_host_and_no_other(shop: Shop) -> None:
    digest = random_file(shop.folder / "upload", 12_000_000)
    code, out, errors = shop.run("bash", "-c", CURL_SESSION)
    assert code == 0, errors
    look, post, large, put, expect, two, plain, elsewhere, metadata = out.splitlines()
    assert json.loads(look)["method"] == "GET" and json.loads(plain)["method"] == "GET"
    assert json.loads(post)["length"] == 8
    assert large.split()[0] == hashlib.sha256(LARGE_PIECE * LARGE_PIECES).hexdigest()
    for answer in (put, expect):
        assert (json.loads(answer)["length"], json.loads(answer)["sha256"]) == (12_000_000, digest)
    assert (two, elsewhere, metadata) == ("1.1 200", "403", "403")
    assert "hosts: [web.example.com, elsewhere.example.org]" in errors
    # a metadata service is not offered as a host to add
    assert "169.254.169.254]" not in errors


# ---------------------------------------------------------------- agents

AGENT = f"""
import os
from langchain.agents import create_agent
from langchain_openai import ChatOpenAI

def weather(city: str) -> str:
    "The weather of a city."
    return f"rain in {{city}}"

for streaming in (False, True):
    agent = create_agent(ChatOpenAI(model="{MODEL}", streaming=streaming), tools=[weather])
    question = {{"messages": [("user", "what is the weather in Oslo?")]}}
    if streaming:
        pieces = agent.stream(question, stream_mode="messages")
        print("".join(str(m.content) for m, _ in pieces if type(m).__name__ == "AIMessageChunk"))
    else:
        print(agent.invoke(question)["messages"][-1].content)
print(os.environ["OPENAI_API_KEY"])
"""


def test_a_langchain_agent_runs_without_one_question(shop: Shop, tmp_path: Path) -> None:
    asked = len(shop.model.asked)
    summary = tmp_path / "summary.json"
    code, out, errors = shop.script(AGENT, options=["--on-hold", "fail", "--json-summary", str(summary)])
    assert code == 0, errors
    first, second, key = out.splitlines()
    assert first == second == "Today: rain in Oslo."
    assert OPENAI_KEY not in out + errors and key != OPENAI_KEY
    calls = shop.model.asked[asked:]
    assert [call.stream for call in calls] == [False, False, True, True]
    assert {call.headers["authorization"] for call in calls} == {f"Bearer {OPENAI_KEY}"}

    data: Mapping[str, Any] = json.loads(summary.read_text())
    assert (data["allowed"], data["held"], data["denied"], data["held_usd_micros"]) == (4, 0, 0, 0)
    tokens = sum(call.input_tokens + call.output_tokens for call in calls)
    assert data["settled"]["tokens"] == tokens and data["settled_usd_micros"] > 0
    assert f"{tokens:,} tokens" in summary_of(errors)
    rows = json.loads(shop.call("budget", "show", "--json"))["budgets"]
    spent = {row["unit"]: row["settled"] for row in rows if row["scope"].endswith(data["run"])}
    assert spent["usd_micros"] == data["settled_usd_micros"]
    assert spent["calls"] == 4
    assert data["run"] not in shop.call("budget", "show")
    assert data["run"] in shop.call("budget", "show", "--all")
    tail = shop.call("tail", data["run"])
    assert tail.count("allowed") == tail.count("status 200") == 4


# ---------------------------------------------------------------- edits while an agent runs

LATE = "until curl -sf -o /dev/null https://late.example.com/; do sleep 0.05; done; echo there; read -r line < hold"


def test_an_edit_takes_effect_under_a_running_agent_and_a_wrong_one_is_told(shop: Shop) -> None:
    os.mkfifo(shop.folder / "hold")
    _, talk = shop.start("bash", "-c", LATE)
    talk.until("denied: GET late.example.com/")
    good = shop.config.read_text("utf-8")
    shop.edit(hosts=["web.example.com", "late.example.com"])
    edited = time.monotonic()
    talk.until("in force: comptroller.yaml as edited")
    assert time.monotonic() - edited < EDIT_SECONDS_MAX

    shop.config.write_text(good.replace("per_run:", "per_runs:"), "utf-8")
    talk.until("an edit is refused, the old rules stay in force")
    assert "did you mean `per_run`?" in talk.until("per_runs")
    shop.config.write_text(good, "utf-8")
    talk.until("in force: comptroller.yaml as edited")
    (shop.folder / "hold").write_text("go on\n")
    code, out = talk.end()
    assert (code, out) == (0, "there\n"), talk.lines
    log = shop.call("tail")
    assert "edit refused" in log and "per_runs" in log


def test_a_run_right_after_an_edit_is_judged_by_it(shop: Shop) -> None:
    good = shop.config.read_text("utf-8")
    try:
        shop.edit(hosts=["web.example.com", "late.example.com"])
        code, _, errors = shop.run("curl", "-sf", "-o", "/dev/null", "https://late.example.com/")
        assert code == 0, errors
        rules = shop.folder / "policies" / "own.cedar"
        rules.write_text("permit (principal, action, resource)", "utf-8")
        _, _, errors = shop.run("true")
        assert "the last edit is refused" in errors and "own.cedar" in errors
        rules.unlink()
        shop.edit(top={"upstreams": {}})
        _, _, errors = shop.run("true")
        assert "upstreams in comptroller.yaml will change when `serve` is started anew" in errors
    finally:
        shop.config.write_text(good, "utf-8")
    assert summary_of(shop.run("true")[2])


def test_why_an_allowed_call_never_left_is_told(shop: Shop) -> None:
    shop.edit(hosts=["web.example.com", "nowhere.invalid"])
    code, out, errors = shop.run("curl", "-sS", "https://nowhere.invalid/")
    assert code == 0 and "cannot be resolved" in out
    assert "upstream_unknown" in errors and "`nowhere.invalid` cannot be resolved" in errors
