"""Signing in at an OpenID provider: authorization code with PKCE, state and nonce; the ID token is checked whole."""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from comptroller.core.config import NAME_PATTERN
from comptroller.core.config_oidc import OidcConfig
from comptroller.core.errors import MissingError, RefusedError
from comptroller.ports import Clock
from comptroller.server.neutral import neutral_name

BEGUN_SECONDS_MAX = 600
BEGUN_MAX = 256
KNOWN_SECONDS_MAX = 3600
HTTP_SECONDS_MAX = 10.0
DOCUMENT_BYTES_MAX = 256 << 10
SKEW_SECONDS = 60
SAID_MAX = 500
ALGORITHMS = ["RS256", "PS256", "ES256", "EdDSA", "Ed25519"]
_NAME = re.compile(NAME_PATTERN)


class OidcError(RefusedError):
    """The provider's answer does not prove who somebody is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Begun:
    browser: str
    nonce: str
    verifier: str
    expires_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Recognised:
    """Who the provider says somebody is, and in which of its groups."""

    name: str
    said: tuple[str, ...]


@dataclass(slots=True, kw_only=True)
class Provider:
    """One OpenID provider as a client sees it. `folder` is where a relative path of the secret begins."""

    config: OidcConfig
    clock: Clock
    redirect_uri: str
    folder: Path
    _begun: dict[str, _Begun] = field(default_factory=dict)
    _known: tuple[datetime, Mapping[str, Any]] | None = None
    _keys: tuple[datetime, Any] | None = None

    async def begin(self) -> tuple[str, str]:
        """Where to send the browser, and a secret that it keeps meanwhile. Raises `OidcError`."""
        try:
            from authlib.common.security import generate_token
            from authlib.integrations.httpx_client import AsyncOAuth2Client
        except ImportError as error:
            raise MissingError("signing in by OpenID needs more", hint="pip install 'comptroller[oidc]'") from error
        found = await self._discovered()
        now = self.clock.now()
        self._begun = {state: each for state, each in self._begun.items() if each.expires_at > now}
        while len(self._begun) >= BEGUN_MAX:
            del self._begun[next(iter(self._begun))]
        verifier, nonce, browser = generate_token(64), secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        client = AsyncOAuth2Client(
            self.config.client_id,
            redirect_uri=self.redirect_uri,
            scope=" ".join(self.config.scopes),
            code_challenge_method="S256",
        )
        url, state = client.create_authorization_url(
            found["authorization_endpoint"], state=secrets.token_urlsafe(32), code_verifier=verifier, nonce=nonce
        )
        await client.aclose()
        self._begun[state] = _Begun(
            browser=browser, nonce=nonce, verifier=verifier, expires_at=now + timedelta(seconds=BEGUN_SECONDS_MAX)
        )
        return str(url), browser

    async def finish(self, *, state: str, code: str, browser: str, issuer: str = "") -> Recognised:
        """Who came back. Raises `OidcError` for anything that is not the whole answer to what this browser began."""
        begun = self._begun.pop(state, None)
        if begun is None or begun.expires_at <= self.clock.now():
            raise OidcError("this sign-in was begun too long ago, or answered already")
        if not secrets.compare_digest(begun.browser.encode(), browser.encode("utf-8", "replace")):
            raise OidcError("this sign-in was begun by another browser")
        found = await self._discovered()
        if issuer and issuer != self.config.issuer:
            raise OidcError("the answer came from another provider")
        token = await self._token(found, code, begun.verifier)
        claims = await self._claims(found, token, begun.nonce)
        return self._recognised(claims)

    # ------------------------------------------------------------ within

    async def _token(self, found: Mapping[str, Any], code: str, verifier: str) -> str:
        from authlib.integrations.httpx_client import AsyncOAuth2Client

        try:
            async with AsyncOAuth2Client(
                self.config.client_id, self._secret(), redirect_uri=self.redirect_uri, timeout=HTTP_SECONDS_MAX
            ) as client:
                answer = await client.fetch_token(found["token_endpoint"], code=code, code_verifier=verifier)
        except MissingError:
            raise
        except Exception as error:  # the library raises what it and its parsers do: nobody is recognised
            raise OidcError("the provider gave no token for this sign-in") from error
        token = answer.get("id_token") if isinstance(answer, Mapping) else None
        if not isinstance(token, str):
            raise OidcError("the provider gave no ID token")
        return token

    async def _claims(self, found: Mapping[str, Any], token: str, nonce: str) -> Mapping[str, Any]:
        from joserfc import jwt
        from joserfc.errors import JoseError

        for fresh in (False, True):
            keys = await self._key_set(found, fresh=fresh)
            try:
                claims = jwt.decode(token, keys, algorithms=ALGORITHMS).claims
                break
            except (JoseError, ValueError, TypeError) as error:
                if fresh:
                    raise OidcError("the ID token is not signed by the provider") from error
        registry = jwt.JWTClaimsRegistry(
            now=int(self.clock.now().timestamp()),
            leeway=SKEW_SECONDS,
            iss={"essential": True, "value": self.config.issuer},
            aud={"essential": True, "value": self.config.client_id},
            exp={"essential": True},
            iat={"essential": True},
            nonce={"essential": True, "value": nonce},
            sub={"essential": True},
        )
        try:
            registry.validate(claims)
        except (JoseError, ValueError, TypeError) as error:
            raise OidcError("the ID token is for somebody else, from somebody else, or too old") from error
        audience = claims["aud"]
        if isinstance(audience, list) and len(audience) > 1 and claims.get("azp") != self.config.client_id:
            raise OidcError("the ID token is for several clients, and not for this one")
        return dict(claims)

    def _recognised(self, claims: Mapping[str, Any]) -> Recognised:
        name = self._name(claims)
        said = claims.get(self.config.groups_claim, [])
        groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
        return Recognised(name=name, said=tuple(each for each in groups[:SAID_MAX] if isinstance(each, str)))

    def _name(self, claims: Mapping[str, Any]) -> str:
        claim = self.config.people_claim
        if claim is None:
            subject = claims["sub"]
            known = self.config.subjects.get(subject) if isinstance(subject, str) else None
            if known is None:
                raise OidcError(
                    f"the provider's `{neutral_name(str(subject))}` is nobody here",
                    hint="whoever keeps comptroller.yaml adds it to console.oidc.subjects",
                )
            return known
        name = claims.get(claim)
        if not isinstance(name, str) or _NAME.fullmatch(name) is None:
            raise OidcError(
                f"the claim `{claim}` is no name of a person here",
                hint="choose another with console.oidc.people_claim: lower case, digits and `-`",
            )
        return name

    async def _discovered(self) -> Mapping[str, Any]:
        now = self.clock.now()
        if self._known is not None and now < self._known[0]:
            return self._known[1]
        found = await self._fetch(f"{self.config.issuer.rstrip('/')}/.well-known/openid-configuration")
        if found.get("issuer") != self.config.issuer:
            raise OidcError("the provider calls itself by another name than console.oidc.issuer")
        for name in ("authorization_endpoint", "token_endpoint", "jwks_uri"):
            if not isinstance(found.get(name), str) or not found[name].startswith(self._scheme()):
                raise OidcError(f"the provider's `{name}` is no address to trust")
        self._known = (now + timedelta(seconds=KNOWN_SECONDS_MAX), found)
        return found

    async def _key_set(self, found: Mapping[str, Any], *, fresh: bool) -> Any:
        from joserfc.errors import JoseError
        from joserfc.jwk import KeySet

        now = self.clock.now()
        if self._keys is not None and not fresh and now < self._keys[0]:
            return self._keys[1]
        try:
            keys = KeySet.import_key_set(await self._fetch(found["jwks_uri"]))  # type: ignore[arg-type]
        except (JoseError, ValueError, TypeError, KeyError) as error:
            raise OidcError("the provider's keys cannot be read") from error
        self._keys = (now + timedelta(seconds=KNOWN_SECONDS_MAX), keys)
        return keys

    async def _fetch(self, url: str) -> Mapping[str, Any]:
        try:
            async with (
                httpx.AsyncClient(timeout=HTTP_SECONDS_MAX, follow_redirects=False) as client,
                client.stream("GET", url) as answer,
            ):
                answer.raise_for_status()
                raw = b""
                async for chunk in answer.aiter_bytes():
                    raw += chunk
                    if len(raw) > DOCUMENT_BYTES_MAX:
                        raise OidcError("the provider's document is too large")
            found = httpx.Response(200, content=raw).json()
        except (httpx.HTTPError, ValueError) as error:
            raise OidcError("the OpenID provider does not answer", hint="try again, or sign in another way") from error
        if not isinstance(found, dict):
            raise OidcError("the provider's document is no object")
        return found

    def _scheme(self) -> str:
        return "https://" if self.config.issuer.startswith("https://") else "http"

    def _secret(self) -> str:
        """The client's secret, read each time: it may be renewed. Raises `MissingError` without saying it."""
        source = self.config.client_secret
        if source.source == "env":
            secret = os.environ.get(str(source.variable), "")
        else:
            try:
                secret = (self.folder / str(source.path)).expanduser().read_text("utf-8").strip()
            except (OSError, UnicodeDecodeError):
                secret = ""
        if not secret:
            raise MissingError(
                "the secret of console.oidc is not there", hint="see console.oidc.client_secret in comptroller.yaml"
            )
        return secret
