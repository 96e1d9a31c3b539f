"""What botocore raises, as one `AwsError`: an outage (transient) or a refusal with its mend."""

from botocore import exceptions as boto
from botocore.parsers import ResponseParserError

from agent.errors import AwsError

_OUTAGE_CODES = frozenset(
    {
        "BandwidthLimitExceeded",
        "InternalError",
        "InternalFailure",
        "InternalServerError",
        "OperationAborted",
        "OperationAbortedException",
        "PriorRequestNotComplete",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "RequestTimeout",
        "RequestTimeoutException",
        "ServiceUnavailable",
        "ServiceUnavailableException",
        "SlowDown",
        "TooManyRequestsException",
        "TransactionInProgressException",
        "Unavailable",
    }
)
_FORBIDDEN_CODES = frozenset(
    {"AccessDenied", "AccessDeniedException", "Forbidden", "KMS.AccessDeniedException", "403"}
    | {"KmsAccessDenied", "UnauthorizedAccess", "UnauthorizedException", "UnauthorizedOperation"}
)
_CREDENTIAL_CODES = frozenset(
    {
        "AuthFailure",
        "ExpiredToken",
        "ExpiredTokenException",
        "IncompleteSignature",
        "InvalidAccessKeyId",
        "InvalidClientTokenId",
        "InvalidSecurity",
        "InvalidSignatureException",
        "InvalidToken",
        "MissingAuthenticationToken",
        "MissingAuthenticationTokenException",
        "RequestExpired",
        "RequestTimeTooSkewed",
        "SignatureDoesNotMatch",
        "UnrecognizedClientException",
    }
)
_MISSING_CODES = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "InvalidAddress",
        "InvalidInstanceID.NotFound",
        "NoSuchBucket",
        "NoSuchKey",
        "NotFound",
        "ParameterNotFound",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "404",
    }
)
NO_ANSWER = (KeyError, AttributeError, TypeError)
"""What a caller of boto3 meets when something that is not AWS has answered: a proxy's page, an empty body."""
_HTTP_TOO_MANY, _HTTP_SERVER_ERROR = 429, 500
_OUTAGES = (
    boto.HTTPClientError,
    boto.ConnectionError,
    boto.ResponseStreamingError,
    boto.IncompleteReadError,
    boto.ChecksumError,
    boto.FlexibleChecksumError,
    boto.CredentialRetrievalError,
    boto.MetadataRetrievalError,
)
_NO_CREDENTIALS = (boto.NoCredentialsError, boto.PartialCredentialsError, boto.ProfileNotFound)
_NO_PLACE = (
    boto.NoRegionError,
    boto.InvalidRegionError,
    boto.UnknownRegionError,
    boto.UnknownEndpointError,
    boto.EndpointProviderError,
)


def translate(error: Exception, *, call: str, resource: str, mend: str = "") -> AwsError:
    """The error of a failed AWS call; raise it `from` the given one.

    Args:
        error: what boto3 raised; anything that is not known counts as a refusal.
        call: the call as IAM names it, such as `ssm:GetParameter`.
        resource: what it was made on: a path, URL, name or ARN.
        mend: replaces the fitting mend, where the caller knows better.
    """
    if isinstance(error, boto.ClientError):
        said, fitting, transient = _answered(error, call, resource)
    else:
        said, fitting, transient = _unanswered(error, call)
    return AwsError(f"{call} on {resource}: {said}", mend=mend or fitting, transient=transient)


def in_words(error: Exception) -> str:
    """One line with its mend, for a person at a terminal where the call's name is in AWS's own text or does not matter."""
    if isinstance(error, boto.ClientError):
        return f"{error}; {_answered(error, error.operation_name, 'it')[1]}"
    said, mend, _ = _unanswered(error, "AWS")
    return f"{said}; {mend}"


def error_code(error: Exception) -> str:
    """AWS's own code such as `ResourceNotFoundException`; empty when AWS did not answer."""
    if not isinstance(error, boto.ClientError):
        return ""
    return str(error.response.get("Error", {}).get("Code", ""))


def _answered(error: boto.ClientError, call: str, resource: str) -> tuple[str, str, bool]:
    code, message = error_code(error), str(error.response.get("Error", {}).get("Message", ""))
    http_status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    said = f"AWS answered {code}: {message}" if message else f"AWS answered {code}"
    if code in _FORBIDDEN_CODES:
        return said, f"give the instance role `{call}` on {resource}", False
    if code in _CREDENTIAL_CODES:
        # Its text may quote the request that was signed, the session token in it.
        return f"AWS answered {code}", _CREDENTIALS_MEND, False
    if code in _MISSING_CODES:
        return said, f"create {resource}, or mend its name, account and region", False
    ill = http_status >= _HTTP_SERVER_ERROR or http_status == _HTTP_TOO_MANY
    if ill or code in _OUTAGE_CODES or "Throttl" in code:
        return said, "AWS is slow or ill: look at its status page and the account's limits", True
    return said, f"look up {code} of {call} in the AWS documentation", False


def _unanswered(error: Exception, call: str) -> tuple[str, str, bool]:
    service = call.partition(":")[0]
    said, transient = _text(error), False
    match error:
        case boto.ParamValidationError():
            # Its text quotes the values, and a value may be a secret.
            said, mend = "the SDK refused the arguments", "mend the name or URL that was given"
        case boto.SSLError():
            mend, transient = "check the proxy, and AWS_CA_BUNDLE where it intercepts TLS", True
        case _ if isinstance(error, _NO_CREDENTIALS):
            # The role of an instance that has just booted may be a moment late.
            mend, transient = _CREDENTIALS_MEND, isinstance(error, boto.NoCredentialsError)
        case _ if isinstance(error, _NO_PLACE):
            mend = "set AWS_REGION to a region that exists"
        case _ if isinstance(error, (ResponseParserError, *NO_ANSWER)):
            said = f"something that is not AWS has answered ({type(error).__name__})"
            mend, transient = f"check the proxy and the VPC endpoint for {service}", True
        case _ if isinstance(error, _OUTAGES):
            mend = f"check the region and the subnet's route or VPC endpoint for {service}"
            transient = True
        case _:
            mend = "mend the setting that the message names"
    return said, mend, transient


def _text(error: Exception) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(".")


_CREDENTIALS_MEND = (
    "attach the instance profile, or mend the AWS_ACCESS_KEY_ID variables; check the clock"
)
