"""Classes of making, changing and deleting a resource by its type, reviewed with the reasons. A type that nobody
published here may cost something as long as it lives."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache, lru_cache
from typing import NamedTuple

from comptroller.core.action import ActionClass
from comptroller.decode.azure.actions import NAMES_KEPT_MAX, STRICT, action_classes, names_secret
from comptroller.decode.azure.path import types
from comptroller.decode.azure.reading import Classes, classes

READ = ActionClass.READ


class Meaning(NamedTuple):
    """Classes of writing (PUT, PATCH) and of deleting."""

    write: Classes
    delete: Classes


def _m(write: str, delete: str = "destroy") -> Meaning:
    return Meaning(classes(write), classes(delete))


_RIGHTS = _m("entitle", "entitle destroy")
_GUARD = _m("write blind", "blind destroy")
_DOOR = _m("entitle", "blind destroy")
_CODE = _m("provision execute")
_COSTS = _m("provision")
_PLAIN = _m("write")
_PAID = _m("pay", "pay destroy")

RULES: tuple[tuple[Meaning, str], ...] = (
    # Guardrails of the whole subscription: policies and locks; changing one may weaken it.
    (_m("entitle blind", "entitle blind destroy"), "microsoft.authorization/rolemanagement*"),
    (_m("blind", "blind destroy"), "microsoft.authorization/*polic* microsoft.authorization/locks*"),
    (_m("entitle blind", "entitle blind destroy"), "microsoft.authorization/accessreview*"),
    # Who may do what.
    (
        _RIGHTS,
        """
        microsoft.authorization/* microsoft.managedidentity/* microsoft.managedservices/* microsoft.management/*
        microsoft.aad/* microsoft.aadiam/* microsoft.azureactivedirectory/* */*roleassignments */*roledefinitions
        */*userdefinitions */accesspolicies */administrators */azureadonlyauthentications */localusers
        */authorizationrules */federatedidentitycredentials */trustedaccessrolebindings */identitybindings
        */privateendpointconnections */authorizations */sharedkey */sharedkeys */credentials */tokens */scopemaps
        microsoft.web/sites/functions/keys microsoft.web/sites/slots/functions/keys microsoft.web/sites/host/*
        microsoft.web/sites/slots/host/* microsoft.web/publishingusers microsoft.web/sourcecontrols
        microsoft.web/staticsites/basicauth microsoft.web/staticsites/authproviders/users
        */basicpublishingcredentialspolicies microsoft.machinelearningservices/workspaces/connections
        microsoft.network/networkmanagers/scopeconnections microsoft.network/networkmanagerconnections
        microsoft.network/vpnserverconfigurations* microsoft.network/authenticationpolicies
        microsoft.storage/storageaccounts/datashares microsoft.sql/locations/servertrustgroups
        microsoft.sql/managedinstances/servertrustcertificates
        """,
    ),
    # Lets data, or traffic, reach a place it did not.
    (
        _m("write entitle"),
        """
        */virtualnetworkpeerings microsoft.network/networkmanagers/connectivityconfigurations */inboundnatrules
        microsoft.network/expressroutecircuits/peerings/connections */objectreplicationpolicies
        */blobaccesspointconfigurations */distributedavailabilitygroups */syncgroups/syncmembers
        microsoft.web/*/hybridconnection microsoft.web/*/relays microsoft.web/*/privateaccess
        microsoft.web/*/databaseconnections microsoft.network/*/tapconfigurations
        """,
    ),
    # Deletes on its own, later; or says how long what was deleted can be had back.
    (_m("write destroy"), "microsoft.storage/*/managementpolicies"),
    (_GUARD, "microsoft.storage/*/blobservices microsoft.storage/*/fileservices"),
    # Money, at once.
    (
        _PAID,
        """
        microsoft.capacity/* microsoft.billingbenefits/* microsoft.billing/* microsoft.saas/* microsoft.marketplace/*
        microsoft.marketplaceordering/* microsoft.domainregistration/* microsoft.certificateregistration/*
        """,
    ),
    (_m("provision entitle", "entitle destroy"), "microsoft.subscription/*"),
    # Makes, by a template of its own, whatever that says.
    (_m("provision execute entitle", "entitle destroy"), "microsoft.blueprint/* microsoft.solutions/*"),
    # What is kept, seen and told.
    (_COSTS, "microsoft.insights/autoscalesettings microsoft.insights/components microsoft.insights/webtests"),
    (
        _GUARD,
        """
        */diagnosticsettings */diagnosticsettings/* microsoft.insights/* microsoft.alertsmanagement/*
        microsoft.security/* microsoft.securityinsights/* microsoft.consumption/budgets
        microsoft.costmanagement/* */auditingsettings */extendedauditingsettings */devopsauditingsettings
        */securityalertpolicies */advancedthreatprotectionsettings */*vulnerabilityassessments
        */*vulnerabilityassessments/* */sensitivitylabels */currentsensitivitylabels */recommendedsensitivitylabels
        */datamaskingpolicies */datamaskingpolicies/rules */transparentdataencryption */ledgerdigestuploads
        */immutabilitypolicies */backuplongtermretentionpolicies */backupshorttermretentionpolicies
        */geobackuppolicies */flowlogs */loggingconfigurations */inventorypolicies
        microsoft.network/networkwatchers microsoft.network/networkwatchers/connectionmonitors */encryptionprotector
        microsoft.sql/locations/*longtermretention* microsoft.operationalinsights/workspaces/*
        microsoft.recoveryservices/vaults/* microsoft.dataprotection/backupvaults/* microsoft.monitor/*/*
        microsoft.web/sites/backups microsoft.web/sites/slots/backups */restorepoints
        """,
    ),
    (_m("provision", "blind destroy"), "microsoft.operationalinsights/workspaces microsoft.recoveryservices/vaults"),
    (_m("provision", "blind destroy"), "microsoft.dataprotection/backupvaults microsoft.monitor/accounts"),
    (_m("reveal write"), "microsoft.network/networkwatchers/packetcaptures microsoft.network/virtualnetworktaps"),
    # Opens or closes a way in.
    (
        _DOOR,
        """
        */firewallrules */ipv6firewallrules */virtualnetworkrules */outboundfirewallrules */securityrules
        */inboundsecurityrules microsoft.network/networksecuritygroups microsoft.network/firewallpolicies*
        microsoft.network/networkmanagers/security* microsoft.network/networksecurityperimeters*
        microsoft.network/*webapplicationfirewallpolicies */networksecurityperimeterconfigurations
        microsoft.network/networkmanagers/commits microsoft.network/ipgroups
        microsoft.network/serviceendpointpolicies*
        """,
    ),
    # Runs code elsewhere.
    (
        _m("execute"),
        """
        microsoft.compute/*/runcommands microsoft.compute/*/diagnosticruncommands microsoft.compute/*/extensions
        microsoft.hybridcompute/machines/* microsoft.kubernetesconfiguration/* microsoft.guestconfiguration/*
        microsoft.automation/automationaccounts/*
        microsoft.sql/servers/jobagents/* microsoft.sql/managedinstances/sqlagent microsoft.sql/*/databases/extensions
        microsoft.documentdb/*/storedprocedures microsoft.documentdb/*/triggers
        microsoft.documentdb/*/userdefinedfunctions microsoft.compute/galleries/applications*
        microsoft.compute/galleries/scripts* microsoft.storage/*/storagetaskassignments
        """,
    ),
    (
        _m("write execute"),
        """
        microsoft.web/sites/config microsoft.web/sites/slots/config microsoft.web/*/functions microsoft.web/*/extensions
        microsoft.web/*/sourcecontrols microsoft.web/*/deployments microsoft.web/*/siteextensions
        microsoft.web/*/sitecontainers microsoft.web/sites/migrate microsoft.web/staticsites/*config
        microsoft.web/staticsites/*/userprovidedfunctionapps microsoft.web/staticsites/userprovidedfunctionapps
        microsoft.web/*/continuouswebjobs microsoft.web/*/triggeredwebjobs microsoft.datafactory/factories/*
        microsoft.logic/integrationaccounts/*
        """,
    ),
    (
        _CODE,
        """
        microsoft.web/sites microsoft.web/sites/slots microsoft.web/staticsites microsoft.logic/*
        microsoft.resources/deploymentscripts microsoft.containerinstance/* microsoft.app/* microsoft.batch/*
        microsoft.containerregistry/registries/* microsoft.databricks/* microsoft.synapse/* microsoft.hdinsight/*
        microsoft.servicefabric* microsoft.devtestlab/* microsoft.devcenter/*
        microsoft.machinelearningservices/*/computes microsoft.machinelearningservices/*/jobs
        microsoft.machinelearningservices/*/onlineendpoints/deployments
        microsoft.compute/virtualmachinescalesets/virtualmachines
        microsoft.machinelearningservices/*/batchendpoints* microsoft.machinelearningservices/*/schedules
        """,
    ),
    # Nothing of its own is paid for, and nothing opens.
    (
        _PLAIN,
        """
        microsoft.resources/tags microsoft.resources/subscriptions/tagnames*
        microsoft.resources/subscriptions/resourcegroups
        microsoft.resources/deployments microsoft.resources/deploymentstacks microsoft.resources/templatespecs*
        microsoft.resources/subscriptions/resourcegroups/deployments microsoft.features/*
        microsoft.keyvault/vaults microsoft.keyvault/vaults/secrets microsoft.keyvault/vaults/keys
        microsoft.compute/availabilitysets microsoft.compute/proximityplacementgroups microsoft.compute/sshpublickeys
        microsoft.compute/galleries microsoft.compute/galleries/images microsoft.compute/diskencryptionsets
        microsoft.compute/capacityreservationgroups microsoft.compute/*accesscontrolprofiles*
        microsoft.compute/restorepointcollections microsoft.compute/*/lifecyclehookevents
        microsoft.network/virtualnetworks microsoft.network/networkinterfaces microsoft.network/routetables
        microsoft.network/routefilters microsoft.network/applicationsecuritygroups
        microsoft.network/ipallocations microsoft.network/localnetworkgateways microsoft.network/networkprofiles
        microsoft.network/dscpconfigurations microsoft.network/serviceendpointpolicies
        microsoft.network/customipprefixes
        microsoft.network/ddoscustompolicies microsoft.network/vpnsites microsoft.network/interconnectgroups
        microsoft.network/firstpartyservicetags microsoft.network/cloudserviceslots microsoft.network/virtualwans
        microsoft.web/certificates microsoft.sql/virtualclusters microsoft.containerservice/snapshots
        """,
    ),
    # Children that cost on their own.
    (
        _COSTS,
        """
        */databases */elasticpools */agentpools */nodepools */computes */capacityreservations */hosts */datacenters
        */throughputsettings */cassandrakeyspaces */tables */mongodbdatabases */collections */gremlindatabases */graphs
        */sqldatabases */containers */services */fleetspaces* */replicationlinks */failovergroups
        */instancefailovergroups */versions */premieraddons */workerpools */multirolepools */shares */notebookworkspaces
        microsoft.keyvault/managedhsms/keys microsoft.storage/*/encryptionscopes */connectors
        microsoft.network/virtualhubs/* microsoft.network/vpngateways/* microsoft.network/expressroutegateways/*
        microsoft.network/networkvirtualappliances/* microsoft.network/virtualnetworkappliances/*
        microsoft.network/networkmanagers/verifierworkspaces* microsoft.network/networkmanagers/ipampools
        microsoft.network/privatelinkservices microsoft.machinelearningservices/*/onlineendpoints
        */restorabledroppeddatabases/*
        microsoft.machinelearningservices/*/serverlessendpoints microsoft.cognitiveservices/*
        """,
    ),
)
"""Types as patterns, in lower case; the first that fits decides."""

REVEALED = """
*/sharedkey */sharedkeys */token */publishingcredentials */readonlykeys microsoft.web/sourcecontrols
microsoft.web/publishingusers microsoft.documentdb/databaseaccounts/readonlykeys */functions/admin/token
microsoft.network/expressroutecircuits/authorizations microsoft.network/expressrouteports/authorizations
microsoft.network/expressroutelags/authorizations */keyvalues
"""
"""Types that are looked at by GET and show a secret."""


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word).replace(r"\*", ".*") for word in words.split()))


@cache
def _compiled() -> tuple[tuple[Meaning, re.Pattern[str]], ...]:
    return tuple((meaning, _pattern(words)) for meaning, words in RULES)


@cache
def _revealed() -> re.Pattern[str]:
    return _pattern(REVEALED)


_STRICT_WRITE = _m("write provision")


@lru_cache(maxsize=NAMES_KEPT_MAX)
def type_classes(kind: str, verb: str) -> Classes:
    """The classes of `read`, `write`, `delete` or an action on a type; both in lower case."""
    published = kind in types()
    if verb == "read":
        shown = _revealed().fullmatch(kind) or (not published and names_secret(kind.rpartition("/")[2]))
        return frozenset({READ, ActionClass.REVEAL}) if shown else frozenset({READ})
    if verb not in ("write", "delete"):
        found = action_classes(kind, verb)
        looks_only = found == {READ} and verb.startswith(("get", "list"))
        return found | {ActionClass.REVEAL} if looks_only and not published else found
    meaning = _meaning(kind, published)
    return meaning.write if verb == "write" else meaning.delete


def _meaning(kind: str, published: bool) -> Meaning:
    for meaning, pattern in _compiled():
        if pattern.fullmatch(kind):
            return meaning
    if not published:
        return _STRICT_WRITE
    return _COSTS if kind.count("/") == 1 else _PLAIN


@cache
def known() -> Mapping[str, Classes]:
    """Every published operation by name, with the classes it always has."""
    found: dict[str, Classes] = {}
    for kind, (spelled, verbs) in types().items():
        for lower, verb in verbs.items():
            found[f"azure:{spelled}:{verb}"] = type_classes(kind, lower)
    return found


__all__ = ["STRICT", "known", "type_classes"]
