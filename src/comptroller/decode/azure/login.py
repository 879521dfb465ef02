"""The token service: a caller that brings a secret of its own is given a token, which the gateway never sees used."""

from __future__ import annotations

import re
from collections.abc import Mapping

from comptroller.decode.azure.reading import Classes, Reading, classes
from comptroller.decode.shape import Undecodable

HOSTS = frozenset({"login.microsoftonline.com", "login.chinacloudapi.cn", "login.microsoftonline.us"})
_TENANT = r"/[A-Za-z0-9.-]{1,128}"
_ROWS: tuple[tuple[str, re.Pattern[str], str, Classes], ...] = (
    ("POST", re.compile(_TENANT + r"/oauth2(/v2\.0)?/token"), "token", classes("reveal entitle")),
    ("POST", re.compile(_TENANT + r"/oauth2(/v2\.0)?/devicecode"), "deviceCode", classes("reveal entitle")),
    ("GET", re.compile(_TENANT + r"(/v2\.0)?/\.well-known/openid-configuration"), "configuration", classes("read")),
    ("GET", re.compile(_TENANT + r"/discovery(/v2\.0)?/keys"), "keys", classes("read")),
    ("GET", re.compile(r"/common/discovery/instance"), "instance", classes("read")),
)


def read_login(method: str, path: list[str]) -> Reading:
    """What a request to the token service does. Raises `Undecodable` where nobody knows it."""
    joined = "/" + "/".join(path)
    for wanted, pattern, verb, found in _ROWS:
        if wanted == method and pattern.fullmatch(joined.lower()):
            return Reading(
                operation=f"azure:login:{verb}",
                service="azure:login",
                classes=found,
                account=path[0].lower() if verb != "instance" else "",
                resources=(joined.lower(),),
                sensitive=frozenset({"body"}),
            )
    raise Undecodable("no known operation of the token service has this method and path")


def known() -> Mapping[str, Classes]:
    """Every operation of the token service by name."""
    return {f"azure:login:{verb}": found for _, _, verb, found in _ROWS}
