"""Closes off what a job must not reach: the instance metadata with the role's credentials, and Prefect's port."""

import logging
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from agent.errors import SettingsError
from agent.events import event, warning
from agent.instance.firewall import Door, close, metadata_doors, users_of
from agent.runner.user import RunnerUser, runner_user

if TYPE_CHECKING:
    from agent.stages.context import RunContext

log = logging.getLogger(__name__)

AT_IT = "the firewall's program does not end"
WAIT_SECONDS = 15.0
"""Longer than the programs that put the rules up may take."""
MEND = (
    "install nftables on the image and let the agent be root with RUNS_FLEET_RUNNER_USER an ordinary user; "
    "or set RUNS_FLEET_JOB_MAY_USE_INSTANCE_ROLE=true where the job may have the role"
)


class ClosedOff:
    """Begun beside Prefect's start, in a thread; waited for before the runner is started."""

    def __init__(self, run: "RunContext", ports: Sequence[int]) -> None:
        """Starts it.

        Args:
            run: its settings say whether anything is closed at all.
            ports: of this process's on the loopback.
        """
        self._settings = run.settings
        self._doors = (
            *metadata_doors(run.environment.get("AWS_EC2_METADATA_SERVICE_ENDPOINT")),
            *(Door("127.0.0.1", port) for port in ports),
        )
        self._open: str | None = AT_IT
        self._thread = threading.Thread(target=self._work, name="close-off", daemon=True)
        self._thread.start()

    def wait(self) -> None:
        """Until it is done; call it before anything of the job's runs.

        Raises:
            SettingsError: the metadata are open to the job, and the settings want no job then.
        """
        self._thread.join(WAIT_SECONDS)
        if self._thread.is_alive():
            warning(log, "metadata.open_to_job", why=AT_IT, mend=MEND)
        if self._open is not None and self._settings.job_may_use_instance_role == "never":
            raise SettingsError(
                f"the instance metadata cannot be closed to the job: {self._open}", mend=MEND
            )

    def _work(self) -> None:
        try:
            user = runner_user(self._settings.runner_user)
        except SettingsError:
            return  # whoever starts the runner says so
        if groups := user.groups_worth_root():
            warning(log, "runner.user_is_as_good_as_root", user=user.name, groups=",".join(groups))
        if self._settings.job_may_use_instance_role == "true":
            self._open = None
            return
        self._open = self._close(user)
        if self._open is not None:
            warning(log, "metadata.open_to_job", why=self._open, mend=MEND)

    def _close(self, user: RunnerUser) -> str | None:
        """Why they stay open; None when they do not."""
        if not user.switch:
            return f"the job runs as {user.name}, the agent's own user"
        try:
            by = close(users_of(user.name, user.uid), self._doors)
        except Exception as exc:  # noqa: BLE001 - whatever it was, it is to be said
            return str(exc) or type(exc).__name__
        event(log, "metadata.closed_to_job", user=user.name, by=by)
        return None
