"""The instance metadata service, version 2 (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html)."""

import json
import threading
from datetime import datetime

import httpx

DEFAULT_ENDPOINT = "http://169.254.169.254"
TOKEN_TTL_SECONDS = 21_600


class Metadata:
    """Reads IMDS. Every answer is None where the service is not there or does not know: it is never an error."""

    def __init__(self, endpoint: str | None = None, *, timeout_seconds: float = 1.0) -> None:
        """Makes no call yet; the endpoint is botocore's `AWS_EC2_METADATA_SERVICE_ENDPOINT`."""
        # Link-local traffic never goes through a proxy.
        self._client = httpx.Client(
            base_url=(endpoint or DEFAULT_ENDPOINT).rstrip("/"),
            timeout=timeout_seconds,
            trust_env=False,
        )
        self._lock = threading.Lock()
        self._token: str | None = None

    def instance_id(self) -> str | None:
        return self.get("meta-data/instance-id")

    def region(self) -> str | None:
        return self.get("meta-data/placement/region")

    def spot_notice(self) -> tuple[str, datetime] | None:
        """The action (`terminate`, `stop`, `hibernate`) and its moment, once EC2 has announced it."""
        answer = self.get("meta-data/spot/instance-action")
        try:
            notice = json.loads(answer or "")
            return str(notice["action"]), datetime.fromisoformat(notice["time"])
        except (ValueError, KeyError, TypeError):
            return None

    def rebalance_recommended(self) -> bool:
        return self.get("meta-data/events/recommendations/rebalance") is not None

    def get(self, path: str) -> str | None:
        """The text at `/latest/{path}`; a token that has expired is renewed once."""
        with self._lock:
            answer = self._ask(path)
            if answer is not None and answer.status_code == httpx.codes.UNAUTHORIZED:
                self._token = None
                answer = self._ask(path)
        return answer.text if answer is not None and answer.status_code == httpx.codes.OK else None

    def close(self) -> None:
        self._client.close()

    def _ask(self, path: str) -> httpx.Response | None:
        try:
            if self._token is None:
                wanted = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_SECONDS)}
                made = self._client.put("/latest/api/token", headers=wanted)
                if made.status_code != httpx.codes.OK:
                    return None
                self._token = made.text
            return self._client.get(
                f"/latest/{path}", headers={"X-aws-ec2-metadata-token": self._token}
            )
        except httpx.HTTPError:
            return None
