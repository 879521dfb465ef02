"""Blob storage: containers and blobs by method, `restype` and `comp`; who may read without asking is a right."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from comptroller.core.action import ActionClass, Value
from comptroller.core.request import Request
from comptroller.decode.azure.reading import Classes, Reading, classes
from comptroller.decode.shape import Undecodable, only_header

HOSTS = frozenset({"*.blob.core.windows.net", "*.blob.core.chinacloudapi.cn", "*.blob.core.usgovcloudapi.net"})
HEADERS_MAX = 64
UNBOUND_HEADERS = frozenset({"x-ms-date", "x-ms-client-request-id", "x-ms-return-client-request-id"})
FOREIGN_KEYS = frozenset({"x-ms-copy-source-authorization", "x-ms-encryption-key", "x-ms-source-encryption-key"})
QUERIES = frozenset(
    {"restype", "comp", "prefix", "marker", "maxresults", "include", "delimiter", "timeout", "snapshot", "versionid"}
    | {"blockid", "blocklisttype", "copyid", "where", "prevsnapshot", "deletetype", "showonly", "startfrom", "upn"}
    | {"recursive", "directory"}
)
PLAIN_HEADERS = ("cache-control", "content-encoding", "content-language", "content-disposition", "content-md5")
MORE_HEADERS = ("if-modified-since", "if-unmodified-since", "range")

_TABLE = """
account GET - list = containers:list : read
account GET service properties = service:getProperties : read
account HEAD account properties = account:get : read
account GET account properties = account:get : read
account PUT service properties = service:setProperties : write blind
account GET service stats = service:getStats : read
account POST service userdelegationkey = service:getUserDelegationKey : reveal entitle
account GET - blobs = blobs:findByTags : read
container PUT container - = containers:create : write
container GET container - = containers:get : read
container HEAD container - = containers:get : read
container GET container metadata = containers:get : read
container HEAD container metadata = containers:get : read
container PUT container metadata = containers:setMetadata : write
container GET container acl = containers:getAcl : read
container HEAD container acl = containers:getAcl : read
container PUT container acl = containers:setAcl : entitle
container PUT container lease = containers:lease : write
container PUT container undelete = containers:undelete : write
container PUT container rename = containers:rename : write
container DELETE container - = containers:delete : destroy
container GET container list = blobs:list : read
container GET container blobs = blobs:findByTags : read
blob GET - - = blobs:get : read
blob HEAD - - = blobs:get : read
blob PUT - - = blobs:put : write
blob DELETE - - = blobs:delete : destroy
blob GET - metadata = blobs:get : read
blob HEAD - metadata = blobs:get : read
blob GET - tags = blobs:getTags : read
blob GET - blocklist = blobs:getBlockList : read
blob GET - pagelist = blobs:getPageRanges : read
blob POST - query = blobs:query : read
blob PUT - block = blobs:putBlock : write
blob PUT - blocklist = blobs:putBlockList : write
blob PUT - page = blobs:putPage : write
blob PUT - appendblock = blobs:append : write
blob PUT - metadata = blobs:setMetadata : write
blob PUT - properties = blobs:setProperties : write
blob PUT - tags = blobs:setTags : write
blob PUT - tier = blobs:setTier : write
blob PUT - snapshot = blobs:snapshot : write
blob PUT - lease = blobs:lease : write
blob PUT - undelete = blobs:undelete : write
blob PUT - copy = blobs:abortCopy : destroy
blob PUT - incrementalcopy = blobs:copy : write
blob PUT - seal = blobs:seal : write
blob PUT - expiry = blobs:setExpiry : destroy
blob PUT - immutabilitypolicies = blobs:setImmutability : blind
blob DELETE - immutabilitypolicies = blobs:deleteImmutability : blind destroy
blob PUT - legalhold = blobs:setLegalHold : blind
"""


@cache
def _table() -> Mapping[tuple[str, str, str, str], tuple[str, Classes]]:
    found = {}
    for line in _TABLE.strip().splitlines():
        left, _, right = line.partition(" = ")
        level, method, restype, comp = left.split(" ")
        name, _, words = right.partition(" : ")
        found[(level, method, restype.strip("-"), comp.strip("-"))] = (f"azure:blob/{name}", classes(words))
    return found


@cache
def known() -> Mapping[str, Classes]:
    """Every operation of blob storage by name."""
    return dict(_table().values())


def headers_of(request: Request) -> dict[str, Value]:
    """Every header that says what is done. Raises `Undecodable` for keys of the caller's own."""
    found: dict[str, Value] = {}
    for name in {header.name for header in request.headers}:
        if name in FOREIGN_KEYS:
            raise Undecodable(f"the header `{name}` carries a key of the caller's own")
        if (name.startswith("x-ms-") and name not in UNBOUND_HEADERS) or name in PLAIN_HEADERS + MORE_HEADERS:
            found[name] = only_header(request, name)
    if len(found) > HEADERS_MAX:
        raise Undecodable(f"the request has more than {HEADERS_MAX} headers that matter")
    return {name: found[name] for name in sorted(found)}


def read_blob(request: Request, path: str, query: Mapping[str, str]) -> Reading:
    """What a request to blob storage does. Raises `Undecodable` where nobody knows it."""
    strange = query.keys() - QUERIES
    if strange:
        raise Undecodable("the query has a name that blob storage is not known to read")
    container, _, blob = path[1:].partition("/")
    level = "blob" if blob else "container" if container else "account"
    restype, comp = query.get("restype", "").lower(), query.get("comp", "").lower()
    if level == "container" and not restype and container not in ("", "$root"):
        level = "blob"  # a blob of the root container
    known_row = _table().get((level, request.method, restype, comp))
    if known_row is None:
        raise Undecodable("no known operation of blob storage has this method and path")
    operation, found = known_row
    if any(header.name == "x-ms-blob-public-access" and header.value for header in request.headers):
        found |= {ActionClass.ENTITLE}
    if any(
        header.name.startswith("x-ms-immutability") or header.name == "x-ms-legal-hold" for header in request.headers
    ):
        found |= {ActionClass.BLIND}
    account = request.host.partition(".")[0]
    return Reading(
        operation=operation,
        service="azure:storage",
        classes=found,
        resources=(f"{account}{path if path != '/' else ''}",),
        sensitive=frozenset({"body"}),
    )
