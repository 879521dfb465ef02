"""Codecs of large services, imported with their first request: most installations never see one."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from importlib import import_module
from typing import Any

from comptroller.core.action import Action
from comptroller.core.request import NativeResponse, Outgoing, Request
from comptroller.core.verdict import Verdict
from comptroller.decode.codec import Classes, Meter, ServiceCodec

GCP_HOSTS = frozenset({"*.clients6.google.com", "*.googleapis.com"})
AZURE_HOSTS = frozenset(
    {"management.azure.com", "management.chinacloudapi.cn", "management.usgovcloudapi.net"}
    | {"*.vault.azure.net", "*.vault.azure.cn", "*.vault.usgovcloudapi.net"}
    | {"*.managedhsm.azure.net", "*.managedhsm.azure.cn", "*.managedhsm.usgovcloudapi.net"}
    | {"*.blob.core.windows.net", "*.blob.core.chinacloudapi.cn", "*.blob.core.usgovcloudapi.net"}
    | {"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
    | {"login.microsoftonline.com", "login.microsoftonline.us", "login.chinacloudapi.cn"}
)
KUBERNETES_HOSTS = frozenset(
    {"*.eks.amazonaws.com", "*.eks.amazonaws.com.cn", "*.azmk8s.io", "*.azmk8s.us", "*.cx.prod.service.azk8s.cn"}
    | {"*.gke.goog", "*.k8s.ondigitalocean.com", "*.k8s.ovh.net", "*.linodelke.net", "*.vultr-k8s.com"}
)


class Deferred:
    """Stands for the codec `attribute` of a module. What a codec may have besides its shape is passed on too."""

    def __init__(self, name: str, hosts: frozenset[str], module: str, attribute: str) -> None:
        self.name = name
        self.hosts = hosts
        self._place = (module, attribute)

    @cached_property
    def real(self) -> ServiceCodec:
        """The codec itself."""
        module, attribute = self._place
        made: ServiceCodec = getattr(import_module(module), attribute)()
        return made

    def known(self) -> Mapping[str, Classes]:
        """As the codec says."""
        return self.real.known()

    def decode(self, request: Request) -> Action:
        """As the codec does."""
        return self.real.decode(request)

    def encode(self, action: Action, request: Request) -> Outgoing:
        """As the codec does."""
        return self.real.encode(action, request)

    def refuse(self, action: Action, request: Request, verdict: Verdict, message: str) -> NativeResponse:
        """As the codec does."""
        return self.real.refuse(action, request, verdict, message)

    def meter(self, action: Action) -> Meter:
        """As the codec does."""
        return self.real.meter(action)

    def sentence(self, action: Action) -> str:
        """As the codec does."""
        return self.real.sentence(action)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.real, name)


def gcp() -> Deferred:
    """Google Cloud."""
    return Deferred("gcp", GCP_HOSTS, "comptroller.decode.gcp", "GcpCodec")


def azure() -> Deferred:
    """Azure."""
    return Deferred("azure", AZURE_HOSTS, "comptroller.decode.azure", "AzureCodec")


def kubernetes() -> Deferred:
    """Kubernetes."""
    return Deferred("kubernetes", KUBERNETES_HOSTS, "comptroller.decode.kubernetes", "KubernetesCodec")


DEFERRED = (kubernetes, azure, gcp)
