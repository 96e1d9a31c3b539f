"""A look at the launch template before anything is launched from it: what would leave an instance behind is found here."""

from typing import Any

from deployments.live.account import Aws

ASSUMED = {
    "LaunchTemplateVersions": [
        {
            "LaunchTemplateData": {
                "InstanceInitiatedShutdownBehavior": "terminate",
                "MetadataOptions": {"HttpTokens": "required"},
                "IamInstanceProfile": {},
                "UserData": "",
            }
        }
    ]
}


def faults_of_template(aws: Aws, name: str, version: str) -> list[str]:
    """Each a sentence with its mend; none when an instance may be launched from it."""
    found = aws.call(
        "ec2",
        "describe_launch_template_versions",
        assumed=ASSUMED,
        LaunchTemplateName=name,
        Versions=[version],
    )
    data: dict[str, Any] = found["LaunchTemplateVersions"][0]["LaunchTemplateData"]
    wrong = []
    if data.get("InstanceInitiatedShutdownBehavior") != "terminate":
        wrong.append(
            "a power-off would not terminate the instance; set InstanceInitiatedShutdownBehavior to terminate"
        )
    if data.get("MetadataOptions", {}).get("HttpTokens") != "required":
        wrong.append("IMDSv1 is open to the job; set MetadataOptions.HttpTokens to required")
    if "IamInstanceProfile" not in data:
        wrong.append("the instance has no role and could not end itself; set IamInstanceProfile")
    if "UserData" not in data:
        wrong.append("nothing starts the agent; set UserData as terraform/ does")
    return wrong
