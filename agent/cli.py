"""The commands (contract section 1). Each imports what it needs only when it is called: `run` must start at once."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from agent import __version__
from agent.arguments import EXIT, Parser

DESCRIPTION = "Takes an EC2 instance through one GitHub Actions job and ends it."
STATE_DIR = "/var/lib/runs-fleet"


def entry_point() -> None:
    """The console script."""
    sys.exit(main(sys.argv[1:]))


def main(arguments: Sequence[str]) -> int:
    """Runs one command and returns its exit status; results go to stdout, words for people to stderr."""
    given = _parser().parse_args(arguments)
    status: int = given.command(given)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = Parser("runs-fleet-agent", description=DESCRIPTION)
    parser.add_argument("--version", action="version", version=f"%(prog)s {__version__}")
    commands = parser.add_subparsers(required=True, metavar="COMMAND", dest="COMMAND")

    run = commands.add_parser("run", help="take this instance through one job and end it")
    run.set_defaults(command=_run)

    demo = commands.add_parser(
        "demo", help="the same against an embedded AWS, GitHub and runner, with a report"
    )
    demo.add_argument("--scenario", default="job", metavar="NAME", help="what happens; see --list")
    demo.add_argument("--list", action="store_true", help="list the scenarios and exit")
    demo.add_argument("--json", action="store_true", help="the result as one JSON object on stdout")
    demo.add_argument("--keep", action="store_true", help="keep the working directory")
    demo.add_argument(
        "--aws-endpoint",
        metavar="URL",
        help="play against this AWS-compatible server, such as LocalStack",
    )
    demo.add_argument(
        "--runner-user", metavar="NAME", help="who runs the job, when the agent is root"
    )
    demo.set_defaults(command=_demo)

    doctor = commands.add_parser("doctor", help="check this machine for all that `run` needs")
    doctor.add_argument("--json", action="store_true", help="as one JSON object")
    doctor.add_argument("--image", action="store_true", help="only what is true of a baked image")
    doctor.add_argument("--send", action="store_true", help="really send a message to the queue")
    doctor.add_argument(
        "--environment-file",
        type=Path,
        metavar="FILE",
        help="settings beside the environment's own (default: /etc/runs-fleet/agent.env)",
    )
    doctor.set_defaults(command=_doctor)

    end = commands.add_parser("end", help="end this instance now: finish what is owed, terminate")
    end.add_argument("--after-flow", action="store_true", help=argparse.SUPPRESS)
    end.add_argument("--stopped-by", help=argparse.SUPPRESS)
    end.set_defaults(command=_end)

    _add_readers(commands)
    return parser


def _add_readers(commands: "argparse._SubParsersAction[Parser]") -> None:
    """The commands that change nothing."""
    status = commands.add_parser("status", help="print what the journal knows")
    status.add_argument("--json", action="store_true", help="as one JSON object")
    status.set_defaults(command=_status)

    logs = commands.add_parser("logs", help="read a run's log streams from CloudWatch, by time")
    logs.add_argument("run_id", nargs="?", metavar="RUN_ID", help="this machine's run by default")
    logs.add_argument("--follow", action="store_true", help="go on until the run is over")
    logs.set_defaults(command=_logs)

    report = commands.add_parser("report", help="tell what a run did, why it ended, what to do")
    report.add_argument(
        "id",
        nargs="?",
        metavar="ID",
        help="a run id or an instance id, from CloudWatch; this machine's run by default",
    )
    form = report.add_mutually_exclusive_group()
    form.add_argument("--html", metavar="FILE", help="write a page; `-` prints it")
    form.add_argument("--json", action="store_true", help="as one JSON object a run")
    report.set_defaults(command=_report)


def _run(_given: argparse.Namespace) -> int:
    from agent.guardian.supervise import supervise

    return supervise(os.environ, _state_dir())


def _demo(given: argparse.Namespace) -> int:
    try:
        from agent.demo.main import Options, demo, show_scenarios
    except ModuleNotFoundError as exc:
        sys.stderr.write(
            f"runs-fleet-agent: demo needs the stand-ins for AWS, and the module {exc.name} is not installed;"
            " run `make demo` in a clone of the repository, or install runs-fleet-agent[demo]\n"
        )
        return EXIT
    if given.list:
        return show_scenarios(as_json=given.json)
    options = Options(given.keep, given.aws_endpoint, given.runner_user, given.json)
    return demo(given.scenario, options)


def _doctor(given: argparse.Namespace) -> int:
    from agent.doctor.main import doctor

    return doctor(
        os.environ,
        image=given.image,
        as_json=given.json,
        send=given.send,
        environment_file=given.environment_file,
    )


def _end(given: argparse.Namespace) -> int:
    from agent.guardian.end import end

    return end(os.environ, after_flow=given.after_flow, stopped_by=given.stopped_by)


def _status(given: argparse.Namespace) -> int:
    from agent import status

    path = _state_dir() / "journal.jsonl"
    if (why := status.unreadable(path)) is not None:
        sys.stderr.write(f"runs-fleet-agent: {why}\n")
        return 1
    print(status.as_json(path) if given.json else status.as_text(path))
    return 0


def _logs(given: argparse.Namespace) -> int:
    from agent.read_logs import logs

    journal = _state_dir() / "journal.jsonl"
    return logs(os.environ, given.run_id, follow=given.follow, journal=journal)


def _report(given: argparse.Namespace) -> int:
    from agent.report.main import report

    return report(os.environ, given.id, html=given.html, as_json=given.json, state_dir=_state_dir())


def _state_dir() -> Path:
    """As the settings have it, without the third-party modules that reading them takes; an unusable one by default."""
    given = Path(os.environ.get("RUNS_FLEET_STATE_DIR") or STATE_DIR)
    return given if given.is_absolute() and given != Path("/") else Path(STATE_DIR)
