"""The two parameters deleted over real HTTP: both, however often, and never quietly when SSM refuses."""

import pytest

from agent.errors import AwsError
from agent.outcome import Reason
from tests.unit.parameters.conftest import CONFIG, CREDENTIAL, GOOD, PREFIX, Store

OTHER = f"{PREFIX}/i-0fedcba9876543210/config"


@pytest.fixture
def full(store: Store) -> Store:
    for name in (CONFIG, CREDENTIAL, OTHER):
        store.put(name, GOOD)
    return store


def test_both_are_deleted_and_no_other_instances(full: Store) -> None:
    full.parameters.delete()
    assert full.names() == [OTHER]
    assert full.parameters.read() is None


def test_deleting_twice_is_fine(full: Store) -> None:
    full.parameters.delete()
    full.parameters.delete()
    assert full.names() == [OTHER]
    assert [status for _, status in full.calls()] == [200, 200, 400, 400]


@pytest.mark.parametrize("only", [CONFIG, CREDENTIAL], ids=["config", "credential"])
def test_one_that_is_gone_already_does_not_keep_the_other(store: Store, only: str) -> None:
    store.put(only, GOOD)
    store.parameters.delete()
    assert store.names() == []


def test_a_deletion_whose_answer_is_lost_is_made_again_and_fine(full: Store) -> None:
    full.faults.hang("ssm", "DeleteParameter", seconds=0.0, times=1, takes_effect=True)
    with pytest.raises(AwsError) as caught:
        full.parameters.delete()
    assert caught.value.transient
    full.parameters.delete()
    assert full.names() == [OTHER]


def test_a_throttled_deletion_is_an_outage_and_works_later(full: Store) -> None:
    full.faults.fail("ssm", "DeleteParameter", times=1, status=400, code="ThrottlingException")
    with pytest.raises(AwsError, match="ThrottlingException") as caught:
        full.parameters.delete()
    assert caught.value.transient
    full.parameters.delete()
    assert full.names() == [OTHER]


def test_a_refused_deletion_is_final_and_one_line_with_its_mend(full: Store) -> None:
    full.faults.fail("ssm", "DeleteParameter", status=400, code="AccessDeniedException")
    with pytest.raises(AwsError) as caught:
        full.parameters.delete()
    assert not caught.value.transient
    assert caught.value.reason is Reason.AWS_REFUSED
    assert caught.value.what.startswith(f"ssm:DeleteParameter on {CONFIG}: ")
    assert f"`ssm:DeleteParameter` on {CONFIG}" in caught.value.mend
    assert "\n" not in str(caught.value)
    assert full.names() == sorted((CONFIG, CREDENTIAL, OTHER))


def test_a_refusal_of_the_second_is_told_although_the_first_is_gone(full: Store) -> None:
    full.faults.slow("ssm", "DeleteParameter", seconds=0.0, times=1)
    full.faults.fail("ssm", "DeleteParameter", status=400, code="AccessDeniedException")
    with pytest.raises(AwsError) as caught:
        full.parameters.delete()
    assert CREDENTIAL in caught.value.what
    assert full.names() == sorted((CREDENTIAL, OTHER))


def test_a_refusal_of_the_first_does_not_keep_the_credential(full: Store) -> None:
    full.faults.fail("ssm", "DeleteParameter", times=1, status=400, code="AccessDeniedException")
    with pytest.raises(AwsError):
        full.parameters.delete()
    assert full.names() == sorted((CONFIG, OTHER))
