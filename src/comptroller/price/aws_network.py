"""What AWS charges by the hour or month for one thing of a kind: gateways, balancers, addresses, keys, file systems."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from decimal import Decimal

from comptroller.core.action import Action, Value
from comptroller.price.bill import Bill, Unpriced
from comptroller.price.cost import Cost
from comptroller.price.reading import amount, at, mapping, sequence, text, whole

TRAFFIC = "what flows through it comes on top"
FILE_SYSTEM_EXTRAS = frozenset(
    {
        "DiskIopsConfiguration",
        "MetadataConfiguration",
        "HAPairs",
        "ThroughputCapacityPerHAPair",
        "ReadCacheConfiguration",
    }
)
"""Settings of a file system with prices of their own."""
WORKSPACE_KINDS_MAX = "GRAPHICSPRO_G4DN"
SAVINGS_HOURS_MIN, SAVINGS_HOURS_MAX = 8760, 26_352
"""Hours of one and of three years: a savings plan is paid for that long."""


def load_balancer(action: Action, bill: Bill) -> Cost:
    """Any load balancer: its hour, and public addresses where it faces the internet."""
    members = action.parameters
    kind = members.get("Type", "application") if action.operation.startswith("aws:elbv2:") else "classic"
    bill.standing(f"elb:{kind}" if isinstance(kind, str) else "")
    zones = max(1, *(len(sequence(members.get(n))) for n in ("Subnets", "SubnetMappings", "AvailabilityZones")))
    if "internal" not in (members.get("Scheme"), members.get("scheme")):
        bill.standing("ipv4:public", zones, least=0)
    return bill.cost("high with public IPv4; capacity units (traffic) come on top")


def nat_gateway(action: Action, bill: Bill) -> Cost:
    """A NAT gateway with its address; a regional one grows to every zone."""
    zones = 6 if action.parameters.get("AvailabilityMode") == "regional" else 1
    bill.standing("nat:gateway", zones, least=1)
    if action.parameters.get("ConnectivityType") != "private":
        addresses = max(1, len(sequence(action.parameters.get("AvailabilityZoneAddresses"))))
        more = len(sequence(action.parameters.get("SecondaryAllocationIds")))
        bill.standing("ipv4:public", max(addresses, zones) + more, least=0)
    return bill.cost(TRAFFIC)


def vpn_connection(action: Action, bill: Bill) -> Cost:
    """A VPN connection; with acceleration, two accelerators, and at a transit gateway an attachment."""
    options = mapping(action.parameters.get("Options"))
    if options.get("TunnelBandwidth") not in (None, "standard"):
        raise Unpriced("large tunnels")
    bill.standing("vpn:connection")
    bill.standing("ipv4:public", 2, least=0)
    if options.get("EnableAcceleration"):
        bill.standing("globalaccelerator:hour", 2)
    if action.parameters.get("TransitGatewayId"):
        bill.standing("tgw:attachment")
    return bill.cost(TRAFFIC)


def vpc_endpoint(action: Action, bill: Bill) -> Cost:
    """An interface endpoint in each subnet; gateways to S3 and DynamoDB are free."""
    kind = action.parameters.get("VpcEndpointType", "Gateway")
    if kind == "Gateway":
        bill.per_hour(0, 0)
        return bill.cost("gateway endpoints are free")
    if kind not in ("Interface", "GatewayLoadBalancer"):
        raise Unpriced("endpoint type")
    bill.standing("vpc:endpoint", max(1, len(sequence(action.parameters.get("SubnetIds")))))
    return bill.cost(TRAFFIC)


def firewall(action: Action, bill: Bill) -> Cost:
    """A network firewall: an endpoint in each subnet."""
    bill.standing("network-firewall:endpoint", max(1, len(sequence(action.parameters.get("SubnetMappings")))))
    return bill.cost(TRAFFIC)


def directory(action: Action, bill: Bill) -> Cost:
    """A directory by its edition or size."""
    members = action.parameters
    name = action.operation.rpartition(":")[2]
    kind = text(members.get("Edition")) or "Enterprise" if name == "CreateMicrosoftAD" else text(members.get("Size"))
    bill.standing(f"ds:{'connector' if name == 'ConnectDirectory' else ''}{kind}".lower())
    return bill.cost()


def direct_connect(action: Action, bill: Bill) -> Cost:
    """A port by its bandwidth."""
    bill.standing(f"directconnect:{text(action.parameters.get('bandwidth'))}")
    return bill.cost("traffic and the partner's own fees come on top")


def file_system(action: Action, bill: Bill) -> Cost:
    """FSx by its stated storage and throughput. A deployment over two zones doubles both."""
    members = action.parameters
    kind = text(members.get("FileSystemType"))
    size = whole(members.get("StorageCapacity"))
    config = mapping(members.get(f"{kind.title() if kind != 'OPENZFS' else 'OpenZFS'}Configuration"))
    if (
        size is None
        or not kind
        or config.keys() & FILE_SYSTEM_EXTRAS
        or members.get("StorageType") == "INTELLIGENT_TIERING"
    ):
        raise Unpriced("storage")
    zones = 2 if "MULTI_AZ" in text(config.get("DeploymentType")) else 1
    media = "hdd" if members.get("StorageType") == "HDD" else "ssd"
    bill.standing(f"fsx:{kind.lower()}-{media}", size * zones)
    rate = whole(config.get("ThroughputCapacity"))
    if rate is None and kind != "LUSTRE":
        raise Unpriced("throughput")
    if kind == "LUSTRE":
        per_tib = whole(config.get("PerUnitStorageThroughput")) or 0
        bill.standing("fsx:lustre-throughput", Decimal(per_tib) * size / 1024, least=0)
    else:
        bill.standing(f"fsx:{kind.lower()}-throughput", (rate or 0) * zones)
    return bill.cost("backups, and requests where they are charged, come on top")


def elastic_file_system(action: Action, bill: Bill) -> Cost:
    """EFS is charged as it fills; throughput that is provisioned, from the start."""
    if action.parameters.get("ThroughputMode") == "provisioned":
        rate = amount(action.parameters.get("ProvisionedThroughputInMibps"))
        if rate is None:
            raise Unpriced("throughput")
        bill.standing("efs:throughput", rate)
    bill.per_hour(0, 0)
    return bill.cost("storage as it is used comes on top")


def workspaces(action: Action, bill: Bill) -> Cost:
    """Desktops by their kind where it is stated, else by the dearest there is."""
    for item in sequence(action.parameters.get("Workspaces")):
        properties = mapping(mapping(item).get("WorkspaceProperties"))
        kind = text(properties.get("ComputeTypeName"))
        bill.standing(f"workspaces:{kind or WORKSPACE_KINDS_MAX}", 1, least=1 if kind else 0)
        volumes = (whole(properties.get("RootVolumeSizeGib")) or 0) + (whole(properties.get("UserVolumeSizeGib")) or 0)
        bill.standing("workspaces:gb", volumes, least=0)
    return bill.cost("always on")


def accelerator(action: Action, bill: Bill) -> Cost:
    """A global accelerator, with its addresses."""
    bill.standing("globalaccelerator:hour")
    bill.standing("ipv4:public", 2, least=0)
    return bill.cost(TRAFFIC)


def health_check(action: Action, bill: Bill) -> Cost:
    """A Route 53 health check with every option there is."""
    bill.standing("route53:healthcheck")
    bill.standing("route53:healthcheck-option", 5, least=0)
    return bill.cost()


def reserved(action: Action, bill: Bill) -> Cost:
    """A purchase of reserved capacity: what the request's own limit lets it cost; unknown without one."""
    members = action.parameters
    limit = members.get("LimitPrice")
    stated = mapping(limit).get("Amount") if isinstance(limit, Mapping) else limit
    currency = mapping(limit).get("CurrencyCode") if isinstance(limit, Mapping) else members.get("CurrencyCode")
    dollars = _dollars(stated)
    if dollars is None or currency not in (None, "USD"):
        raise Unpriced("no limit is stated")
    bill.at_once(0, dollars, "the limit in the request")
    return bill.cost(payment=True)


def savings_plan(action: Action, bill: Bill) -> Cost:
    """The hourly commitment, over one to three years."""
    hourly = _dollars(action.parameters.get("commitment"))
    if hourly is None:
        raise Unpriced("commitment")
    bill.at_once(
        hourly * SAVINGS_HOURS_MIN, hourly * SAVINGS_HOURS_MAX, "the commitment in the request, one to three years"
    )
    return bill.cost(payment=True)


def domain(action: Action, bill: Bill) -> Cost:
    """A domain name by its ending, for each year."""
    ending = text(action.parameters.get("DomainName")).lower().rpartition(".")[2]
    years = whole(action.parameters.get("DurationInYears")) or 1
    bill.once(f"domain:{ending}", years)
    return bill.cost(payment=True)


def free(action: Action, bill: Bill) -> Cost:
    """What costs nothing by itself; what runs in it or goes through it is charged elsewhere."""
    bill.per_hour(0, 0)
    return bill.cost("free by itself; what is run in it or stored is charged as it is used")


def _dollars(value: Value) -> Decimal | None:
    found = amount(value)
    return None if found is None else found * 1_000_000


_Price = Callable[[Action, Bill], Cost]


def _simple(sku: str, note: str = "", count: str = "") -> _Price:
    """One item per thing: as many as the list at `count` has, or as the action says."""

    def price(action: Action, bill: Bill) -> Cost:
        stated = len(sequence(at(action.parameters, *count.split(".")))) if count else 0
        bill.standing(sku, max(1, stated, action.quantity))
        return bill.cost(note)

    return price


FREE = (
    "ec2:CreateTransitGateway ec2:CreateTransitGatewayRouteTable ec2:CreateTransitGatewayRoute "
    "ec2:CreateTransitGatewayPolicyTable ec2:CreateTransitGatewayMulticastDomain ec2:CreateInstanceConnectEndpoint "
    "ec2:CreateTransitGatewayPrefixListReference ec2:CreateTransitGatewayRouteTableAnnouncement ec2:CreateIpamPool "
    "ec2:CreateNetworkInsightsPath ec2:CreateNetworkInsightsAccessScope "
    "ecs:CreateCluster ecs:CreateCapacityProvider ecs:PutClusterCapacityProviders ecs:RegisterContainerInstance "
    "eks:CreateFargateProfile batch:CreateJobQueue "
    "rds:CreateDBSubnetGroup rds:CreateDBParameterGroup rds:CreateDBClusterParameterGroup rds:CreateDBSecurityGroup "
    "rds:CreateDBClusterEndpoint rds:CreateGlobalCluster rds:CreateTenantDatabase docdb:CreateDBSubnetGroup "
    "docdb:CreateDBClusterParameterGroup neptune:CreateDBSubnetGroup neptune:CreateDBParameterGroup "
    "neptune:CreateDBClusterParameterGroup neptune:CreateDBClusterEndpoint docdb:CreateGlobalCluster "
    "neptune:CreateGlobalCluster redshift:CreateClusterParameterGroup redshift:CreateClusterSecurityGroup "
    "redshift:CreateClusterSubnetGroup dms:CreateReplicationSubnetGroup dms:CreateEndpoint dms:CreateReplicationTask "
    "dms:CreateInstanceProfile dms:CreateMigrationProject glue:CreateConnection glue:CreateDatabase glue:CreateTable "
    "glue:CreateJob glue:CreatePartitionIndex sagemaker:CreateTrial sagemaker:CreateTrialComponent "
    "sagemaker:CreateDomain sagemaker:CreateSpace lightsail:CreateKeyPair lightsail:CreateDomainEntry "
    "lightsail:CreateContactMethod lightsail:CreateCertificate lightsail:CreateLoadBalancerTlsCertificate "
    "globalaccelerator:CreateEndpointGroup globalaccelerator:CreateCustomRoutingListener "
    "globalaccelerator:CreateCustomRoutingEndpointGroup globalaccelerator:CreateCrossAccountAttachment "
    "cloudfront:CreateDistribution cloudfront:CreateDistributionWithTags cloudfront:CreateStreamingDistribution "
    "cloudfront:CreateStreamingDistributionWithTags cloudfront:CreateCloudFrontOriginAccessIdentity "
    "cloudfront:CreateDistributionTenant elasticbeanstalk:CreateApplication elasticbeanstalk:CreateApplicationVersion "
    "apigateway:CreateAuthorizer apigateway:GenerateClientCertificate apigateway:FlushStageCache "
    "apigateway:FlushStageAuthorizersCache codebuild:CreateProject amplify:CreateApp directconnect:CreateBGPPeer "
    "directconnect:CreateDirectConnectGateway directconnect:CreateDirectConnectGatewayAssociation "
    "directconnect:CreateDirectConnectGatewayAssociationProposal directconnect:CreatePrivateVirtualInterface "
    "directconnect:CreatePublicVirtualInterface directconnect:CreateTransitVirtualInterface "
    "firehose:CreateDeliveryStream cloudformation:CreateStackRefactor emr:CreateStudio"
)
"""Operations that bring about something without a price of its own."""

PRICED: Mapping[str, _Price] = {
    "aws:elbv2:CreateLoadBalancer": load_balancer,
    "aws:elb:CreateLoadBalancer": load_balancer,
    "aws:ec2:CreateNatGateway": nat_gateway,
    "aws:ec2:CreateVpcEndpoint": vpc_endpoint,
    "aws:ec2:AllocateAddress": _simple("ipv4:public"),
    "aws:ec2:CreateVpnConnection": vpn_connection,
    "aws:ec2:CreateTransitGatewayVpcAttachment": _simple("tgw:attachment", TRAFFIC),
    "aws:ec2:CreateTransitGatewayPeeringAttachment": _simple("tgw:attachment", TRAFFIC),
    "aws:ec2:CreateTransitGatewayConnect": _simple("tgw:attachment", TRAFFIC),
    "aws:ec2:AssociateClientVpnTargetNetwork": _simple("clientvpn:association"),
    "aws:ec2:CreateClientVpnEndpoint": _simple("clientvpn:association", "each of its associations; connections on top"),
    "aws:ec2:CreateTrafficMirrorSession": _simple("trafficmirror:session"),
    "aws:ec2:EnableFastSnapshotRestores": _simple("ebs:fast-restore", "each snapshot and zone", "AvailabilityZones"),
    "aws:ec2:CreateVerifiedAccessEndpoint": _simple("verifiedaccess:endpoint", TRAFFIC),
    "aws:network-firewall:CreateFirewall": firewall,
    "aws:network-firewall:CreateVpcEndpointAssociation": _simple("network-firewall:endpoint", TRAFFIC),
    "aws:ds:CreateDirectory": directory,
    "aws:ds:CreateMicrosoftAD": directory,
    "aws:ds:ConnectDirectory": directory,
    "aws:directconnect:CreateConnection": direct_connect,
    "aws:fsx:CreateFileSystem": file_system,
    "aws:workspaces:CreateWorkspaces": workspaces,
    "aws:globalaccelerator:CreateAccelerator": accelerator,
    "aws:globalaccelerator:CreateCustomRoutingAccelerator": accelerator,
    "aws:route53:CreateHostedZone": _simple("route53:zone", "queries come on top"),
    "aws:route53:CreateHealthCheck": health_check,
    "aws:route53:CreateTrafficPolicyInstance": _simple("route53:traffic-policy"),
    "aws:secretsmanager:CreateSecret": _simple("secretsmanager:secret"),
    "aws:secretsmanager:ReplicateSecretToRegions": _simple("secretsmanager:secret", "", "AddReplicaRegions"),
    "aws:kms:CreateKey": _simple("kms:key"),
    "aws:kms:ReplicateKey": _simple("kms:key"),
    "aws:acm-pca:CreateCertificateAuthority": _simple("acm-pca:authority", "certificates come on top"),
    "aws:cloudwatch:PutMetricAlarm": _simple("cloudwatch:alarm"),
    "aws:cloudwatch:PutDashboard": _simple("cloudwatch:dashboard"),
    "aws:cloudhsmv2:CreateHsm": _simple("cloudhsm:hsm"),
    "aws:transfer:CreateServer": _simple("transfer:protocol", TRAFFIC, "Protocols"),
    "aws:wafv2:CreateWebACL": _simple("waf:acl", "requests and managed rules come on top"),
    "aws:waf:CreateWebACL": _simple("waf:acl", "requests and rules come on top"),
    "aws:waf-regional:CreateWebACL": _simple("waf:acl", "requests and rules come on top"),
    "aws:wafv2:CreateRuleGroup": _simple("waf:rule"),
    "aws:lightsail:CreateLoadBalancer": _simple("lightsail:balancer"),
    "aws:efs:CreateFileSystem": elastic_file_system,
    "aws:ec2:PurchaseReservedInstancesOffering": reserved,
    "aws:ec2:PurchaseHostReservation": reserved,
    "aws:savingsplans:CreateSavingsPlan": savings_plan,
    "aws:route53domains:RegisterDomain": domain,
    "aws:route53domains:RenewDomain": domain,
    "aws:route53domains:TransferDomain": domain,
    **{f"aws:{name}": free for name in FREE.split()},
}
"""Operation -> its price."""
