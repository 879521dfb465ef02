"""Microsoft Graph, by path: who may do what in the directory, what is sent to people, what shows a credential."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace

from comptroller.core.action import Action, ActionClass, Value
from comptroller.core.request import Request
from comptroller.decode.azure.reading import Classes, Reading, classes, harmless_headers, member, sequence
from comptroller.decode.jsontext import dump_json
from comptroller.decode.shape import Undecodable

HOSTS = frozenset(
    {"graph.microsoft.com", "graph.microsoft.us", "dod-graph.microsoft.us", "microsoftgraph.chinacloudapi.cn"}
)
BATCH_MAX = 20
"""The most requests that Graph takes in one batch."""
BATCH_MEMBERS = frozenset({"id", "method", "url", "body", "headers", "dependson"})
READ, REVEAL, WRITE, DESTROY = ActionClass.READ, ActionClass.REVEAL, ActionClass.WRITE, ActionClass.DESTROY
ENTITLE, EXECUTE = ActionClass.ENTITLE, ActionClass.EXECUTE
COMMUNICATE = ActionClass.COMMUNICATE

CONTENT = frozenset(
    [
        "calendar",
        "calendars",
        "calendargroups",
        "calendarview",
        "chats",
        "contacts",
        "contactfolders",
        "drive",
        "drives",
        "events",
        "mailfolders",
        "me",
        "messages",
        "notes",
        "onenote",
        "onlinemeetings",
        "outlook",
        "photo",
        "planner",
        "presence",
        "shares",
        "sites",
        "teams",
        "teamwork",
        "todo",
        "insights",
        "storage",
        "print",
        "places",
        "search",
        "communications",
        "employeeexperience",
    ]
)
"""First segments, and segments below a user or group, that hold people's own things: a change there is a write."""
DIRECTORY = frozenset(
    [
        "users",
        "groups",
        "applications",
        "serviceprincipals",
        "directoryroles",
        "directoryroletemplates",
        "rolemanagement",
        "policies",
        "identity",
        "identitygovernance",
        "oauth2permissiongrants",
        "organization",
        "domains",
        "devices",
        "administrativeunits",
        "directory",
        "directoryobjects",
        "identityproviders",
        "certificatebasedauthconfiguration",
        "contracts",
        "privilegedaccess",
        "permissiongrants",
        "groupsettings",
        "grouplifecyclepolicies",
        "appcatalogs",
        "agreements",
        "identityprotection",
        "tenantrelationships",
        "devicemanagement",
        "deviceappmanagement",
        "subscribedskus",
        "informationprotection",
        "authenticationmethodspolicy",
        "admin",
        "external",
        "solutions",
    ]
)
"""First segments where a change decides who may do what."""
LOOKS = frozenset(
    [
        "getbyids",
        "checkmembergroups",
        "checkmemberobjects",
        "getmembergroups",
        "getmemberobjects",
        "validateproperties",
        "getschedule",
        "findmeetingtimes",
        "translateexchangeids",
        "query",
        "getavailableextensionproperties",
        "isofthesametenant",
        "preview",
        "delta",
        "findrooms",
        "getpresencesbyuserid",
    ]
)
DECISIVE: tuple[tuple[frozenset[str], Classes], ...] = (
    (
        frozenset(
            [
                "sendmail",
                "send",
                "reply",
                "replyall",
                "forward",
                "sendactivitynotification",
                "accept",
                "decline",
                "tentativelyaccept",
            ]
        ),
        classes("communicate"),
    ),
    (frozenset({"invitations", "invite"}), classes("communicate entitle")),
    (frozenset({"permissions", "createlink", "grant", "members", "owners"}), classes("entitle")),
    (
        frozenset(
            [
                "addpassword",
                "addkey",
                "addtokensigningcertificate",
                "resetpassword",
                "temporaryaccesspassmethods",
                "secrets",
            ]
        ),
        classes("reveal entitle"),
    ),
    (
        frozenset(
            ["approleassignments", "approleassignedto", "memberof", "federatedidentitycredentials", "authentication"]
        ),
        classes("entitle"),
    ),
    (frozenset({"removepassword", "removekey", "revokesigninsessions"}), classes("entitle destroy")),
    (frozenset({"messagerules", "mailboxsettings"}), classes("entitle blind")),
    (frozenset({"conditionalaccess", "auditlogs", "security", "identityprotection"}), classes("entitle blind")),
    (frozenset({"subscriptions"}), classes("write communicate")),
    (frozenset({"wipe", "retire", "permanentdelete", "purge", "cleanwindowsdevice"}), classes("destroy")),
    (frozenset({"devicemanagementscripts", "devicehealthscripts", "runondemand"}), classes("execute")),
)
"""Segments that decide, wherever they stand."""
POSTS_REACH_PEOPLE = frozenset({"messages", "events", "replies", "posts", "threads", "calls"})
TALK = frozenset({"chats", "teams", "channels", "events", "groups"})
OWNERS = frozenset({"users", "groups"})
"""First segments below which people's own things lie, after an id."""
REVEALED = frozenset({"recoverykeys", "devicelocalcredentials", "secrets", "temporaryaccesspassmethods"})

_VERBS = {"GET": "get", "HEAD": "get", "POST": "post", "PATCH": "patch", "PUT": "put", "DELETE": "delete"}
_WORD = re.compile(r"\$?[A-Za-z][A-Za-z0-9.]{0,63}")
_ID = re.compile(r"[0-9@_=-]")


def read_graph(request: Request, path: list[str], body: Value, again: Callable[[Request], Action]) -> Reading:
    """What a request to Graph does. Raises `Undecodable` where nobody can say."""
    verb = _VERBS.get(request.method)
    if verb is None or len(path) < 2 or path[0].lower() not in ("v1.0", "beta"):
        raise Undecodable("no known path of Microsoft Graph")
    if path[1].lower() == "$batch":
        return _batch(request, path[0], body, again)
    words = [_bare(part) for part in path[1:]]
    shown = [word for place, word in enumerate(words) if place == 0 or not _is_id(word)]
    found = _classes(verb, words)
    return Reading(
        operation=f"azure:graph/{'/'.join(shown)}:{verb}",
        service="azure:graph",
        classes=found,
        resources=("/" + "/".join(path[1:]).lower(),),
        sensitive=frozenset({"body"}) if found - {READ} else frozenset(),
    )


def _bare(part: str) -> str:
    """`users('id')` -> `users`; a namespace before an action is left out."""
    return part.lower().partition("(")[0].removeprefix("microsoft.graph.")


def _is_id(word: str) -> bool:
    return not _WORD.fullmatch(word) or bool(_ID.search(word))


def _classes(verb: str, words: list[str]) -> Classes:
    told, below = set(words), set(words[2:] if words[0] in OWNERS else words)
    if verb == "get":
        return frozenset({READ, REVEAL}) if told & REVEALED else frozenset({READ})
    if verb == "post" and words[-1] in LOOKS:
        return frozenset({READ})
    found: set[ActionClass] = set()
    for names, meant in DECISIVE:
        if told & names:
            found |= meant
    decided = any(below & names for names, _ in DECISIVE)
    if verb == "post" and words[-1] in POSTS_REACH_PEOPLE and told & TALK:
        found.add(COMMUNICATE)
    if verb == "delete":
        found.add(DESTROY)
    if words[0] in DIRECTORY:
        if words[0] not in OWNERS or not (decided or below & CONTENT):
            found.add(ENTITLE)
    elif words[0] not in CONTENT and not decided:
        return frozenset({WRITE, ENTITLE, EXECUTE, *found})
    return frozenset(found) or frozenset({WRITE})


def _batch(request: Request, version: str, body: Value, again: Callable[[Request], Action]) -> Reading:
    asked = sequence(member(body, "requests"))
    if request.method != "POST" or not asked or len(asked) > BATCH_MAX:
        raise Undecodable(f"the batch is not a list of at most {BATCH_MAX} requests")
    parts: list[Action] = [again(_inner(request, version, one)) for one in asked]
    return Reading(
        operation="azure:graph/$batch:post",
        service="azure:graph",
        classes=frozenset().union(*(part.classes for part in parts)),
        resources=tuple(part.resources[0] for part in parts if part.resources),
        quantity=len(parts),
        parts=tuple(parts),
        sensitive=frozenset({"body"}),
    )


def _inner(request: Request, version: str, one: Value) -> Request:
    if not isinstance(one, Mapping) or not {key.lower() for key in one} <= BATCH_MEMBERS:
        raise Undecodable("the batch has a request with unknown members")
    method, url, content = member(one, "method"), member(one, "url"), member(one, "body")
    if not isinstance(method, str) or not isinstance(url, str) or "://" in url or "$batch" in url.lower():
        raise Undecodable("the batch has a request without a method or a plain address")
    harmless_headers(member(one, "headers"))
    return replace(
        request,
        method=method.upper(),
        target=f"/{version}/{url.lstrip('/')}",
        headers=tuple(header for header in request.headers if header.name == "content-type"),
        body=b"" if content is None else dump_json(content),
    )


def known() -> Mapping[str, Classes]:
    """Operations that policies may want to name; any other path of Graph has a name by the same rule."""
    named = {
        "users/sendmail:post": ["users", "1", "sendmail"],
        "me/sendmail:post": ["me", "sendmail"],
        "users:get": ["users"],
        "users:post": ["users"],
        "users:patch": ["users"],
        "users:delete": ["users"],
        "groups:get": ["groups"],
        "groups:post": ["groups"],
        "groups/members/$ref:post": ["groups", "1", "members", "$ref"],
        "applications:post": ["applications"],
        "applications/addpassword:post": ["applications", "1", "addpassword"],
        "serviceprincipals:post": ["serviceprincipals"],
        "serviceprincipals/addpassword:post": ["serviceprincipals", "1", "addpassword"],
        "serviceprincipals/approleassignments:post": ["serviceprincipals", "1", "approleassignments"],
        "rolemanagement/directory/roleassignments:post": ["rolemanagement", "directory", "roleassignments"],
        "oauth2permissiongrants:post": ["oauth2permissiongrants"],
        "invitations:post": ["invitations"],
    }
    found = {f"azure:graph/{name}": _classes(name.rpartition(":")[2], words) for name, words in named.items()}
    return {**found, "azure:graph/$batch:post": frozenset({READ})}
