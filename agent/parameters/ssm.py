"""The SSM parameters of this instance."""

from typing import Any, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from agent.aws_errors import translate
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
        for path in (self.config_path, self.credential_path):
            try:
                self._client.delete_parameter(Name=path)
            except (ClientError, BotoCoreError) as exc:
                if not _not_found(exc):
                    raise translate(exc, call="ssm:DeleteParameter", resource=path) from exc

    def _get(self, path: str) -> str | None:
        try:
            answer = self._client.get_parameter(Name=path, WithDecryption=True)
        except (ClientError, BotoCoreError) as exc:
            if _not_found(exc):
                return None
            raise translate(exc, call="ssm:GetParameter", resource=path) from exc
        return str(answer["Parameter"]["Value"])


def _not_found(exc: Exception) -> bool:
    return isinstance(exc, ClientError) and exc.response["Error"]["Code"] == "ParameterNotFound"
