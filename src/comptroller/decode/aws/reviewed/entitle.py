"""What changes who may do what: policies, roles, users, keys, shares, network openings, who administers whom.

Taking a right away is here as well as giving it. Opening a network is here; cutting one is `write`: it opens nothing.
What IAM itself calls permissions management has the class in any case and is not repeated.
"""

from __future__ import annotations

from comptroller.decode.aws.reviewed.rule import Rule

ENTITLE: tuple[Rule, ...] = (
    Rule(
        "entitle",
        "*",
        "PutResourcePolicy DeleteResourcePolicy CreateResourcePolicy UpdateResourcePolicy AddPermission "
        "RemovePermission Put*AccessPolicy Enable*AdminAccount Register*DelegatedAdmin*",
        "decides who may use it",
    ),
    Rule(
        "entitle",
        "account",
        "EnableRegion DisableRegion AcceptPrimaryEmailUpdate StartPrimaryEmailUpdate",
        "the primary address is the root user's; a region opens or closes for everyone",
    ),
    Rule(
        "entitle",
        "account-access",
        "CreateApplication CreateEntitlement DeleteApplication DeleteEntitlement",
        "who may enter an account",
    ),
    Rule(
        "entitle",
        "account-access-runtime eks-auth",
        "GetRoleCredentials AssumeRoleForPodIdentity",
        "returns credentials",
    ),
    Rule(
        "entitle",
        "acm",
        "CreateAcmeExternalAccountBinding RevokeAcmeAccount RevokeAcmeExternalAccountBinding "
        "DeleteAcmeExternalAccountBinding",
        "whose client may have certificates issued",
    ),
    Rule("entitle", "acm", "CreateAcmeEndpoint UpdateAcmeEndpoint", "whose client may have certificates issued"),
    Rule(
        "entitle",
        "acm-pca",
        "CreatePermission DeletePermission PutPolicy DeletePolicy IssueCertificate",
        "a certificate is an identity, a permission lets others issue them",
    ),
    Rule("entitle", "aiops", "PutInvestigationGroupPolicy DeleteInvestigationGroupPolicy", "decides who may use it"),
    Rule("entitle", "amplify", "CreateWebhook UpdateWebhook", "whoever knows the address can start builds"),
    Rule("entitle", "amplifybackend", "CreateBackendAuth", "makes a directory of users"),
    Rule("entitle", "amplifybackend", "ImportBackendAuth UpdateBackendAuth DeleteBackendAuth", "who may sign in"),
    Rule("entitle", "apigateway", "CreateApiKey", "makes a key and returns it"),
    Rule(
        "entitle",
        "apigateway",
        "ImportApiKeys UpdateApiKey CreateUsagePlanKey DeleteApiKey DeleteUsagePlanKey CreateAuthorizer "
        "UpdateAuthorizer DeleteAuthorizer CreateDomainNameAccessAssociation DeleteDomainNameAccessAssociation "
        "PutMethod UpdateMethod UpdateRestApi PutRestApi ImportRestApi UpdateDomainName",
        "decides who may call the interface",
    ),
    Rule(
        "entitle",
        "apigatewayv2",
        "CreateAuthorizer UpdateAuthorizer DeleteAuthorizer CreateRoute UpdateRoute ImportApi ReimportApi UpdateApi "
        "PutPortalProductSharingPolicy DeletePortalProductSharingPolicy DeleteRouteRequestParameter",
        "decides who may call the interface",
    ),
    Rule(
        "entitle",
        "appfabric",
        "CreateAppAuthorization ConnectAppAuthorization UpdateAppAuthorization DeleteAppAuthorization",
        "credentials that open other companies' applications",
    ),
    Rule(
        "entitle",
        "appflow",
        "CreateConnectorProfile UpdateConnectorProfile",
        "credentials of other companies' services",
    ),
    Rule(
        "entitle",
        "appstream",
        "EnableUser DisableUser DeleteUser BatchAssociateUserStack BatchDisassociateUserStack CreateEntitlement "
        "UpdateEntitlement DeleteEntitlement AssociateApplicationToEntitlement DisassociateApplicationFromEntitlement "
        "UpdateImagePermissions DeleteImagePermissions CreateDirectoryConfig UpdateDirectoryConfig",
        "who may stream what",
    ),
    Rule("entitle", "appstream", "CreateUser", "lets somebody in and mails them"),
    Rule("entitle", "appsync", "CreateApiKey", "makes a key and returns it"),
    Rule("entitle", "appsync", "UpdateApiKey DeleteApiKey UpdateApi", "who may call the interface"),
    Rule("entitle", "appsync", "UpdateGraphqlApi", "who may call the interface, and whether that is logged"),
    Rule("entitle", "arc-region-switch", "ApprovePlanExecutionStep", "answers where a person was to be asked"),
    Rule("entitle", "auditmanager", "DeregisterOrganizationAdminAccount", "who runs the audit of all accounts"),
    Rule(
        "entitle",
        "auditmanager",
        "RegisterOrganizationAdminAccount StartAssessmentFrameworkShare UpdateAssessmentFrameworkShare "
        "BatchCreateDelegationByAssessment BatchDeleteDelegationByAssessment",
        "who takes part in the audit",
    ),
    Rule(
        "entitle",
        "backup",
        "PutBackupVaultAccessPolicy DeleteBackupVaultAccessPolicy AssociateBackupVaultMpaApprovalTeam "
        "CreateRestoreAccessBackupVault RevokeRestoreAccessBackupVault CreateBackupAccessPoint "
        "DeleteBackupAccessPoint",
        "who may reach the backups",
    ),
    Rule("entitle", "backup", "DisassociateBackupVaultMpaApprovalTeam", "nobody has to agree any more"),
    Rule(
        "entitle",
        "bedrock",
        "PutUseCaseForModelAccess PutResourcePolicy DeleteResourcePolicy DeleteFoundationModelAgreement",
        "who may use which model",
    ),
    Rule("entitle", "bedrock-agent bedrock", "PutResourcePolicy DeleteResourcePolicy", "decides who may use it"),
    Rule(
        "entitle",
        "bedrock-agentcore-control",
        "CreateApiKeyCredentialProvider UpdateApiKeyCredentialProvider DeleteApiKeyCredentialProvider "
        "CreateOauth2CredentialProvider UpdateOauth2CredentialProvider DeleteOauth2CredentialProvider "
        "CreatePaymentConnector UpdatePaymentConnector DeletePaymentConnector CreatePaymentCredentialProvider "
        "UpdatePaymentCredentialProvider DeletePaymentCredentialProvider CreatePaymentManager UpdatePaymentManager "
        "DeletePaymentManager RotatePaymentConnectorCredentials CreatePolicy CreatePolicyEngine PutResourcePolicy "
        "DeleteResourcePolicy CreateWorkloadIdentity UpdateWorkloadIdentity DeleteWorkloadIdentity "
        "CreateConsentPortal UpdateConsentPortal CreateGateway UpdateGateway CreateGatewayTarget UpdateGatewayTarget "
        "CreateGatewayRule UpdateGatewayRule DeleteGatewayRule SetTokenVaultCMK ResetTokenVaultKeyMaterial",
        "what agents may reach, as whom and with whose money",
    ),
    Rule(
        "entitle",
        "bedrock-agentcore-control",
        "UpdatePolicy UpdatePolicyEngine DeletePolicy DeletePolicyEngine",
        "what agents are kept from",
    ),
    Rule(
        "entitle",
        "billing",
        "CreateBillingView UpdateBillingView AssociateSourceViews DisassociateSourceViews DeleteBillingView",
        "who sees whose costs",
    ),
    Rule("entitle", "budgets", "CreateBudgetAction ExecuteBudgetAction", "attaches or lifts policies by itself"),
    Rule("entitle", "budgets", "UpdateBudgetAction DeleteBudgetAction", "what happens when the money is spent"),
    Rule(
        "entitle",
        "chatbot",
        "CreateChimeWebhookConfiguration CreateMicrosoftTeamsChannelConfiguration CreateSlackChannelConfiguration "
        "UpdateChimeWebhookConfiguration UpdateMicrosoftTeamsChannelConfiguration UpdateSlackChannelConfiguration",
        "notices to a channel, whose members may act with a role",
    ),
    Rule(
        "entitle",
        "chatbot",
        "UpdateAccountPreferences DeleteMicrosoftTeamsUserIdentity DeleteSlackUserIdentity",
        "who in a channel may act",
    ),
    Rule("entitle", "chime", "CreateBot RegenerateSecurityToken ResetPersonalPIN", "returns a new token or PIN"),
    Rule(
        "entitle",
        "chime",
        "CreateAccount CreateUser BatchSuspendUser BatchUnsuspendUser BatchUpdateUser UpdateUser UpdateUserSettings "
        "UpdateAccountSettings AssociateSigninDelegateGroupsWithAccount DisassociateSigninDelegateGroupsFromAccount "
        "CreateRoomMembership BatchCreateRoomMembership UpdateRoomMembership DeleteRoomMembership DeleteAccount "
        "UpdateBot",
        "who may sign in and join",
    ),
    Rule("entitle", "chime", "InviteUsers", "lets people in and mails them"),
    Rule(
        "entitle",
        "chime-sdk-identity",
        "CreateAppInstanceAdmin DeleteAppInstanceAdmin CreateAppInstanceUser DeleteAppInstanceUser",
        "who may do what in the app",
    ),
    Rule(
        "entitle",
        "chime-sdk-meetings",
        "UpdateAttendeeCapabilities BatchUpdateAttendeeCapabilitiesExcept",
        "who may see and speak",
    ),
    Rule(
        "entitle",
        "chime-sdk-messaging",
        "CreateChannelMembership BatchCreateChannelMembership DeleteChannelMembership CreateChannelModerator "
        "DeleteChannelModerator CreateChannelBan DeleteChannelBan",
        "who may read and write",
    ),
    Rule(
        "entitle",
        "chime-sdk-voice",
        "PutVoiceConnectorTermination DeleteVoiceConnectorTermination PutVoiceConnectorTerminationCredentials "
        "DeleteVoiceConnectorTerminationCredentials",
        "who may place calls on the account's bill",
    ),
    Rule(
        "entitle",
        "cleanrooms",
        "CreateCollaboration UpdateCollaboration CreateCollaborationChangeRequest UpdateCollaborationChangeRequest "
        "UpdateMembership DeleteMember DeleteMembership CreateConfiguredTable UpdateConfiguredTable "
        "CreateConfiguredTableAnalysisRule UpdateConfiguredTableAnalysisRule DeleteConfiguredTableAnalysisRule "
        "CreateConfiguredTableAssociation UpdateConfiguredTableAssociation "
        "CreateConfiguredTableAssociationAnalysisRule UpdateConfiguredTableAssociationAnalysisRule "
        "DeleteConfiguredTableAssociationAnalysisRule CreateConfiguredAudienceModelAssociation "
        "UpdateConfiguredAudienceModelAssociation CreateIdMappingTable CreateIdNamespaceAssociation "
        "UpdateIdNamespaceAssociation CreateIntermediateTable UpdateIntermediateTable "
        "CreateIntermediateTableAnalysisRule UpdateIntermediateTableAnalysisRule DeleteIntermediateTableAnalysisRule "
        "DisallowIntermediateTable CreateAnalysisTemplate",
        "what other companies may compute over one's data",
    ),
    Rule(
        "entitle",
        "cleanroomsml",
        "PutConfiguredAudienceModelPolicy DeleteConfiguredAudienceModelPolicy "
        "CreateConfiguredModelAlgorithmAssociation UpdateConfiguredAudienceModel "
        "PutMLConfiguration",
        "what others may take out of a model",
    ),
    Rule(
        "entitle",
        "cloud9",
        "CreateEnvironmentMembership UpdateEnvironmentMembership DeleteEnvironmentMembership",
        "who may use the environment, and its credentials",
    ),
    Rule(
        "entitle",
        "cloudcontrol",
        "CreateResource UpdateResource",
        "makes or changes anything at all, roles and functions too",
    ),
    Rule("entitle", "clouddirectory", "AttachPolicy DetachPolicy", "a directory's policies"),
    Rule(
        "entitle",
        "cloudformation",
        "CreateStack CreateStackSet CreateStackInstances UpdateStackInstances ImportStacksToStackSet CreateChangeSet "
        "ContinueUpdateRollback RollbackStack",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "entitle",
        "cloudformation",
        "UpdateStack UpdateStackSet ExecuteChangeSet ExecuteStackRefactor",
        "a template may make anything, and replaces what it no longer names",
    ),
    Rule(
        "entitle",
        "cloudformation",
        "ActivateOrganizationsAccess DeactivateOrganizationsAccess RegisterPublisher",
        "stacks in all accounts of the organisation",
    ),
    Rule(
        "entitle",
        "cloudfront",
        "CreateCloudFrontOriginAccessIdentity UpdateCloudFrontOriginAccessIdentity CreateOriginAccessControl "
        "UpdateOriginAccessControl CreateKeyGroup UpdateKeyGroup CreatePublicKey UpdatePublicKey DeleteKeyGroup "
        "DeletePublicKey PutResourcePolicy DeleteResourcePolicy CreateTrustStore UpdateTrustStore DeleteTrustStore "
        "AssociateAlias UpdateDomainAssociation CreateVpcOrigin UpdateVpcOrigin",
        "who may read through it, and whose domain it answers",
    ),
    Rule(
        "entitle",
        "cloudfront",
        "UpdateDistribution UpdateDistributionWithStagingConfig UpdateDistributionTenant UpdateStreamingDistribution",
        "origins, signatures, filter and logs can all change",
    ),
    Rule(
        "entitle",
        "cloudhsm",
        "CreateLunaClient ModifyLunaClient ModifyHsm ModifyHapg DeleteLunaClient",
        "who may use the module",
    ),
    Rule("entitle", "cloudhsmv2", "InitializeCluster PutResourcePolicy DeleteResourcePolicy", "who owns the module"),
    Rule(
        "entitle",
        "cloudsearch",
        "UpdateServiceAccessPolicies UpdateDomainEndpointOptions",
        "who may search and write",
    ),
    Rule("entitle", "cloudtrail", "DeregisterOrganizationDelegatedAdmin", "who keeps the record of all accounts"),
    Rule(
        "entitle",
        "cloudtrail",
        "RegisterOrganizationDelegatedAdmin PutResourcePolicy DeleteResourcePolicy EnableFederation DisableFederation",
        "who may read or feed the record",
    ),
    Rule(
        "entitle",
        "cloudwatchomni",
        "CreateAccessGrant CreateAccessProfile UpdateAccessProfile DeleteAccessGrant DeleteAccessProfile "
        "CreateDomainAccessGrantForOrganization DeleteDomainAccessGrantForOrganization CreateIntegration "
        "UpdateIntegration",
        "who sees the records",
    ),
    Rule("entitle", "cloudwatchomni", "GetSpaceCredentialsForOrganization GetSpaceDataAccess", "returns credentials"),
    Rule(
        "entitle",
        "codeartifact",
        "PutDomainPermissionsPolicy PutRepositoryPermissionsPolicy DeleteDomainPermissionsPolicy "
        "DeleteRepositoryPermissionsPolicy AssociateExternalConnection PutPackageOriginConfiguration "
        "UpdatePackageGroupOriginConfiguration",
        "who may read and publish packages, and where they come from",
    ),
    Rule(
        "entitle",
        "codebuild",
        "PutResourcePolicy DeleteResourcePolicy UpdateProjectVisibility ImportSourceCredentials "
        "DeleteSourceCredentials",
        "who sees builds, and with whose name code is fetched",
    ),
    Rule("entitle", "codecatalyst", "CreateAccessToken", "makes a token and returns it"),
    Rule("entitle", "codecommit", "UpdatePullRequestApprovalState", "answers where a person was to be asked"),
    Rule(
        "entitle",
        "codeconnections codestar-connections",
        "CreateConnection CreateHost UpdateHost DeleteConnection DeleteHost",
        "access to code kept elsewhere",
    ),
    Rule("entitle", "codedeploy", "RegisterOnPremisesInstance", "which machine may take part"),
    Rule("entitle", "codeguruprofiler", "PutPermission RemovePermission", "who may read and write profiles"),
    Rule("entitle", "codepipeline", "PutApprovalResult", "answers where a person was to be asked"),
    Rule(
        "entitle",
        "cognito-identity",
        "CreateIdentityPool UpdateIdentityPool DeleteIdentityPool SetIdentityPoolRoles SetPrincipalTagAttributeMap "
        "MergeDeveloperIdentities UnlinkDeveloperIdentity UnlinkIdentity DeleteIdentities",
        "who gets which role",
    ),
    Rule("entitle", "cognito-identity", "GetCredentialsForIdentity", "returns credentials"),
    Rule(
        "entitle",
        "cognito-idp",
        "AddCustomAttributes AdminAddUserToGroup AdminConfirmSignUp AdminDelete* AdminDisable* AdminEnableUser "
        "AdminForgetDevice AdminLinkProviderForUser AdminRemoveUserFromGroup AdminRevokeUserSession AdminSet* "
        "AdminUpdate* AdminUserGlobalSignOut ChangePassword CompleteWebAuthnRegistration ConfirmDevice "
        "ConfirmForgotPassword ConfirmSignUp Create* Delete* ForgetDevice GlobalSignOut Revoke* SetRiskConfiguration "
        "SetUser* StartUserImportJob StartWebAuthnRegistration Update* VerifySoftwareToken VerifyUserAttribute",
        "users, how they sign in, and what they may do",
    ),
    Rule(
        "entitle",
        "cognito-idp",
        "AdminCreateUser AdminResetUserPassword ForgotPassword ResendConfirmationCode SignUp "
        "GetUserAttributeVerificationCode",
        "lets somebody in by mail or text",
    ),
    Rule("entitle", "cognito-idp", "AddUserPoolClientSecret AssociateSoftwareToken", "makes a secret and returns it"),
    Rule(
        "entitle",
        "cognito-idp",
        "SetLogDeliveryConfiguration SetUserPoolMfaConfig",
        "logs or second factors can end",
    ),
    Rule("entitle", "cognito-sync", "SetIdentityPoolConfiguration", "who syncs as whom"),
    Rule("entitle", "comprehend", "PutResourcePolicy DeleteResourcePolicy", "who may import the model"),
    Rule(
        "entitle",
        "compute-optimizer-automation",
        "AssociateAccounts DisassociateAccounts",
        "whose resources are changed by itself",
    ),
    Rule("entitle", "config", "PutAggregationAuthorization PutConnector", "who may collect the records"),
    Rule(
        "entitle",
        "connect",
        "AssociateAnalyticsDataSet BatchAssociateAnalyticsDataSet DisassociateAnalyticsDataSet "
        "BatchDisassociateAnalyticsDataSet AssociateApprovedOrigin DisassociateApprovedOrigin AssociateSecurityKey "
        "DisassociateSecurityKey AssociateSecurityProfiles DisassociateSecurityProfiles CreateSecurityProfile "
        "UpdateSecurityProfile DeleteSecurityProfile CreateUser DeleteUser UpdateUserSecurityProfiles "
        "UpdateUserIdentityInfo UpdateAuthenticationProfile UpdateUserHierarchy UpdateParticipantAuthentication "
        "CreateIntegrationAssociation DeleteIntegrationAssociation AssociateWorkspace DisassociateWorkspace "
        "MonitorContact UpdateUserHierarchyStructure",
        "who may sign in, listen and see what",
    ),
    Rule(
        "entitle",
        "continuum",
        "PutResourcePolicy CreateIntegration UpdateIntegration StartIntegrationAuthorization",
        "access to code kept elsewhere",
    ),
    Rule(
        "entitle",
        "controltower",
        "CreateLandingZone UpdateLandingZone ResetLandingZone EnableBaseline UpdateEnabledBaseline "
        "ResetEnabledBaseline",
        "sets up accounts, roles and guardrails",
    ),
    Rule("entitle", "controltower", "EnableControl ResetEnabledControl", "what accounts are kept from"),
    Rule(
        "entitle",
        "controltower",
        "DisableControl DisableBaseline DeleteLandingZone UpdateEnabledControl",
        "a guardrail of all accounts is weakened",
    ),
    Rule(
        "entitle",
        "dataexchange",
        "CreateDataGrant DeleteDataGrant AcceptDataGrant",
        "shares data with another account",
    ),
    Rule(
        "entitle",
        "datazone",
        "AddEntityOwner RemoveEntityOwner AddPolicyGrant RemovePolicyGrant AssociateEnvironmentRole "
        "DisassociateEnvironmentRole AcceptSubscriptionRequest CancelSubscription RevokeSubscription "
        "CreateSubscriptionGrant DeleteSubscriptionGrant UpdateSubscriptionGrantStatus CreateSubscriptionTarget "
        "UpdateSubscriptionTarget CreateProjectMembership DeleteProjectMembership CreateGroupProfile "
        "UpdateGroupProfile CreateUserProfile UpdateUserProfile PutEnvironmentBlueprintConfiguration "
        "DeleteEnvironmentBlueprintConfiguration UpdateRootDomainUnitOwner CreateConnection UpdateConnection "
        "CreateDomainUnit UpdateDomainUnit CreateAccountPool UpdateAccountPool CreateProjectProfile "
        "UpdateProjectProfile CreateAssetFilter UpdateAssetFilter DeleteAssetFilter CreateEnvironmentProfile "
        "UpdateEnvironmentProfile",
        "who owns, joins and reads what",
    ),
    Rule(
        "entitle",
        "datazone",
        "CreateDomain UpdateDomain CreateProject CreateEnvironment UpdateEnvironment UpdateProject",
        "makes roles, databases and clusters in the account",
    ),
    Rule("entitle", "deadline", "AssociateMember* DisassociateMember*", "who may use the farm"),
    Rule(
        "entitle",
        "deadline",
        "AssumeFleetRoleForRead AssumeFleetRoleForWorker AssumeQueueRoleForRead AssumeQueueRoleForUser "
        "AssumeQueueRoleForWorker",
        "returns credentials",
    ),
    Rule("entitle", "detective", "EnableOrganizationAdminAccount AcceptInvitation", "who watches over which account"),
    Rule(
        "entitle",
        "detective",
        "DisableOrganizationAdminAccount DisassociateMembership DeleteMembers",
        "an account is no longer watched",
    ),
    Rule(
        "entitle",
        "devops-agent",
        "AssociateService DisassociateService RegisterService DeregisterService EnableOperatorApp DisableOperatorApp "
        "UpdateOperatorAppIdpConfig UpdateApprovalAction UpdateAssociation CreatePrivateConnection",
        "what the agent may reach, and who says yes to it",
    ),
    Rule(
        "entitle",
        "directconnect",
        "AcceptDirectConnectGatewayAssociationProposal CreateDirectConnectGatewayAssociation "
        "UpdateDirectConnectGatewayAssociation AllocatePrivateVirtualInterface AllocatePublicVirtualInterface "
        "AllocateTransitVirtualInterface ConfirmPrivateVirtualInterface ConfirmPublicVirtualInterface "
        "ConfirmTransitVirtualInterface CreatePrivateVirtualInterface CreatePublicVirtualInterface "
        "CreateTransitVirtualInterface CreateBGPPeer",
        "joins networks that were apart",
    ),
    Rule("entitle", "directconnect", "AssociateMacSecKey", "the key a line is encrypted with"),
    Rule("entitle", "dms", "ImportCertificate", "whom a connection trusts"),
    Rule(
        "entitle",
        "docdb neptune rds",
        "ModifyDBClusterSnapshotAttribute ModifyDBSnapshotAttribute AuthorizeDBSecurityGroupIngress "
        "RevokeDBSecurityGroupIngress AddRoleToDBCluster AddRoleToDBInstance RemoveRoleFromDBCluster "
        "RemoveRoleFromDBInstance EnableHttpEndpoint DisableHttpEndpoint ModifyDBProxy ModifyDBProxyEndpoint "
        "RegisterDBProxyTargets",
        "who may reach the data",
    ),
    Rule(
        "entitle",
        "ds",
        "CreateDirectory CreateMicrosoftAD CreateHybridAD ConnectDirectory AddRegion",
        "a directory costs by the hour and lets people in",
    ),
    Rule(
        "entitle",
        "ds",
        "AcceptSharedDirectory ShareDirectory UnshareDirectory CreateTrust UpdateTrust DeleteTrust CreateComputer "
        "ResetUserPassword DisableCAEnrollmentPolicy EnableCAEnrollmentPolicy EnableClientAuthentication "
        "EnableDirectoryDataAccess DisableDirectoryDataAccess EnableSso DisableSso EnableRadius UpdateRadius "
        "RegisterCertificate DeregisterCertificate UpdateSettings UpdateHybridAD StartSchemaExtension AddIpRoutes "
        "DeleteDirectory",
        "who may sign in, with which factor, and who trusts whom",
    ),
    Rule("entitle", "ds", "DisableClientAuthentication DisableLDAPS DisableRadius", "a factor or an encryption ends"),
    Rule(
        "entitle",
        "ds-data",
        "AddGroupMember RemoveGroupMember CreateGroup CreateUser DisableUser UpdateGroup UpdateUser DeleteGroup "
        "DeleteUser",
        "users and groups",
    ),
    Rule("entitle", "dsql", "PutClusterPolicy DeleteClusterPolicy", "who may reach it"),
    Rule("entitle", "dynamodb", "PutResourcePolicy DeleteResourcePolicy", "who may read and write the table"),
    Rule(
        "entitle",
        "ec2",
        "AuthorizeClientVpnIngress AuthorizeSecurityGroupEgress AuthorizeSecurityGroupIngress RevokeClientVpnIngress "
        "RevokeSecurityGroupEgress RevokeSecurityGroupIngress ModifySecurityGroupRules "
        "ApplySecurityGroupsToClientVpnTargetNetwork AssociateSecurityGroupVpc CreateNetworkAclEntry "
        "ReplaceNetworkAclEntry ReplaceNetworkAclAssociation DeleteNetworkAclEntry ModifyNetworkInterfaceAttribute "
        "ResetNetworkInterfaceAttribute CreateNetworkInterfacePermission DeleteNetworkInterfacePermission",
        "opens or closes the network",
    ),
    Rule(
        "entitle",
        "ec2",
        "AttachInternetGateway CreateRoute ReplaceRoute ReplaceRouteTableAssociation CreateEgressOnlyInternetGateway "
        "CreateVpcPeeringConnection AcceptVpcPeeringConnection ModifyVpcPeeringConnectionOptions "
        "AcceptVpcEndpointConnections AcceptTransitGateway* CreateTransitGatewayRoute ReplaceTransitGatewayRoute "
        "AssociateTransitGatewayRouteTable EnableTransitGatewayRouteTablePropagation CreateLocalGatewayRoute "
        "ModifyLocalGatewayRoute CreateClientVpnRoute ModifyClientVpnEndpoint "
        "ModifyClientVpnEndpointAuthorizationPolicy ImportClientVpnClientCertificateRevocationList "
        "CreateVpnConnectionRoute ModifySubnetAttribute EnableVpcClassicLink EnableVpcClassicLinkDnsSupport "
        "AttachClassicLinkVpc ModifyPrivateDnsNameOptions AttachVpnGateway AcceptAddressTransfer "
        "EnableAddressTransfer ModifyManagedPrefixList RestoreManagedPrefixListVersion "
        "ModifyTransitGatewayPrefixListReference CreateTransitGatewayPrefixListReference AdvertiseByoipCidr",
        "joins networks, or a network to the internet",
    ),
    Rule(
        "entitle",
        "ec2",
        "ModifyVpcEndpoint ModifyVpcEndpointServiceConfiguration CreateVpcEndpointServiceConfiguration "
        "ModifyVpcEndpointServicePermissions ModifyVpcEndpointPayerResponsibility "
        "ModifyVpcEndpointServicePayerResponsibility ModifyInstanceConnectEndpoint CreateVerifiedAccessGroup "
        "ModifyVerifiedAccessEndpoint ModifyVerifiedAccessEndpointPolicy ModifyVerifiedAccessGroup "
        "ModifyVerifiedAccessGroupPolicy ModifyVerifiedAccessInstance ModifyVerifiedAccessTrustProvider "
        "CreateVerifiedAccessTrustProvider AttachVerifiedAccessTrustProvider DetachVerifiedAccessTrustProvider",
        "who may reach a service, and as whom",
    ),
    Rule(
        "entitle",
        "ec2",
        "ModifySnapshotAttribute ResetSnapshotAttribute ModifyImageAttribute ResetImageAttribute "
        "ModifyFpgaImageAttribute ResetFpgaImageAttribute CancelImageLaunchPermission ImportKeyPair "
        "AssociateIamInstanceProfile DisassociateIamInstanceProfile ReplaceIamInstanceProfileAssociation "
        "AssociateEnclaveCertificateIamRole DisassociateEnclaveCertificateIamRole EnableSerialConsoleAccess "
        "DisableSerialConsoleAccess ModifyInstanceMetadataOptions ModifyInstanceMetadataDefaults "
        "CreateDelegateMacVolumeOwnershipTask EnableIpamOrganizationAdminAccount DisableIpamOrganizationAdminAccount "
        "EnableReachabilityAnalyzerOrganizationSharing UpdateCapacityManagerOrganizationsAccess "
        "ModifyManagedResourceVisibility AssociateIpamResourceDiscovery",
        "an image, a snapshot, a machine or its role for others",
    ),
    Rule("entitle", "ec2", "CreateKeyPair", "returns a private key that opens machines"),
    Rule(
        "entitle",
        "ec2",
        "ModifyVpcBlockPublicAccessOptions ModifyVpcBlockPublicAccessExclusion CreateVpcBlockPublicAccessExclusion",
        "joins networks, or a network to the internet",
    ),
    Rule(
        "entitle",
        "ec2",
        "AssociateRouteTable EnableRouteServerPropagation EnableVgwRoutePropagation AssociateRouteServer "
        "CreateRouteServerPeer AssociateTransitGatewayPolicyTable CreateTransitGatewayPolicyTableEntry "
        "ModifyTransitGatewayPolicyTableEntry ModifyTransitGateway",
        "joins networks, or a network to the internet",
    ),
    Rule(
        "entitle",
        "ec2",
        "CreateIpamRoutingPolicyRegistration ModifyIpamRoutingPolicyRegistration "
        "BatchModifyIpamRoutingPolicyRegistrations DeleteIpamRoutingPolicyRegistration "
        "CreateIpamInternetRegistryAssociation EnableIpamInternetRegistryAssociation "
        "DeleteIpamInternetRegistryAssociation",
        "which networks are authorised to announce the addresses",
    ),
    Rule("entitle", "ec2", "ResetInstanceAttribute", "lets a machine pass on traffic of others"),
    Rule(
        "entitle",
        "ecr",
        "SetRepositoryPolicy DeleteRepositoryPolicy PutRegistryPolicy DeleteRegistryPolicy "
        "PutReplicationConfiguration CreateRepositoryCreationTemplate UpdateRepositoryCreationTemplate "
        "CreatePullThroughCacheRule UpdatePullThroughCacheRule PutAccountSetting",
        "who may pull and push, and where copies go",
    ),
    Rule("entitle", "ecr-public", "SetRepositoryPolicy DeleteRepositoryPolicy", "decides who may push images"),
    Rule("entitle", "ecs", "PutAccountSetting PutAccountSettingDefault", "can lift the check of who may tag and use"),
    Rule(
        "entitle",
        "efs",
        "PutFileSystemPolicy DeleteFileSystemPolicy ModifyMountTargetSecurityGroups CreateAccessPoint",
        "who may mount it",
    ),
    Rule(
        "entitle",
        "eks",
        "CreateCluster CreateNodegroup CreateFargateProfile CreateCapability UpdateCapability",
        "clusters, machines under them, and the roles they come with",
    ),
    Rule(
        "entitle",
        "eks",
        "AssociateAccessPolicy DisassociateAccessPolicy AssociateIdentityProviderConfig "
        "DisassociateIdentityProviderConfig CreateAccessEntry UpdateAccessEntry DeleteAccessEntry "
        "CreatePodIdentityAssociation UpdatePodIdentityAssociation DeletePodIdentityAssociation RegisterCluster "
        "ActivateCertificateAuthority CreateCertificateAuthority DeleteCertificateAuthority",
        "who may do what in the cluster",
    ),
    Rule("entitle", "eks", "UpdateClusterConfig", "logs, who may reach the cluster, and its size"),
    Rule(
        "entitle",
        "elasticache memorydb",
        "AuthorizeCacheSecurityGroupIngress RevokeCacheSecurityGroupIngress CreateUser ModifyUser UpdateUser "
        "DeleteUser CreateUserGroup ModifyUserGroup DeleteUserGroup CreateACL UpdateACL DeleteACL",
        "who may reach the cache",
    ),
    Rule(
        "entitle",
        "elasticbeanstalk",
        "AssociateEnvironmentOperationsRole DisassociateEnvironmentOperationsRole",
        "whose rights work on the environment",
    ),
    Rule(
        "entitle",
        "elb elbv2",
        "ApplySecurityGroupsToLoadBalancer SetSecurityGroups ModifyTrustStore DeleteSharedTrustStoreAssociation",
        "who may reach the balancer",
    ),
    Rule(
        "entitle",
        "elb elbv2",
        "ModifyListener ModifyRule SetLoadBalancerPoliciesOfListener CreateLoadBalancerPolicy",
        "where traffic goes, who must sign in first, and how it is encrypted",
    ),
    Rule("entitle", "elementalinference", "PutFeedPolicy DeleteFeedPolicy", "who may use the feed"),
    Rule(
        "entitle",
        "emr",
        "CreateStudioSessionMapping UpdateStudioSessionMapping DeleteStudioSessionMapping SetVisibleToAllUsers",
        "decides who may use it",
    ),
    Rule("entitle", "entityresolution", "AddPolicyStatement DeletePolicyStatement PutPolicy", "decides who may use it"),
    Rule(
        "entitle",
        "es opensearch",
        "UpdateElasticsearchDomainConfig UpdateDomainConfig",
        "size, logs, encryption and who may reach the domain",
    ),
    Rule(
        "entitle",
        "es opensearch",
        "AuthorizeVpcEndpointAccess RevokeVpcEndpointAccess UpdateVpcEndpoint CreateOutboundConnection "
        "CreateOutboundCrossClusterSearchConnection AcceptInboundConnection AcceptInboundCrossClusterSearchConnection "
        "AddDirectQueryDataSource UpdateDirectQueryDataSource AddDataSource UpdateDataSource UpdateApplication "
        "PutDefaultApplicationSetting",
        "who may reach the data",
    ),
    Rule("entitle", "eventbridgev2", "RevokeResource", "who may send and get events"),
    Rule(
        "entitle",
        "events",
        "PutPermission RemovePermission CreateConnection UpdateConnection DeauthorizeConnection",
        "who may send events, and credentials for other services",
    ),
    Rule("entitle", "evs", "CreateEntitlement DeleteEntitlement", "licences of the environment"),
    Rule(
        "entitle",
        "fis",
        "CreateTargetAccountConfiguration UpdateTargetAccountConfiguration",
        "whose account is broken, by which role",
    ),
    Rule("entitle", "fms", "PutPolicy", "firewalls of all accounts: what they let through, and what they cost"),
    Rule(
        "entitle",
        "fms",
        "AssociateAdminAccount PutAdminAccount AssociateThirdPartyFirewall",
        "who runs the firewalls of all accounts",
    ),
    Rule("entitle", "fms", "DisassociateAdminAccount", "nobody, or somebody else, runs the firewalls of all accounts"),
    Rule(
        "entitle",
        "fsx",
        "CreateAndAttachS3AccessPoint UpdateSharedVpcConfiguration UpdateStorageVirtualMachine",
        "who may reach the files",
    ),
    Rule(
        "entitle",
        "gamelift",
        "UpdateFleetPortSettings CreateVpcPeeringAuthorization CreateVpcPeeringConnection "
        "DeleteVpcPeeringAuthorization",
        "opens the network",
    ),
    Rule("entitle", "glacier", "SetVaultAccessPolicy DeleteVaultAccessPolicy", "who may reach the vault"),
    Rule(
        "entitle",
        "globalaccelerator",
        "CreateCrossAccountAttachment UpdateCrossAccountAttachment AllowCustomRoutingTraffic DenyCustomRoutingTraffic",
        "what may be reached from outside",
    ),
    Rule(
        "entitle",
        "glue",
        "PutResourcePolicy DeleteResourcePolicy CreateGlueIdentityCenterConfiguration "
        "UpdateGlueIdentityCenterConfiguration DeleteGlueIdentityCenterConfiguration",
        "who may read the catalogue",
    ),
    Rule("entitle", "grafana", "CreateWorkspace UpdateWorkspace", "paid by user and month"),
    Rule(
        "entitle",
        "grafana",
        "CreateWorkspaceApiKey CreateWorkspaceServiceAccountToken",
        "makes a key and returns it",
    ),
    Rule(
        "entitle",
        "grafana",
        "CreateWorkspaceServiceAccount DeleteWorkspaceServiceAccount DeleteWorkspaceServiceAccountToken "
        "DeleteWorkspaceApiKey UpdatePermissions UpdateWorkspaceAuthentication UpdateWorkspaceConfiguration",
        "who may sign in",
    ),
    Rule(
        "entitle",
        "greengrass greengrassv2",
        "AssociateRoleToGroup AssociateServiceRoleToAccount DisassociateRoleFromGroup "
        "DisassociateServiceRoleFromAccount CreateGroupCertificateAuthority UpdateGroupCertificateConfiguration "
        "BatchAssociateClientDeviceWithCoreDevice BatchDisassociateClientDeviceFromCoreDevice "
        "CreateSubscriptionDefinition CreateSubscriptionDefinitionVersion",
        "roles and certificates of devices, and who may talk to whom",
    ),
    Rule(
        "entitle",
        "guardduty",
        "DisassociateMembers DisassociateFromAdministratorAccount DisassociateFromMasterAccount "
        "DisableOrganizationAdminAccount",
        "an account is no longer watched by its administrator",
    ),
    Rule(
        "entitle",
        "guardduty",
        "EnableOrganizationAdminAccount AcceptAdministratorInvitation AcceptInvitation",
        "who watches over which account",
    ),
    Rule("entitle", "health", "EnableHealthServiceAccessForOrganization", "who sees the reports of all accounts"),
    Rule(
        "entitle",
        "iam",
        "Put* Attach* Detach* Create* Update* Add* Remove* Set* Enable* Upload* Tag* Untag* Resync* Deactivate* "
        "Delete* Accept* Associate* Reject* Change* Disable*",
        "changes who may do what",
    ),
    Rule(
        "entitle",
        "iam",
        "CreateAccessKey CreateServiceSpecificCredential ResetServiceSpecificCredential CreateVirtualMFADevice "
        "AcquireRole",
        "makes a key or a seed and returns it",
    ),
    Rule("entitle", "iam", "SendDelegationToken", "hands a token for a role to somebody"),
    Rule("entitle", "identitystore", "Create* Update* Delete*", "users and groups"),
    Rule(
        "entitle",
        "imagebuilder",
        "PutComponentPolicy PutContainerRecipePolicy PutImagePolicy PutImageRecipePolicy "
        "CreateDistributionConfiguration UpdateDistributionConfiguration",
        "who may use the image",
    ),
    Rule(
        "entitle",
        "inspector inspector2",
        "EnableDelegatedAdminAccount AssociateMember RegisterCrossAccountAccessRole CreateConnector UpdateConnector "
        "CreateCodeSecurityIntegration UpdateCodeSecurityIntegration",
        "who watches over which account and code",
    ),
    Rule(
        "entitle",
        "inspector2",
        "DisableDelegatedAdminAccount DisassociateMember",
        "an account is no longer watched by its administrator",
    ),
    Rule(
        "entitle",
        "iot",
        "AcceptCertificateTransfer TransferCertificate AttachPolicy AttachPrincipalPolicy AttachThingPrincipal "
        "DetachPolicy DetachPrincipalPolicy DetachThingPrincipal CreateAuthorizer UpdateAuthorizer DeleteAuthorizer "
        "ClearDefaultAuthorizer SetDefaultAuthorizer CreateCertificateFromCsr CreateCertificateProvider "
        "UpdateCertificateProvider DeleteCertificateProvider CreatePolicy CreatePolicyVersion SetDefaultPolicyVersion "
        "DeletePolicy DeletePolicyVersion CreateProvisioningTemplate CreateProvisioningTemplateVersion "
        "UpdateProvisioningTemplate CreateRoleAlias UpdateRoleAlias DeleteRoleAlias RegisterCACertificate "
        "RegisterCertificate RegisterCertificateWithoutCA RegisterThing UpdateCACertificate UpdateCertificate "
        "DeleteCACertificate DeleteCertificate CreateDomainConfiguration UpdateDomainConfiguration "
        "StartThingRegistrationTask AddThingToThingGroup RemoveThingFromThingGroup UpdateThingGroupsForThing "
        "CreateStream UpdateStream",
        "which devices may connect, and what they may do",
    ),
    Rule("entitle", "iot", "CreateKeysAndCertificate CreateProvisioningClaim", "makes a key and returns it"),
    Rule(
        "entitle",
        "iot-managed-integrations",
        "CreateAccountAssociation UpdateAccountAssociation RegisterAccountAssociation DeregisterAccountAssociation "
        "DeleteAccountAssociation CreateConnectorDestination UpdateConnectorDestination CreateProvisioningProfile "
        "DeleteProvisioningProfile",
        "which accounts and devices are let in",
    ),
    Rule("entitle", "iotsecuretunneling", "OpenTunnel", "an opening into a device, returned as tokens, paid by tunnel"),
    Rule("entitle", "iotsecuretunneling", "RotateTunnelAccessToken", "returns new tokens"),
    Rule(
        "entitle",
        "iotsitewise",
        "CreateAccessPolicy UpdateAccessPolicy DeleteAccessPolicy CreatePortal UpdatePortal",
        "who may see the plant",
    ),
    Rule(
        "entitle",
        "iotwireless",
        "AssociateAwsAccountWithPartnerAccount DisassociateAwsAccountFromPartnerAccount UpdatePartnerAccount "
        "AssociateWirelessGatewayWithCertificate",
        "which accounts and gateways take part",
    ),
    Rule(
        "entitle",
        "ivs",
        "CreatePlaybackRestrictionPolicy UpdatePlaybackRestrictionPolicy DeletePlaybackRestrictionPolicy "
        "ImportPlaybackKeyPair DeletePlaybackKeyPair UpdateChannel StartViewerSessionRevocation "
        "BatchStartViewerSessionRevocation DeleteStreamKey",
        "who may watch and send",
    ),
    Rule("entitle", "ivs-realtime", "ImportPublicKey DeletePublicKey RevokeConnectionToken", "decides who may join"),
    Rule(
        "entitle",
        "kafka",
        "PutClusterPolicy DeleteClusterPolicy BatchAssociateScramSecret BatchDisassociateScramSecret "
        "UpdateConnectivity",
        "who may reach the brokers",
    ),
    Rule("entitle", "kafka", "UpdateSecurity", "how clients prove who they are, and encryption"),
    Rule("entitle", "kafka", "CreateChannel UpdateChannel", "where records go"),
    Rule(
        "entitle",
        "kendra",
        "AssociateEntitiesToExperience AssociatePersonasToEntities DisassociateEntitiesFromExperience "
        "DisassociatePersonasFromEntities CreateAccessControlConfiguration UpdateAccessControlConfiguration "
        "DeleteAccessControlConfiguration PutPrincipalMapping DeletePrincipalMapping CreateExperience "
        "UpdateExperience",
        "who may find what",
    ),
    Rule("entitle", "kinesis", "PutResourcePolicy DeleteResourcePolicy", "who may read and write"),
    Rule(
        "entitle",
        "kms",
        "PutKeyPolicy CreateGrant RevokeGrant RetireGrant UpdateAlias EnableKey ImportKeyMaterial UpdatePrimaryRegion "
        "UpdateCustomKeyStore CreateAlias DeleteAlias",
        "who may use a key, and which key a name means",
    ),
    Rule(
        "entitle",
        "lakeformation",
        "AddLFTagsToResource RemoveLFTagsFromResource AttachRLSPolicy DetachRLSPolicy CreateRLSPolicy UpdateRLSPolicy "
        "DeleteRLSPolicy BatchGrantPermissions BatchRevokePermissions GrantPermissions RevokePermissions "
        "CreateDataCellsFilter UpdateDataCellsFilter DeleteDataCellsFilter UpdateLFTag DeleteLFTag "
        "UpdateLFTagExpression DeleteLFTagExpression CreateLakeFormationIdentityCenterConfiguration "
        "UpdateLakeFormationIdentityCenterConfiguration DeleteLakeFormationIdentityCenterConfiguration "
        "CreateLakeFormationOptIn DeleteLakeFormationOptIn RegisterResource DeregisterResource UpdateResource "
        "PutDataLakeSettings",
        "who may read which row and column",
    ),
    Rule(
        "entitle",
        "lakeformation",
        "AssumeDecoratedRoleWithSAML GetTemporaryDataLocationCredentials GetTemporaryGluePartitionCredentials "
        "GetTemporaryGlueTableCredentials",
        "returns credentials",
    ),
    Rule("entitle", "lakeformation", "GetTemporaryGlueFunctionCredentials", "returns credentials"),
    Rule(
        "entitle",
        "lambda",
        "AddPermission RemovePermission AddLayerVersionPermission RemoveLayerVersionPermission PutResourcePolicy "
        "DeleteResourcePolicy CreateFunctionUrlConfig UpdateFunctionUrlConfig DeleteFunctionUrlConfig",
        "who may call it",
    ),
    Rule("entitle", "lambda-core", "CreateNetworkConnector UpdateNetworkConnector", "joins functions to a network"),
    Rule(
        "entitle",
        "lambda-web",
        "PutResourcePolicy DeleteResourcePolicy CreateWebFunctionEndpoint UpdateWebFunctionEndpoint",
        "who may call it",
    ),
    Rule(
        "entitle",
        "lexv2-models",
        "CreateResourcePolicy CreateResourcePolicyStatement UpdateResourcePolicy DeleteResourcePolicy "
        "DeleteResourcePolicyStatement",
        "who may use the bot",
    ),
    Rule(
        "entitle",
        "license-manager",
        "AcceptGrant CreateGrant CreateGrantVersion DeleteGrant",
        "who may use a licence",
    ),
    Rule("entitle", "license-manager", "CreateToken GetAccessToken", "returns a token"),
    Rule(
        "entitle",
        "license-manager-linux-subscriptions",
        "RegisterSubscriptionProvider DeregisterSubscriptionProvider",
        "credentials of another company's portal",
    ),
    Rule(
        "entitle",
        "license-manager-user-subscriptions",
        "RegisterIdentityProvider DeregisterIdentityProvider UpdateIdentityProviderSettings DisassociateUser",
        "whose users may be licensed",
    ),
    Rule("entitle", "lightsail", "CreateBucketAccessKey CreateKeyPair", "makes a key and returns it"),
    Rule(
        "entitle",
        "lightsail",
        "ImportKeyPair OpenInstancePublicPorts PutInstancePublicPorts CloseInstancePublicPorts PeerVpc UnpeerVpc "
        "SetResourceAccessForBucket UpdateBucket UpdateInstanceMetadataOptions DeleteBucketAccessKey DeleteKeyPair",
        "opens ports, buckets or a machine",
    ),
    Rule("entitle", "location", "CreateKey UpdateKey DeleteKey", "keys others call the maps with"),
    Rule("entitle", "logs", "PutAccountPolicy", "where the logs of every group go, and what is masked in them"),
    Rule(
        "entitle",
        "logs",
        "PutSubscriptionFilter PutDestination PutDestinationPolicy PutDeliveryDestination "
        "PutDeliveryDestinationPolicy PutResourcePolicy DeleteResourcePolicy PutBearerTokenAuthentication",
        "others get, or may write, the logs",
    ),
    Rule("entitle", "logs", "DeleteDeliveryDestinationPolicy", "who may send logs there"),
    Rule("entitle", "lookoutequipment", "PutResourcePolicy DeleteResourcePolicy", "who may use the model"),
    Rule(
        "entitle",
        "macie2",
        "DisableOrganizationAdminAccount DisassociateFromAdministratorAccount DisassociateFromMasterAccount "
        "DisassociateMember",
        "an account is no longer watched by its administrator",
    ),
    Rule(
        "entitle",
        "macie2",
        "EnableOrganizationAdminAccount AcceptInvitation UpdateRevealConfiguration",
        "who watches over which account, and sees what was found",
    ),
    Rule(
        "entitle",
        "mailmanager",
        "CreateRelay UpdateRelay CreateRuleSet UpdateRuleSet CreateTrafficPolicy UpdateTrafficPolicy "
        "UpdateIngressPoint",
        "which mail is let in and where it goes",
    ),
    Rule("entitle", "managedblockchain", "CreateProposal VoteOnProposal", "who joins and leaves"),
    Rule("entitle", "marketplace-catalog", "PutResourcePolicy DeleteResourcePolicy", "who may change an offer"),
    Rule("entitle", "marketplace-deployment", "PutDeploymentParameter", "credentials for what was bought"),
    Rule(
        "entitle",
        "mediaconnect",
        "GrantFlowEntitlements RevokeFlowEntitlement UpdateFlowEntitlement UpdateFlowOutput UpdateFlowSource "
        "AddFlowSources",
        "who may take or send the stream",
    ),
    Rule(
        "entitle",
        "mediaconvert",
        "PutPolicy DeletePolicy CreateResourceShare",
        "where input may come from, and who sees a job",
    ),
    Rule(
        "entitle",
        "medialive",
        "AcceptInputDeviceTransfer TransferInputDevice ClaimDevice CreateInputSecurityGroup UpdateInputSecurityGroup",
        "whose device it is, and who may send",
    ),
    Rule("entitle", "mediapackage", "CreateOriginEndpoint UpdateOriginEndpoint", "decides who may watch"),
    Rule("entitle", "mediapackage-vod", "CreatePackagingGroup UpdatePackagingGroup", "decides who may watch"),
    Rule(
        "entitle",
        "mediapackagev2",
        "PutChannelPolicy PutOriginEndpointPolicy DeleteChannelPolicy DeleteOriginEndpointPolicy",
        "who may send and watch",
    ),
    Rule("entitle", "mediastore", "PutContainerPolicy DeleteContainerPolicy PutCorsPolicy", "who may read and write"),
    Rule("entitle", "mediatailor", "PutChannelPolicy DeleteChannelPolicy", "decides who may watch"),
    Rule(
        "entitle",
        "migration-hub-refactor-spaces",
        "PutResourcePolicy DeleteResourcePolicy",
        "who may use the environment",
    ),
    Rule(
        "entitle",
        "mpa",
        "CreateApprovalTeam UpdateApprovalTeam StartActiveApprovalTeamDeletion DeleteInactiveApprovalTeamVersion "
        "CreateIdentitySource DeleteIdentitySource",
        "who has to agree",
    ),
    Rule(
        "entitle",
        "mq",
        "CreateUser UpdateUser DeleteUser UpdateConfiguration CreateConfiguration",
        "who may read and send",
    ),
    Rule(
        "entitle",
        "network-firewall",
        "PutResourcePolicy DeleteResourcePolicy AcceptNetworkFirewallTransitGatewayAttachment",
        "who shares the firewall",
    ),
    Rule("entitle", "network-security-manager", "PutAdminAccount", "who runs the filters of all accounts"),
    Rule(
        "entitle",
        "networkmanager",
        "AcceptAttachment PutCoreNetworkPolicy PutResourcePolicy DeleteResourcePolicy DeleteCoreNetworkPolicyVersion "
        "StartOrganizationServiceAccessUpdate CreateCoreNetworkPrefixListAssociation PutAttachmentRoutingPolicyLabel "
        "RemoveAttachmentRoutingPolicyLabel",
        "who is joined to the network, and what it lets through",
    ),
    Rule(
        "entitle",
        "networkmanager",
        "ExecuteCoreNetworkChangeSet RestoreCoreNetworkPolicyVersion",
        "builds the network anew from its policy",
    ),
    Rule("entitle", "notifications", "EnableNotificationsAccessForOrganization", "whose events are seen"),
    Rule("entitle", "oam", "CreateLink UpdateLink PutSinkPolicy", "who sees which account's records"),
    Rule(
        "entitle",
        "odb",
        "AssociateIamRoleToResource DisassociateIamRoleFromResource UpdateOdbNetwork UpdateOdbPeeringConnection",
        "who may reach the database",
    ),
    Rule(
        "entitle",
        "omics",
        "AcceptShare CreateShare DeleteShare PutS3AccessPolicy DeleteS3AccessPolicy",
        "who may read the data",
    ),
    Rule("entitle", "opensearch", "AddReplicationPeer RegisterCapability AttachDataSource", "who may reach the data"),
    Rule(
        "entitle",
        "opensearchserverless",
        "CreateAccessPolicy UpdateAccessPolicy DeleteAccessPolicy CreateSecurityConfig UpdateSecurityConfig "
        "DeleteSecurityConfig CreateSecurityPolicy UpdateSecurityPolicy DeleteSecurityPolicy UpdateVpcEndpoint",
        "who may reach the data, and its encryption",
    ),
    Rule(
        "entitle",
        "organizations",
        "AcceptHandshake AttachPolicy CancelHandshake DeclineHandshake CreateOrganization CreateOrganizationalUnit "
        "CreatePolicy EnableAWSServiceAccess EnableAllFeatures EnablePolicyType MoveAccount PutResourcePolicy "
        "DeleteResourcePolicy RegisterDelegatedAdministrator UpdateOrganizationalUnit UpdateResponsibilityTransfer "
        "DeleteOrganization DeleteOrganizationalUnit",
        "accounts, and what they may do at all",
    ),
    Rule(
        "entitle",
        "organizations",
        "CreateAccount CreateGovCloudAccount",
        "a new account, free in itself, that may cost anything",
    ),
    Rule("entitle", "organizations", "InviteAccountToOrganization", "asks another account's owner in"),
    Rule(
        "entitle",
        "organizations",
        "InviteOrganizationToTransferResponsibility",
        "asks somebody to take over, or hand over, the bill",
    ),
    Rule("entitle", "organizations", "TerminateResponsibilityTransfer", "who pays the bill"),
    Rule(
        "entitle",
        "organizations",
        "DetachPolicy UpdatePolicy DeletePolicy DisablePolicyType LeaveOrganization DisableAWSServiceAccess "
        "DeregisterDelegatedAdministrator RemoveAccountFromOrganization",
        "a guardrail over accounts is weakened",
    ),
    Rule("entitle", "organizations", "CloseAccount", "an account, and everything in it, is closed"),
    Rule(
        "entitle",
        "osis",
        "PutResourcePolicy DeleteResourcePolicy RevokePipelineEndpointConnections",
        "decides who may send",
    ),
    Rule("entitle", "outposts", "StartConnection", "connects the hardware"),
    Rule("entitle", "partnercentral-account", "CreateConnectionInvitation", "asks another company in"),
    Rule(
        "entitle",
        "partnercentral-account",
        "AcceptConnectionInvitation CreatePartner UpdateConnectionPreferences "
        "AssociateAwsTrainingCertificationEmailDomain",
        "who is joined to whom",
    ),
    Rule(
        "entitle",
        "partnercentral-channel",
        "AcceptChannelHandshake CreateChannelHandshake CreateRelationship UpdateRelationship "
        "CreateProgramManagementAccount UpdateProgramManagementAccount",
        "whose bill and discount it is",
    ),
    Rule(
        "entitle",
        "partnercentral-selling",
        "AcceptEngagementInvitation StartEngagementByAcceptingInvitationTask",
        "who sees an opportunity",
    ),
    Rule(
        "entitle",
        "payment-cryptography",
        "PutResourcePolicy DeleteResourcePolicy StartKeyUsage UpdateAlias AssociateMpaTeam",
        "who may use a key, and which key a name means",
    ),
    Rule("entitle", "payment-cryptography", "DisassociateMpaTeam", "nobody has to agree any more"),
    Rule("entitle", "payment-cryptography", "CreateAlias DeleteAlias", "which key a name means"),
    Rule(
        "entitle",
        "pca-connector-ad pca-connector-scep",
        "CreateConnector CreateTemplate UpdateTemplate CreateTemplateGroupAccessControlEntry "
        "UpdateTemplateGroupAccessControlEntry DeleteTemplateGroupAccessControlEntry CreateDirectoryRegistration "
        "CreateServicePrincipalName",
        "whose devices get certificates",
    ),
    Rule(
        "entitle",
        "pca-connector-scep",
        "CreateChallenge",
        "makes a password that certificates are given for, and returns it",
    ),
    Rule(
        "entitle",
        "pinpoint",
        "UpdateAdmChannel UpdateApnsChannel UpdateApnsSandboxChannel UpdateApnsVoipChannel "
        "UpdateApnsVoipSandboxChannel UpdateBaiduChannel UpdateGcmChannel UpdateEmailChannel UpdateSmsChannel "
        "UpdateVoiceChannel",
        "credentials messages are sent with",
    ),
    Rule("entitle", "pinpoint-sms-voice-v2", "PutResourcePolicy DeleteResourcePolicy", "decides who may send"),
    Rule(
        "entitle",
        "proton",
        "CreateComponent CreateEnvironment CreateService CreateServiceInstance UpdateComponent UpdateEnvironment "
        "UpdateService UpdateServiceInstance UpdateServicePipeline",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "entitle",
        "proton",
        "AcceptEnvironmentAccountConnection CreateEnvironmentAccountConnection UpdateEnvironmentAccountConnection "
        "DeleteEnvironmentAccountConnection UpdateAccountSettings",
        "in whose account and by which role",
    ),
    Rule(
        "entitle",
        "qapps",
        "UpdateLibraryItemMetadata AssociateLibraryItemReview UpdateQAppPermissions CreateLibraryItem",
        "who sees an app",
    ),
    Rule(
        "entitle",
        "qbusiness",
        "AssociatePermission DisassociatePermission CreateDataAccessor UpdateDataAccessor DeleteDataAccessor "
        "CreateUser UpdateUser DeleteUser PutGroup DeleteGroup CreateWebExperience UpdateWebExperience "
        "CreateApplication UpdateApplication",
        "who may ask, and what answers may draw on",
    ),
    Rule("entitle", "quicksight", "CreateAccountSubscription RegisterUser", "a seat paid by the month"),
    Rule(
        "entitle",
        "quicksight",
        "CreateCustomPermissions UpdateCustomPermissions DeleteCustomPermissions CreateGroup UpdateGroup DeleteGroup "
        "CreateGroupMembership DeleteGroupMembership CreateIAMPolicyAssignment UpdateIAMPolicyAssignment "
        "DeleteIAMPolicyAssignment CreateRoleMembership DeleteRoleMembership CreateNamespace DeleteNamespace "
        "CreateOAuthClientApplication UpdateOAuthClientApplication DeleteOAuthClientApplication Update*Permission "
        "Update*Permissions UpdateTopicPermissionsV2 UpdateApplicationWithTokenExchangeGrant "
        "UpdateIdentityPropagationConfig DeleteIdentityPropagationConfig UpdateIpRestriction "
        "UpdatePublicSharingSettings UpdateRoleCustomPermission DeleteRoleCustomPermission UpdateUser DeleteUser "
        "DeleteUserByPrincipalId UpdateUserCustomPermission DeleteUserCustomPermission UpdateKeyRegistration "
        "UpdateSelfUpgrade UpdateSelfUpgradeConfiguration CreateApprovalPolicy UpdateApprovalPolicy "
        "DeleteApprovalPolicy CreateFolderMembership DeleteFolderMembership UpdateAccountCustomPermission "
        "DeleteAccountCustomPermission CreateActionConnector UpdateActionConnector CreateVPCConnection "
        "UpdateVPCConnection UpdateAccountSettings",
        "who may sign in and see what",
    ),
    Rule("entitle", "quicksight", "DeleteAccountSubscription", "all users and dashboards are gone"),
    Rule("entitle", "quicksight", "UpdateDataSet", "which rows and columns a reader sees"),
    Rule(
        "entitle",
        "ram",
        "Accept* Associate* Create* Disassociate* Enable* Promote* Replace* Set* Update* Delete*",
        "shares resources with other accounts",
    ),
    Rule("entitle", "rds", "ModifyTenantDatabase", "the administrator's password"),
    Rule(
        "entitle",
        "redshift",
        "AssociateDataShareConsumer DisassociateDataShareConsumer AuthorizeClusterSecurityGroupIngress "
        "AuthorizeDataShare AuthorizeEndpointAccess AuthorizeSnapshotAccess DeauthorizeDataShare RejectDataShare "
        "RevokeClusterSecurityGroupIngress RevokeEndpointAccess RevokeSnapshotAccess ModifyClusterIamRoles "
        "PutResourcePolicy DeleteResourcePolicy AddPartner UpdatePartnerStatus CreateAuthenticationProfile "
        "ModifyAuthenticationProfile CreateRedshiftIdcApplication ModifyRedshiftIdcApplication "
        "CreateQev2IdcApplication ModifyQev2IdcApplication CreateSnapshotCopyGrant DeleteSnapshotCopyGrant "
        "RegisterNamespace ModifyEndpointAccess ModifyLakehouseConfiguration CreateHsmConfiguration",
        "who may reach the data",
    ),
    Rule(
        "entitle",
        "redshift redshift-serverless",
        "GetClusterCredentials GetClusterCredentialsWithIAM GetCredentials GetIdentityCenterAuthToken",
        "returns a password",
    ),
    Rule(
        "entitle",
        "redshift-serverless",
        "PutResourcePolicy DeleteResourcePolicy UpdateEndpointAccess UpdateLakehouseConfiguration",
        "who may reach the data",
    ),
    Rule("entitle", "redshift-serverless", "UpdateNamespace", "logs, roles and the administrator's password"),
    Rule("entitle", "rekognition", "PutProjectPolicy DeleteProjectPolicy", "who may copy the model"),
    Rule(
        "entitle",
        "repostspace",
        "BatchAddChannelRoleToAccessors BatchAddRole BatchRemoveChannelRoleFromAccessors BatchRemoveRole "
        "DeregisterAdmin RegisterAdmin",
        "who may read and run the space",
    ),
    Rule(
        "entitle",
        "rolesanywhere",
        "CreateProfile CreateTrustAnchor EnableProfile EnableTrustAnchor EnableCrl DisableCrl DisableProfile "
        "DisableTrustAnchor ImportCrl PutAttributeMapping DeleteAttributeMapping UpdateProfile UpdateTrustAnchor "
        "UpdateCrl DeleteCrl DeleteProfile DeleteTrustAnchor",
        "which certificates become which role",
    ),
    Rule(
        "entitle",
        "route53",
        "AssociateVPCWithHostedZone DisassociateVPCFromHostedZone CreateVPCAssociationAuthorization "
        "DeleteVPCAssociationAuthorization",
        "which networks use the names",
    ),
    Rule(
        "entitle",
        "route53-recovery-readiness",
        "CreateCrossAccountAuthorization DeleteCrossAccountAuthorization",
        "whose account is seen",
    ),
    Rule(
        "entitle",
        "route53domains",
        "TransferDomainToAnotherAwsAccount PushDomain",
        "the domain goes to somebody else",
    ),
    Rule(
        "entitle",
        "route53domains",
        "UpdateDomainContact UpdateDomainNameservers AssociateDelegationSignerToDomain",
        "who owns the domain, and who answers for it",
    ),
    Rule(
        "entitle",
        "route53globalresolver",
        "CreateAccessSource UpdateAccessSource DeleteAccessSource UpdateAccessToken DeleteAccessToken",
        "who may ask the resolver",
    ),
    Rule("entitle", "route53globalresolver", "CreateAccessToken", "makes a token and returns it"),
    Rule(
        "entitle",
        "route53resolver",
        "PutFirewallRuleGroupPolicy PutResolverQueryLogConfigPolicy PutResolverRulePolicy",
        "who shares the rules",
    ),
    Rule("entitle", "rtbfabric", "AcceptLink", "lets a partner's traffic in"),
    Rule("entitle", "rum", "PutResourcePolicy DeleteResourcePolicy", "who may send events"),
    Rule("entitle", "s3", "CreateSession", "returns credentials for a bucket"),
    Rule("entitle", "s3 s3control", "PutPublicAccessBlock DeletePublicAccessBlock", "a guardrail against public data"),
    Rule(
        "entitle",
        "s3 s3control s3outposts s3tables s3vectors s3files",
        "PutBucketPolicy DeleteBucketPolicy PutBucketAcl PutObjectAcl PutBucketOwnershipControls "
        "DeleteBucketOwnershipControls PutBucketReplication PutTableBucketReplication PutTableReplication "
        "PutBucketCors PutBucketAbac CreateAccessGrant CreateAccessGrantsInstance CreateAccessGrantsLocation "
        "UpdateAccessGrantsLocation AssociateAccessGrantsIdentityCenter DissociateAccessGrantsIdentityCenter "
        "DeleteAccessGrant DeleteAccessGrantsInstance DeleteAccessGrantsLocation CreateAccessPoint "
        "CreateAccessPointForObjectLambda CreateMultiRegionAccessPoint PutAccessPointPolicy "
        "PutAccessPointPolicyForObjectLambda PutAccessPointScope DeleteAccessPointScope "
        "PutMultiRegionAccessPointPolicy PutAccessGrantsInstanceResourcePolicy "
        "DeleteAccessGrantsInstanceResourcePolicy DeleteAccessPointPolicy DeleteAccessPointPolicyForObjectLambda "
        "PutTablePolicy PutTableBucketPolicy DeleteTablePolicy DeleteTableBucketPolicy PutVectorBucketPolicy "
        "DeleteVectorBucketPolicy PutFileSystemPolicy DeleteFileSystemPolicy PutBucketWebsite PutBucketRequestPayment",
        "opens or closes stored data to others, or sends it to another bucket",
    ),
    Rule("entitle", "s3control", "GetDataAccess", "returns credentials for data"),
    Rule("entitle", "s3files", "CreateAccessPoint", "who may mount it"),
    Rule("entitle", "s3outposts", "CreateEndpoint", "joins the bucket to a network"),
    Rule(
        "entitle",
        "sagemaker",
        "PutModelPackageGroupPolicy DeleteModelPackageGroupPolicy PutEndpointPolicy DeleteEndpointPolicy "
        "CreateUserProfile UpdateUserProfile CreateWorkforce UpdateWorkforce CreateWorkteam UpdateWorkteam "
        "EnableSagemakerServicecatalogPortfolio UpdateDomain AttachClusterNodeNetworkInterface",
        "decides who may use it",
    ),
    Rule(
        "entitle",
        "sagemaker",
        "CreateProject UpdateProject",
        "a template may make anything, roles and functions too",
    ),
    Rule("entitle", "schemas", "PutResourcePolicy DeleteResourcePolicy", "who may use the registry"),
    Rule(
        "entitle",
        "secretsmanager",
        "PutResourcePolicy DeleteResourcePolicy AssociateCrossAccountReplica DisassociateCrossAccountReplica",
        "who may read a secret",
    ),
    Rule("entitle", "security-ir", "UpdateMembership UpdateResolverType", "who is told and may act"),
    Rule(
        "entitle",
        "securityagent",
        "CreateIntegration UpdateIntegration UpdateIntegratedResources InitiateProviderRegistration CreateMembership "
        "DeleteMembership CreatePrivateConnection CreateTargetDomain UpdateTargetDomain VerifyTargetDomain",
        "what the agent may reach and attack",
    ),
    Rule(
        "entitle",
        "securityhub",
        "DisableOrganizationAdminAccount DisassociateFromAdministratorAccount DisassociateFromMasterAccount "
        "DisassociateMembers",
        "an account is no longer watched by its administrator",
    ),
    Rule(
        "entitle",
        "securityhub",
        "EnableOrganizationAdminAccount AcceptAdministratorInvitation AcceptInvitation CreateConnector "
        "CreateConnectorV2 RegisterConnectorV2",
        "who watches over which account",
    ),
    Rule(
        "entitle",
        "securitylake",
        "CreateSubscriber UpdateSubscriber RegisterDataLakeDelegatedAdministrator CreateSubscriberNotification "
        "UpdateSubscriberNotification",
        "who gets the records",
    ),
    Rule(
        "entitle",
        "securitylake",
        "DeregisterDataLakeDelegatedAdministrator DeleteSubscriber",
        "who keeps the records of all accounts",
    ),
    Rule("entitle", "serverlessrepo", "CreateCloudFormationChangeSet", "a template may make anything at all"),
    Rule("entitle", "serverlessrepo", "PutApplicationPolicy UnshareApplication", "who may deploy the application"),
    Rule(
        "entitle",
        "servicecatalog",
        "ProvisionProduct UpdateProvisionedProduct CreateProvisionedProductPlan ExecuteProvisionedProductPlan "
        "ExecuteProvisionedProductServiceAction ImportAsProvisionedProduct",
        "a template may make anything at all, roles and functions too",
    ),
    Rule(
        "entitle",
        "servicecatalog",
        "AcceptPortfolioShare AssociatePrincipalWithPortfolio DisassociatePrincipalFromPortfolio CreatePortfolioShare "
        "UpdatePortfolioShare DeletePortfolioShare EnableAWSOrganizationsAccess DisableAWSOrganizationsAccess "
        "AssociateProductWithPortfolio UpdateProvisionedProductProperties",
        "who may make what",
    ),
    Rule(
        "entitle",
        "servicecatalog",
        "CreateConstraint UpdateConstraint DeleteConstraint",
        "which role makes it, and what it may be",
    ),
    Rule(
        "entitle",
        "ses",
        "CreateReceiptRule UpdateReceiptRule SetActiveReceiptRuleSet CreateReceiptFilter DeleteReceiptFilter "
        "ReorderReceiptRuleSet SetReceiptRulePosition DeleteReceiptRule",
        "where incoming mail goes, and from whom it is let in",
    ),
    Rule(
        "entitle",
        "ses sesv2",
        "PutIdentityPolicy DeleteIdentityPolicy CreateEmailIdentityPolicy UpdateEmailIdentityPolicy "
        "DeleteEmailIdentityPolicy",
        "who may send in one's name",
    ),
    Rule("entitle", "sesv2", "PutAccountDetails", "asks to send to everybody"),
    Rule(
        "entitle",
        "shield",
        "AssociateDRTLogBucket AssociateDRTRole DisassociateDRTLogBucket DisassociateDRTRole",
        "what AWS's responders may see and do",
    ),
    Rule(
        "entitle",
        "signer",
        "AddProfilePermission RemoveProfilePermission SignPayload StartSigningJob PutSigningProfile",
        "who may sign, and what counts as signed",
    ),
    Rule(
        "entitle",
        "signin",
        "PutConsoleAuthorizationConfiguration PutResourcePermissionStatement DeleteConsoleAuthorizationConfiguration "
        "DeleteResourcePermissionStatement RevokeOAuth2TokenWithIAM",
        "who may sign in",
    ),
    Rule(
        "entitle",
        "signin sso-oidc",
        "CreateBearerToken CreateOAuth2Token CreateOAuth2TokenWithIAM CreateOAuth2TokenWithTokenExchange CreateToken "
        "CreateTokenWithIAM",
        "returns tokens that others accept",
    ),
    Rule("entitle", "signin sso-oidc", "CreateOAuth2Token", "returns tokens that others accept"),
    Rule(
        "entitle",
        "sns",
        "AddPermission RemovePermission SetTopicAttributes CreatePlatformApplication SetPlatformApplicationAttributes "
        "OptInPhoneNumber",
        "who may publish and listen, with which credentials",
    ),
    Rule(
        "entitle",
        "socialmessaging",
        "AssociateWhatsAppBusinessAccount DisassociateWhatsAppBusinessAccount PutWhatsAppBusinessPublicKey",
        "in whose name messages go",
    ),
    Rule("entitle", "sqs", "AddPermission RemovePermission SetQueueAttributes", "who may read and send"),
    Rule(
        "entitle",
        "ssm",
        "CreateActivation GetAccessToken",
        "returns a code or credentials that let a machine or a session in",
    ),
    Rule(
        "entitle",
        "ssm",
        "ModifyDocumentPermission PutResourcePolicy DeleteResourcePolicy StartAccessRequest "
        "RegisterDefaultHostManagementConfiguration UpdateManagedInstanceRole CreateCloudConnector "
        "UpdateCloudConnector",
        "who may run what, by which role",
    ),
    Rule("entitle", "ssm-contacts", "PutContactPolicy", "who may page whom"),
    Rule("entitle", "ssm-incidents", "PutResourcePolicy DeleteResourcePolicy", "who sees incidents"),
    Rule(
        "entitle",
        "ssm-quicksetup",
        "CreateConfigurationManager UpdateConfigurationDefinition",
        "sets up roles and tasks in many accounts",
    ),
    Rule("entitle", "ssm-quicksetup", "UpdateServiceSettings", "decides by which role it acts"),
    Rule("entitle", "ssm-sap", "PutResourcePermission DeleteResourcePermission", "who may act on the application"),
    Rule("entitle", "sso", "GetRoleCredentials", "returns credentials"),
    Rule(
        "entitle",
        "sso-admin",
        "AddRegion RemoveRegion Attach* Create* Detach* Delete* Provision* Put* Update*",
        "accounts, identities and who may do what",
    ),
    Rule(
        "entitle",
        "storagegateway",
        "CreateNFSFileShare CreateSMBFileShare UpdateNFSFileShare UpdateSMBFileShare UpdateSMBLocalGroups JoinDomain "
        "SetLocalConsolePassword SetSMBGuestPassword UpdateChapCredentials DeleteChapCredentials "
        "UpdateSMBFileShareVisibility AssociateFileSystem UpdateFileSystemAssociation",
        "who may read and write",
    ),
    Rule(
        "entitle",
        "sts",
        "AssumeRole AssumeRoleWithSAML AssumeRoleWithWebIdentity AssumeRoot GetSessionToken GetFederationToken "
        "GetDelegatedAccessToken GetWebIdentityToken",
        "hands out credentials that act under other rules",
    ),
    Rule(
        "entitle",
        "support-app",
        "CreateSlackChannelConfiguration UpdateSlackChannelConfiguration RegisterSlackWorkspaceForOrganization",
        "cases in a channel, whose members may act with a role",
    ),
    Rule(
        "entitle",
        "supportauthz",
        "CreateSupportPermit DeleteSupportPermit RejectSupportPermitRequest",
        "what AWS's support may do in the account",
    ),
    Rule(
        "entitle",
        "transfer",
        "CreateAccess UpdateAccess DeleteAccess CreateUser UpdateUser DeleteUser ImportSshPublicKey "
        "DeleteSshPublicKey ImportHostKey DeleteHostKey CreateAgreement UpdateAgreement ImportCertificate "
        "UpdateConnector",
        "who may come in and see what",
    ),
    Rule("entitle", "transfer", "UpdateServer", "who may come in, by which protocol, and whether that is logged"),
    Rule(
        "entitle",
        "verifiedpermissions",
        "CreateIdentitySource UpdateIdentitySource DeleteIdentitySource CreatePolicy UpdatePolicy DeletePolicy "
        "CreatePolicyStore UpdatePolicyStore DeletePolicyStore CreatePolicyStoreAlias DeletePolicyStoreAlias "
        "CreatePolicyTemplate UpdatePolicyTemplate DeletePolicyTemplate PutSchema",
        "who may do what in the application",
    ),
    Rule(
        "entitle",
        "vpc-lattice",
        "PutAuthPolicy DeleteAuthPolicy PutResourcePolicy DeleteResourcePolicy UpdateService UpdateServiceNetwork "
        "CreateServiceNetworkServiceAssociation CreateServiceNetworkVpcAssociation UpdateServiceNetworkVpcAssociation "
        "UpdateResourceConfiguration CreateResourceGateway UpdateResourceGateway",
        "who may reach the service",
    ),
    Rule("entitle", "waf waf-regional wafv2", "PutPermissionPolicy DeletePermissionPolicy", "who shares the rules"),
    Rule("entitle", "wafv2", "CreateAPIKey", "makes a key and returns it"),
    Rule(
        "entitle",
        "wellarchitected",
        "CreateLensShare CreateProfileShare CreateTemplateShare CreateWorkloadShare UpdateWorkloadShare "
        "UpdateShareInvitation DeleteLensShare DeleteProfileShare DeleteTemplateShare DeleteWorkloadShare "
        "UpdateGlobalSettings PutAgentProfilePolicy PutAgentRecommendationPolicy",
        "shares reviews with other accounts",
    ),
    Rule("entitle", "wickr", "BatchCreateUser BatchReinviteUser", "lets people in and mails them"),
    Rule(
        "entitle",
        "wickr",
        "BatchDeleteUser BatchResetDevicesForUser BatchToggleUserSuspendStatus CreateBot UpdateBot DeleteBot "
        "CreateSecurityGroup UpdateSecurityGroup DeleteSecurityGroup RegisterOidcConfig RegisterOidcConfigTest "
        "RegisterOpentdfConfig UpdateGuestUser UpdateUser UpdateNetworkSettings",
        "who may sign in and what they may do",
    ),
    Rule("entitle", "wickr", "CreateDataRetentionBotChallenge", "makes a password and returns it"),
    Rule("entitle", "workdocs", "ActivateUser CreateUser", "a seat paid by the month"),
    Rule(
        "entitle",
        "workdocs",
        "AddResourcePermissions RemoveAllResourcePermissions RemoveResourcePermission DeactivateUser UpdateUser "
        "DeleteUser",
        "who may read and write",
    ),
    Rule("entitle", "workmail", "RegisterToWorkMail CreateUser CreateOrganization", "a mailbox paid by the month"),
    Rule(
        "entitle",
        "workmail",
        "AssociateDelegateToResource AssociateMemberToGroup DisassociateDelegateFromResource "
        "DisassociateMemberFromGroup CreateGroup UpdateGroup DeleteGroup DeleteUser UpdateUser DeregisterFromWorkMail "
        "CreateImpersonationRole UpdateImpersonationRole DeleteImpersonationRole CreateMobileDeviceAccessRule "
        "UpdateMobileDeviceAccessRule DeleteMobileDeviceAccessRule PutAccessControlRule DeleteAccessControlRule "
        "PutIdentityProviderConfiguration DeleteIdentityProviderConfiguration PutMailboxPermissions "
        "DeleteMailboxPermissions PutMobileDeviceAccessOverride DeleteMobileDeviceAccessOverride ResetPassword "
        "UpdatePrimaryEmailAddress CreateIdentityCenterApplication DeleteIdentityCenterApplication CreateAlias "
        "DeleteAlias",
        "who may sign in, and read whose mail",
    ),
    Rule("entitle", "workmail", "AssumeImpersonationRole", "returns a token that reads others' mail"),
    Rule("entitle", "workmail", "DeletePersonalAccessToken DeleteOrganization", "who may sign in"),
    Rule(
        "entitle",
        "workspaces",
        "AcceptAccountLinkInvitation CreateAccountLinkInvitation AssociateConnectionAlias AssociateIpGroups "
        "AuthorizeIpRules RevokeIpRules CreateIpGroup DisassociateIpGroups ModifyCertificateBasedAuthProperties "
        "ModifySamlProperties ModifySelfservicePermissions ModifyStreamingProperties ModifyWorkspaceAccessProperties "
        "ModifyWorkspaceCreationProperties RegisterWorkspaceDirectory UpdateConnectionAliasPermission "
        "UpdateRulesOfIpGroup UpdateWorkspaceImagePermission ModifyAccount ModifyClientProperties",
        "who may come in from where",
    ),
    Rule("entitle", "workspaces-thin-client", "DeregisterDevice", "which device may come in"),
    Rule(
        "entitle",
        "workspaces-web",
        "CreateIdentityProvider UpdateIdentityProvider DeleteIdentityProvider AssociateIpAccessSettings "
        "UpdateIpAccessSettings DisassociateIpAccessSettings DeleteIpAccessSettings AssociateTrustStore "
        "UpdateTrustStore DisassociateTrustStore",
        "who may come in from where",
    ),
    Rule("entitle", "xray", "PutResourcePolicy DeleteResourcePolicy", "who may read and send traces"),
    Rule(
        "entitle",
        "amplify appflow codecatalyst config events",
        "DeleteWebhook DeleteConnectorProfile DeleteAccessToken DeleteAggregationAuthorization DeleteConnection",
        "takes a right or a credential away",
    ),
    Rule(
        "entitle",
        "ecs efs fis globalaccelerator",
        "DeleteAccountSetting DeleteAccessPoint DeleteTargetAccountConfiguration DeleteCrossAccountAttachment",
        "who may reach it, and by which role",
    ),
    Rule(
        "entitle",
        "ec2",
        "DeleteVerifiedAccessTrustProvider DeleteVerifiedAccessGroup DeleteKeyPair",
        "who may reach a machine, and as whom",
    ),
    Rule(
        "entitle",
        "iot",
        "DeleteProvisioningTemplate DeleteProvisioningTemplateVersion DeleteDomainConfiguration",
        "which devices may connect",
    ),
    Rule(
        "entitle",
        "license-manager network-security-manager",
        "DeleteToken DeleteAdminAccount",
        "takes a right away",
    ),
    Rule(
        "entitle",
        "pca-connector-ad pca-connector-scep",
        "DeleteTemplate DeleteChallenge DeleteDirectoryRegistration DeleteServicePrincipalName",
        "whose devices get certificates",
    ),
    Rule(
        "entitle",
        "pinpoint",
        "Delete*Channel",
        "credentials messages are sent with",
    ),
    Rule(
        "entitle",
        "redshift",
        "DeleteAuthenticationProfile DeletePartner DeleteRedshiftIdcApplication DeleteQev2IdcApplication "
        "DeleteHsmConfiguration",
        "who may reach the data",
    ),
    Rule(
        "entitle",
        "s3control s3files s3outposts",
        "DeleteAccessPoint DeleteAccessPointForObjectLambda DeleteMultiRegionAccessPoint DeleteEndpoint",
        "a way to stored data",
    ),
    Rule(
        "entitle",
        "sagemaker",
        "DeleteUserProfile DeleteWorkforce DeleteWorkteam",
        "decides who may use it",
    ),
    Rule(
        "entitle",
        "ssm",
        "DeleteActivation DeleteCloudConnector DeregisterDefaultHostManagementConfiguration",
        "which machines take part, and by which role",
    ),
    Rule(
        "entitle",
        "wafv2 wellarchitected",
        "DeleteAPIKey DeleteAgentProfilePolicy DeleteAgentRecommendationPolicy",
        "takes a right away",
    ),
    Rule(
        "entitle",
        "medialive workspaces",
        "DeleteInputSecurityGroup DeleteIpGroup DeregisterWorkspaceDirectory DisassociateConnectionAlias",
        "who may come in from where",
    ),
)
