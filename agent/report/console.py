"""Addresses of the CloudWatch console."""

from urllib.parse import quote

_HOSTS = {"cn-": "console.amazonaws.cn", "us-gov-": "console.amazonaws-us-gov.com"}
"""By the beginning of a region's name: the partitions aws-cn and aws-us-gov."""
_USUAL_HOST = "console.aws.amazon.com"


def stream_url(region: str, group: str, stream: str) -> str:
    """Where the console shows a log stream of the account that the reader is signed in to."""
    return f"{_group(region, group)}/log-events/{_part(stream)}"


def _group(region: str, group: str) -> str:
    host = next((host for start, host in _HOSTS.items() if region.startswith(start)), _USUAL_HOST)
    # A region may stand in a log line that somebody forged: it must not lead elsewhere.
    named = quote(region, safe="")
    return f"https://{named}.{host}/cloudwatch/home?region={named}#logsV2:log-groups/log-group/{_part(group)}"


def _part(name: str) -> str:
    """As the console writes a name into its addresses: percent-encoded twice, with `$` for `%`."""
    once = quote(name, safe="-_.!~*'()")
    return quote(once, safe="-_.!~*'()").replace("%", "$")
