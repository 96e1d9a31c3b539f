from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest
from botocore.credentials import InstanceMetadataProvider
from botocore.utils import InstanceMetadataFetcher, InstanceMetadataRegionFetcher

from agent.localcloud.imds import Imds

AT = datetime(2026, 11, 23, 12, 0, 0, tzinfo=UTC)
TTL = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}


@pytest.fixture
def imds() -> Iterator[Imds]:
    imds = Imds(instance_id="i-0123456789abcdef0", region="eu-central-1")
    imds.start()
    yield imds
    imds.stop()


def _get(imds: Imds, path: str) -> httpx.Response:
    token = httpx.put(f"{imds.url}/latest/api/token", headers=TTL).text
    return httpx.get(f"{imds.url}/latest/{path}", headers={"X-aws-ec2-metadata-token": token})


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 400),
        ({"X-aws-ec2-metadata-token-ttl-seconds": "0"}, 400),
        ({"X-aws-ec2-metadata-token-ttl-seconds": "21601"}, 400),
        ({"X-aws-ec2-metadata-token-ttl-seconds": "soon"}, 400),
        (TTL | {"X-Forwarded-For": "10.0.0.1"}, 403),
        (TTL, 200),
    ],
)
def test_a_token_needs_a_time_to_live_and_no_proxy(
    imds: Imds, headers: dict[str, str], status: int
) -> None:
    assert httpx.put(f"{imds.url}/latest/api/token", headers=headers).status_code == status


def test_nothing_is_told_without_a_valid_token(imds: Imds) -> None:
    url = f"{imds.url}/latest/meta-data/instance-id"
    assert httpx.get(url).status_code == 401
    assert httpx.get(url, headers={"X-aws-ec2-metadata-token": "guess"}).status_code == 401
    token = httpx.put(f"{imds.url}/latest/api/token", headers=TTL).text
    imds.forget_tokens()
    assert httpx.get(url, headers={"X-aws-ec2-metadata-token": token}).status_code == 401


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("meta-data/instance-id", "i-0123456789abcdef0"),
        ("meta-data/instance-type", "c7i.large"),
        ("meta-data/placement/region", "eu-central-1"),
        ("meta-data/placement/availability-zone", "eu-central-1a"),
        ("meta-data/iam/security-credentials", "runs-fleet-runner"),
    ],
)
def test_metadata_answers_with_and_without_a_slash_at_the_end(
    imds: Imds, path: str, text: str
) -> None:
    assert _get(imds, path).text == text
    assert _get(imds, f"{path}/").text == text


def test_the_identity_document_names_the_instance(imds: Imds) -> None:
    document = _get(imds, "dynamic/instance-identity/document").json()
    assert (document["instanceId"], document["region"]) == ("i-0123456789abcdef0", "eu-central-1")


def test_notices_are_404_until_announced_and_after_they_are_withdrawn(imds: Imds) -> None:
    spot, rebalance = "meta-data/spot/instance-action", "meta-data/events/recommendations/rebalance"
    assert [_get(imds, p).status_code for p in (spot, rebalance)] == [404, 404]
    imds.announce_spot_interruption(AT)
    imds.announce_rebalance(AT)
    assert _get(imds, spot).json() == {"action": "terminate", "time": "2026-11-23T12:00:00Z"}
    assert _get(imds, rebalance).json() == {"noticeTime": "2026-11-23T12:00:00Z"}
    imds.withdraw_notices()
    assert [_get(imds, p).status_code for p in (spot, rebalance)] == [404, 404]


def test_botocore_gets_credentials_from_the_role_until_it_is_withdrawn(imds: Imds) -> None:
    def load() -> object:
        fetcher = InstanceMetadataFetcher(
            timeout=2, num_attempts=1, base_url=f"{imds.url}/", env={}
        )
        return InstanceMetadataProvider(fetcher).load()

    credentials = load()
    assert credentials is not None
    assert credentials.access_key.startswith("ASIA")  # type: ignore[attr-defined]
    assert credentials.token  # type: ignore[attr-defined]
    imds.withdraw_role()
    assert load() is None


def test_credentials_that_sts_gave_are_handed_out(imds: Imds) -> None:
    given = {"AccessKeyId": "ASIAFROMSTS", "SecretAccessKey": "secret", "SessionToken": "session"}
    imds.hand_out(given)
    told = _get(imds, "meta-data/iam/security-credentials/runs-fleet-runner").json()
    assert {told[key] for key in ("AccessKeyId", "SecretAccessKey", "Token")} == set(given.values())


def test_botocore_gets_the_region_from_the_availability_zone(imds: Imds) -> None:
    fetcher = InstanceMetadataRegionFetcher(
        timeout=2, num_attempts=1, base_url=f"{imds.url}/", env={}
    )
    assert fetcher.retrieve_region() == "eu-central-1"


def test_faults_hit_a_path_and_the_record_names_it(imds: Imds) -> None:
    imds.faults.fail("imds", "meta-data/instance-id", times=1, status=503, code="busy")
    assert [_get(imds, "meta-data/instance-id").status_code for _ in range(2)] == [503, 200]
    seen = [(c.operation, c.status) for c in imds.calls if c.operation != "api/token"]
    assert seen == [("meta-data/instance-id", 503), ("meta-data/instance-id", 200)]
