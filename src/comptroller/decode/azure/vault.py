"""Key vaults and managed HSMs: what shows a secret, what uses a key, what destroys one for good."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache

from comptroller.decode.azure.reading import Classes, Reading, classes
from comptroller.decode.shape import Undecodable

HOSTS = frozenset(
    {
        "*.vault.azure.net",
        "*.vault.azure.cn",
        "*.vault.usgovcloudapi.net",
        "*.managedhsm.azure.net",
        "*.managedhsm.azure.cn",
        "*.managedhsm.usgovcloudapi.net",
    }
)

# "METHOD shape": {} is a name or version, the words are the classes.
_TABLE = """
GET /secrets = list : read
GET /secrets/{} = get : reveal
GET /secrets/{}/versions = listVersions : read
GET /secrets/{}/{} = get : reveal
PUT /secrets/{} = set : write
PATCH /secrets/{} = update : write
PATCH /secrets/{}/{} = update : write
DELETE /secrets/{} = delete : destroy
POST /secrets/{}/backup = backup : reveal
POST /secrets/restore = restore : write
GET /deletedsecrets = listDeleted : read
GET /deletedsecrets/{} = getDeleted : read
DELETE /deletedsecrets/{} = purge : destroy
POST /deletedsecrets/{}/recover = recover : write
GET /keys = list : read
GET /keys/{} = get : read
GET /keys/{}/versions = listVersions : read
GET /keys/{}/{} = get : read
GET /keys/{}/rotationpolicy = getRotationPolicy : read
PUT /keys/{}/rotationpolicy = setRotationPolicy : write
PUT /keys/{} = import : write
PATCH /keys/{} = update : entitle
PATCH /keys/{}/{} = update : entitle
POST /keys/{}/create = create : write
DELETE /keys/{} = delete : destroy
POST /keys/{}/backup = backup : reveal
POST /keys/restore = restore : write
POST /keys/{}/rotate = rotate : write
POST /keys/{}/{}/encrypt = encrypt : read
POST /keys/{}/{}/wrapkey = wrapKey : read
POST /keys/{}/{}/verify = verify : read
POST /keys/{}/{}/decrypt = decrypt : reveal
POST /keys/{}/{}/unwrapkey = unwrapKey : reveal
POST /keys/{}/{}/sign = sign : reveal
POST /keys/{}/{}/release = release : reveal
POST /keys/{}/encrypt = encrypt : read
POST /keys/{}/wrapkey = wrapKey : read
POST /keys/{}/verify = verify : read
POST /keys/{}/decrypt = decrypt : reveal
POST /keys/{}/unwrapkey = unwrapKey : reveal
POST /keys/{}/sign = sign : reveal
POST /keys/{}/release = release : reveal
POST /rng = random : read
GET /deletedkeys = listDeleted : read
GET /deletedkeys/{} = getDeleted : read
DELETE /deletedkeys/{} = purge : destroy
POST /deletedkeys/{}/recover = recover : write
GET /certificates = list : read
GET /certificates/{} = get : read
GET /certificates/{}/versions = listVersions : read
GET /certificates/{}/{} = get : read
GET /certificates/{}/policy = getPolicy : read
PATCH /certificates/{}/policy = updatePolicy : write
GET /certificates/{}/pending = getOperation : read
PATCH /certificates/{}/pending = updateOperation : write
DELETE /certificates/{}/pending = deleteOperation : destroy
POST /certificates/{}/pending/merge = merge : write
POST /certificates/{}/create = create : write
POST /certificates/{}/import = import : write
POST /certificates/{}/backup = backup : reveal
POST /certificates/restore = restore : write
PATCH /certificates/{} = update : write
PATCH /certificates/{}/{} = update : write
DELETE /certificates/{} = delete : destroy
GET /certificates/contacts = getContacts : read
PUT /certificates/contacts = setContacts : write
DELETE /certificates/contacts = deleteContacts : blind destroy
GET /certificates/issuers = listIssuers : read
GET /certificates/issuers/{} = getIssuer : reveal
PUT /certificates/issuers/{} = setIssuer : entitle
PATCH /certificates/issuers/{} = updateIssuer : entitle
DELETE /certificates/issuers/{} = deleteIssuer : destroy
GET /deletedcertificates = listDeleted : read
GET /deletedcertificates/{} = getDeleted : read
DELETE /deletedcertificates/{} = purge : destroy
POST /deletedcertificates/{}/recover = recover : write
GET /storage = list : read
GET /storage/{} = get : read
PUT /storage/{} = set : entitle
PATCH /storage/{} = update : entitle
DELETE /storage/{} = delete : destroy
POST /storage/{}/regeneratekey = regenerateKey : entitle
POST /storage/{}/backup = backup : reveal
POST /storage/restore = restore : write
GET /storage/{}/sas = listSas : read
GET /storage/{}/sas/{} = getSas : reveal
PUT /storage/{}/sas/{} = setSas : entitle
PATCH /storage/{}/sas/{} = updateSas : entitle
DELETE /storage/{}/sas/{} = deleteSas : destroy
GET /settings = listSettings : read
GET /settings/{} = getSetting : read
PATCH /settings/{} = updateSetting : entitle
POST /backup = fullBackup : reveal
GET /backup/{}/pending = getBackup : read
PUT /restore = fullRestore : write destroy
GET /restore/{}/pending = getRestore : read
POST /securitydomain/download = downloadSecurityDomain : reveal entitle
GET /securitydomain/download/pending = getDownload : read
POST /securitydomain/upload = uploadSecurityDomain : entitle
GET /securitydomain/upload = getTransferKey : read
"""
_ROLES = """
GET roleAssignments read
PUT roleAssignments entitle
DELETE roleAssignments entitle
GET roleDefinitions read
PUT roleDefinitions entitle
DELETE roleDefinitions entitle
"""


@cache
def _table() -> Mapping[tuple[str, int], list[tuple[list[str], str, Classes]]]:
    found: dict[tuple[str, int], list[tuple[list[str], str, Classes]]] = {}
    for line in _TABLE.strip().splitlines():
        left, _, right = line.partition(" = ")
        method, shape = left.split(" ")
        verb, _, words = right.partition(" : ")
        segments = shape.split("/")[1:]
        name = f"azure:vault/{segments[0].removeprefix('deleted')}:{verb}"
        found.setdefault((method, len(segments)), []).append((segments, name, classes(words)))
    for rows in found.values():
        rows.sort(key=lambda row: [segment == "{}" for segment in row[0]])
    return found


def read_vault(method: str, host: str, path: list[str]) -> Reading:
    """What a request to a vault does. Raises `Undecodable` where nobody knows the path."""
    lower = [part.lower() for part in path]
    found = _role(method, lower) or _listed(method, lower)
    if found is None:
        raise Undecodable("no known operation of a key vault has this method and path")
    operation, meant = found
    return Reading(
        operation=operation,
        service="azure:keyvault",
        classes=meant,
        resources=(f"{host.partition('.')[0]}/{'/'.join(lower)}",),
        sensitive=frozenset({"body"}),
    )


def _listed(method: str, path: list[str]) -> tuple[str, Classes] | None:
    for shape, name, meant in _table().get((method, len(path)), ()):
        if all(wanted in ("{}", part) for wanted, part in zip(shape, path, strict=True)):
            return name, meant
    return None


def _role(method: str, path: list[str]) -> tuple[str, Classes] | None:
    """Role assignments of a managed HSM, in whatever scope."""
    place = next((i for i, part in enumerate(path[:-1]) if part == "providers"), None)
    if place is None or path[place + 1] != "microsoft.authorization" or place + 2 >= len(path):
        return None
    for line in _ROLES.strip().splitlines():
        wanted, kind, words = line.split(" ")
        if wanted == method and kind.lower() == path[place + 2]:
            return f"azure:vault/{kind}:{method.lower()}", classes(words)
    return None


@cache
def known() -> Mapping[str, Classes]:
    """Every operation of a vault by name."""
    found: dict[str, Classes] = {}
    for rows in _table().values():
        for _, name, meant in rows:
            found[name] = found.get(name, meant) | meant
    for line in _ROLES.strip().splitlines():
        method, kind, words = line.split(" ")
        found[f"azure:vault/{kind}:{method.lower()}"] = classes(words)
    return found
