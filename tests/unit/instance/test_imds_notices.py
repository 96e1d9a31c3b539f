"""Spot notices and rebalance recommendations as IMDS tells them, and rubbish in their place."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from werkzeug.wrappers import Request, Response

from agent.instance.imds import Metadata
from agent.localcloud.imds import Imds
from tests.unit.instance.conftest import MetadataAt, Serve

AT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)


def saying(text: str) -> Callable[[Request], Response]:
    """An IMDS with one answer to everything."""
    return lambda request: Response("token" if request.method == "PUT" else text)


@pytest.mark.parametrize("action", ["terminate", "stop", "hibernate"])
def test_a_notice_is_its_action_and_its_moment(imds: Imds, metadata: Metadata, action: str) -> None:
    assert metadata.spot_notice() is None
    imds.announce_spot_interruption(AT, action)
    assert metadata.spot_notice() == (action, AT)
    notice = metadata.spot_notice()
    assert notice is not None
    assert notice[1].utcoffset() == timedelta(0)


def test_a_notice_that_is_withdrawn_is_gone(imds: Imds, metadata: Metadata) -> None:
    imds.announce_spot_interruption(AT)
    assert metadata.spot_notice() is not None
    imds.withdraw_notices()
    assert metadata.spot_notice() is None


def test_a_notice_is_heard_although_the_token_has_just_expired(
    imds: Imds, metadata: Metadata
) -> None:
    metadata.spot_notice()
    imds.announce_spot_interruption(AT)
    imds.forget_tokens()
    assert metadata.spot_notice() == ("terminate", AT)


def test_a_rebalance_is_recommended_from_its_announcement_on(
    imds: Imds, metadata: Metadata
) -> None:
    assert not metadata.rebalance_recommended()
    imds.announce_rebalance(AT)
    assert metadata.rebalance_recommended()
    assert metadata.spot_notice() is None


@pytest.mark.parametrize("status", [401, 500, 503])
def test_an_imds_in_trouble_announces_nothing(imds: Imds, metadata: Metadata, status: int) -> None:
    imds.announce_spot_interruption(AT)
    imds.announce_rebalance(AT)
    imds.faults.fail("imds", "*", status=status, code="terminate")
    assert metadata.spot_notice() is None
    assert not metadata.rebalance_recommended()


@pytest.mark.parametrize(
    "rubbish",
    [
        "",
        "<html>not now</html>",
        "null",
        "[]",
        '"terminate"',
        "{}",
        '{"action": "terminate"}',
        '{"time": "2026-11-23T12:00:00Z"}',
        '{"action": "terminate", "time": "soon"}',
        '{"action": "terminate", "time": 1795435200}',
        '{"action": "terminate", "time": null}',
        '{"action": "terminate", "time": "2026-11-23T12:0',
        '{"action": "terminate", "time": "2026-02-30T12:00:00Z"}',
    ],
)
def test_rubbish_is_no_notice(serve: Serve, metadata_at: MetadataAt, rubbish: str) -> None:
    assert metadata_at(serve(saying(rubbish))).spot_notice() is None


def test_rubbish_that_nests_too_deep_is_no_notice(serve: Serve, metadata_at: MetadataAt) -> None:
    assert metadata_at(serve(saying("[" * 200_000))).spot_notice() is None


def test_a_moment_without_a_zone_can_still_be_counted_down_to(
    serve: Serve, metadata_at: MetadataAt
) -> None:
    text = '{"action": "terminate", "time": "2026-11-23T12:00:00"}'
    notice = metadata_at(serve(saying(text))).spot_notice()
    assert notice is None or notice[1].tzinfo is not None
