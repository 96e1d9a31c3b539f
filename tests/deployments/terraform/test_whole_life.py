"""The complete example in an account of moto's: applied, looked at, planned again, destroyed."""

import base64
import gzip
import re
from concurrent.futures import Future

import pytest

from docs.generate_terraform import statement
from tests.deployments.terraform.account import Account
from tests.deployments.terraform.applied import Applied
from tests.deployments.terraform.role import VALUES
from tests.deployments.terraform.tool import needs_provider

BUCKET = "ci-123456789012-eu-central-1"
MADE = {
    f"bucket {BUCKET}",
    "queue ci-termination",
    "queue ci-termination-dead-letters",
    "alarm ci-termination-dead-letters",
    "log group agent",
    "role ci-runner",
    "profile ci-runner",
    "security group ci-runner",
    "launch template ci-runner-amd64",
    "launch template ci-runner-arm64",
}


@needs_provider
@pytest.mark.timeout(400)
def test_it_is_applied_as_planned_needs_no_second_time_and_leaves_nothing(
    applying: Future[Applied],
) -> None:
    applied = applying.result()
    assert applied.account.everything() - applied.before == MADE
    look_at_role(applied.account)
    look_at_instance(applied.account)
    assert "No changes." in applied.run("plan", "-detailed-exitcode", "-no-color")
    fill_bucket(applied.account)
    applied.run("destroy", "-auto-approve")
    assert applied.account.everything() == applied.before


def fill_bucket(account: Account) -> None:
    """Two versions of an object: an empty bucket would be deleted in any case."""
    s3 = account.client("s3")
    # moto takes no notice of aws:SecureTransport, and refuses everything.
    s3.delete_bucket_policy(Bucket=BUCKET)
    for body in (b"one", b"two"):
        s3.put_object(Bucket=BUCKET, Key="agent/latest/x64", Body=body)


def look_at_role(account: Account) -> None:
    """The policy is that of policy/, which test_policy_enforced.py plays a whole job with."""
    iam = account.client("iam")
    found = iam.get_role_policy(RoleName="ci-runner", PolicyName="ci-runner")["PolicyDocument"]
    values = VALUES | {
        "bucket": BUCKET,
        "queue_arn": "arn:aws:sqs:eu-central-1:123456789012:ci-termination",
    }
    files = ("logs", "parameters", "queue", "runner-cache", "terminate-itself")
    assert found["Statement"] == [statement(name, values) for name in files]
    assert iam.list_attached_role_policies(RoleName="ci-runner")["AttachedPolicies"] == []


def look_at_instance(account: Account) -> None:
    """What is launched from a template of the module's."""
    ec2 = account.client("ec2")
    (made,) = ec2.run_instances(
        LaunchTemplate={"LaunchTemplateName": "ci-runner-amd64", "Version": "$Latest"},
        InstanceType="c7i.large",
        MinCount=1,
        MaxCount=1,
    )["Instances"]
    told = ec2.describe_instance_attribute(InstanceId=made["InstanceId"], Attribute="userData")
    user_data = gzip.decompress(base64.b64decode(told["UserData"]["Value"])).decode()
    assert user_data.startswith("#cloud-config\n")
    settings = dict(re.findall(r'^ +([A-Z_]+)="(.*)"$', user_data, re.MULTILINE))
    assert settings["RUNS_FLEET_CONFIG_BUCKET"] == BUCKET
    assert settings["RUNS_FLEET_TERMINATION_QUEUE_URL"].endswith("/123456789012/ci-termination")
    assert settings["RUNS_FLEET_MAX_RUNTIME_MINUTES"] == "120"
    assert settings["RUNS_FLEET_GRACE_SECONDS"] == "60"
    ec2.terminate_instances(InstanceIds=[made["InstanceId"]])
