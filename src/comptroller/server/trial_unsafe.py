"""Runs our own command line on the log in a process of its own: Cedar never lets go of the interpreter it runs in."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from comptroller.core.errors import RefusedError

ANSWER_BYTES_MAX = 8 << 20
COMPLAINT_CHARS_MAX = 4_000
LINE_CHARS_MAX = 64
NICENESS = 10


async def run_policy(
    arguments: Sequence[str], *, folder: Path, seconds_max: float, progress: Callable[[str], None]
) -> tuple[int, bytes, str]:
    """`comptroller policy ARGUMENTS`: exit code, standard output, and what it complained about. Ends with its caller.

    `folder` is where it stands: like `serve`, it must not run what lies in a folder that an agent may write to.
    """
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-P",
        "-m",
        "comptroller",
        "policy",
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        cwd=folder,
        start_new_session=True,
    )
    with contextlib.suppress(OSError):
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
    assert process.stdout is not None and process.stderr is not None
    try:
        async with asyncio.timeout(seconds_max):
            answer, complaint = await asyncio.gather(_whole(process.stdout), _lines(process.stderr, progress))
            return await process.wait(), answer, complaint
    except TimeoutError as error:
        raise RefusedError(f"it took longer than {seconds_max:g} seconds", hint="look at fewer days") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _whole(stream: asyncio.StreamReader) -> bytes:
    chunks, size = [], 0
    while chunk := await stream.read(1 << 16):
        size += len(chunk)
        if size > ANSWER_BYTES_MAX:
            raise RefusedError(f"the answer is larger than {ANSWER_BYTES_MAX} bytes", hint="look at fewer days")
        chunks.append(chunk)
    return b"".join(chunks)


async def _lines(stream: asyncio.StreamReader, progress: Callable[[str], None]) -> str:
    """Lines that begin with a number are progress, the others a complaint."""
    complaint = ""
    while line := await stream.readline():
        text = line.decode("utf-8", "replace").rstrip("\n")
        if text[:1].isdigit() and len(text) <= LINE_CHARS_MAX:
            progress(text)
        else:
            complaint = f"{complaint}{text}\n"[-COMPLAINT_CHARS_MAX:]
    return complaint.strip()
