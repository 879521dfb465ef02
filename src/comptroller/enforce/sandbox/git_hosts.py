"""git over ssh, rewritten to https inside the box: what leaves it is read by the gateway, and ssh is not."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

KNOWN = ("github.com", "gitlab.com", "bitbucket.org")
HOSTS_MAX = 64
COUNT_DIGITS_MAX = 4
"""A larger count is none that git would read."""
FORMS = ("git@{host}:", "ssh://git@{host}/", "git+ssh://git@{host}/")
"""How a repository is named that is reached over ssh as the user `git`."""
_COUNT = "GIT_CONFIG_COUNT"


def rewrites(hosts: Iterable[str], environment: Mapping[str, str]) -> dict[str, str]:
    """git's settings as environment variables, behind those `environment` may hold already.

    For the known hosts and for `hosts`; a `*.domain` among them names no host of its own and is left out.
    """
    before = environment.get(_COUNT, "")
    count = int(before) if before.isascii() and before.isdigit() and len(before) <= COUNT_DIGITS_MAX else 0
    named = [host for host in (*KNOWN, *hosts) if not host.startswith("*.")]
    found: dict[str, str] = {}
    for host in tuple(dict.fromkeys(named))[:HOSTS_MAX]:
        for form in FORMS:
            found[f"GIT_CONFIG_KEY_{count}"] = f"url.https://{host}/.insteadOf"
            found[f"GIT_CONFIG_VALUE_{count}"] = form.format(host=host)
            count += 1
    return {_COUNT: str(count), **found}
