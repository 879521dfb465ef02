"""The world of `comptroller demo`: a temporary installation whose upstreams are fakes that count what reaches them."""

from __future__ import annotations

import secrets
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Self

import yaml

from comptroller.testing.aws_server import AwsServer
from comptroller.testing.fake_stripe import FakeStripe
from comptroller.testing.mining_pool import MiningPool
from comptroller.testing.ssh_server import SshServer

REGION = "us-east-1"
ACCOUNT = "123456789012"
POOL_HOST = "pool.example"
TUNNEL_HOST = "tunnel.example"
BUDGETS_USD = {"dn42": "25", "rome": "450"}
CALLS_MAX = 500
PURPOSES = {
    "dn42": "map the hobby network DN42 and draw it",
    "rome": "finish the training task in the notebook",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """The real keys of this world: outside the box, and nowhere else to be seen."""

    aws_key_id: str
    aws_secret: str
    stripe: str

    @classmethod
    def made_up(cls) -> Self:
        """New ones each time, well-formed."""
        return cls(
            aws_key_id="AKIA" + secrets.token_hex(8).upper(),
            aws_secret=secrets.token_hex(20),
            stripe="sk_test_" + secrets.token_hex(12),
        )

    def seen_in(self, text: str) -> bool:
        """Whether any of them appears in `text`."""
        return any(secret in text for secret in (self.aws_key_id, self.aws_secret, self.stripe))


class World:
    """Fakes, keys and configuration below `folder`. Close it: it holds ports and threads."""

    def __init__(self, folder: Path, *, person: str) -> None:
        self.folder = folder
        self.secrets = Secrets.made_up()
        self._open = ExitStack()
        with ThreadPoolExecutor(4) as pool:
            aws = pool.submit(AwsServer)
            ssh = pool.submit(SshServer)
            self.stripe = self._open.enter_context(FakeStripe(api_key=self.secrets.stripe))
            self.pool = self._open.enter_context(MiningPool(name=POOL_HOST))
            self.ssh = self._open.enter_context(ssh.result())
            self.aws = self._open.enter_context(aws.result())
        self.workspaces = {name: self._workspace(name) for name in BUDGETS_USD}
        self.config_path = self._installation(person)

    def close(self) -> None:
        """Stop every fake."""
        self._open.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    @property
    def state_home(self) -> Path:
        """What XDG_STATE_HOME is set to."""
        return self.folder / "state"

    def _workspace(self, name: str) -> Path:
        folder = self.folder / f"workspace-{name}"
        folder.mkdir()
        agent = resources.files("comptroller.testing") / "demo_agent.py"
        (folder / "agent.py").write_text(agent.read_text("utf-8"), "utf-8")
        return folder

    def _installation(self, person: str) -> Path:
        keys = self.folder / "keys"
        keys.mkdir(mode=0o700)
        pair = f"aws_access_key_id = {self.secrets.aws_key_id}\naws_secret_access_key = {self.secrets.aws_secret}\n"
        (keys / "aws").write_text(f"[demo]\n{pair}", "utf-8")
        (keys / "stripe").write_text(self.secrets.stripe + "\n", "utf-8")
        policies = self.folder / "policies"
        policies.mkdir()
        starter = resources.files("comptroller.boundary") / "packs" / "starter.cedar"
        (policies / "starter.cedar").write_text(starter.read_text("utf-8"), "utf-8")
        path = self.folder / "comptroller.yaml"
        path.write_text(yaml.safe_dump(self._document(person, keys), sort_keys=False), "utf-8")
        return path

    def _document(self, person: str, keys: Path) -> dict[str, object]:
        services = {"dn42": ["aws:ec2", "aws:elbv2"], "rome": ["aws:ec2", "stripe"]}
        return {
            "version": 1,
            "organization": "demo",
            "teams": {"agents": {}},
            "people": {person: {"groups": ["approvers"]}},
            "credentials": {
                "aws": {
                    "source": "aws_profile",
                    "service": "aws",
                    "profile": "demo",
                    "path": str(keys / "aws"),
                    "account": ACCOUNT,
                },
                "stripe": {
                    "source": "file",
                    "service": "stripe",
                    "path": str(keys / "stripe"),
                    "account": "acct_demo",
                },
            },
            "agents": {
                name: {
                    "team": "agents",
                    "owner": person,
                    "purpose": PURPOSES[name],
                    "workspace": str(self.workspaces[name]),
                    "services": services[name],
                    "credentials": ["aws", "stripe"] if name == "rome" else ["aws"],
                    "per_run": {"usd": BUDGETS_USD[name], "calls": CALLS_MAX},
                }
                for name in BUDGETS_USD
            },
            "upstreams": {
                f"ec2.{REGION}.amazonaws.com": self.aws.url,
                f"elasticloadbalancing.{REGION}.amazonaws.com": self.aws.url,
                "api.stripe.com": self.stripe.url,
                POOL_HOST: f"https://127.0.0.1:{self.pool.tls_port}",
                TUNNEL_HOST: f"http://127.0.0.1:{self.ssh.port}",
            },
        }
