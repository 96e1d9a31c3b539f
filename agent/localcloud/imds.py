"""The instance metadata service, version 2 only, as strict as EC2's own."""

import json
import secrets
import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from werkzeug.wrappers import Request, Response

from agent.clock import Clock, SystemClock, rfc3339
from agent.localcloud.calls import Call, CallRecord, attend
from agent.localcloud.faults import Faults
from agent.localcloud.server import HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterable

    from _typeshed.wsgi import StartResponse, WSGIEnvironment

MAX_TTL_SECONDS = 21_600
TTL_HEADER = "X-aws-ec2-metadata-token-ttl-seconds"
TOKEN_HEADER = "X-aws-ec2-metadata-token"  # noqa: S105
ROLE = "runs-fleet-runner"
SECRET_ACCESS_KEY = "localcloud-secret-access-key-of-the-role"  # noqa: S105
SESSION_TOKEN = "localcloud-session-token-of-the-role"  # noqa: S105
ACCOUNT = "123456789012"


class Imds:
    """The metadata of one spot instance at `url`.

    A session token costs a PUT with a time to live (400 without, 403 through a proxy); nothing is
    told without one (401). Paths answer with and without a slash at the end.

    Attributes:
        faults: service `imds`, operation as the path after `latest/` (`meta-data/instance-id`).
        record: every call, by the same names.
    """

    def __init__(
        self,
        *,
        instance_id: str,
        region: str,
        instance_type: str = "c7i.large",
        faults: Faults | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self.faults = faults or Faults(self._clock)
        self.record = CallRecord(self._clock)
        self._region = region
        self._lock = threading.Lock()
        self._tokens: dict[str, float] = {}
        self._renewed = 0
        self._keys = _keys(self._renewed)
        self._paths = {
            "meta-data/instance-id": instance_id,
            "meta-data/instance-type": instance_type,
            "meta-data/instance-life-cycle": "spot",
            "meta-data/placement/region": region,
            "meta-data/placement/availability-zone": f"{region}a",
            "dynamic/instance-identity/document": _identity(instance_id, region, instance_type),
            "meta-data/iam/security-credentials": ROLE,
        }
        self._server = HttpServer(self, name="localcloud-imds")

    def start(self) -> None:
        """Serves from now on; OSError when no port could be bound."""
        self._server.start()

    def stop(self) -> None:
        """Lets go of waiting calls and frees the port. Harmless when it is not running."""
        self.faults.clear()
        self._server.stop()

    @property
    def url(self) -> str:
        """What `AWS_EC2_METADATA_SERVICE_ENDPOINT` is to be."""
        return self._server.url

    @property
    def calls(self) -> list[Call]:
        """Every answered call, in the order in which they came in."""
        return self.record.all()

    def announce_spot_interruption(self, at: datetime, action: str = "terminate") -> None:
        """EC2 is going to do `action` at `at`; it gives two minutes' notice."""
        notice = json.dumps({"action": action, "time": rfc3339(at)})
        self._set("meta-data/spot/instance-action", notice)
        self._set("meta-data/spot/termination-time", rfc3339(at))

    def announce_rebalance(self, at: datetime) -> None:
        """The instance is at a higher risk of interruption since `at`."""
        notice = json.dumps({"noticeTime": rfc3339(at)})
        self._set("meta-data/events/recommendations/rebalance", notice)

    def withdraw_notices(self) -> None:
        """As if neither had ever been announced."""
        for path in ("spot/instance-action", "spot/termination-time"):
            self._set(f"meta-data/{path}", None)
        self._set("meta-data/events/recommendations/rebalance", None)

    def withdraw_role(self) -> None:
        """An instance without an instance profile: no credentials from here on."""
        self._set("meta-data/iam/security-credentials", None)

    def renew_credentials(self) -> str:
        """Others than so far, from here on; returns their access key id."""
        with self._lock:
            self._renewed += 1
            self._keys = _keys(self._renewed)
            return self._keys["AccessKeyId"]

    def hand_out(self, credentials: Mapping[str, str]) -> None:
        """From here on those that STS gave for the role: `AccessKeyId`, `SecretAccessKey` and `SessionToken`."""
        with self._lock:
            self._keys = {
                "AccessKeyId": credentials["AccessKeyId"],
                "SecretAccessKey": credentials["SecretAccessKey"],
                "Token": credentials["SessionToken"],
            }

    def forget_tokens(self) -> None:
        """Every session token given so far is refused from now on, as after its time to live."""
        with self._lock:
            self._tokens.clear()

    def __call__(
        self, environ: "WSGIEnvironment", start_response: "StartResponse"
    ) -> "Iterable[bytes]":
        """The WSGI application."""
        request = Request(environ)
        path = request.path.removeprefix("/latest/").strip("/")
        answer = attend(
            Call("imds", path),
            faults=self.faults,
            record=self.record,
            serve=lambda: self._serve(request, path),
            fail=lambda fault: Response(fault.code, fault.status),
        )
        return answer(environ, start_response)

    def _serve(self, request: Request, path: str) -> Response:
        if path == "api/token":
            return self._token(request)
        if not self._is_known(request.headers.get(TOKEN_HEADER, "")):
            return Response("Unauthorized", 401)
        if request.method not in ("GET", "HEAD"):
            return Response("Method Not Allowed", 405)
        text = self._read(path)
        return Response("Not Found", 404) if text is None else Response(text, mimetype="text/plain")

    def _token(self, request: Request) -> Response:
        if request.method != "PUT":
            return Response("Method Not Allowed", 405)
        if "X-Forwarded-For" in request.headers:
            return Response("Forbidden", 403)
        ttl = request.headers.get(TTL_HEADER, "")
        if not (ttl.isdecimal() and 1 <= int(ttl) <= MAX_TTL_SECONDS):
            return Response("Bad Request", 400)
        token = secrets.token_urlsafe(40)
        with self._lock:
            self._tokens[token] = self._clock.monotonic() + int(ttl)
        return Response(token, headers={TTL_HEADER: ttl}, mimetype="text/plain")

    def _is_known(self, token: str) -> bool:
        with self._lock:
            return self._clock.monotonic() < self._tokens.get(token, float("-inf"))

    def _read(self, path: str) -> str | None:
        with self._lock:
            if path == f"meta-data/iam/security-credentials/{ROLE}":
                held = "meta-data/iam/security-credentials" in self._paths
                return _credentials(self._clock.utc(), self._keys) if held else None
            return self._paths.get(path)

    def _set(self, path: str, text: str | None) -> None:
        with self._lock:
            if text is None:
                self._paths.pop(path, None)
            else:
                self._paths[path] = text


def _keys(number: int) -> dict[str, str]:
    return {
        "AccessKeyId": f"ASIALOCALCLOUDAGENT{number}",
        "SecretAccessKey": SECRET_ACCESS_KEY,
        "Token": SESSION_TOKEN,
    }


def _credentials(now: datetime, keys: Mapping[str, str]) -> str:
    return json.dumps(
        {
            "Code": "Success",
            "LastUpdated": rfc3339(now),
            "Type": "AWS-HMAC",
            **keys,
            "Expiration": rfc3339(now + timedelta(hours=6)),
        }
    )


def _identity(instance_id: str, region: str, instance_type: str) -> str:
    return json.dumps(
        {
            "accountId": ACCOUNT,
            "architecture": "x86_64",
            "availabilityZone": f"{region}a",
            "imageId": "ami-12c6146b",
            "instanceId": instance_id,
            "instanceType": instance_type,
            "privateIp": "10.0.0.10",
            "region": region,
            "version": "2017-09-30",
        },
        indent=2,
    )
