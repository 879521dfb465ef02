"""The boxes' only way out: listens, understands, asks the gatekeeper, and sends only what has a permit."""

from comptroller.enforce.gateway.courier import GatewayCourier
from comptroller.enforce.gateway.credentials import CredentialBroker, Family
from comptroller.enforce.gateway.doors import HostServices, TcpService
from comptroller.enforce.gateway.internal import Internal
from comptroller.enforce.gateway.listener import Attachment, Gateway
from comptroller.enforce.gateway.settings import BoxSocket, GatewaySettings, RunIdentity
from comptroller.enforce.gateway.tls import Authority
from comptroller.enforce.gateway.upstream import Upstream

__all__ = [
    "Attachment",
    "Authority",
    "BoxSocket",
    "CredentialBroker",
    "Family",
    "Gateway",
    "GatewayCourier",
    "GatewaySettings",
    "HostServices",
    "Internal",
    "RunIdentity",
    "TcpService",
    "Upstream",
]
