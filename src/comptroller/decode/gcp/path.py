"""Targets of Google's APIs: as everywhere, but `%2F` inside a name is data, and system parameters are told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from urllib.parse import unquote, unquote_plus

from comptroller.decode.gcp.reading import camel
from comptroller.decode.shape import Undecodable
from comptroller.decode.target import Target, parse_target

ENCODED_SLASH = "%2F"
_MARK = "%FF"
"""Stands for `%2F` while the target is normalised: no UTF-8 text holds this byte."""
_SLASH = re.compile(r"%2[fF]")

CREDENTIALS = frozenset({"access_token", "key", "oauth_token", "bearer_token", "$key", "authuser", "pageId"})
"""Query members that carry who is asking: left out like an Authorization header, for the gateway adds the real one."""
SYSTEM = frozenset({"$.xgafv", "$alt", "$fields", "$prettyprint", "$userproject", "$quotauser", "$unique", "$skip"})
"""Query members with `$` that change only the answer's form, or who is billed."""
TUNNELS = frozenset(
    {"_method", "$httpmethod", "httpmethod", "$method", "x-http-method-override", "$httpheaders", "httpheaders", "$ct"}
    | {"$req", "$content-type", "_body", "callback", "jsonp"}
)
"""Query members by which a server may do something other than method, path and body say."""
EXACT = frozenset({"validateOnly", "dryRun"})
"""What would weaken an action counts only in the spelling that is documented."""
SIGNATURES = frozenset({"x-goog-signature", "x-goog-credential", "x-amz-signature", "x-amz-credential", "signature"})


def read_target(text: str) -> Target:
    """The normalised target, in which `%2F` may stand inside a segment. Raises `AmbiguousTarget`, `Undecodable`."""
    path, mark, query = text.partition("?")
    if _MARK.lower() in path.lower():
        raise Undecodable("the path has a byte that no UTF-8 text has")
    target = parse_target(_SLASH.sub(_MARK, path) + mark + query)
    if _MARK not in target.path:
        return target
    restored = target.path.replace(_MARK, ENCODED_SLASH)
    for segment in restored.split("/"):
        if ENCODED_SLASH in segment and not {".", ".."}.isdisjoint(unquote(segment).split("/")):
            raise Undecodable("the path hides a dot segment behind an encoded slash")
    return Target(path=restored, query=target.query, has_query=target.has_query)


def readings(path: str) -> tuple[str, ...]:
    """The path as it is matched (without its first slash), and as a server would read it that decodes too early."""
    strict = path[1:]
    # What may stand bare in a path is matched bare; a colon inside a name stays apart from the verb's.
    early = unquote(strict) if "%2F" in strict or "%3A" in strict.upper() else strict
    return (strict,) if early == strict else (strict, early)


def query_of(target: Target) -> list[list[str | None]]:
    """The pairs that are judged and sent, decoded names apart. Raises `Undecodable`."""
    kept: list[list[str | None]] = []
    for name, value in target.query:
        bare = unquote(name)
        lower = bare.lower()
        if lower in TUNNELS:
            raise Undecodable("the query asks for something other than method, path and body say")
        if lower in SIGNATURES:
            raise Undecodable("the address is signed: it carries a credential of its own")
        if bare in CREDENTIALS:
            continue
        if bare.startswith("$") and lower not in SYSTEM:
            raise Undecodable("the query has a system member that is not known")
        kept.append([name, value])
    return kept


def members(pairs: Sequence[Sequence[str | None]]) -> Mapping[str, tuple[str, ...]]:
    """Query members by their decoded name in lower camel case, in order."""
    found: dict[str, tuple[str, ...]] = {}
    for name, value in pairs:
        bare = unquote(name or "")
        key = bare if camel(bare) in EXACT else camel(bare)
        found[key] = (*found.get(key, ()), unquote_plus(value or ""))
    return found
