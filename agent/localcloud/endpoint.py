"""An AWS-compatible server outside this process, such as LocalStack."""

import ipaddress
import socket
from urllib.parse import urlsplit

from agent.errors import SettingsError

CONNECT_SECONDS = 5.0
PORTS = {"http": 80, "https": 443}
AWS = (".amazonaws.com", ".amazonaws.com.cn", ".api.aws")


def reachable(url: str) -> str:
    """The URL as boto3 is to have it, once something takes connections there.

    Of `http` the host's name is replaced by its address: boto3 puts a bucket's name before a host's name, which nobody could
    resolve then, and behind an address.

    Raises:
        SettingsError: it is no URL, leads to AWS itself, or nothing listens there.
    """
    parts = urlsplit(url)
    if parts.scheme not in PORTS or not parts.hostname:
        raise SettingsError(
            f"--aws-endpoint is {url!r}", mend="give a URL such as http://127.0.0.1:4566"
        )
    if parts.hostname.endswith(AWS):
        raise SettingsError(
            f"--aws-endpoint is AWS itself ({parts.hostname})",
            mend="the stand-ins play against an emulator; deployments/live/ tests in an account",
        )
    port = parts.port or PORTS[parts.scheme]
    try:
        with socket.create_connection(
            (parts.hostname, port), timeout=CONNECT_SECONDS
        ) as connection:
            address = ipaddress.ip_address(connection.getpeername()[0])
    except OSError as exc:
        raise SettingsError(
            f"nothing answers at {url} ({exc})", mend="start the AWS-compatible server first"
        ) from exc
    host = f"[{address}]" if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
    return f"http://{host}:{port}" if parts.scheme == "http" else url.rstrip("/")
