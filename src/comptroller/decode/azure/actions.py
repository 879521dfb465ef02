"""Classes of POST actions by their reviewed names. An action that is not here may start, run and change anything."""

from __future__ import annotations

import re
from functools import lru_cache

from comptroller.decode.azure.reading import Classes, classes

NAMES_KEPT_MAX = 4096
STRICT = classes("write provision execute")
_READ = classes("read")

REVIEWED: tuple[tuple[str, str], ...] = (
    # returns a secret
    (
        "reveal",
        """
        listcallbackurl listconnectioninfo listkafkaconnect retrievebootdiagnosticsdata getbootdiagnosticlogs publishxml
        show showdatabaseconnections listdatabaseconnections getdatabaseconnectionswithdetails getshareablelinks
        listsyncfunctiontriggerstatus listappsettings listfunctionappsettings vpndeviceconfigurationscript
        vpnconfiguration vpnserverconfigurations generatedownloaduri listbackups readonlykeys getikesas
        getpublishingprofile
        listkubeconfig getconnectionstring listclustermonitoringusercredential
        """,
    ),
    # issues a credential, or opens a way in
    (
        "reveal entitle",
        """
        begingetaccess createshareablelinks generatevpnclientpackage generatevpnprofile getvpnprofilepackageurl
        generatekeypair listaccountsas listservicesas listclusteradmincredential listclusterusercredential
        listcredential
        newpassword getaccesstoken generatetoken generatesas
        """,
    ),
    (
        "entitle",
        """
        elevateaccess accept approve applydecisions acceptrecommendations recordalldecisions resetdecisions share
        resetaadprofile resetserviceprincipalprofile rotateserviceaccountsigningkeys rotateclustercertificates
        moveresources revalidate addroles grant authorize attach setvpnclientipsecparameters updatemachinekey acquire
        changevirtualnetwork preparenetworkpolicies unpreparenetworkpolicies reconcile setrole deploy commit remediate
        """,
    ),
    # looks, whatever it is called
    (
        "read",
        """
        advertisedroutes assesspatches availableproviderslist azurereachabilityreport backendhealth connectivitycheck
        containerlogs contextcachechecknameavailability ddosprotectionstatus discoverbackup download
        effectivenetworksecuritygroups effectiveroutes effectiveroutetable exporttemplate generateloa health
        inboundroutes ipflowverify iscloneable learnedipprefixes learnedroutes metrics networkconfigurationdiagnostic
        nexthop nodeavailability outboundroutes resolveprivatelinkserviceid securitygroupview slotsdiffs
        supportedvpndevices topology troubleshoot whatif calculatetemplatehash previewstaticsiteworkflowfile
        validatemoveresources resources resourceshistory arptables routetables routetablessummary
        retrievecontinuousbackupinformation instanceview refreshhubschema refreshschema refresh
        preparecircuitmigration
        """,
    ),
    ("reveal write", "packetcapture packetcaptureoperation startpacketcapture startnetworktrace export starttrace"),
    (
        "execute",
        """
        runcommand invokecommand run execute invoke trigger restart restartsites reboot recycleinstance redeploy reapply
        poweroff deallocate stop sync syncfunctiontriggers resubmit manualupgrade osrollingupgrade
        extensionrollingupgrade installpatches performmaintenance zipdeploy deployworkflowartifacts slotsswap
        applyslotconfig failover failoverprioritychange onlineregion forcerecoveryservicefabricplatformupdatedomainwalk
        approverollingupgrade initiatescan triggersync tryplannedbeforeforcedfailover upgradenodeimageversion upgrade
        setorchestrationservicestate hibernate
        """,
    ),
    ("provision execute", "start startoperation resume submit scaleout createrun restartwithresize"),
    (
        "provision",
        """
        restore restorepoints copy migratetoautoscale migratetomanualthroughput upgradedatawarehouse capture backup
        restorefrombackupblob restorefromdeletedapp restoresnapshot recover import migratetovirtualmachinescaleset
        converttovirtualmachinescaleset updatequotas preparenotebook createrecommendedactionsession
        converttomanageddisks attachdetachdatadisks changeaccesstier migratemysql
        """,
    ),
    (
        "destroy",
        """
        delete deletemachines purge reimage reimageall cancel abort aborthnsonmigration abortmigration cancelmove
        cancelsync generalize offlineregion forcefailoverallowdataloss simulateeviction reset resetslotconfig
        disconnectactivesessions disconnectp2svpnconnections disconnectvirtualnetworkgatewayvpnconnections
        deleteshareablelinks deleteshareablelinksbytoken revokeuserdelegationkeys detach unregister restoreblobranges
        completerestore resetconnection shutdownbgpforcircuitmigration stopassignment
        cancelmigrationtovirtualmachinescaleset disassociatecloudservicereservedpublicip
        disassociatecloudservicereservedpublicipaddress revert completemove
        terminate remove drop wipe revoke evict
        """,
    ),
    (
        "blind",
        """
        disable suspend clearlegalhold removelegalholdimmutability removetimebasedimmutability
        updateimmutabilitypolicy updateimmutabilitypolicylock resetqueryperformanceinsightdata mute suppress dismiss
        snooze
        acknowledge configureflowlog
        """,
    ),
    ("write destroy", "lock locktimebasedimmutability"),
    ("communicate", "createnotifications sendreminders sendemail sendmessage notify"),
    ("communicate entitle", "createuserinvitation invite"),
    ("pay", "purchase buy exchange refund return renew order calculaterefundandreturn signagreement"),
    (
        "write",
        """
        endgetaccess register enable lease extend setlegalhold setlegalholdimmutability
        pause move moveipconfigurations commitcircuitmigration commitmigration executemigration preparemigration
        hnsonmigration migrate migratecircuit migratetoipbased migratevmavailabilityzone rollbackcircuitmigration
        restorebgpforcircuitmigration startaccountmigration startmove startmigrationtovirtualmachinescaleset
        startcircuitlinkfailovertest startsitefailovertest stopcircuitlinkfailovertest stopnetworktrace
        stoppacketcapture
        stopsitefailovertest subscribe unsubscribe refreshexternalgovernancestatus
        reevaluateinaccessibledatabasestate reject tdecertificates update updateaddresslocations updateconfigurations
        updatemanagedinstancednsservers updateservices setloadbalancerfrontendpublicipaddresses
        reservecloudservicepublicipaddress converttosingleplacementgroup testupgradeavailablenotification resynckeys
        rename resetallfilters
        """,
    ),
)
"""Classes and the names of the actions that have them, in lower case."""

BY_TYPE: dict[tuple[str, str], str] = {
    ("microsoft.web/sites/config", "list"): "reveal",
    ("microsoft.web/sites/slots/config", "list"): "reveal",
    ("microsoft.web/sites/backups", "list"): "reveal",
    ("microsoft.web/sites/slots/backups", "list"): "reveal",
    ("microsoft.sql/servers/databases", "export"): "reveal write",
    ("microsoft.sql/servers/databases", "resume"): "provision",
    ("microsoft.web/sites/networktrace", "stop"): "write",
    ("microsoft.web/sites/networktrace", "start"): "reveal write",
    ("microsoft.web/sites/networktrace", "startoperation"): "reveal write",
    ("microsoft.web/sites/slots/networktrace", "stop"): "write",
    ("microsoft.web/sites/slots/networktrace", "start"): "reveal write",
    ("microsoft.web/sites/slots/networktrace", "startoperation"): "reveal write",
    ("microsoft.web/recommendations", "reset"): "write",
    ("microsoft.web/sites/recommendations", "reset"): "write",
    ("microsoft.web/hostingenvironments/recommendations", "reset"): "write",
    ("microsoft.network/connections/sharedkey", "reset"): "reveal entitle",
    ("microsoft.network/networkmanagers", "commit"): "entitle blind",
    ("microsoft.authorization/accessreviewscheduledefinitions", "stop"): "entitle",
    ("microsoft.authorization/accessreviewscheduledefinitions/instances", "stop"): "entitle",
    ("microsoft.authorization/roleassignmentschedulerequests", "cancel"): "entitle",
    ("microsoft.authorization/roleeligibilityschedulerequests", "cancel"): "entitle",
    ("microsoft.resources", "batch"): "read",
    ("microsoft.resources/subscriptions", "cancel"): "destroy",
    ("microsoft.resources/subscriptions", "enable"): "provision entitle",
    ("microsoft.resources/subscriptions", "rename"): "write",
    ("microsoft.sql/servers/databases/transparentdataencryption", "suspend"): "blind",
    ("microsoft.sql/servers/databases/transparentdataencryption", "resume"): "write",
    ("microsoft.network/expressroutecircuits/peerings/arptables", "post"): "read",
    ("microsoft.network/expressroutecircuits/peerings/routetables", "post"): "read",
    ("microsoft.network/expressroutecircuits/peerings/routetablessummary", "post"): "read",
    ("microsoft.network/expressroutecrossconnections/peerings/arptables", "post"): "read",
    ("microsoft.network/expressroutecrossconnections/peerings/routetables", "post"): "read",
    ("microsoft.network/expressroutecrossconnections/peerings/routetablessummary", "post"): "read",
    ("microsoft.resourcegraph", "resources"): "read",
    ("microsoft.resourcegraph", "resourceshistory"): "read",
    ("microsoft.insights", "metrics"): "read",
}
"""Names that mean something else for one type."""

_BY_NAME = {name: classes(words) for words, names in REVIEWED for name in names.split()}
_SECRET = re.compile(
    r"\w*(callbackurl|keys?|secrets?|credentials?|passwords?|tokens?|sas|sasuri|sastoken|connectionstrings?|kubeconfigs?|sharedkeys?)\d*"
)
_ISSUES = re.compile(r"(re|)?(generate|new|create|rotate|reset|issue|renew|roll|add|regenerate)\w*")
_LOOKS = re.compile(
    r"(check|validate|verify|whatif|query|list|get|search|preview|calculate|estimate|testexisting|testblob)\w*"
)
_CHECKS = re.compile(r"(check|validate|verify|resync|revoke)\w*")


def names_secret(name: str) -> bool:
    """True for a lower-case name that speaks of keys, tokens or the like."""
    return _SECRET.fullmatch(name) is not None


@lru_cache(maxsize=NAMES_KEPT_MAX)
def action_classes(kind: str, action: str) -> Classes:
    """The classes of a POST action; both names in lower case."""
    special = BY_TYPE.get((kind, action))
    if special is not None:
        return classes(special)
    named = _BY_NAME.get(action)
    if named is not None:
        return named
    if _CHECKS.fullmatch(action) is None and names_secret(action):
        return classes("reveal entitle") if _ISSUES.fullmatch(action) else classes("reveal")
    return _READ if _LOOKS.fullmatch(action) else STRICT
