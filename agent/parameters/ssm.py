"""The SSM parameters of this instance."""

from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError
from botocore.parsers import ResponseParserError

from agent.aws_errors import NO_ANSWER, translate
from agent.errors import AwsError
from agent.parameters.runner_config import RunnerConfig, parse


class SsmClient(Protocol):
    """The calls used of boto3's `ssm` client."""

    def get_parameter(self, *, Name: str, WithDecryption: bool) -> dict[str, Any]: ...  # noqa: N803
    def delete_parameter(self, *, Name: str) -> dict[str, Any]: ...  # noqa: N803


class Parameters:
    """`{prefix}/{instance_id}/config` and, where it exists, `…/credential`."""

    def __init__(self, client: SsmClient, prefix: str, instance_id: str) -> None:
        """Names the two parameters; nothing is read yet."""
        self._client = client
        self.config_path = f"{prefix}/{instance_id}/config"
        self.credential_path = f"{prefix}/{instance_id}/credential"

    def read(self) -> RunnerConfig | None:
        """The runner config; None while it is not there, the normal state of a warm spare.

        Raises:
            ConfigError: it is there, but cannot be used.
            AwsError: SSM refused or could not be reached.
        """
        config = self._get(self.config_path)
        if config is None:
            return None
        return parse(config, self._get(self.credential_path), where=self.config_path)

    def delete(self) -> None:
        """Deletes both; one that is gone already is fine.

        Raises:
            AwsError: SSM refused or could not be reached.
        """
        errors = [self._delete(path) for path in (self.config_path, self.credential_path)]
        for error in errors:
            if error is not None:
                raise error

    def _delete(self, path: str) -> AwsError | None:
        try:
            self._client.delete_parameter(Name=path)
        except _FAILURES as exc:
            if not _not_found(exc):
                return _failed(exc, "ssm:DeleteParameter", path)
        return None

    def _get(self, path: str) -> str | None:
        try:
            answer = self._client.get_parameter(Name=path, WithDecryption=True)
            return str(answer["Parameter"]["Value"])
        except _FAILURES as exc:
            if _not_found(exc):
                return None
            raise _failed(exc, "ssm:GetParameter", path) from exc


_FAILURES = (ClientError, BotoCoreError, ResponseParserError, *NO_ANSWER)


def _failed(exc: Exception, call: str, path: str) -> AwsError:
    error = translate(exc, call=call, resource=path)
    error.__cause__ = exc
    return error


def _not_found(exc: Exception) -> bool:
    return isinstance(exc, ClientError) and exc.response["Error"]["Code"] == "ParameterNotFound"
