import os
import pwd

import pytest

from agent.errors import SettingsError
from agent.runner.user import runner_user

SOMEBODY = pwd.getpwuid(os.geteuid()).pw_name


def test_an_ordinary_agent_runs_the_runner_itself() -> None:
    nobody = pwd.getpwnam("nobody")
    user = runner_user(None, euid=nobody.pw_uid)
    assert (user.name, user.uid, user.gid) == ("nobody", nobody.pw_uid, nobody.pw_gid)
    assert not user.switch
    assert user.gid in user.groups


def test_the_agents_own_user_may_be_named() -> None:
    assert not runner_user(SOMEBODY).switch


def test_root_becomes_the_named_user() -> None:
    assert runner_user("nobody", euid=0).switch


def test_an_unknown_user_is_refused_with_the_mend() -> None:
    with pytest.raises(
        SettingsError, match=r"no user 'no-such-user'.*useradd .*RUNS_FLEET_RUNNER_USER"
    ):
        runner_user("no-such-user", euid=0)


def test_an_ordinary_agent_cannot_become_another_user() -> None:
    with pytest.raises(SettingsError, match="RUNS_FLEET_RUNNER_USER=root cannot be used"):
        runner_user("root", euid=pwd.getpwnam("nobody").pw_uid)


def test_a_uid_without_an_account_is_refused() -> None:
    with pytest.raises(SettingsError, match="uid 4294967000"):
        runner_user(None, euid=4_294_967_000)
