"""The local AWS, driven by boto3."""

from __future__ import annotations

from comptroller.testing.aws_server import AwsServer


def test_what_is_made_is_listed_and_a_new_server_starts_empty() -> None:
    with AwsServer() as aws:
        ec2, balancers = aws.client("ec2"), aws.client("elbv2")
        image = ec2.describe_images(Owners=["amazon"], MaxResults=5)["Images"][0]["ImageId"]
        made = ec2.run_instances(ImageId=image, InstanceType="p4d.24xlarge", MinCount=8, MaxCount=8)["Instances"]
        assert sorted(aws.instances()) == sorted(item["InstanceId"] for item in made)
        assert set(aws.instances().values()) == {"p4d.24xlarge"}
        subnets = [item["SubnetId"] for item in ec2.describe_subnets()["Subnets"]][:2]
        balancers.create_load_balancer(Name="front", Subnets=subnets)
        assert aws.load_balancers() == ("front",)
        ec2.terminate_instances(InstanceIds=[item["InstanceId"] for item in made[1:]])
        assert list(aws.instances()) == [made[0]["InstanceId"]]
        ec2.close()
        balancers.close()
    with AwsServer() as fresh:
        assert (dict(fresh.instances()), fresh.load_balancers()) == ({}, ())
