"""The reviewed map of Google Cloud operations: which class, for which operations, and why.

Compiled into `data/` by `tools/build_gcp_index.py`; never read while serving. What no rule names gets the class of its
HTTP method and verb. A rule's classes join each other; `read` and `write` give way to anything stricter.
"""

from __future__ import annotations

from typing import NamedTuple


class Rule(NamedTuple):
    """`operations` are shell patterns separated by spaces over `METHOD`, of services `services` (patterns as well)."""

    classes: str
    services: str
    operations: str
    reason: str


READ_VERBS = (
    "get list search aggregatedList wait query lookup resolve describe validate verify check "
    "count explain analyze preview inspect find fetch read retrieve testIamPermissions "
    "getIamPolicy batchGet listWait computeTokens batchget countTokens tail aggregate estimate "
    "estimated calculate compute compare summarize summarise show suggest completeQuery "
    "autocomplete rollUp dailyRollUp runReport runPivotReport batchRunReports "
    "batchRunPivotReports runRealtimeReport runAccessReport runFunnelReport getHealth getStatus "
    "getAncestry series labels query_range query_exemplars runAggregationQuery runQuery "
    "partitionQuery findReferrers generateIds checkCompatibility status entities history "
    "bulkAnalyze diff export_metrics provideRecommendation reportPropertyUsage "
    "evaluateUserConsents queryAccessibleData reverse hasMember introspect pollAirflowCommand "
    "optimizeTours batchOptimizeTours enumerate detectLanguage collectReports searchLite filter "
    "ping lint whoami"
)
"""Verbs (whole, or as the beginning of a camel-case verb) of a POST that only reads."""

NEVER_READ = (
    "*.fetchAccessToken *.getAccessToken *.verify* *.checkOut* *.checkIn* *.resolveAlert "
    "*.completeUpload *.readdress* *.complete *.match *.validateTrust *.verifyPassword "
    "*.findAndReplace *.reverse* *.filter *.resolve_conflict *.resolveAuthorization "
    "*.completeFinancialTransaction *.reportItems *.report *.reportSession *.reportStatus "
    "*.listen *.resolve *.reportAsFraud *.queryMaintenance* *.checkUpgrade *.getOrCreate* "
    "*.searchAndReplace *.computeAction"
)
"""Names that begin like a read and are none, or may not be: a POST among them keeps `write`."""

ALWAYS_READ = (
    "*.operations.wait bigquery:jobs.getQueryResults *.validate *.verifyConnectivity "
    "dlp:*.content.inspect dlp:*.content.deidentify dlp:*.content.reidentify dlp:*.image.redact "
    "container:*.fetchClusterUpgradeInfo firestore:*.batchGet firestore:*.runQuery "
    "firestore:*.partitionQuery firestore:*.listen firestore:*.listCollectionIds "
    "firestore:*.runAggregationQuery firestore:*.executePipeline datastore:*.lookup "
    "datastore:*.runQuery datastore:*.runAggregationQuery spanner:*.read spanner:*.streamingRead "
    "spanner:*.partitionRead spanner:*.partitionQuery bigtable:*.generateConsistencyToken "
    "bigtable:*.checkConsistency pubsub:*.schemas.validate pubsub:*.schemas.validateMessage "
    "pubsub:*.subscriptions.pull drive:files.generateIds healthcare:*.search "
    "healthcare:*.search-type healthcare:*.retrieve* monitoring:*.query* sheets:*.getByDataFilter "
    "sheets:*.batchGetByDataFilter calendar:freebusy.query cloudsearch:query.search "
    "logging:entries.list logging:entries.tail youtubeanalytics:* "
    "searchconsole:searchanalytics.query searchconsole:urlInspection.* "
    "storage:*.testIamPermissions websecurityscanner:*.list* policytroubleshooter:* "
    "policysimulator:*.list recommender:*.list recommendationengine:*.predict "
    "safebrowsing:*.find* webrisk:*.search factchecktools:*.get"
)
"""POSTs that only read whatever their name, `SERVICE:METHOD`."""

BILLED_MACHINES = "machines or capacity that cost by the hour until somebody stops them"

REVIEWED: tuple[Rule, ...] = (
    # ------------------------------------------------------------------ provision
    Rule(
        "provision",
        "compute",
        "*nstances.insert *nstances.bulkInsert instances.start instances.startWithEncryptionKey "
        "instances.resume instances.setMachineType instances.setMachineResources instances.update "
        "instances.attachDisk instances.addAccessConfig instances.setScheduling "
        "instances.simulateMaintenanceEvent *nstanceGroupManagers.insert *nstanceGroupManagers.patch "
        "*nstanceGroupManagers.update *nstanceGroupManagers.resize "
        "*nstanceGroupManagers.resizeAdvanced *nstanceGroupManagers.createInstances "
        "*nstanceGroupManagers.startInstances *nstanceGroupManagers.resumeInstances "
        "*nstanceGroupManagers.setInstanceTemplate *nstanceGroupManagers.recreateInstances "
        "*nstanceGroupManagers.applyUpdatesToInstances *nstanceGroupManagerResizeRequests.insert "
        "*utoscalers.insert *utoscalers.update *utoscalers.patch nodeGroups.insert "
        "nodeGroups.addNodes nodeGroups.patch reservations.insert reservations.resize "
        "reservations.update futureReservations.insert futureReservations.update nodeTemplates.insert "
        "regionMultiMig* multiMigs.* *.performMaintenance queuedResources.insert",
        BILLED_MACHINES,
    ),
    Rule(
        "provision",
        "compute",
        "*isks.insert *isks.bulkInsert *isks.resize *isks.update *isks.createSnapshot "
        "*isks.startAsyncReplication *napshots.insert images.insert machineImages.insert "
        "*nstantSnapshots.insert *nstantSnapshotGroups.insert *napshotGroups.insert "
        "storagePools.insert storagePools.update *onSnapshotGroups.* *.createSnapshots",
        "storage that costs while it lives",
    ),
    Rule(
        "provision",
        "compute",
        "*ddresses.insert *orwardingRules.insert vpnGateways.insert targetVpnGateways.insert "
        "vpnTunnels.insert interconnects.insert interconnects.patch interconnectAttachments.insert "
        "interconnectAttachments.patch interconnectAttachmentGroups.insert interconnectGroups.* "
        "routers.insert routers.patch routers.update *ecurityPolicies.insert packetMirrorings.insert "
        "publicAdvertisedPrefixes.* *ublicDelegatedPrefixes.* networkEdgeSecurityServices.insert "
        "serviceAttachments.insert wireGroups.insert crossSiteNetworks.insert *.setCloudArmorTier "
        "projects.enableXpn*",
        "network parts that cost by the hour",
    ),
    Rule(
        "provision",
        "container",
        "*clusters.create *clusters.update *nodePools.create *nodePools.update *nodePools.setSize "
        "*nodePools.setAutoscaling *nodePools.autoscaling *clusters.nodePools.* *clusters.addons "
        "*clusters.setAddons *clusters.locations *clusters.setLocations *clusters.master "
        "*clusters.updateMaster *nodePools.rollback *nodePools.completeUpgrade "
        "*clusters.completeConvertToAutopilot",
        "clusters and their nodes cost by the hour",
    ),
    Rule(
        "provision",
        "sqladmin",
        "instances.insert instances.clone instances.patch instances.update instances.restart "
        "instances.restoreBackup instances.startReplica instances.promoteReplica "
        "instances.pointInTimeRestore instances.import backupRuns.insert *ackups.*reateBackup "
        "blueGreenDeployments.create projects.instances.performDiskShrink instances.acquireSsrsLease",
        "databases cost by the hour",
    ),
    Rule(
        "provision",
        "spanner alloydb bigtableadmin redis memcache file lustre parallelstore netapp vmwareengine "
        "looker datafusion composer metastore baremetalsolution tpu notebooks workstations apigee "
        "gkeonprem edgecontainer edgenetwork managedidentities memorystore oracledatabase datastream "
        "saasservicemgmt privateca certificatemanager managedkafka securesourcemanager "
        "blockchainnodeengine workloadmanager hypercomputecluster rapidmigration vpcaccess "
        "networkservices networksecurity networkconnectivity appengine domains vmmigration backupdr "
        "dataplex dataproc securitycenter cloudshell datamigration eventarc connectors integrations "
        "apihub agentregistry telcoautomation gkebackup colaboratory transferappliance krmapihosting "
        "migrationcenter biglake aiplatform iap discoveryengine dialogflow documentai visionai ml "
        "lifesciences dataform firestore pubsublite",
        "*instances.create *clusters.create *nodes.create *queuedResources.create *backups.create "
        "*environments.create *services.create *instances.start *instances.resume *workstations.start "
        "*runtimes.create *runtimes.start *runtimes.switch *instances.clone *instances.restore "
        "*instances.patch *clusters.patch *clusters.start *nodes.start *nodePools.create "
        "*nodePools.patch *vmwareClusters.create *bareMetalClusters.create *partitions.create "
        "*privateClouds.create *privateClouds.patch *clusters.undelete *privateClouds.undelete "
        "*instances.upgrade *instances.rescaleReadReplica* *instances.reinstall "
        "*instances.updateParameters *workstationConfigs.create *workstationConfigs.patch "
        "*workstationClusters.create *storagePools.create *storagePools.patch *volumes.create "
        "*volumes.patch *snapshots.create *replications.create *instances.failover *connectors.create "
        "*connectors.patch *caPools.create *certificateAuthorities.create "
        "*certificateAuthorities.enable *domains.create *backupVaults.create "
        "*managementServers.create *organizations.create *attachments.create *environments.patch "
        "*environments.*napshot *cloudExadataInfrastructures.create *cloudVmClusters.create "
        "*autonomousDatabases.create *autonomousDatabases.start *autonomousDatabases.restore "
        "*autonomousDatabases.patch *exadbVmClusters.create *exascaleDbStorageVaults.create "
        "*dbSystems.create *odbNetworks.create *machineLearning* *lakes.create *zones.create "
        "*connectionProfiles.create *privateConnections.create *endpoints.create *streams.create "
        "*firewallEndpoints.create *gateways.create *connections.create *tunnels.create "
        "*spokes.create *hubs.create *clusters.createsecondary *instances.createsecondary "
        "*clusters.promote *clusters.restore* *clusters.clone *createCluster* *batches.create "
        "*sessions.create *blockchainNodes.create *migratingVms.cloneJobs.create "
        "*migratingVms.cutoverJobs.create *restore *backups.restore *restorePlans* "
        "*notebookRuntimes.assign *notebookRuntimes.start *notebookRuntimes.upgrade "
        "*environments.start *instancePartitions.create *appProfiles.create "
        "*hyperparameterTuningJobs.create *partitions.patch *createInstance* *scale *resize "
        "*instances.upgradeHardware *volumes.resize *nfsShares.create *volumes.restore "
        "*provisioningConfigs.submit *provisioningConfigs.create *dbClusters.create",
        BILLED_MACHINES,
    ),
    Rule(
        "provision",
        "aiplatform",
        "*endpoints.deployModel *endpoints.mutateDeployedModel *publishers.models.deploy "
        "*customJobs.create *locations.deploy *deployPublisherModel *hyperparameterTuningJobs.create "
        "*trainingPipelines.create *tuningJobs.create *batchPredictionJobs.create "
        "*pipelineJobs.create *nasJobs.create *persistentResources.* *featureOnlineStores.create "
        "*featureOnlineStores.patch *featurestores.create *featurestores.patch "
        "*indexEndpoints.deployIndex *indexEndpoints.mutateDeployedIndex *indexes.create "
        "*deploymentResourcePools.create *deploymentResourcePools.patch *tensorboards.create "
        "*notebookExecutionJobs.create *schedules.create *schedules.resume *reasoningEngines.create "
        "*reasoningEngines.patch *cachedContents.create *cachedContents.patch *ragCorpora.create "
        "*modelMonitoringJobs.create *modelDeploymentMonitoringJobs.create "
        "*modelDeploymentMonitoringJobs.resume *notebookRuntimes.* *tuningJobs.rebaseTunedModel "
        "*evaluationRuns.create *datasets.assess *specialistPools.create "
        "*semanticGovernancePolicyEngine* *ragEngineConfig* *sandboxEnvironments.create "
        "*exampleStores.create",
        "training, serving and index machines cost by the hour",
    ),
    Rule(
        "provision",
        "run cloudfunctions appengine firebaseapphosting",
        "*services.create *services.patch *services.replaceService *jobs.create *jobs.patch *jobs.run "
        "*jobs.replaceJob *workerPools.create *workerPools.patch *workerpools.create "
        "*workerpools.replaceWorkerPool *instances.create *functions.create *functions.patch "
        "*versions.create *versions.patch apps.patch apps.create *builds.create *backends.create "
        "*rollouts.create *functions.*pgrade* *services.deploy* *instances.start "
        "*instances.replaceInstance",
        "serverless code is paid for while it runs",
    ),
    Rule(
        "provision",
        "cloudbuild dataflow dataproc batch lifesciences composer run workflows clouddeploy config "
        "infra-manager tpu ml genomics saasservicemgmt dataplex",
        "*builds.create *builds.retry *triggers.run *triggers.webhook *workerPools.create "
        "*workerPools.patch *jobs.create *templates.create *templates.launch *flexTemplates.launch "
        "*pipelines.run *jobs.submit* *clusters.create *clusters.patch *clusters.start "
        "*clusters.repair *batches.create *sessions.create *workflowTemplates.instantiate* "
        "*virtualClusters.create *nodeGroups.create *nodeGroups.resize *jobs.update "
        "*deployments.create *deployments.patch *models.create *versions.create *jobs.runAggregated "
        "*dataScans.run *dataScans.create *tasks.run *tasks.create",
        "jobs run on machines that are paid for",
    ),
    Rule(
        "provision",
        "deploymentmanager config",
        "*deployments.insert *deployments.update *deployments.patch *deployments.create *previews.create "
        "*typeProviders.insert",
        "a template may bring about any resource",
    ),
    Rule(
        "provision",
        "dns servicedirectory cloudkms recaptchaenterprise certificatemanager",
        "managedZones.create *keyHandles.create *singleTenantHsmInstances.create",
        "hosted zones and hardware keys cost by the month",
    ),
    Rule(
        "provision",
        "storagetransfer transcoder livestream video bigquerydatatransfer transferappliance storagebatchoperations",
        "transferJobs.create transferJobs.run transferJobs.patch *jobs.create *channels.start *inputs.create "
        "*channels.create *orders.create *transferConfigs.create *transferConfigs.startManualRuns",
        "a transfer or a live channel is paid for by what it moves",
    ),
    Rule(
        "provision",
        "discoveryengine dialogflow ces contactcenteraiplatform contactcenterinsights documentai "
        "speech texttospeech translate automl retail visionai vision ml timeseriesinsights "
        "datalabeling recommendationengine",
        "*engines.create *dataStores.create *trainCustomModel *processors.create "
        "*processorVersions.train *processorVersions.deploy *models.create *models.deploy "
        "*adaptiveMtDatasets.create *contactCenters.create *provision *indexEndpoints.deployIndex "
        "*applications.deploy *trainProcessorVersion *models.tune *models.resume *collections.create "
        "*environments.create *subscriptionConfigs* *licenseConfigs.create",
        "hosted models and search engines cost while they live",
    ),
    Rule(
        "provision",
        "cloudresourcemanager firebase firestore firebasedataconnect firebasedatabase firebaseml firebasehosting",
        "projects.addFirebase *databases.create *databases.restore *databases.clone *instances.create "
        "*services.create *databases.importDocuments",
        "a database is paid for while it lives",
    ),
    Rule(
        "provision",
        "bigqueryreservation",
        "*reservations.create *reservations.patch *biReservation* *updateBiReservation *assignments.create "
        "*reservations.failoverReservation",
        "slots cost by the hour",
    ),
    # ------------------------------------------------------------------ pay
    Rule(
        "pay",
        "compute",
        "regionCommitments.insert regionCommitments.update futureReservations.insert licenses.insert",
        "a promise to pay for years",
    ),
    Rule(
        "pay",
        "bigqueryreservation vmwareengine netapp gkehub edgecontainer securesourcemanager apigee "
        "spanner cloudquotas baremetalsolution googlecloudconsumerprocurement "
        "cloudcommerceprocurement cloudcommerceconsumerprocurement",
        "*capacityCommitments.create *capacityCommitments.merge *capacityCommitments.split "
        "*capacityCommitments.patch *announcements* *orders.place *orders.modify *licensePool* "
        "*ratePlans* *subscriptions.create *purchase*",
        "capacity bought for a term",
    ),
    Rule(
        "pay",
        "domains",
        "*registrations.register *registrations.transfer *registrations.renewDomain *registrations.import",
        "a domain is bought",
    ),
    Rule(
        "pay",
        "cloudbilling",
        "projects.updateBillingInfo billingAccounts.create *billingAccounts.move *subAccounts.create "
        "billingAccounts.patch",
        "decides who pays, and whether at all: a project without an account stops",
    ),
    Rule("destroy", "cloudbilling", "projects.updateBillingInfo", "a project without a billing account is shut down"),
    Rule(
        "pay",
        "reseller cloudchannel paymentsresellersubscription",
        "subscriptions.insert subscriptions.change* subscriptions.activate "
        "subscriptions.startPaidService subscriptions.suspend *customers.insert *entitlements.create "
        "*entitlements.change* *entitlements.activate *entitlements.startPaidService "
        "*entitlements.suspend *transferEntitlements* *subscriptions.provision *subscriptions.create "
        "*subscriptions.extend *subscriptions.entitle *subscriptions.resume *subscriptions.cancel "
        "*subscriptions.undoCancel *entitlements.cancel",
        "subscriptions that are billed",
    ),
    Rule(
        "pay",
        "androidpublisher content merchantapi",
        "orderinvoices.* externaltransactions.* orders.refund orders.batchrefund orders.cancel* "
        "*purchases.*.refund* *purchases.*.revoke *purchases.*.defer *purchases.*.cancel "
        "*.orders.refund* *.returnrefund* orders.*refund* orders.*return* orders.createtestreturn "
        "orderreturns.process *subscriptionsv2.revoke *subscriptionsv2.cancel *subscriptionsv2.defer",
        "gives a buyer's money back",
    ),
    Rule(
        "pay",
        "displayvideo dfareporting doubleclicksearch adexchangebuyer adexchangebuyer2 "
        "authorizedbuyersmarketplace realtimebidding searchads360 googleads admanager",
        "*campaigns.create *campaigns.patch *campaigns.insert *campaigns.update *insertionOrders.create "
        "*insertionOrders.patch *lineItems.create *lineItems.patch *lineItems.bulk* *lineItems.duplicate "
        "*adGroups.create *adGroups.patch *youtubeAdGroups.* *ads.insert *ads.patch *ads.update *budget.* "
        "*proposals.accept *proposals.insert *proposals.update *proposals.patch *marketplacedeals.* *deals.* "
        "*finalizedDeals.* *auctionPackages.subscribe* *pretargetingConfigs.* *accounts.patch *accounts.update "
        "*googleAds.mutate* *mutate *orders.create *orders.patch *orders.batch* *floodlight*.insert "
        "*placements.insert *adGroupAds.*",
        "advertising is spent without another question",
    ),
    Rule("pay", "developerconnect marketplace cloudcommerceprocurement", "*orders.*", "an order is placed"),
    # ------------------------------------------------------------------ entitle
    Rule(
        "entitle",
        "*",
        "*setIamPolicy *SetIamPolicy *setIamPermissions *addIamPolicyBinding *iamPolicies.* *policyBindings.* "
        "*principalAccessBoundaryPolicies.* *accessPolicies.* *denyPolicies*",
        "changes who may do what",
    ),
    Rule(
        "entitle",
        "iam",
        "*serviceAccounts.* *roles.* *keys.* *workloadIdentityPools.* *workforcePools.* *policies.* "
        "*oauthClients.* *identities.*",
        "identities, their keys and their roles",
    ),
    Rule("entitle,reveal", "iam", "*serviceAccounts.keys.create *serviceAccounts.sign*", "gives a key or a signature"),
    Rule(
        "entitle,reveal",
        "iamcredentials sts oauth2 securetoken",
        "*",
        "gives tokens with which other identities act",
    ),
    Rule(
        "entitle",
        "cloudresourcemanager",
        "*.setOrgPolicy *.clearOrgPolicy liens.create tagBindings.* *tagHolds.* folders.move projects.move "
        "*effectiveTagBindingCollections.* *tagBindingCollections.* *capability* projects.create",
        "policies, tags and the place in the hierarchy decide who may do what",
    ),
    Rule(
        "entitle,blind",
        "orgpolicy",
        "*policies.create *policies.patch *policies.delete *customConstraints.*",
        "guardrails of the organisation",
    ),
    Rule(
        "entitle,blind",
        "cloudresourcemanager",
        "*.setOrgPolicy *.clearOrgPolicy liens.delete",
        "guardrails of the organisation",
    ),
    Rule(
        "entitle,blind",
        "accesscontextmanager",
        "accessPolicies.* organizations.gcpUserAccessBindings.*",
        "service perimeters and access levels",
    ),
    Rule(
        "entitle",
        "storage",
        "*ccessControls.* *objectAccessControls.* *.setIamPolicy projects.hmacKeys.* "
        "managedFolders.setIamPolicy *AccessControls.* folders.rename",
        "changes who may read or write",
    ),
    Rule("entitle,reveal", "storage", "projects.hmacKeys.create", "makes an access key and returns its secret"),
    Rule(
        "entitle",
        "compute",
        "firewalls.* firewallPolicies.* networkFirewallPolicies.* regionNetworkFirewallPolicies.* "
        "*irewallPolicies.* organizationSecurityPolicies.* *ecurityPolicies.addRule "
        "*ecurityPolicies.patchRule *ecurityPolicies.removeRule *ecurityPolicies.patch "
        "*ecurityPolicies.delete projects.setCommonInstanceMetadata projects.enableXpn* "
        "projects.disableXpn* instances.setServiceAccount instances.setSecurityPolicy "
        "*setSecurityPolicy *setEdgeSecurityPolicy networks.addPeering networks.updatePeering "
        "networks.removePeering networks.requestRemovePeering *ervice*.addSignedUrlKey "
        "*uckets.addSignedUrlKey *.setIamPolicy serviceAttachments.patch routes.insert "
        "instances.setShieldedInstanceIntegrityPolicy instances.addAccessConfig",
        "opens or closes ways in, or changes as whom a machine acts",
    ),
    Rule(
        "entitle,reveal",
        "cloudkms secretmanager parametermanager apikeys",
        "*keys.create *keys.undelete *keys.getKeyString",
        "keys",
    ),
    Rule("entitle", "apikeys", "*keys.patch *keys.delete", "what a key opens"),
    Rule(
        "entitle",
        "sqladmin alloydb spanner",
        "users.insert users.update users.delete *users.create *users.patch *users.delete sslCerts.insert "
        "*databaseRoles* sslCerts.delete *instances.resetSslConfig *addServer* *rotateServer*",
        "accounts of a database",
    ),
    Rule(
        "entitle,reveal",
        "sqladmin alloydb",
        "sslCerts.insert sslCerts.createEphemeral connect.generateEphemeral *generateClientCertificate "
        "*generateEphemeral*",
        "gives a client certificate with its key",
    ),
    Rule(
        "entitle",
        "container gkehub anthos gkeonprem",
        "*setMasterAuth *setLegacyAbac *legacyAbac *setNetworkPolicy *scopes.rbacrolebindings.* "
        "*rbacRoleBindings.* *membershipBindings.* *memberships.bindings.* *startIpRotation *enroll "
        "*admin*",
        "who may act on a cluster",
    ),
    Rule(
        "entitle",
        "drive docs",
        "permissions.* *permissions.* drives.update drives.hide accessproposals.resolve files.modifyLabels "
        "*approvals.* teamdrives.update",
        "who may see or change a file",
    ),
    Rule("entitle,communicate", "drive", "permissions.create permissions.insert", "shares a file, and mails about it"),
    Rule(
        "entitle",
        "admin",
        "directory.* customer.* customers.* datatransfer.*",
        "people, groups, devices and rights of an organisation",
    ),
    Rule(
        "entitle,reveal",
        "admin",
        "directory.verificationCodes.* directory.asps.* directory.users.makeAdmin",
        "codes that open accounts, or an administrator",
    ),
    Rule(
        "entitle",
        "cloudidentity groupssettings groupsmigration licensing chromepolicy chromemanagement "
        "androidmanagement androidenterprise alertcenter vault reseller workspaceevents cloudsearch "
        "keep classroom",
        "*memberships.* groups.* *groups.create *groups.patch *groups.delete *policies.* *inboundS* "
        "licenseAssignments.* *permissions.* matters.addPermissions matters.removePermissions "
        "*courses.students.* *courses.teachers.* invitations.* *devices.* *deviceUsers.* "
        "*userinvitations.* *admins.* *enrollmentTokens.* *webTokens.* *serviceAccountKeys.* "
        "*enterprises.*Token *entitlements.* *permissions.batch*",
        "membership, licences and rights",
    ),
    Rule(
        "entitle",
        "gmail",
        "*settings.delegates.* *settings.forwardingAddresses.* *settings.updateAutoForwarding "
        "*settings.filters.* *settings.sendAs.* *settings.updatePop *settings.updateImap "
        "*settings.cse.* *users.watch *settings.updateVacation",
        "lets other people read or send this mail, or sends it on",
    ),
    Rule("entitle", "calendar", "acl.* calendarList.* settings.watch", "who may see a calendar"),
    Rule(
        "entitle",
        "bigquery bigqueryconnection bigquerydatapolicy analyticshub datacatalog dataplex biglake",
        "*rowAccessPolicies.* *dataPolicies.* *connections.create *connections.patch "
        "*connections.updateCredential *listings.subscribe *listings.create *listings.patch "
        "*dataExchanges.* *policyTags.* *taxonomies.* *subscriptions.* datasets.insert datasets.patch "
        "datasets.update *queryTemplates.*",
        "who may read which data",
    ),
    Rule(
        "entitle",
        "iap identitytoolkit identityplatform firebase firebaserules firebaseappcheck firebaseauth",
        "*identityAwareProxyClients.* *tunnel.* *updateIapSettings *accounts.* *tenants.* "
        "*projects.updateConfig *config.* *oauthIdpConfigs.* *inboundSamlConfigs.* *rulesets.* "
        "*releases.* *debugTokens.* relyingparty.* *defaultSupportedIdpConfigs.* *exchange* "
        "*defaultSupportedIdps.* *initializeAuth *androidApps.* *webApps.create",
        "who may sign in, and what the rules let them do",
    ),
    Rule(
        "reveal",
        "identitytoolkit",
        "*downloadAccount *accounts.batchGet *accounts.sendOobCode *getOobConfirmationCode",
        "password hashes, and codes that open accounts",
    ),
    Rule(
        "entitle",
        "cloudquotas serviceusage servicemanagement servicenetworking serviceconsumermanagement",
        "*quotaPreferences.* *Overrides.* *services.enable *services.batchEnable *connections.* "
        "services.addVisibility* *limits.* *quotaAdjusterSettings* *updateQuota* *consumerPolicies.* "
        "*updateConsumerPolicy *tenancyUnits.*",
        "a larger limit, a way in, or a service that was shut",
    ),
    Rule(
        "entitle",
        "networkconnectivity networksecurity networkservices beyondcorp privateca iam certificatemanager",
        "*serviceConnectionPolicies.* *gatewaySecurityPolicies.* *authorizationPolicies.* "
        "*authzPolicies.* *serverTlsPolicies.* *clientTlsPolicies.* *securityProfiles.* "
        "*addressGroups.* *urlLists.* *certificates.create *certificateTemplates.* "
        "*securityGateways.* *clientGateways.* *appConnections.* *appConnectors.* *trustConfigs.*",
        "ways in, or certificates that open them",
    ),
    Rule(
        "entitle",
        "artifactregistry run cloudfunctions cloudbuild sourcerepo pubsub workstations tagmanager "
        "analyticsadmin mybusinessaccountmanagement youtube searchconsole siteVerification "
        "marketingplatformadmin blogger",
        "*accessBindings.* *user_permissions.* *admins.* *invitations.* *userLinks.* *entities.* "
        "webResource.insert *.accounts.patch *accessRules.*",
        "who may act",
    ),
    # ------------------------------------------------------------------ reveal
    Rule(
        "reveal",
        "secretmanager parametermanager",
        "*versions.access *versions.render",
        "the value of a secret",
    ),
    Rule(
        "reveal",
        "cloudkms",
        "*decrypt *asymmetricDecrypt *rawDecrypt *decapsulate *macSign *asymmetricSign *exportTrustedKeyWrapped*",
        "decrypts, or signs as the key",
    ),
    Rule("reveal", "apikeys", "*getKeyString *lookupKey", "the key itself"),
    Rule(
        "reveal",
        "compute",
        "instances.getSerialPortOutput instances.getScreenshot instances.getGuestAttributes "
        "*.getVmExtensionState interconnects.getMacsecConfig vpnTunnels.*Secret*",
        "what a machine printed, or keys of a line",
    ),
    Rule(
        "reveal",
        "redis memorystore vmwareengine baremetalsolution backupdr workstations cloudshell cloudbuild "
        "developerconnect networkmanagement integrations drive games connectors edgecontainer "
        "gkeonprem container composer vmmigration apigee firebaseappcheck kmsinventory datafusion "
        "oracledatabase contactcenterinsights netapp securesourcemanager dataproc aiplatform dataform "
        "notebooks androidenterprise androidmanagement playintegrity cloudfunctions run "
        "contentwarehouse deviceregistry smartdevicemanagement sasportal managedidentities "
        "photoslibrary ondemandscanning servicecontrol storage appengine firebaseapphosting "
        "mybusiness datamigration alloydb bigqueryconnection",
        "*getAuthString *AuthString *generateAccessToken *fetchAccessToken *fetchReadToken "
        "*fetchReadWriteToken *fetchReadWriteToken *accessReadToken *accessReadWriteToken "
        "*showNsxCredentials *showVcenterCredentials *loadAuthInfo *loadInstanceAuthInfo "
        "*generateOfflineCredential *generateToken *generateCseToken *generateWallet "
        "*generateProviderAccessToken *generateSignedAudio *generateUploadUrl *generateDownloadUrl "
        "*Credential* *credential* *Credentials* *Password *password *getToken *getJwks "
        "*generateSshScript *exchangeToken *exchange* *injectCredentials *getServiceAccountKey "
        "*tokens.* *token *fetchSecret* *fetchUserAccessToken *Token",
        "gives a token, a password or a signed address",
    ),
    Rule(
        "reveal",
        "*",
        "*generateAccessToken *generateIdToken *fetchAccessToken *getKeyString *signBlob *signJwt *showCredentials",
        "gives a token",
    ),
    Rule(
        "entitle",
        "vmwareengine redis memorystore compute",
        "*resetNsxCredentials *resetVcenterCredentials *resetWindowsPassword *Dns*Permission",
        "new credentials",
    ),
    Rule(
        "entitle",
        "workstations cloudshell backupdr edgecontainer gkeonprem",
        "*generateAccessToken *fetchAccessToken "
        "*generateOfflineCredential *addPublicKey *environments.authorize *removePublicKey",
        "a token or key that opens machines",
    ),
    Rule(
        "reveal",
        "*",
        "*.acquireAccessToken *.generateChatToken *.generateFetchAccessToken "
        "*.retrieveAuthorizationCode *.getConnectorSecret *.retrieveLegacySecretKey *.generateSecret "
        "*.createSessionCookie *.getVerificationCode *.reidentify *.fetchEncryptionKey "
        "*.alerts.getPassword *.generatePlatformSiteTokens *.credentials.retrieve "
        "*.credentials.exchange *.credentials.finalize",
        "gives a token, a code, a key or what was masked",
    ),
    Rule(
        "entitle",
        "*",
        "*.importSshPublicKey *sshPublicKeys.* *.createSessionCookie *.addAclEntry *.removeAclEntry "
        "*.addTokenAuthUser *.addAuthToken *dnsBindPermission.* *.acceptSpoke* *.SignedUrlKey "
        "*.addSignedUrlKey *.credentials.exchange *.bulkEditAssignedUserRoles *.acls.* "
        "*.editGuaranteedOrderReadAccessors *.finishOAuthFlow *.updateAccess*",
        "who may do what",
    ),
    # ------------------------------------------------------------------ destroy
    Rule(
        "destroy",
        "*",
        "*.purge *.purgeItems *.deleteAll *.batchDelete *.bulkDelete *.batchRemove *.delete "
        "*.deleteInstances *.destroy *.bulkDeleteDocuments *.deleteByDataFilter *.clear *.trash "
        "*.batchClear *.batchDeleteDocuments *.deleteDocument* *.dropRange *.deleteRevision "
        "*.deleteVersion *.emptyTrash *.wipe* *.wipeUser *.erase* *.reset *.batchPurge "
        "*.batchDeleteVersions *.truncateLog *.deleteNodes *.deleteSelf *.deletePerInstanceConfigs "
        "*.remove *.stopAndDelete",
        "takes away what cannot simply be put back",
    ),
    Rule(
        "destroy",
        "compute",
        "*nstanceGroupManagers.deleteInstances *nstanceGroupManagers.recreateInstances nodeGroups.deleteNodes "
        " *isks.delete *.recreateInstances *.bulkDelete",
        "machines and their data go",
    ),
    Rule(
        "destroy",
        "storage",
        "buckets.lockRetentionPolicy objects.delete folders.delete buckets.delete managedFolders.delete",
        "what is gone is gone, or nobody can undo it",
    ),
    Rule(
        "destroy",
        "cloudkms secretmanager",
        "*cryptoKeyVersions.destroy *versions.destroy *versions.disable *.deleteRetired*",
        "what was encrypted cannot be read again",
    ),
    Rule(
        "destroy",
        "spanner sqladmin alloydb bigtableadmin bigquery firestore datastore dataproc",
        "*dropDatabase *databases.drop *instances.truncateLog *tables.dropRowRange "
        "*instances.resetReplicaSize *databases.bulkDeleteDocuments *instances.restoreBackup "
        "*instances.demote* *tables.delete *deleteContents",
        "data is overwritten or gone",
    ),
    Rule(
        "destroy",
        "pubsub",
        "*subscriptions.seek *snapshots.delete",
        "messages that were not read yet may be skipped",
    ),
    Rule("destroy", "cloudtasks", "*queues.purge", "tasks that wait are gone"),
    Rule(
        "destroy", "serviceusage servicemanagement", "*services.disable", "a service in use stops, with what it holds"
    ),
    Rule(
        "execute,provision",
        "config devicerun",
        "*deploymentGroups.provision *deploymentGroups.deprovision *sessions.create",
        "a template may bring about any resource",
    ),
    Rule("provision", "compute", "zoneQueuedResources.insert haControllers.insert", BILLED_MACHINES),
    Rule(
        "destroy",
        "*",
        "*.delete* *.batchDelete* *.bulkDelete* *.clear* *.expunge *.batchClear* *.truncate* *.wipe*",
        "takes away what cannot simply be put back",
    ),
    # ------------------------------------------------------------------ blind
    Rule("blind,entitle", "servicenetworking", "*.disableVpcServiceControls *.enableVpcServiceControls", "a perimeter"),
    Rule(
        "blind",
        "logging",
        "*sinks.delete *sinks.update *sinks.patch *exclusions.* *buckets.delete *buckets.update *buckets.patch "
        "*buckets.updateAsync *logs.delete *updateSettings *updateCmekSettings *views.delete *views.patch "
        "*links.delete *metrics.delete *metrics.update *logScopes.delete",
        "logs that are dropped, cut short or sent elsewhere",
    ),
    Rule(
        "blind",
        "monitoring",
        "*alertPolicies.delete *alertPolicies.patch *notificationChannels.delete *notificationChannels.patch "
        "*uptimeCheckConfigs.delete *uptimeCheckConfigs.patch *snoozes.create *snoozes.patch "
        "*metricDescriptors.delete *services.delete *serviceLevelObjectives.delete",
        "nobody is told any more",
    ),
    Rule(
        "blind",
        "securitycenter securityposture websecurityscanner",
        "*muteConfigs.* *findings.setMute *findings.setState *bulkMute *notificationConfigs.delete "
        "*notificationConfigs.patch *Settings* *updateOrganizationSettings *Modules.* *sources.patch "
        "*securityCenterServices.patch *bigQueryExports.delete *scanConfigs.delete "
        "*postureDeployments.* *postures.delete",
        "threat detection is silenced",
    ),
    Rule(
        "blind",
        "securitycentermanagement chronicle threatintelligence",
        "*patch *delete *rules.* *updateDeployment *setState",
        "threat detection is changed",
    ),
    Rule(
        "blind",
        "cloudasset essentialcontacts accessapproval billingbudgets binaryauthorization containeranalysis dlp "
        "policysimulator recommender alertcenter vault assuredworkloads auditmanager cloudidentity",
        "feeds.delete feeds.patch *contacts.delete *contacts.patch *updateAccessApprovalSettings "
        "*deleteAccessApproval* *budgets.delete *budgets.patch *updatePolicy *attestors.delete "
        "*attestors.update *jobTriggers.delete *platforms.policies.* *discoveryConfigs.delete "
        "*discoveryConfigs.patch *updateSettings alerts.delete alerts.batchDelete "
        "matters.holds.delete *workloads.delete *dismiss* *violations.acknowledge *occurrences.delete "
        "*scanConfigs.update",
        "a guardrail, an alarm or a hold goes",
    ),
    Rule(
        "entitle",
        "binaryauthorization accessapproval",
        "*updatePolicy *approvalRequests.approve *attestors.create "
        "*attestors.update *platforms.policies.* *updateAccessApprovalSettings",
        "decides what may run, or lets people in",
    ),
    Rule(
        "blind",
        "compute",
        "packetMirrorings.* *ubnetworks.patch *firewallPolicies.removeRule *.setFlowLogs "
        "networkFirewallPolicies.delete firewallPolicies.delete projects.setUsageExportBucket",
        "network logs or guards go",
    ),
    Rule(
        "blind",
        "networkmanagement networksecurity ids",
        "*vpcFlowLogsConfigs.delete *vpcFlowLogsConfigs.patch *mirroring*.delete *intercept*.delete "
        "*firewallEndpoint*.delete *endpoints.delete",
        "nobody sees the traffic any more",
    ),
    Rule(
        "blind", "container", "*setLogging *logging *setMonitoring *monitoring", "a cluster without logs or monitoring"
    ),
    Rule(
        "blind",
        "clouderrorreporting cloudtrace cloudprofiler",
        "projects.deleteEvents *traceSinks.*",
        "errors are forgotten",
    ),
    Rule("blind", "serviceusage servicemanagement", "*services.disable", "may switch logging or monitoring off"),
    Rule("blind", "storage", "*notifications.delete", "nobody is told of changes any more"),
    # ------------------------------------------------------------------ execute
    Rule(
        "execute",
        "compute",
        "*nstances.setMetadata instances.*xtension* projects.setCommonInstanceMetadata"
        "projects.*xtension* *VmExtension*",
        "start-up scripts run as the machine, and keys let people in",
    ),
    Rule("entitle", "compute", "instances.setMetadata", "keys in the metadata let people in"),
    Rule(
        "execute",
        "run cloudfunctions appengine firebaseapphosting",
        "*services.create *services.patch *services.replaceService *jobs.create *jobs.patch *jobs.run "
        "*jobs.replaceJob *workerPools.create *workerPools.patch *workerpools.create "
        "*workerpools.replaceWorkerPool *instances.create *functions.create *functions.patch "
        "*functions.call *versions.create *versions.patch *builds.create *builds.submit "
        "*builds.create *rollouts.create *functions.*raffic* *functions.*pgrade* *instances.debug "
        "*instances.start *instances.replaceInstance services.patch",
        "code of the caller's choice runs",
    ),
    Rule(
        "execute",
        "cloudbuild dataflow dataproc batch lifesciences composer workflows workflowexecutions "
        "clouddeploy config ml dataform dataplex datafusion datapipelines bigquerydatatransfer "
        "integrations connectors cloudscheduler cloudtasks eventarc deploymentmanager notebooks "
        "colaboratory aiplatform script osconfig testing remotebuildexecution saasservicemgmt "
        "genomics firebasetestlab applicationintegration cloudshell workstations "
        "storagebatchoperations krmapihosting",
        "*builds.create *builds.retry *builds.approve *triggers.create *triggers.patch *triggers.run "
        "*triggers.webhook *jobs.create *jobs.submit* *jobs.update *jobs.run *jobs.patch "
        "*templates.create *templates.launch *flexTemplates.launch *pipelines.run *pipelines.create "
        "*pipelines.patch *batches.create *sessions.create *workflowTemplates.* *statements.create "
        "*executeAirflowCommand *environments.create *environments.patch *workflows.create "
        "*workflows.patch *executions.create *executions.trigger* *rollouts.* *releases.create "
        "*deployments.* *previews.create *workflowInvocations.create *workflowConfigs.* "
        "*compilationResults.create *tasks.create *tasks.run *tasks.buffer *tasks.patch *queues.patch "
        "*queues.create *queues.update *transferConfigs.* *execute *executeSqlQuery *actions.execute "
        "*integrations.* *deployments.insert *deployments.update *deployments.patch *instances.create "
        "*notebookExecutionJobs.create *schedules.create *schedules.patch *schedules.resume "
        "*customJobs.create *trainingPipelines.create *hyperparameterTuningJobs.create "
        "*pipelineJobs.create *nasJobs.create *reasoningEngines.* *scripts.run "
        "*projects.updateContent *deployments.create *osPolicyAssignments.* *patchJobs.execute "
        "*patchDeployments.* *guestPolicies.* *testMatrices.create *deviceSessions.create "
        "*clusters.create *extensions.execute *runtimes.create *instances.*xecute* "
        "*persistentResources.* *batchPredictionJobs.create *executeCode *dataScans.run "
        "*workstationConfigs.create *workstationConfigs.patch *runtimeTemplates.create "
        "*sandboxEnvironments.* *nodes.create *versions.create *evaluationRuns.create *runWorkflow "
        "*namespaces.* *instances.setGke*",
        "runs code, or has it run later",
    ),
    Rule(
        "execute",
        "sqladmin",
        "instances.executeSql instances.import",
        "statements that may do anything in the database",
    ),
    Rule("execute", "spanner", "*executeSql *executeStreamingSql *executeBatchDml *updateDdl *commit", "statements"),
    Rule(
        "execute",
        "bigquery",
        "jobs.insert jobs.query *routines.insert *routines.update",
        "statements that may read, change or export any table",
    ),
    Rule("provision", "bigquery", "jobs.insert jobs.query", "paid for by the bytes that are read"),
    Rule(
        "execute",
        "container gkehub connectgateway",
        "*features.* *deploy*",
        "what is installed runs on every node",
    ),
    Rule(
        "execute", "tpu", "*nodes.create *nodes.patch *queuedResources.create", "start-up scripts run on the machines"
    ),
    Rule(
        "execute",
        "netapp vmwareengine baremetalsolution alloydb",
        "*executeOntap* *ontap.* *instances.executeSql "
        "*clusters.executeSql *executeSql *enableInteractiveSerialConsole",
        "commands",
    ),
    Rule(
        "execute",
        "androidmanagement androidenterprise admin chromemanagement smartdevicemanagement homegraph "
        "androiddeviceprovisioning",
        "*issueCommand *executeCommand *commands.create *action *remoteActions* *sendCommand "
        "*chromeosdevices.issueCommand *devices.*Command",
        "commands to people's devices",
    ),
    Rule(
        "execute",
        "pubsub eventarc",
        "*messageTransforms* *subscriptions.create *subscriptions.patch *subscriptions.modifyPushConfig",
        "messages are pushed to an address, or through code",
    ),
    Rule("execute", "*", "*.execute* *.impersonate* *.runScript*", "runs what the caller sends"),
    Rule(
        "execute",
        "apigee dialogflow ces apihub script",
        "*.deploy* *deployments.create *.runSession *.executeTool",
        "code or flows are put to work",
    ),
    # ------------------------------------------------------------------ communicate
    Rule(
        "communicate",
        "gmail",
        "*messages.send *drafts.send *messages.import *messages.insert",
        "mail that people read",
    ),
    Rule(
        "communicate",
        "chat fcm rcsbusinessmessaging businesscommunications businessmessages verifiedaccess "
        "dialogflow meet classroom blogger groupsmigration mybusinessqanda "
        "mybusinessbusinessinformation mybusinessnotifications youtube androidpublisher "
        "playdeveloperreporting cloudsupport firebasedynamiclinks mybusinessverifications "
        "firebaseappdistribution appsactivity issuetracker digitalassetlinks poly plusDomains plus "
        "people cloudidentity contactcenterinsights cloudchannel transferappliance googlecloudsupport "
        "identitytoolkit integrations docs forms streetviewpublish workspaceevents sheets "
        "walletobjects merchantapi content threatintelligence",
        "*messages.create *messages.patch *messages.update *messages.send *messages.reactions.create "
        "*spaces.setup *spaces.create *agentMessages.create *phones.agentMessages* *testers* "
        "*surveys.create *messages.* *conversations.messages* *announcements.* *courseWork.create "
        "*courseWork.patch *invitations.create posts.publish posts.insert posts.update posts.patch "
        "comments.* commentThreads.* *videos.insert *videos.update liveChatMessages.* "
        "channelBanners.insert *questions.answers.* *localPosts.* *replies* *reply reviews.reply "
        "*reviews.updateReply *cases.create *cases.comments.create *cases.escalate archive.insert "
        "*distribute *userinvitations.send *sendOobCode *getOobConfirmationCode *sendVerificationCode "
        "*sendFeedback *photo.publish *liveBroadcasts.* *playlists.insert *activities.insert "
        "*addmessage *sendToAll members.* *messages.sms* *notify *sendNotification *spaces.members.* "
        "*setPublishSettings *publishSettings",
        "people read it",
    ),
    Rule("communicate", "calendar", "events.quickAdd events.move", "guests are told"),
    Rule(
        "communicate",
        "drive",
        "comments.create comments.insert replies.create replies.insert comments.update "
        "replies.update comments.patch replies.patch",
        "people who share the file are told",
    ),
    Rule(
        "communicate",
        "monitoring essentialcontacts",
        "*sendVerificationCode *sendTestMessage *contacts.sendTestMessage",
        "a message goes out",
    ),
    Rule("communicate", "pubsub", "*topics.publish", "whoever listens gets it"),
    # ------------------------------------------------------------------ infer
    Rule(
        "infer",
        "*",
        "*.generateContent *.streamGenerateContent *.answerQuery *.chatAiAssistant *.embedContent "
        "*.interactionsHttp.create",
        "asks a model",
    ),
    Rule(
        "infer",
        "aiplatform ml generativelanguage",
        "*generateContent *streamGenerateContent *predict *rawPredict *streamRawPredict "
        "*serverStreamingPredict *directPredict *directRawPredict *predictLongRunning *explain "
        "*completions *responses *embeddings *embedContent *batchEmbedContents *invoke *inference "
        "*compact *streamingPredict *streamingRawPredict *directRawPredict *evaluateInstances "
        "*augmentPrompt *corroborateContent *retrieveContexts *askContexts *asyncQuery *query "
        "*streamQuery *generate* *messages.send *message.send *message.stream *streamDirect* "
        "*batchGenerate* *generateText *generateMessage *generateAnswer *embedText "
        "*interactions.create *rewrite* *optimize* *invokeModel* *asyncRetrieveContexts "
        "*recommendSpec *evaluateDataset *synth* *ragFiles.import *bidi* *chat* *generateSynthetic* "
        "*suggest* *detect*",
        "asks a model",
    ),
    Rule(
        "infer",
        "vision language translate speech texttospeech videointelligence documentai dialogflow "
        "discoveryengine ces retail automl contactcenterinsights cloudaicompanion geminidataanalytics "
        "visionai healthcare contentwarehouse cloudbilling agentregistry conversationalanalytics "
        "dataplex modelarmor databasecenter gemini designcenter appoptimize",
        "*annotate *asyncBatchAnnotate *batchAnnotate* *analyze* *classifyText *annotateText "
        "*moderateText *translateText *translations.translate *translations.list *detectLanguage "
        "*detections.* *translateDocument *batchTranslate* *adaptiveMtTranslate *recognize "
        "*longrunningrecognize *batchRecognize *synthesize* *process *batchProcess *detectIntent "
        "*streamingDetectIntent *serverStreamingDetectIntent *analyzeContent *converse *answer "
        "*streamAnswer *streamAssist *assist *search *searchLite *recommend *generateSuggestions "
        "*suggest* *predict *explain *generateStatelessSuggestion* *generateGroundedContent "
        "*streamGenerateGroundedContent *rank *check *runSession *bidiRunSession *chat *query "
        "*queryData *romanizeText *refineText *messages.send *message.send *message.stream "
        "*streamRunSession *matchIntent *fulfillIntent *generateInsights *conversationalSearch "
        "*completeCode *generateCode *generateData* *sanitize* *summarize*",
        "asks a model",
    ),
)

EXCEPTIONS: tuple[Rule, ...] = (
    Rule(
        "read",
        "*",
        "*.getIamPolicy *.testIamPermissions *.queryAuditableServices *.queryTestablePermissions "
        "roles.queryGrantableRoles *.lintPolicy",
        "shows who may do what",
    ),
    Rule("read", "oauth2 sts", "userinfo.* tokeninfo introspect", "tells who the caller is"),
    Rule("write", "cloudkms", "*keyRings.create *cryptoKeys.create *keyHandles.create", "a key without a reader yet"),
    Rule(
        "read",
        "identitytoolkit",
        "relyingparty.getPublicKeys relyingparty.getProjectConfig *.accounts.lookup *.accounts.query "
        "relyingparty.getAccountInfo *.getRecaptchaParam *.createAuthUri",
        "only looks",
    ),
    Rule(
        "write",
        "*",
        "*.operations.delete operations.delete *Operations.delete",
        "forgets the record of a finished operation",
    ),
    Rule(
        "write",
        "beyondcorp datalabeling firebaseappdistribution",
        "*subscriptions.cancel *subscriptions.restart *operations.cancel *tests.cancel",
        "a GET that does something",
    ),
    Rule("entitle", "developerconnect", "*.startOAuthFlow *.finishOAuthFlow", "a GET that gives access"),
    Rule("read", "compute", "advice.*", "asks what is available"),
    Rule("write", "gmail", "*messages.trash *threads.trash *messages.untrash", "from the bin it can be taken back"),
    Rule("write", "spanner", "*sessions.commit", "rows are changed"),
    Rule("write", "gmail", "*messages.insert *messages.import", "mail put in the caller's own box"),
    Rule("write", "pubsub", "*topics.publish", "programs get it, not people"),
    Rule(
        "read",
        "aiplatform",
        "*generateFetch* *endpoints.fetchPredictOperation *queryDeployedModels *countTokens "
        "*computeTokens *datasets.searchDataItems *models.list*",
        "no model is asked",
    ),
    Rule(
        "read",
        "dataplex healthcare databasecenter retail contentwarehouse",
        "*search* *query* *lookup* *check*",
        "no model is asked",
    ),
)
"""Exactly these classes, whatever a rule above says: each by name and with its reason."""
