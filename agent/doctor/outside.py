"""What lies outside of the account: GitHub, and the time."""

from collections.abc import Sequence

import httpx

from agent.doctor.finding import Finding, failed, ok, skipped, warning
from agent.settings import Settings

WARN_SECONDS = 5
SKEW_SECONDS = 300
"""AWS refuses a signature that is five minutes off (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-authentication-methods.html)."""
_SERVER_ERROR = 500
_MEND_CLOCK = "let chronyd ask 169.254.169.123, Amazon's time service"
_MEND_WAY = "check DNS, the subnet's route, the security group and HTTPS_PROXY"


def check_clock(ahead_seconds: Sequence[float | None]) -> Finding:
    """This machine's clock against the `Date` of AWS's answers, which has whole seconds.

    Args:
        ahead_seconds: of each answer, None for one without a date.
    """
    known = [each for each in ahead_seconds if each is not None]
    if not known:
        return skipped("clock", "no answer of AWS to compare it with")
    off = min(known, key=abs)
    seen = f"{abs(off):.0f} s {'ahead of' if off > 0 else 'behind'} AWS's"
    if abs(off) >= SKEW_SECONDS:
        return failed("clock", f"{seen}: signatures are refused", mend=_MEND_CLOCK)
    if abs(off) >= WARN_SECONDS:
        return warning("clock", seen, mend=_MEND_CLOCK)
    return ok("clock", "agrees with AWS's")


def check_github(settings: Settings, client: httpx.Client) -> Finding:
    """Where the runner registers; a job cannot be had without."""
    return _reachable("GitHub", settings.github_url, client)[0]


def check_github_api(settings: Settings, client: httpx.Client) -> Finding:
    """The Releases API, by its rate limit, which is not counted (https://docs.github.com/en/rest/rate-limit)."""
    name = "GitHub's API"
    finding, answer = _reachable(name, f"{settings.github_api_url}/rate_limit", client)
    if answer is not None and (left := _left(answer)) is not None:
        seen = f"{left} calls left this hour for this address"
        if left == 0:
            mend = "pin RUNS_FLEET_RUNNER_VERSION and RUNS_FLEET_RUNNER_SHA256, or set RUNS_FLEET_GITHUB_TOKEN"
            finding = failed(name, seen, mend=mend)
        else:
            finding = ok(name, seen)
    if finding.mend and (why := _not_needed(settings)):
        return warning(name, f"{finding.seen}; not needed: {why}", mend=finding.mend)
    return finding


def _reachable(name: str, url: str, client: httpx.Client) -> tuple[Finding, httpx.Response | None]:
    try:
        answer = client.get(url)
    except (httpx.HTTPError, httpx.InvalidURL) as exc:
        said = str(exc) or type(exc).__name__
        return failed(name, f"{url} cannot be reached: {said}", mend=_MEND_WAY), None
    if answer.status_code >= _SERVER_ERROR:
        mend = "look at www.githubstatus.com, or at the proxy in between"
        return failed(name, f"{url} answers {answer.status_code}", mend=mend), None
    return ok(name, f"{url} answers"), answer


def _left(answer: httpx.Response) -> int | None:
    try:
        return int(answer.json()["resources"]["core"]["remaining"])
    except (ValueError, KeyError, TypeError):
        return None


def _not_needed(settings: Settings) -> str:
    """Why a run does without the API; empty where it does not."""
    pinned = settings.runner_version != "latest" and settings.runner_sha256 is not None
    return "version and digest are pinned" if pinned else ""
