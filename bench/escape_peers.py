"""The escape suite against three walls: ours, Anthropic's sandbox-runtime, and an in-process governor.

How it is counted. All face the same list: every attack of `comptroller doctor` that reaches, takes, changes or leaves
something; not those that only ask the kernel for a call or a kind of socket (surface, no harm of its own), wear out our
own server, or need a second box. A number counts attacks that got through; less is better.

- ours: `comptroller doctor`, as a user runs it.
- srt: the same programs under `srt`, as an ordinary user where this is root. Network closed; reading denied for homes,
  state and system folders that programs do not need, and opened again for the workspace; secrets in variables denied;
  writing allowed in the workspace, and denied for everything there that Comptroller protects, besides what srt denies
  by itself. A write to a folder of the box's own that hides the machine's is no write to the machine.
- governor: `agent-governance-toolkit`, deny by default, one tool allowed because the agent needs it for its work:
  running a Python program. It boxes no program, so what it lets start runs with the user's own rights. Nothing of that
  may happen on this machine: it runs, without capabilities, in a world made of namespaces where servers, a home and
  other processes stand to be reached. Counted is only what an ordinary user's program could do on a real machine as
  well; for the rest (files of the system, devices, namespaces) the operating system gets the credit: blocked.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from bench.report import Result, emit
from comptroller.enforce.sandbox.missing import find_bwrap
from comptroller.testing.escape import open_world
from comptroller.testing.escape.bait import PROTECTED, Bait
from comptroller.testing.escape.suite import run_suite

SRT_VERSION, GOVERNOR_VERSION = "0.0.78", "4.1.0"
SRT_FOLDER, GOVERNOR_FOLDER, TOOLS_FOLDER = Path(".bench/srt"), Path(".bench/governor"), Path(".bench/tools")
SYSTEM_PYTHON = "/usr/bin/python3"
SECONDS_MAX = 240
GROUPS = ("machine", "network", "dns", "privileges", "processes", "files", "later")
NOT_ASKED = {
    "another box of the same user": "needs a second box of ours",
    "a signal to every process there is": "would end programs of this machine where a wall fails",
    "signals to the server": "needs a server of ours",
    "capabilities": "hardening: a bounding set gives no power by itself",
    "writing to /dev": "hardening: it is a folder of the box's own",
    "core dumps": "hardening: nothing is reached by it",
    "gaining some by exec (no_new_privs)": "hardening: nothing is reached by it",
    "the machine's name": "hardening: nothing is reached by it",
    "names of the machine's folders in the list of mounts": "hardening: nothing is reached by it",
    "names of the machine in process 1's command line": "hardening: nothing is reached by it",
}
"""Left out for everybody, and why."""
ORDINARY_GROUPS = frozenset({"machine", "network", "dns", "later"})
ORDINARY_NAMES = frozenset(
    {
        "processes of the machine",
        "environments of the machine's processes",
        "shared memory of the machine (System V)",
        "inherited descriptors",
        "the folder of a descriptor, upwards",
        "the state, keys and sockets of comptroller",
        "the person's home",
        "credentials where programs look for them",
        "secrets in the environment",
        "agents and keyrings",
        "a symbolic link out of the workspace",
    }
)
NOT_ORDINARY = frozenset({"container and system sockets", "scheduled jobs"})
DENIED_READS = ("/root", "/home", "/var", "/srv", "/mnt", "/media", "/boot", "/run", "/opt", "/etc/ssh", "/etc/shadow")
WRITTEN = "writing outside the workspace"
WRITTEN_FOLDERS = (
    "/usr/bin",
    "/usr/local/bin",
    "/usr/lib",
    "/etc",
    "/var",
    "/home",
    "/opt",
    "/srv",
    "/boot",
    "/mnt",
    "",
)
POLICY = """\
version: "1.0"
name: escape-peers
description: deny by default; the one tool that the agent works with is allowed
rules:
  - name: allow-its-program
    condition: {field: tool_name, operator: eq, value: run_python}
    action: allow
    priority: 10
defaults: {action: deny, network_default: deny}
network_allowlist: []
tool_allowlist: [run_python]
"""
ASK = """\
import sys
from agent_os.policies import PolicyDocument, PolicyEvaluator
evaluator = PolicyEvaluator(policies=[PolicyDocument.from_yaml(sys.argv[1])])
said = [evaluator.evaluate({"tool_name": name, "command": sys.argv[2]}).allowed for name in ("run_python", "shell")]
print(*said)
"""


def main() -> None:
    """Run all three and print `ours_passed srt_passed governor_passed total`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--quick", action="store_true", help="the same: it takes less than 45 s once installed")
    parser.add_argument("--show", action="store_true", help="name on standard error what got through")
    options = parser.parse_args()
    srt, governor = install_srt(), install_governor()
    told = {"ours": ours(), "srt": under_srt(*srt), "governor": under_governor(governor)}
    names = sorted(set(told["ours"]) & set(told["srt"]))
    passed = {who: [name for name in names if not blocked.get(name, True)] for who, blocked in told.items()}
    if options.show:
        for who, got in passed.items():
            print(f"{who}: {len(got)}", *got, sep="\n  ", file=sys.stderr)
    results = [Result(name=f"{who}_passed", value=len(got), unit="attacks") for who, got in passed.items()]
    emit([*results, Result(name="total", value=len(names), unit="attacks")], options.json)


# ---------------------------------------------------------------- what is installed, once


def install_srt() -> tuple[Path, Mapping[str, str]]:
    """sandbox-runtime and the programs it needs, in folders of their own; its program and environment."""
    program = (SRT_FOLDER / "node_modules/@anthropic-ai/sandbox-runtime/dist/cli.js").resolve()
    if not program.exists():
        print(f"installing sandbox-runtime {SRT_VERSION} into {SRT_FOLDER} (once)", file=sys.stderr)
        SRT_FOLDER.mkdir(parents=True, exist_ok=True)
        package = f"@anthropic-ai/sandbox-runtime@{SRT_VERSION}"
        npm = shutil.which("npm") or sys.exit("npm is needed: apt-get install -y nodejs npm")
        words = ["install", "--no-audit", "--no-fund", "--ignore-scripts", "--silent", package]
        subprocess.run([npm, *words], cwd=SRT_FOLDER, check=True, stdout=sys.stderr)
    tools = TOOLS_FOLDER.resolve()
    if not all(shutil.which(name) or (tools / "usr/bin" / name).exists() for name in ("socat", "rg")):
        print(f"unpacking socat and ripgrep into {TOOLS_FOLDER} (once)", file=sys.stderr)
        tools.mkdir(parents=True, exist_ok=True)
        download = ["apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", "socat", "ripgrep", "libwrap0"]
        subprocess.run(download, cwd=tools, check=True, stdout=sys.stderr)
        for archive in tools.glob("*.deb"):
            subprocess.run(["dpkg", "-x", str(archive), str(tools)], check=True)
    libraries = ":".join(str(path) for path in tools.glob("usr/lib/*-linux-gnu"))
    return program, {"PATH": f"{tools}/usr/bin:/usr/local/bin:/usr/bin:/bin", "LD_LIBRARY_PATH": libraries}


def install_governor() -> Path:
    """agent-governance-toolkit in an environment of its own; its Python."""
    python = GOVERNOR_FOLDER / "bin" / "python"
    if not list(GOVERNOR_FOLDER.glob("lib/python3*/site-packages/agent_os")):
        print(f"installing agent-governance-toolkit {GOVERNOR_VERSION} into {GOVERNOR_FOLDER} (once)", file=sys.stderr)
        subprocess.run([sys.executable, "-m", "venv", str(GOVERNOR_FOLDER)], check=True)
        package = f"agent-governance-toolkit[core]=={GOVERNOR_VERSION}"
        subprocess.run([str(python), "-m", "pip", "install", "-q", package], check=True, stdout=sys.stderr)
    return python


# ---------------------------------------------------------------- the three


def ours() -> dict[str, bool]:
    """Attack -> blocked, in a box of ours."""
    return {attack.name: attack.blocked for attack in run_suite(only=(*GROUPS, "outside")) if _asked(attack.name)}


def under_srt(program: Path, environment: Mapping[str, str]) -> dict[str, bool]:
    """Attack -> blocked, under sandbox-runtime."""
    node = shutil.which("node") or sys.exit("Node.js is needed: apt-get install -y nodejs npm")
    with scene() as (bait, document):
        settings = {
            "network": {"allowedDomains": [], "deniedDomains": []},
            "credentials": {
                "envVars": [{"name": name, "mode": "deny"} for name in ("GITHUB_TOKEN", "SSH_AUTH_SOCK")],
            },
            "filesystem": {
                "denyRead": [str(bait.root), *(path for path in DENIED_READS if os.path.exists(path))],
                "allowRead": [str(bait.workspace)],
                "allowWrite": [str(bait.workspace)],
                "denyWrite": [str(bait.workspace / name) for name in PROTECTED],
            },
        }
        place = bait.root / "srt-settings.json"
        place.write_text(json.dumps(settings), "utf-8")
        give(bait.root)
        before = bait.watched()
        command = [node, str(program), "--settings", str(place), SYSTEM_PYTHON, "-I"]
        command += [str(bait.workspace / "suspect"), str(document)]
        variables = {**environment, "HOME": str(bait.home), "GITHUB_TOKEN": bait.canary}
        variables["SSH_AUTH_SOCK"] = str(bait.root / "agent.sock")
        told = read(as_somebody(command, variables, bait.workspace))
        told[WRITTEN] = not any(os.path.exists(f"{folder}/x") for folder in WRITTEN_FOLDERS)
        return {**told, **looked_at(bait, before)}


def under_governor(python: Path) -> dict[str, bool]:
    """Attack -> blocked, by a governor in the agent's process."""
    with tempfile.TemporaryDirectory(prefix="escape-peers-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        (folder / "policy.yaml").write_text(POLICY, "utf-8")
        ask = [str(python), "-W", "ignore", "-c", ASK, str(folder / "policy.yaml"), "python agent.py"]
        said = subprocess.run(ask, check=True, capture_output=True, text=True).stdout.split()
        if said[-1] != "False":
            raise SystemExit("the governor is not set up as meant: it allows a tool that no rule names")
        if said[-2] != "True":
            return {}  # nothing starts, nothing gets through, and no agent works
        source = Path(open_world.__file__).parents[3]
        ignored = shutil.ignore_patterns("__pycache__", "*.json.gz", "static", "decode", "price")
        shutil.copytree(source / "comptroller", folder / "src" / "comptroller", ignore=ignored)
        (folder / "comptroller-open").mkdir()
        give(folder)
        command = open_world.command(
            bwrap=find_bwrap(), python=SYSTEM_PYTHON, source=folder / "src", folder=folder, plain=True
        )
        variables = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "PYTHONPATH": str(folder / "src")}
        told = read(as_somebody(command, variables, Path("/")), grouped=True)
    return {name: blocked or not ordinary for name, (blocked, ordinary) in told.items()}


# ---------------------------------------------------------------- parts


@contextmanager
def scene(groups: Sequence[str] = GROUPS) -> Iterator[tuple[Bait, Path]]:
    """The bait of the suite, laid out for a program that is not started by Comptroller; and its document."""
    with tempfile.TemporaryDirectory(prefix="escape-peers-") as folder:
        Path(folder).chmod(0o755)
        bait = Bait(Path(folder).resolve())
        bait.prepare()
        (bait.workspace / "policies").mkdir()
        for name in ("comptroller.yaml", "policies/starter.cedar"):
            (bait.workspace / name).write_text("# protected\n", "utf-8")
        for name in (".idea", ".devcontainer"):
            (bait.workspace / name).mkdir()
        state = bait.state_home / "log.key"
        state.write_text(bait.canary, "utf-8")
        bait.write_program(bait.workspace / "suspect")
        try:
            places = {**bait.listen(), **bait.programs(), **bait.stand(), **bait.facts([bait.state_home, state])}
            shown = [*_strings(places["shown"]), "/etc", "/usr"]
            told = {
                **places,
                "only": list(groups),
                "skip": list(NOT_ASKED),
                "shown": shown,
                "interpreter": [],
                "other": {},
                "server_pid": 0,
                "outside_pid": 0,
                "patience": 5.0,
            }
            document = bait.workspace / "bait.json"
            document.write_text(json.dumps(told), "utf-8")
            yield bait, document
        finally:
            bait.close()


def looked_at(bait: Bait, before: Mapping[str, str]) -> dict[str, bool]:
    return {
        "nothing on the machine was reached": not bait.touched,
        "nothing protected was changed": bait.watched() == before,
        "no process of the machine was ended": bait.stands(),
        "no process was left behind": not bait.left_behind(),
    }


def as_somebody(command: Sequence[str], environment: Mapping[str, str], place: Path) -> str:
    """The output of a command, run without any right of root's."""
    runuser = shutil.which("runuser", path="/usr/sbin:/sbin:/usr/bin:/bin") or "runuser"
    argv = [runuser, "-u", "nobody", "--", *command] if os.getuid() == 0 else list(command)
    done = subprocess.run(
        argv, env=environment, cwd=place, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        stderr=None if os.environ.get("BENCH_SHOW") else subprocess.DEVNULL, timeout=SECONDS_MAX, check=False,
    )  # fmt: skip
    if done.returncode:
        raise SystemExit(f"`{command[0]}` ended with {done.returncode}; BENCH_SHOW=1 shows why")
    return done.stdout


def read(text: str, *, grouped: bool = False) -> dict[str, object]:
    """Attack -> blocked; `grouped`: (blocked, whether an ordinary user's program could do it anywhere)."""
    found: dict[str, object] = {}
    for line in text.splitlines():
        if line.startswith("{"):
            told = json.loads(line)
            name, group = str(told["name"]), str(told["group"])
            ordinary = (group in ORDINARY_GROUPS or name in ORDINARY_NAMES) and name not in NOT_ORDINARY
            if os.environ.get("BENCH_SHOW") and not told["blocked"]:
                print(name, told["detail"], file=sys.stderr)
            if _asked(name):
                found[name] = (bool(told["blocked"]), ordinary or group == "outside") if grouped else told["blocked"]
    return found


def _asked(name: str) -> bool:
    return name not in NOT_ASKED


def give(place: Path) -> None:
    if os.getuid() == 0:
        shutil.chown(place, "nobody", "nogroup")
        for path in place.rglob("*"):
            if not path.is_symlink():
                shutil.chown(path, "nobody", "nogroup")


def _strings(value: object) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


if __name__ == "__main__":
    main()
