import pytest
from botocore import exceptions as boto

from agent.aws_errors import error_code, translate
from agent.outcome import Reason


def answered(code: str, http_status: int = 400, message: str = "said so") -> boto.ClientError:
    return boto.ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {
                "HTTPStatusCode": http_status,
                "RequestId": "",
                "HostId": "",
                "HTTPHeaders": {},
                "RetryAttempts": 0,
            },
        },
        "GetParameter",
    )


@pytest.mark.parametrize(
    "error",
    [
        answered("ThrottlingException"),
        answered("RequestThrottled"),
        answered("AWS.SimpleQueueService.RequestThrottled"),
        answered("RequestLimitExceeded", 503),
        answered("ServiceUnavailableException"),
        answered("InternalError"),
        answered("Anything", 500),
        answered("Any", 429),
        boto.EndpointConnectionError(endpoint_url="https://ssm.eu-nowhere-1.amazonaws.com/"),
        boto.ConnectTimeoutError(endpoint_url="https://x/"),
        boto.ReadTimeoutError(endpoint_url="https://x/"),
        boto.ConnectionClosedError(endpoint_url="https://x/"),
        boto.SSLError(endpoint_url="https://x/", error="bad"),
        boto.CredentialRetrievalError(provider="imds", error_msg="timeout"),
        boto.NoCredentialsError(),
    ],
    ids=repr,
)
def test_an_outage_is_transient(error: Exception) -> None:
    found = translate(error, call="ssm:GetParameter", resource="/a/config")
    assert found.transient
    assert found.reason is Reason.AWS_UNAVAILABLE
    assert "ssm:GetParameter on /a/config" in found.what


@pytest.mark.parametrize(
    ("error", "mend"),
    [
        (answered("AccessDeniedException"), "give the instance role `ssm:GetParameter` on /a"),
        (answered("UnauthorizedOperation", 403), "give the instance role `ssm:GetParameter` on /a"),
        (answered("403", 403), "give the instance role `ssm:GetParameter` on /a"),
        (answered("ExpiredTokenException"), "attach the instance profile"),
        (answered("UnrecognizedClientException"), "attach the instance profile"),
        (answered("InvalidClientTokenId", 403), "attach the instance profile"),
        (answered("QueueDoesNotExist"), "create /a"),
        (answered("Strange"), "look up Strange of ssm:GetParameter"),
        (boto.NoRegionError(), "set AWS_REGION"),
        (boto.InvalidRegionError(region_name="a b"), "set AWS_REGION"),
        (boto.ParamValidationError(report="x"), "mend the name"),
        (ValueError("Invalid endpoint: foo"), "mend the setting"),
    ],
    ids=repr,
)
def test_a_refusal_is_final_and_says_how_to_mend_it(error: Exception, mend: str) -> None:
    found = translate(error, call="ssm:GetParameter", resource="/a")
    assert not found.transient
    assert found.reason is Reason.AWS_REFUSED
    assert found.mend.startswith(mend)
    assert "\n" not in str(found)


def test_the_callers_mend_wins() -> None:
    found = translate(answered("AccessDenied"), call="s3:GetObject", resource="b", mend="do this")
    assert found.mend == "do this"


def test_values_that_the_sdk_quotes_are_left_out() -> None:
    error = boto.ParamValidationError(report="Invalid value: hunter2-secret")
    assert "hunter2" not in str(translate(error, call="sqs:SendMessage", resource="q"))


def test_an_error_code_is_only_there_when_aws_answered() -> None:
    assert error_code(answered("NoSuchKey")) == "NoSuchKey"
    assert error_code(boto.NoCredentialsError()) == ""
