"""The module's policy on moto with IAM authentication: enough for a whole job, and for nothing else."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from agent.demo.play import Play, Script
from agent.demo.promises import look
from agent.localcloud.aws import OPERATOR_KEY
from agent.localcloud.cloud import LocalCloud
from agent.localcloud.imds import ACCOUNT
from agent.localcloud.runner.build import BuiltArchive
from tests.deployments.terraform.calls import NEEDED, NOT_NEEDED, Instance
from tests.deployments.terraform.iam import enforced
from tests.deployments.terraform.role import REGION, Role, actions, policy

STATEMENTS = ("logs", "parameters", "queue", "runner-cache", "terminate-itself")


def enforce(cloud: LocalCloud, stack: ExitStack) -> None:
    """Until the stack is closed every call of the agent's needs a permission."""
    instance = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/{cloud.instance_id}"
    stack.enter_context(enforced(operator_key=OPERATOR_KEY, source_instance_arn=instance))


def test_a_whole_job_needs_every_action_of_the_policy_and_no_other(
    tmp_path: Path, central_prefect: str
) -> None:
    with ExitStack() as stack:

        def prepare(play: Play) -> None:
            Role(play.cloud, tmp_path / "nowhere").may(policy())
            enforce(play.cloud, stack)

        settings = {"PREFECT_API_URL": central_prefect}
        script = Script("a job is served", settings=settings, prepare=prepare)
        play = stack.enter_context(Play(script, tmp_path))
        play.start()
        promises = look(play, play.finish())
        assert [each for each in promises if not each.held] == [], "\n".join(play.lines)
        calls = {f"{call.service}:{call.operation}": call.status for call in play.cloud.aws.calls}
    assert 403 not in calls.values()
    assert set(calls) == actions(policy()) == set(NEEDED)


@pytest.fixture
def cloud(tmp_path: Path) -> Iterator[LocalCloud]:
    # Nobody fetches it: GitHub only has to have one.
    archive = BuiltArchive(tmp_path / "none.tar.gz", "0" * 64, 0, "2.336.0", "x64", "none.tar.gz")
    with ExitStack() as stack, LocalCloud(tmp_path, archive) as cloud:
        enforce(cloud, stack)
        yield cloud


@pytest.fixture
def role(cloud: LocalCloud, tmp_path: Path) -> Role:
    return Role(cloud, tmp_path / "nowhere")


@pytest.fixture
def instance(cloud: LocalCloud, role: Role, tmp_path: Path) -> Instance:
    return Instance(cloud, role.credentials, nowhere=tmp_path / "nowhere")


def test_everything_else_is_refused(role: Role, instance: Instance) -> None:
    role.may(policy())
    assert [name for name, each in NOT_NEEDED.items() if not instance.is_refused(each)] == []
    assert [name for name, each in NEEDED.items() if instance.is_refused(each)] == []


def test_each_statement_is_needed(role: Role, instance: Instance) -> None:
    for name in STATEMENTS:
        without = policy(without=name)
        role.may(without)
        refused = {action for action, each in NEEDED.items() if instance.is_refused(each)}
        assert refused == actions(policy()) - actions(without) != set(), name
