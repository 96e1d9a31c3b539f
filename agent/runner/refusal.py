"""Why `config.sh` did not register the runner, from its words: its exit status is 1 for everything."""

import re
from dataclasses import dataclass

from agent.errors import RegistrationError, TokenExpired

_READ = "read the config.sh lines in the runner stream"


@dataclass(frozen=True, slots=True)
class _Refusal:
    pattern: re.Pattern[str]
    mend: str
    transient: bool = False


def _refusal(pattern: str, mend: str, *, transient: bool = False) -> _Refusal:
    return _Refusal(re.compile(rf"^.*(?:{pattern}).*$", re.MULTILINE), mend, transient)


_LOCAL = (
    _refusal(r"is already configured", "remove .runner and .credentials from the runner directory when baking the image"),
    _refusal(r"Must not run with sudo", "set RUNS_FLEET_RUNNER_USER to an ordinary user"),
    _refusal(r"Can not find 'ldd'|Can not find 'ldconfig'|[Dd]ependencies is missing for Dotnet Core", "run bin/installdependencies.sh when baking the image; on Amazon Linux: dnf install libicu lttng-ust openssl-libs krb5-libs zlib"),
    _refusal(r"clock may be out of sync", "let chrony set the clock before the agent starts"),
    _refusal(r"A runner exists with the same name .+\.$", "give each instance a runner_name of its own"),
    _refusal(r"Could not find any self-hosted runner group", "mend runner_group in the runner config, or make the group"),
    _refusal(r"Invalid configuration provided for", "mend the value that it names in the runner config"),
)  # fmt: skip
_NETWORK = _refusal(
    r"Connection refused|Connection reset|Name or service not known|Temporary failure in name resolution|No such host is known"
    r"|Network is unreachable|No route to host|Resource temporarily unavailable|timed out|[Tt]imeout"
    r"|SSL connection could not be established|An error occurred while sending the request|response ended prematurely",
    "check the way to GitHub: route, proxy, security group",
    transient=True,
)
_STATUS = re.compile(
    r"Http response code: (?P<word>\w+) from|does not indicate success: (?P<number>\d{3})\b",
    re.ASCII,
)
_NUMBERS = {
    "BadRequest": 400,
    "Unauthorized": 401,
    "Forbidden": 403,
    "NotFound": 404,
    "RequestTimeout": 408,
    "Conflict": 409,
    "Gone": 410,
    "UnprocessableEntity": 422,
    "TooManyRequests": 429,
    "InternalServerError": 500,
    "BadGateway": 502,
    "ServiceUnavailable": 503,
    "GatewayTimeout": 504,
}
_TOKEN_REFUSED = "check that the token is a registration token for this URL, and the IP allow list"  # noqa: S105 - advice
_DECORATION = re.compile(r"[\s\W_]*$")


def configure_failure(output: str, url: str) -> RegistrationError:
    """The error that stands for a failed `config.sh`.

    Args:
        output: everything that it printed, stdout and stderr.
        url: where it was to register; it is named in the message.

    Returns:
        `TokenExpired` for a 404, which is how GitHub answers an expired token as well as a wrong URL; else a
        `RegistrationError`, transient for 408, 429, 5xx and connection errors.
    """
    for refusal in _LOCAL:
        if match := refusal.pattern.search(output):
            return RegistrationError(f"config.sh for {url}: {match[0]}", mend=refusal.mend)
    status = _last_status(output)
    if status is not None:
        return _by_status(status, url)
    if match := _NETWORK.pattern.search(output):
        return RegistrationError(
            f"config.sh for {url}: {match[0]}", mend=_NETWORK.mend, transient=True
        )
    return RegistrationError(f"config.sh for {url}: {_last_line(output)}", mend=_READ)


def _by_status(status: int | str, url: str) -> RegistrationError:
    if status == 404:  # noqa: PLR2004 - HTTP
        return TokenExpired(
            f"GitHub answered 404 to the registration at {url}: the token has expired, or the URL is wrong",
            mend="mint the token less than an hour before its use; check org and repo in the runner config",
        )
    if status in (401, 403):
        return RegistrationError(
            f"GitHub answered {status} to the registration at {url}", mend=_TOKEN_REFUSED
        )
    transient = isinstance(status, int) and (status in (408, 429) or status >= 500)  # noqa: PLR2004 - HTTP
    mend = "GitHub may answer a little later; see its status page" if transient else _READ
    return RegistrationError(
        f"GitHub answered {status} to the registration at {url}", mend=mend, transient=transient
    )


def _last_status(output: str) -> int | str | None:
    """The last HTTP status, as each of the runner's own attempts prints one; the word where its number is not known."""
    status: int | str | None = None
    for match in _STATUS.finditer(output):
        word = match["word"]
        status = _NUMBERS.get(word, word) if word else int(match["number"])
    return status


def _last_line(output: str) -> str:
    lines = [line.strip() for line in output.splitlines() if not _DECORATION.match(line)]
    return lines[-1] if lines else "it failed without a word"
