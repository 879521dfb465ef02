"""Asks the AWS command line what it makes of words and of shorthand. A process of its own: importing `awscli` puts
another botocore in place of ours. Nothing is sent: the last step before the wire is cut off."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import Any

SETTINGS = {
    "AWS_ACCESS_KEY_ID": "AKIDEXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "an-example",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": "/nowhere",
    "AWS_SHARED_CREDENTIALS_FILE": "/nowhere",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Oracle:
    """The running process."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def _ask(self, question: dict[str, Any]) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def command(self, words: list[str]) -> Any:
        """`[OPERATION, PARAMETERS]` that these words after `aws` would send; None where it refuses them."""
        return self._ask({"words": words})

    def shorthand(self, text: str) -> Any:
        """What a shorthand text means; None where it refuses it."""
        return self._ask({"shorthand": text})


@contextmanager
def running() -> Iterator[Oracle]:
    """The oracle, ended at the end."""
    with subprocess.Popen(
        [sys.executable, "-W", "ignore", str(Path(__file__))],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, **SETTINGS},
    ) as process:
        yield Oracle(process)
        assert process.stdin is not None
        process.stdin.close()


def _answer() -> None:
    from awscli import clidriver
    from awscli.shorthand import ShorthandParser

    seen: list[Any] = []

    def invoke(self: object, service: str, operation: str, parameters: Any, given: object) -> int:
        seen.append([operation, parameters])
        return 0

    clidriver.CLIOperationCaller.invoke = invoke
    real, sys.stdout = sys.stdout, StringIO()
    for line in sys.stdin:
        question = json.loads(line)
        seen.clear()
        answer: Any = None
        try:
            if "shorthand" in question:
                answer = ShorthandParser().parse(question["shorthand"])
            else:
                with redirect_stderr(StringIO()), redirect_stdout(StringIO()):
                    clidriver.create_clidriver().main(question["words"])
                answer = seen[0] if seen else None
        except (Exception, SystemExit):  # noqa: BLE001  whatever it is, it refused
            answer = None
        real.write(json.dumps(answer, default=_text) + "\n")
        real.flush()


def _text(value: Any) -> Any:
    return value.decode() if isinstance(value, bytes) else float(value)


if __name__ == "__main__":
    _answer()
