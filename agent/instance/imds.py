"""The instance metadata service, version 2 (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html)."""

import json
import re
import ssl
import threading
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import httpx

DEFAULT_ENDPOINT = "http://169.254.169.254"
TOKEN_TTL_SECONDS = 21_600
LARGEST_ANSWER_BYTES = 64 * 1024
_TOKEN = re.compile(r"[!-~]{1,4096}")
_INSTANCE_ID = re.compile(r"i-[0-9a-f]{8,17}")
_ACCOUNT = re.compile(r"\d{12}")
_WORD = re.compile(r"[a-z0-9.-]{1,64}")
_REGION = re.compile(r"[a-z]{2,}(-[a-z]+)+-\d+")


@dataclass(frozen=True, slots=True)
class Identity:
    """Where an instance is and what it is; a field is empty where EC2 does not say."""

    account_id: str
    instance_type: str
    zone: str


class Metadata:
    """Reads IMDS. Every answer is None where the service is not there or does not know: it is never an error."""

    def __init__(self, endpoint: str | None = None, *, timeout_seconds: float = 1.0) -> None:
        """Makes no call yet.

        Args:
            endpoint: botocore's `AWS_EC2_METADATA_SERVICE_ENDPOINT`; one that is no address is a service that is not there.
            timeout_seconds: of a whole answer, however it comes.
        """
        self._seconds = timeout_seconds
        self._lock = threading.Lock()
        self._token: str | None = None
        self._client: httpx.Client | None = None
        try:
            # Link-local traffic never goes through a proxy.
            self._client = httpx.Client(
                base_url=(endpoint or DEFAULT_ENDPOINT).rstrip("/"),
                timeout=timeout_seconds,
                trust_env=False,
                # IMDS speaks no TLS, and reading the authorities takes 30 ms: none is trusted.
                verify=ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT),
            )
        except (httpx.InvalidURL, ValueError):
            return

    def instance_id(self) -> str | None:
        return _like(_INSTANCE_ID, self.get("meta-data/instance-id"))

    def region(self) -> str | None:
        return _like(_REGION, self.get("meta-data/placement/region"))

    def identity(self) -> Identity | None:
        """What the instance identity document says (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-identity-documents.html)."""
        try:
            said = json.loads(self.get("dynamic/instance-identity/document") or "")
            return Identity(
                _like(_ACCOUNT, str(said.get("accountId"))) or "",
                _like(_WORD, str(said.get("instanceType"))) or "",
                _like(_WORD, str(said.get("availabilityZone"))) or "",
            )
        except (ValueError, AttributeError, RecursionError):
            return None

    def spot_notice(self) -> tuple[str, datetime] | None:
        """The action (`terminate`, `stop`, `hibernate`) and its moment, aware, once EC2 has announced it."""
        answer = self.get("meta-data/spot/instance-action")
        try:
            notice = json.loads(answer or "")
            at = datetime.fromisoformat(notice["time"])
            return str(notice["action"]), at if at.tzinfo else at.replace(tzinfo=UTC)
        except (ValueError, KeyError, TypeError, RecursionError):
            return None

    def rebalance_recommended(self) -> bool:
        return self.get("meta-data/events/recommendations/rebalance") is not None

    def get(self, path: str) -> str | None:
        """The text at `/latest/{path}`; a token that has expired is renewed once."""
        with self._lock:
            status, text = self._ask(path)
            if status == httpx.codes.UNAUTHORIZED:
                self._token = None
                status, text = self._ask(path)
        return text if status == httpx.codes.OK else None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()

    def _ask(self, path: str) -> tuple[int, str]:
        if self._token is None:
            wanted = {"X-aws-ec2-metadata-token-ttl-seconds": str(TOKEN_TTL_SECONDS)}
            status, made = self._exchange("PUT", "/latest/api/token", wanted)
            if status != httpx.codes.OK or not _TOKEN.fullmatch(made):
                return 0, ""
            self._token = made
        return self._exchange("GET", f"/latest/{path}", {"X-aws-ec2-metadata-token": self._token})

    def _exchange(self, method: str, path: str, headers: dict[str, str]) -> tuple[int, str]:
        """Status and text; status 0 where there is no answer, or none that ends in time."""
        if self._client is None:
            return 0, ""
        until = time.monotonic() + self._seconds
        body = b""
        try:
            with self._client.stream(method, path, headers=headers) as answer:
                # httpx bounds each read, not the whole answer.
                for chunk in answer.iter_bytes():
                    body += chunk
                    if time.monotonic() > until or len(body) > LARGEST_ANSWER_BYTES:
                        return 0, ""
                return answer.status_code, body.decode("utf-8", "replace")
        except httpx.HTTPError:
            return 0, ""


def _like(pattern: re.Pattern[str], text: str | None) -> str | None:
    """The text where it is what was asked for: a proxy or a captive portal answers anything with 200."""
    return text.strip() if text is not None and pattern.fullmatch(text.strip()) else None
