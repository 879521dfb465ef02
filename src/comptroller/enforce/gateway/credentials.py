"""Real credentials, kept outside the box: which one fits, where it lies, and how it is put on a request."""

from __future__ import annotations

import asyncio
import configparser
import os
import time
from base64 import b64encode
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from comptroller.core.config import AgentConfig, CredentialConfig
from comptroller.core.request import Header, Outgoing
from comptroller.enforce.gateway.addresses import host_matches
from comptroller.enforce.gateway.google_token import AccessToken, NoTokenError
from comptroller.enforce.gateway.google_token import mint as mint_google
from comptroller.enforce.gateway.sigv4 import AwsKeys, signed

SECRET_BYTES_MAX = 64 << 10
SECRET_CHARACTERS_MAX = 8192
MINT_AGAIN_SECONDS = 30.0
"""After a failure, how long no further token is asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """What a credential is for: where it may go, how it is put on a request, and what a box sees in its place.

    A credential without `hosts` of its own is never sent anywhere but to these. `placeholders` are well-formed, so that
    SDKs start, and worth nothing. `basic` says that the secret is `user:password`, `optional` that requests may go
    without one.
    """

    hosts: tuple[str, ...] = ()
    header: str = "authorization"
    prefix: str = "Bearer "
    basic: bool = False
    optional: bool = False
    placeholders: Mapping[str, str] = field(default_factory=dict)


FAMILIES: Mapping[str, Family] = {
    "aws": Family(
        hosts=("*.amazonaws.com", "*.amazonaws.com.cn", "*.api.aws"),
        placeholders={
            "AWS_ACCESS_KEY_ID": "AKIACOMPTROLLER2BOX7",
            "AWS_SECRET_ACCESS_KEY": "placeholder/the-real-key-is-outside/0000",
        },
    ),
    "gcp": Family(
        hosts=("*.googleapis.com",),
        placeholders={
            "CLOUDSDK_AUTH_ACCESS_TOKEN": "ya29.comptroller-placeholder",
            "GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.comptroller-placeholder",
        },
    ),
    "azure": Family(hosts=("management.azure.com",)),
    "kubernetes": Family(),
    "openai": Family(
        hosts=("api.openai.com",), placeholders={"OPENAI_API_KEY": "sk-comptroller-placeholder-0000000000000000"}
    ),
    "anthropic": Family(
        hosts=("api.anthropic.com",),
        header="x-api-key",
        prefix="",
        placeholders={"ANTHROPIC_API_KEY": "sk-ant-comptroller-placeholder-000000000000"},
    ),
    "gemini": Family(
        hosts=("generativelanguage.googleapis.com",),
        header="x-goog-api-key",
        prefix="",
        placeholders={
            "GEMINI_API_KEY": "AIzaComptrollerPlaceholder0000000000000",
            "GOOGLE_API_KEY": "AIzaComptrollerPlaceholder0000000000000",
        },
    ),
    "stripe": Family(
        hosts=("api.stripe.com", "files.stripe.com"),
        placeholders={"STRIPE_API_KEY": "sk_test_comptrollerplaceholder00000000"},
    ),
}
"""Families with a codec of their own; those of described services are in their descriptions."""

PLACEHOLDER = "comptroller-placeholder"
AWS_REGION_VARIABLES = ("AWS_REGION", "AWS_DEFAULT_REGION")

_CARRIERS = frozenset(
    {"authorization", "proxy-authorization", "x-api-key", "x-goog-api-key"}
    | {"x-amz-security-token", "x-amz-date", "x-amz-content-sha256"}
)


class NoCredentialError(Exception):
    """Nothing to authenticate with; the text says what is missing and never holds a secret."""


@dataclass(frozen=True, slots=True)
class _Read:
    stamp: tuple[int, int, int]
    text: str = field(repr=False)


class CredentialBroker:
    """Finds, reads and applies credentials. Files are read again when they change; nothing is ever logged."""

    def __init__(
        self,
        credentials: Mapping[str, CredentialConfig],
        agents: Mapping[str, AgentConfig],
        *,
        environment: Mapping[str, str] | None = None,
        folder: Path | None = None,
        described: Callable[[str], Family | None] | None = None,
        mint: Callable[[str], AccessToken] = mint_google,
    ) -> None:
        """`environment` defaults to the process's own; relative `path`s begin at `folder`. `described` knows the
        families that are not in `FAMILIES`, those of described services above all; `mint` makes a token out of a
        Google key file."""
        self._credentials = credentials
        self._agents = agents
        self._environment = os.environ if environment is None else environment
        self._folder = folder or Path()
        self._described = described
        self._mint = mint
        self._tokens: dict[Path, tuple[str, AccessToken | NoTokenError]] = {}
        self._again: dict[Path, float] = {}
        self._minting = asyncio.Lock()
        self._files: dict[Path, _Read] = {}
        self._profiles: dict[Path, tuple[str, configparser.RawConfigParser]] = {}

    def configure(self, credentials: Mapping[str, CredentialConfig], agents: Mapping[str, AgentConfig]) -> None:
        """Take over changed configuration."""
        self._credentials = credentials
        self._agents = agents

    def accounts(self, agent: str) -> dict[str, str]:
        """Service family (or host) -> account, as configured for this agent's credentials."""
        found: dict[str, str] = {}
        for credential in self._of(agent):
            if not credential.account:
                continue
            keys = credential.hosts if credential.service in ("http", "kubernetes") else (credential.service,)
            for key in keys:
                found.setdefault(key, credential.account)
        return found

    def placeholders(self, agent: str) -> dict[str, str]:
        """Environment variables for the box: what SDKs need in order to start, none of it real."""
        found: dict[str, str] = {}
        for credential in self._of(agent):
            known = self._family(credential.service).placeholders
            found.update(known)
            if credential.source == "env" and credential.variable and credential.service != "aws":
                found.setdefault(credential.variable, next(iter(known.values()), PLACEHOLDER))
            if credential.service == "aws":
                for variable in AWS_REGION_VARIABLES:
                    if self._environment.get(variable):
                        found[variable] = self._environment[variable]
        return found

    async def prepare(self, family: str, host: str, agent: str) -> None:
        """Have a fresh token where one is needed; what went wrong, `missing` says."""
        credential = self._for(family, host, agent)
        if credential is None or credential.source != "gcp_service_account":
            return
        async with self._minting:
            path = self._path(credential.path or "")
            try:
                text = self._text(path)
            except NoCredentialError:
                return
            before, known = self._tokens.get(path, ("", None))
            if before is not text:
                known = None
            if isinstance(known, AccessToken) and known.fresh:
                return
            if known is not None and time.monotonic() < self._again.get(path, 0.0):
                return
            try:
                self._tokens[path] = (text, await asyncio.to_thread(self._mint, text))
            except NoTokenError as error:
                self._again[path] = time.monotonic() + MINT_AGAIN_SECONDS
                if not isinstance(known, AccessToken):
                    self._tokens[path] = (text, error)

    def missing(self, family: str, host: str, agent: str, *, exposed: bool = False) -> str | None:
        """Why a request of `family` to `host` could not be authenticated; None where it can, or needs nothing.

        `exposed` says that it would travel unencrypted: signatures may, secrets may not.
        """
        credential = self._for(family, host, agent)
        if credential is None:
            known = self._family(family)
            if not known.optional and host_matches(host, known.hosts) is not None:
                return f"no {family} credential is configured for agent `{agent}`"
            return None
        try:
            if credential.service == "aws":
                self._aws_keys(credential)
            else:
                self._secret(credential, exposed=exposed)
        except NoCredentialError as error:
            return str(error)
        return None

    def apply(
        self, outgoing: Outgoing, agent: str, *, payload_sha256: str | None = None, exposed: bool = False
    ) -> Outgoing:
        """`outgoing` with the real credential, and nothing left of the box's own. Raises `NoCredentialError`.

        `payload_sha256` is the hash of a streamed body where it is known; None signs it as unsigned payload.
        """
        headers = tuple(header for header in outgoing.headers if header.name not in _CARRIERS)
        clean = replace(outgoing, headers=headers)
        credential = self._for(outgoing.family, outgoing.host, agent)
        if outgoing.signing is not None:
            if credential is None:
                raise NoCredentialError(f"no aws credential is configured for agent `{agent}`")
            return signed(clean, outgoing.signing, self._aws_keys(credential), payload_sha256=payload_sha256)
        if credential is None:
            if self.missing(outgoing.family, outgoing.host, agent) is not None:
                raise NoCredentialError(f"no {outgoing.family} credential is configured for agent `{agent}`")
            return clean
        if credential.service == "aws":
            return clean
        secret = self._secret(credential, exposed=exposed)
        if credential.service == "http":
            header = Header(credential.header.lower(), credential.prefix + secret)
        else:
            known = self._family(credential.service)
            text = b64encode(secret.encode("ascii")).decode("ascii") if known.basic else secret
            header = Header(known.header, known.prefix + text)
        # An answer that gives the secret back can only be read, and the secret blotted out, where it is not compressed.
        others = tuple(h for h in headers if h.name not in (header.name, "accept-encoding"))
        return replace(clean, headers=(*others, Header("accept-encoding", "identity"), header), secret=secret)

    # ------------------------------------------------------------ which one

    def _family(self, name: str) -> Family:
        """The family of this name; one that nobody knows goes nowhere."""
        found = FAMILIES.get(name)
        if found is None and self._described is not None and name != "http":
            found = self._described(name)
        return found or Family()

    def _of(self, agent: str) -> list[CredentialConfig]:
        known = self._agents.get(agent)
        return [self._credentials[name] for name in known.credentials if name in self._credentials] if known else []

    def _for(self, family: str, host: str, agent: str) -> CredentialConfig | None:
        for credential in self._of(agent):
            # Hosts that were named for a credential are meant, whatever the host speaks; AWS keys only ever sign.
            if credential.hosts and credential.service != "aws":
                fits = host_matches(host, credential.hosts) is not None
            else:
                hosts = credential.hosts or self._family(credential.service).hosts
                fits = credential.service == family and host_matches(host, hosts) is not None
            if fits:
                return credential
        return None

    # ------------------------------------------------------------ where it lies

    def _secret(self, credential: CredentialConfig, *, exposed: bool) -> str:
        if exposed:
            raise NoCredentialError(f"the {credential.service} credential is never sent over plain http: use https")
        if credential.source == "gcp_service_account":
            secret = self._token(self._path(credential.path or ""))
        elif credential.source == "env":
            variable = credential.variable or ""
            secret = self._environment.get(variable, "")
            if not secret:
                raise NoCredentialError(f"the environment variable `{variable}` is not set where comptroller runs")
        else:
            path = self._path(credential.path or "")
            secret = self._text(path).partition("\n")[0]
        secret = secret.strip()
        if not secret or len(secret) > SECRET_CHARACTERS_MAX or not secret.isascii() or not secret.isprintable():
            raise NoCredentialError(f"the {credential.service} credential is empty or not one line of plain text")
        return secret

    def _token(self, path: Path) -> str:
        text = self._text(path)
        known = self._tokens.get(path)
        if known is None or known[0] is not text:
            raise NoCredentialError(f"there is no token for `{path}` yet")
        if isinstance(known[1], NoTokenError):
            raise NoCredentialError(f"no token for `{path}`: {known[1]}")
        if not known[1].valid:
            raise NoCredentialError(f"the token for `{path}` has run out")
        return known[1].text

    def _aws_keys(self, credential: CredentialConfig) -> AwsKeys:
        if credential.source == "env":
            found = {name.lower(): self._environment.get(name, "") for name in _AWS_NAMES}
            where = "the environment"
        else:
            profile = credential.profile or "default"
            path = self._path(credential.path) if credential.path else self._shared_credentials()
            found = self._profile(path, profile)
            where = f"profile `{profile}`"
        access, secret = found.get("aws_access_key_id", ""), found.get("aws_secret_access_key", "")
        if not access or not secret:
            raise NoCredentialError(f"{where} holds no aws_access_key_id and aws_secret_access_key")
        return AwsKeys(access_key=access, secret_key=secret, token=found.get("aws_session_token", ""))

    def _profile(self, path: Path, profile: str) -> dict[str, str]:
        text = self._text(path)
        parsed = self._profiles.get(path)
        if parsed is None or parsed[0] is not text:
            parser = configparser.RawConfigParser()
            try:
                parser.read_string(text)
            except configparser.Error as error:
                raise NoCredentialError(f"`{path}` is not a file of AWS profiles") from error
            parsed = (text, parser)
            self._profiles[path] = parsed
        for section in (profile, f"profile {profile}"):
            if parsed[1].has_section(section):
                return {key: value.strip() for key, value in parsed[1].items(section)}
        raise NoCredentialError(f"`{path}` has no profile `{profile}`")

    def _shared_credentials(self) -> Path:
        named = self._environment.get("AWS_SHARED_CREDENTIALS_FILE")
        return self._path(named or "~/.aws/credentials")

    def _path(self, text: str) -> Path:
        home = self._environment.get("HOME")
        if text.startswith("~/") and home:
            return Path(home) / text[2:]
        return self._folder / Path(text).expanduser()

    def _text(self, path: Path) -> str:
        try:
            facts = path.stat()
            stamp = (facts.st_mtime_ns, facts.st_size, facts.st_ino)
            known = self._files.get(path)
            if known is None or known.stamp != stamp:
                if facts.st_size > SECRET_BYTES_MAX:
                    raise NoCredentialError(f"`{path}` is too large to be a credential")
                known = _Read(stamp, path.read_text(encoding="utf-8"))
                self._files[path] = known
        except OSError as error:
            raise NoCredentialError(f"cannot read `{path}`: {error.strerror}") from error
        except UnicodeDecodeError as error:
            raise NoCredentialError(f"`{path}` is not text") from error
        return known.text


_AWS_NAMES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN")
