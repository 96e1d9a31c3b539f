"""The one door to AWS: an account that was named and seen to be the right one. In a dry run it only says what it would call."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Say = Callable[[str], None]
"""Takes one line for a person."""
HIDDEN = "***"


class Refused(Exception):
    """The step did not begin, or went no further; one line that says why and what to do."""


@dataclass(frozen=True, slots=True)
class Place:
    """An account and a region, both named by whoever calls."""

    account: str
    region: str

    def __post_init__(self) -> None:
        if not re.fullmatch(r"\d{12}", self.account):
            raise Refused(f"--account is {self.account!r}; give the account's 12 digits")
        if not re.fullmatch(r"[a-z]{2,}(-[a-z]+)+-\d+", self.region):
            raise Refused(f"--region is {self.region!r}; give a region such as eu-central-1")


class Aws:
    """Calls in one account and region; made by `opened` alone."""

    def __init__(self, session: Any, place: Place, *, dry_run: bool, say: Say) -> None:
        self.place = place
        self.dry_run = dry_run
        self._session = session
        self._say = say
        self._made: dict[str, Any] = {}

    def call(
        self,
        service: str,
        operation: str,
        *,
        assumed: Any = None,
        hidden: tuple[str, ...] = (),
        **arguments: Any,
    ) -> Any:
        """Makes one call, or in a dry run says it and returns `assumed`.

        Args:
            service: boto3's word for it, such as `ec2`.
            operation: boto3's word for it, such as `run_instances`.
            assumed: the answer that a dry run goes on with.
            hidden: the arguments that nobody may see.
            arguments: of the call.

        Raises:
            botocore.exceptions.ClientError: AWS refused it.
            botocore.exceptions.BotoCoreError: AWS could not be asked.
        """
        if self.dry_run:
            shown = {k: HIDDEN if k in hidden else v for k, v in arguments.items()}
            self._say(f"would call {service} {operation} {json.dumps(shown)}")
            return assumed
        return getattr(self.client(service), operation)(**arguments)

    def client(self, service: str) -> Any:
        """The boto3 client of a service, for calls that change nothing; never in a dry run."""
        if service not in self._made:
            self._made[service] = self._session.client(service, region_name=self.place.region)
        return self._made[service]


def opened(session: Any, place: Place, *, dry_run: bool, say: Say) -> Aws:
    """The account, once AWS has said that the session's credentials are of this one and no other.

    Raises:
        Refused: they are of another account; nothing but that question was asked.
        botocore.exceptions.BotoCoreError: there are no credentials, or AWS could not be asked.
    """
    identity = session.client("sts", region_name=place.region).get_caller_identity()
    if identity["Account"] != place.account:
        raise Refused(
            f"these credentials are of account {identity['Account']} ({identity['Arn']}), not of {place.account}; "
            "choose other credentials, or say the right --account"
        )
    return Aws(session, place, dry_run=dry_run, say=say)
