"""Keeps the job's user from addresses: its packets to them are rejected by nftables, or where there is no `nft`, by iptables.

The rules match the user that owns a socket, so nobody else of the machine loses anything. What containers send has no owner here:
the link-local addresses among the closed ones are rejected for all that is forwarded.
"""

import ipaddress
import shutil
import subprocess
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

NAME = "runs-fleet"
"""Of the nftables table and of the iptables chain."""
SECONDS = 5.0
SUBORDINATE = Path("/etc/subuid")
SYSTEM_FOLDERS = "/usr/sbin:/usr/bin:/sbin:/bin"
METADATA = ("169.254.169.254", "fd00:ec2::254")
"""IMDS on every instance, https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instancedata-data-retrieval.html."""

Which = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class Door:
    """An address that the job's user must not reach."""

    address: str
    """IPv4 or IPv6, as numbers."""
    port: int | None = None
    """Of TCP; None for everything at the address."""

    @property
    def family(self) -> str:
        return "ip6" if ":" in self.address else "ip"

    @property
    def forwarded(self) -> bool:
        """Whether a container may come to it through this machine."""
        return not ipaddress.ip_address(self.address).is_loopback


def metadata_doors(endpoint: str | None) -> tuple[Door, ...]:
    """IMDS, and where else botocore's `AWS_EC2_METADATA_SERVICE_ENDPOINT` says it is, if that is an address of numbers."""
    doors = tuple(Door(address) for address in METADATA)
    try:
        parts = urlsplit(endpoint or "")
        address = str(ipaddress.ip_address(parts.hostname or ""))
        return doors if address in METADATA else (*doors, Door(address, parts.port or 80))
    except ValueError:
        return doors


def users_of(name: str, uid: int, subordinate: Path = SUBORDINATE) -> tuple[str, ...]:
    """The user's id, and the ranges that it may become in a user namespace (man 5 subuid), as `first-last`."""
    users = [str(uid)]
    try:
        lines = subordinate.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        lines = []
    for line in lines:
        who, _, numbers = line.partition(":")
        first, _, count = numbers.partition(":")
        if who in (name, str(uid)) and first.isdecimal() and count.isdecimal() and int(count):
            users.append(f"{int(first)}-{int(first) + int(count) - 1}")
    return tuple(users)


def close(users: Sequence[str], doors: Sequence[Door], *, which: Which | None = None) -> str:
    """Closes the doors to the users, in place of what an earlier call closed; returns the program that did.

    Args:
        users: ids, or ranges as `first-last`.
        doors: what is closed to them.
        which: finds a program by its name; in the system's folders where not given.

    Raises:
        OSError: there is no program for it, or it refused; the text says why.
    """
    which = which or _which
    if nft := which("nft"):
        _run([nft, "-f", "-"], _table(users, doors))
        return "nft"
    families = {"ip": "iptables", "ip6": "ip6tables"}
    programs = {family: which(name) for family, name in families.items()}
    if programs["ip"] is None:
        raise FileNotFoundError(f"there is neither nft nor iptables in {SYSTEM_FOLDERS}")
    for family, program in programs.items():
        ours = [door for door in doors if door.family == family]
        if program and ours:
            _run([f"{program}-restore", "--wait", "--noflush"], _chain(users, ours))
            _jump(program)
    return "iptables"


def program(which: Which | None = None) -> str | None:
    """Which one `close` would use; None where there is none.

    Args:
        which: as of `close`.
    """
    which = which or _which
    return next((name for name in ("nft", "iptables") if which(name)), None)


def _table(users: Sequence[str], doors: Iterable[Door]) -> str:
    """One transaction: there is no moment in which a table of an earlier life is gone and this one not there."""
    who = ", ".join(users)
    own = [f"meta skuid {{ {who} }} {_nft(door)} reject" for door in doors]
    passing = [f"{_nft(door)} reject" for door in doors if door.forwarded]
    lines = [f"add table inet {NAME}", f"delete table inet {NAME}", f"table inet {NAME} {{"]
    for hook, rules in (("output", own), ("forward", passing)):
        lines += [f"chain {hook} {{", f"type filter hook {hook} priority -10; policy accept;"]
        lines += [*rules, "}"]
    return "\n".join([*lines, "}", ""])


def _nft(door: Door) -> str:
    port = f" tcp dport {door.port}" if door.port is not None else ""
    return f"{door.family} daddr {door.address}{port}"


def _chain(users: Sequence[str], doors: Iterable[Door]) -> str:
    lines = ["*filter", f":{NAME} - [0:0]", f":{NAME}-forward - [0:0]"]
    for door in doors:
        to = f"-d {door.address}" + (f" -p tcp --dport {door.port}" if door.port else "")
        lines += [f"-A {NAME} -m owner --uid-owner {user} {to} -j REJECT" for user in users]
        lines += [f"-A {NAME}-forward {to} -j REJECT"] if door.forwarded else []
    return "\n".join([*lines, "COMMIT", ""])


def _jump(program: str) -> None:
    for hook, chain in (("OUTPUT", NAME), ("FORWARD", f"{NAME}-forward")):
        rule = [hook, "-j", chain]
        try:
            _run([program, "--wait", "-C", *rule])
        except OSError:
            _run([program, "--wait", "-I", *rule])


def _run(command: Sequence[str], text: str = "") -> None:
    try:
        done = subprocess.run(
            command, input=text, text=True, capture_output=True, check=False, timeout=SECONDS
        )
    except subprocess.TimeoutExpired as exc:
        raise TimeoutError(f"{command[0]} did not end within {SECONDS:g} s") from exc
    if done.returncode != 0:
        said = (done.stderr.strip() or "no word").splitlines()[0]
        raise OSError(f"{command[0]} ended with {done.returncode}: {said}")


def _which(name: str) -> str | None:
    return shutil.which(name, path=SYSTEM_FOLDERS)
