"""The descriptions that come with Comptroller, in the very format of `services/NAME.yaml`; read when first needed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from importlib.resources import files

from comptroller.core.errors import ConfigError
from comptroller.decode.described.codec import DescribedCodec
from comptroller.decode.described.service import Service

SHIPPED: Mapping[str, tuple[str, ...]] = {
    "adyen": (
        "*.adyen.com",
        "*.adyenpayments.com",
    ),
    "discord": (
        "discord.com",
        "discordapp.com",
    ),
    "github": (
        "api.github.com",
        "uploads.github.com",
    ),
    "hubspot": ("api.hubapi.com",),
    "linear": ("api.linear.app",),
    "mailgun": (
        "api.mailgun.net",
        "api.eu.mailgun.net",
    ),
    "notion": ("api.notion.com",),
    "paypal": (
        "api-m.paypal.com",
        "api-m.sandbox.paypal.com",
        "api.paypal.com",
        "api.sandbox.paypal.com",
    ),
    "plaid-transfer": (
        "production.plaid.com",
        "sandbox.plaid.com",
        "development.plaid.com",
    ),
    "postmark": ("api.postmarkapp.com",),
    "resend": ("api.resend.com",),
    "sendgrid": (
        "api.sendgrid.com",
        "api.eu.sendgrid.com",
    ),
    "slack": (
        "slack.com",
        "www.slack.com",
        "hooks.slack.com",
        "files.slack.com",
    ),
    "telegram": ("api.telegram.org",),
    "twilio": (
        "api.twilio.com",
        "verify.twilio.com",
    ),
    "wise": (
        "api.wise.com",
        "api.transferwise.com",
        "api.wise-sandbox.com",
        "api.sandbox.transferwise.tech",
    ),
}
"""Name -> hosts of each; the same as in its file."""


def shipped_text(name: str) -> str:
    """The text of a shipped description. Raises `KeyError` where there is none."""
    if name not in SHIPPED:
        raise KeyError(name)
    return (files(__package__) / "services" / f"{name}.yaml").read_text("utf-8")


@cache
def shipped_service(name: str) -> Service:
    """A shipped description, compiled. Raises `KeyError` where there is none."""
    import yaml

    from comptroller.decode.described.load import checked, compile_service

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    document = yaml.load(shipped_text(name), Loader=loader)  # noqa: S506 - a safe loader
    origin = f"services/{name}.yaml (built in)"
    description = checked(document, origin=origin, lines={})
    return compile_service(description, name=name, origin=origin, lines={}, read=_no_file)


def shipped_codec(name: str) -> DescribedCodec:
    """The codec of a shipped description; reads nothing yet."""
    return DescribedCodec(name, frozenset(SHIPPED[name]), lambda: shipped_service(name))


def _no_file(name: str) -> bytes:
    raise ConfigError(f"`{name}`: a built-in description names no other file")
