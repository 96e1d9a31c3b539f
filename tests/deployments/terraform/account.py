"""What is in the account that Terraform was pointed at."""

from typing import Any

import boto3

REGION = "eu-central-1"


class Account:
    """An account of moto's, as its owner sees it."""

    def __init__(self, url: str) -> None:
        self.url = url

    def client(self, service: str) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )

    def default_vpc(self) -> str:
        (vpc,) = self.client("ec2").describe_vpcs()["Vpcs"]
        return str(vpc["VpcId"])

    def everything(self) -> set[str]:
        """The names of all that Terraform can have made."""
        ec2, iam = self.client("ec2"), self.client("iam")
        found = {
            "bucket": [each["Name"] for each in self.client("s3").list_buckets()["Buckets"]],
            "queue": self.client("sqs").list_queues().get("QueueUrls", []),
            "log group": [
                each["logGroupName"]
                for each in self.client("logs").describe_log_groups()["logGroups"]
            ],
            "role": [each["RoleName"] for each in iam.list_roles()["Roles"]],
            "profile": [
                each["InstanceProfileName"]
                for each in iam.list_instance_profiles()["InstanceProfiles"]
            ],
            "policy": [each["PolicyName"] for each in iam.list_policies(Scope="Local")["Policies"]],
            "launch template": [
                each["LaunchTemplateName"]
                for each in ec2.describe_launch_templates()["LaunchTemplates"]
            ],
            "security group": [
                each["GroupName"] for each in ec2.describe_security_groups()["SecurityGroups"]
            ],
            "alarm": [
                each["AlarmName"]
                for each in self.client("cloudwatch").describe_alarms()["MetricAlarms"]
            ],
        }
        return {f"{kind} {name.rpartition('/')[2]}" for kind, names in found.items() for name in names}  # fmt: skip
