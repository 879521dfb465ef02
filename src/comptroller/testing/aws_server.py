"""A local AWS: moto's server in a thread, with a list of what really exists in it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Self

import boto3
import httpx
from botocore.config import Config
from moto.server import ThreadedMotoServer

_CLIENT = Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30)


class AwsServer:
    """Listens at `url` on 127.0.0.1 and starts empty. moto keeps one state per process: run one at a time."""

    def __init__(self, *, port: int = 0) -> None:
        logging.getLogger("werkzeug").setLevel(logging.ERROR)
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=port, verbose=False)
        self._server.start()
        host, bound = self._server.get_host_and_port()
        self.url = f"http://{host}:{bound}"
        self.reset()

    def reset(self) -> None:
        """Forget everything that was made."""
        httpx.post(f"{self.url}/moto-api/reset", timeout=30).raise_for_status()

    def client(self, service: str, *, region: str = "us-east-1") -> Any:
        """A boto3 client of this server, with made-up credentials."""
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=region,
            aws_access_key_id="testing",
            aws_secret_access_key="testing",
            config=_CLIENT,
        )

    def instances(self, *, region: str = "us-east-1") -> Mapping[str, str]:
        """Every instance that is not terminated: id -> type."""
        client = self.client("ec2", region=region)
        try:
            pages = client.get_paginator("describe_instances").paginate()
            return {
                instance["InstanceId"]: instance["InstanceType"]
                for page in pages
                for reservation in page["Reservations"]
                for instance in reservation["Instances"]
                if instance["State"]["Name"] not in ("terminated", "shutting-down")
            }
        finally:
            client.close()

    def running(self, *, region: str = "us-east-1") -> tuple[str, ...]:
        """The ids of instances that run."""
        client = self.client("ec2", region=region)
        try:
            only = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
            pages = client.get_paginator("describe_instances").paginate(Filters=only)
            return tuple(i["InstanceId"] for page in pages for r in page["Reservations"] for i in r["Instances"])
        finally:
            client.close()

    def load_balancers(self, *, region: str = "us-east-1") -> tuple[str, ...]:
        """The names of every load balancer."""
        client = self.client("elbv2", region=region)
        try:
            return tuple(item["LoadBalancerName"] for item in client.describe_load_balancers()["LoadBalancers"])
        finally:
            client.close()

    def close(self) -> None:
        """Stop serving and forget everything."""
        self._server.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
