"""moto's IAM authentication, with what it lacks: resources of SSM, Logs and EC2, conditions, and refusals in each service's own words."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from fnmatch import fnmatchcase
from typing import Any

import pytest
from moto.core.authorization import ActionAuthenticatorMixin, enable_iam_authentication
from moto.core.exceptions import AccessDeniedError, JsonRESTError
from moto.ec2.responses._base_response import EC2BaseResponse
from moto.iam.access_control import IAMPolicyStatement
from moto.logs.responses import LogsResponse
from moto.ssm.responses import SimpleSystemManagerResponse

_request: ContextVar[Mapping[str, str]] = ContextVar("request")
"""Condition keys of the request that is being looked at."""


@contextmanager
def enforced(*, operator_key: str, source_instance_arn: str) -> Iterator[None]:
    """From here on a call needs a signature and a policy, whoever makes it.

    Args:
        operator_key: the access key of whoever looks on: its calls need neither.
        source_instance_arn: where the credentials of everybody else were delivered to.
    """
    original = ActionAuthenticatorMixin._authenticate_and_authorize_action

    def authorize(self: Any, request_class: type, resource: str = "*") -> None:
        if f"Credential={operator_key}/" in self.headers.get("Authorization", ""):
            return
        token = _request.set(_context(resource, source_instance_arn))
        try:
            original(self, request_class, resource)
        except AccessDeniedError as exc:
            raise _refusal(self.service_name, exc) from exc
        finally:
            _request.reset(token)

    with enable_iam_authentication(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(ActionAuthenticatorMixin, "_authenticate_and_authorize_action", authorize)
        patch.setattr(IAMPolicyStatement, "_check_conditions", _conditions_hold)
        for response, resource in (
            (SimpleSystemManagerResponse, _parameter),
            (LogsResponse, _log_stream),
            (EC2BaseResponse, _instance),
        ):
            patch.setattr(response, "_determine_resource", resource, raising=False)
        yield


def _arn(response: Any, resource: str) -> str:
    place = f"{response.service_name}:{response.region}:{response.current_account}"
    return f"arn:{response.partition}:{place}:{resource}"


def _parameter(response: Any) -> str:
    name = response._get_param("Name") or response._get_param("Path") or "*"
    return _arn(response, f"parameter/{name.lstrip('/')}")


def _log_stream(response: Any) -> str:
    group = response._get_param("logGroupName") or "*"
    stream = response._get_param("logStreamName")
    return _arn(response, f"log-group:{group}:" + (f"log-stream:{stream}" if stream else ""))


def _instance(response: Any) -> str:
    named = response._get_param("InstanceIds") or []
    return _arn(response, f"instance/{named[0]}") if named else "*"


def _context(resource: str, source_instance_arn: str) -> dict[str, str]:
    known = {"ec2:SourceInstanceARN": source_instance_arn}
    if ":instance/" in resource:
        known["ec2:InstanceID"] = resource.rpartition("/")[2]
    return known


def _conditions_hold(statement: Any, _: object) -> bool:
    """As IAM does it: all must hold, and neither an unknown key nor an unknown variable holds."""
    known = _request.get()
    for operator, keys in statement._statement.get("Condition", {}).items():
        assert operator == "ArnEquals", f"{operator} is not evaluated here"
        for key, wanted in keys.items():
            for name, value in known.items():
                wanted = wanted.replace(f"${{{name}}}", value)  # noqa: PLW2901
            if not fnmatchcase(known.get(key, ""), wanted):
                return False
    return True


def _refusal(service: str, refused: AccessDeniedError) -> Exception:
    said = str(refused.message)
    if service in ("ssm", "logs", "sqs"):
        return JsonRESTError("AccessDeniedException", said)
    if service == "ec2":
        refused.error_type = "UnauthorizedOperation"
        refused.description = (
            "<Response><Errors><Error><Code>UnauthorizedOperation</Code>"
            f"<Message>{json.dumps(said)}</Message></Error></Errors></Response>"
        )
    return refused
