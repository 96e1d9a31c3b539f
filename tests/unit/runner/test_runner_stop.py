import os
import signal
import threading
from pathlib import Path

import pytest

from agent.clock import SystemClock
from agent.errors import Interrupted, RegistrationError
from agent.runner.identity import ProcessIdentity
from agent.runner.process import RunnerProcess, attach
from agent.runner.start import run_to_end

from .conftest import Stage

RUN_SH = """
    #!/bin/bash
    set -m
    ./bin/Runner.Listener &
    PID=$!
    trap 'kill -INT -$PID' INT TERM
    wait $PID
    CODE=$?
    echo "Exiting runner..."
    trap - INT TERM
    wait $PID
    exit $CODE
"""
LISTENER = """
    #!/usr/bin/env python3
    import os, signal, threading
    stopped = threading.Event()
    def wind_up(number, frame):
        print("Exiting...", flush=True)
        stopped.set()
    signal.signal(signal.SIGINT, wind_up)
    print("ready", flush=True)
    while not stopped.wait(0.02):
        pass
    threading.Event().wait(0.2)
    print("session deleted", flush=True)
"""
STUBBORN = """
    #!/usr/bin/env python3
    import os, signal, sys, threading
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    def daemon(name, environment, folder):
        if os.fork() == 0:
            os.setsid()
            if os.fork() == 0:
                os.chdir(folder)
                os.execve("/bin/sh", ["sh", "-c", f"echo {name}; exec sleep 300"], environment)
            os._exit(0)
        os.wait()
    job = {**os.environ, "RUNNER_TRACKING_ID": f"github_{os.getpid()}"}
    daemon("tracked", job, "/")
    daemon("marked", {**job, "RUNNER_TRACKING_ID": ""}, "/")
    unmarked = {n: v for n, v in job.items() if n != "RUNNER_STARTED_BY_AGENT"}
    daemon("unmarked", unmarked, "/")
    daemon("bare", {}, os.getcwd())
    if os.fork() == 0:
        os.execve("/bin/sh", ["sh", "-c", "echo step; exec sleep 300"], job)
    print("ready", flush=True)
    threading.Event().wait(300)
"""


def start_trap_mode(stage: Stage) -> RunnerProcess:
    stage.script("run.sh", RUN_SH)
    stage.script("bin/Runner.Listener", LISTENER)
    process = stage.start("./run.sh")
    stage.until_said("ready")
    return process


def test_a_graceful_stop_is_one_sigterm_and_waits_for_the_listener(stage: Stage) -> None:
    process = start_trap_mode(stage)
    assert process.stop(10) == 143
    said = stage.said().splitlines()
    # run.sh says its line before the listener's last one; which of the first two comes first is a race.
    assert (said[0], said[-1]) == ("ready", "session deleted")
    assert sorted(said[1:-1]) == ["Exiting runner...", "Exiting..."]
    assert process.left() == []


def test_a_second_stop_sends_no_second_signal(stage: Stage) -> None:
    stage.script(
        "run.sh",
        """
        #!/usr/bin/env python3
        import signal, threading
        over = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: print("term", flush=True))
        signal.signal(signal.SIGUSR1, lambda *_: over.set())
        print("ready", flush=True)
        while not over.wait(0.02):
            pass
        """,
    )
    process = stage.start("./run.sh")
    stage.until_said("ready")
    process.ask_to_stop()
    stage.until_said("term")
    process.ask_to_stop()
    process.identity.send(signal.SIGUSR1)
    assert process.stop(10) == 0
    assert stage.said().splitlines() == ["ready", "term"]


def test_a_stubborn_runner_is_killed_with_its_daemons_wherever_they_went(stage: Stage) -> None:
    stage.script("run.sh", STUBBORN)
    process = stage.start("./run.sh")
    stage.until_said("ready", "tracked", "marked", "unmarked", "bare", "step")
    assert len(process.left()) == 6
    assert process.stop(0.2) is None
    assert process.left() == []
    assert process.poll() == -signal.SIGKILL


def test_a_runner_that_ends_by_itself_may_leave_a_daemon_which_is_found_and_killed(
    stage: Stage,
) -> None:
    stage.script(
        "run.sh",
        """
        #!/bin/bash
        (setsid sh -c 'cd /; echo ready; exec sleep 300' &)
        """,
    )
    process = stage.start("./run.sh")
    assert process.wait(10) == 0
    stage.until_said("ready")
    assert len(process.left()) == 1
    assert not process.settle(0.1)
    assert process.kill_everything() == 1


def test_the_listener_gets_the_signal_when_its_wrapper_was_killed(stage: Stage) -> None:
    process = start_trap_mode(stage)
    os.kill(process.pid, signal.SIGKILL)
    assert process.wait(10) == -signal.SIGKILL
    assert len(process.left()) == 1
    assert process.stop(10) == -signal.SIGKILL
    assert stage.said().splitlines()[-2:] == ["Exiting...", "session deleted"]


def test_what_goes_on_forking_is_killed_all_the_same(stage: Stage) -> None:
    stage.script(
        "run.sh",
        """
        #!/usr/bin/env python3
        import os, threading
        for count in range(200):
            if os.fork() == 0:
                os.setsid()
                threading.Event().wait(300)
            if count == 10:
                print("ready", flush=True)
            threading.Event().wait(0.005)
        """,
    )
    process = stage.start("./run.sh")
    stage.until_said("ready")
    assert process.kill_everything() > 10
    assert process.left() == []


def test_a_runner_is_taken_over_by_its_identity(stage: Stage) -> None:
    process = start_trap_mode(stage)
    again = attach(process.identity, runner_dir=stage.dir, clock=stage.clock)
    assert again.alive()
    assert sorted(again.left()) == sorted(process.left())
    assert again.poll() is None
    reaper = threading.Thread(target=process.wait, args=(10,))
    reaper.start()
    assert again.stop(10) is None
    reaper.join()
    assert process.poll() == 143
    assert not again.alive()


def test_a_process_that_got_the_pid_of_a_former_runner_is_left_alone(stage: Stage) -> None:
    process = stage.start("/bin/sleep", "300")
    former = ProcessIdentity(process.pid, process.identity.start_ticks - 1)
    other = stage.dir / "other"
    other.mkdir()
    again = attach(former, runner_dir=other, clock=stage.clock)
    assert not again.alive()
    assert again.left() == []
    assert again.stop(0) is None
    assert again.kill_everything() == 0
    assert process.alive()
    process.kill_everything()


def to_end(stage: Stage, timeout_seconds: float, stop: threading.Event) -> int:
    return run_to_end(
        ["./config.sh"],
        cwd=stage.dir,
        env=stage.env,
        user=stage.user,
        output=stage.output,
        timeout_seconds=timeout_seconds,
        stop=stop,
        clock=SystemClock(),
    )


def test_config_sh_runs_to_its_end(stage: Stage) -> None:
    stage.script("config.sh", "#!/bin/sh\necho said\nexit 1\n")
    assert to_end(stage, 10, threading.Event()) == 1
    assert stage.said() == "said\n"


HANGING = """
    #!/bin/bash
    echo $$ > pids
    (trap '' TERM INT; sleep 300) & echo $! >> pids
    setsid sleep 300 & echo $! >> pids
    echo ready
    wait
"""


def nothing_runs(pids: Path) -> bool:
    found = [Path(f"/proc/{pid}/stat") for pid in pids.read_text().split()]
    return all(not p.exists() or p.read_text().rpartition(")")[2].split()[0] == "Z" for p in found)


def test_a_hanging_config_sh_is_killed_with_all_of_it_and_may_be_tried_again(stage: Stage) -> None:
    stage.script("config.sh", HANGING)
    with pytest.raises(RegistrationError, match="did not end within 1 s") as caught:
        to_end(stage, 1, threading.Event())
    assert caught.value.transient
    assert nothing_runs(stage.dir / "pids")


def test_a_stop_ends_config_sh_at_once(stage: Stage) -> None:
    stage.script("config.sh", HANGING)
    stop = threading.Event()

    def ask() -> None:
        stage.until_said("ready")
        stop.set()

    asker = threading.Thread(target=ask)
    asker.start()
    with pytest.raises(Interrupted):
        to_end(stage, 60, stop)
    asker.join()
    assert nothing_runs(stage.dir / "pids")
