"""The live test refuses to begin, says in a dry run what it would do, and gives no secret away."""

import pytest

from deployments.live.cli import main
from deployments.live.record import Record, Records
from tests.deployments.dev.github_rest import TOKEN
from tests.deployments.dev.live_account import ACCOUNT, GROUP, REGION, STEPS, WANTED, Account


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("missing", ["--account", "--region"])
def test_no_step_begins_without_an_account_and_a_region(
    step: str, missing: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_REGION", REGION)
    place = {"--account": ACCOUNT, "--region": REGION}
    place.pop(missing)
    with pytest.raises(SystemExit) as caught:
        main([step, *(word for pair in place.items() for word in pair), *STEPS[step]])
    assert caught.value.code == 2
    assert f"required: {missing}" in capsys.readouterr().err


def test_credentials_of_another_account_are_refused_before_anything_else_is_called(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.launched()
    for step, words in STEPS.items():
        before = len(account.asked())
        assert account.live(step, *words, account="210987654321") == 2
        assert account.asked()[before:] == ["GetCallerIdentity"]
        error = capsys.readouterr().err
        assert error.startswith(f"live: these credentials are of account {ACCOUNT}")
        assert error.count("\n") == 1


@pytest.mark.parametrize(("account_id", "region"), [("12345", REGION), (ACCOUNT, "Frankfurt")])
def test_what_is_no_account_or_no_region_is_refused_before_aws_is_asked(
    account_id: str, region: str, account: Account
) -> None:
    assert account.live("launch", *WANTED, account=account_id, region=region) == 2
    assert account.asked() == []


def test_a_dry_run_says_the_calls_and_makes_none(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    place = (ACCOUNT, REGION, "octo-org/live-test", "simple", "/p", GROUP)
    record = Record("one", *place, launched_at="2026-11-25T12:00:00Z", instance_id="i-1")
    records = Records(account.live.records)
    records.save(record)
    for step in set(STEPS) - {"publish"}:
        words = ("--id", "two") if step == "launch" else ()
        assert account.live(step, *STEPS[step], *words, "--dry-run") == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines
        assert all(line.startswith(("would call ", "terminated: those tagged")) for line in lines)
    assert set(account.asked()) == {"GetCallerIdentity"}
    assert account.rest.dispatched == []
    assert not records.has("two")
    assert records.load("one") == record


def test_a_dry_run_of_a_launch_shows_all_of_it_but_the_token(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.live("launch", *WANTED, "--spot", "--subnet", "subnet-1", "--dry-run") == 0
    said = capsys.readouterr().out
    assert [line.split(" {")[0] for line in said.splitlines()] == [
        "would call ec2 describe_launch_template_versions",
        "would call GitHub GET /repos/octo-org/live-test/actions/workflows/simple.yml",
        "would call GitHub POST /repos/octo-org/live-test/actions/runners/registration-token",
        "would call ec2 run_instances",
        "would call ssm put_parameter",
        "would call GitHub POST /repos/octo-org/live-test/actions/workflows/simple.yml/dispatches",
    ]
    assert '"Value": "***"' in said
    assert '"MaxCount": 1' in said
    assert '"SpotInstanceType": "one-time"' in said


def test_a_dry_run_of_a_tear_down_shows_each_deletion(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    queue = ("--queue-url", f"{account.server.url}/{ACCOUNT}/q", "--own-queue")
    assert account.live("launch", *WANTED, *queue) == 0
    capsys.readouterr()
    assert account.live("tear-down", "--id", "one", "--dry-run") == 0
    said = capsys.readouterr().out
    for operation in ("terminate_instances", "delete_parameter", "delete_message", "delete_log_stream", "GitHub DELETE"):  # fmt: skip
        assert operation in said
    assert list(account.states().values()) == ["running"]


def test_a_github_token_that_may_not_is_said_in_one_line(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("GITHUB_TOKEN", "another")
    assert account.live("launch", *WANTED) == 2
    assert account.states() == {}
    (line,) = capsys.readouterr().err.splitlines()
    assert "answered 401 UNAUTHORIZED; the token needs" in line
    assert "another" not in line


def test_without_a_github_token_and_with_nobody_to_ask_nothing_begins(
    account: Account, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GITHUB_TOKEN")
    monkeypatch.delenv("GH_TOKEN", raising=False)
    monkeypatch.setenv("PATH", "/nowhere")
    assert account.live("launch", *WANTED) == 2
    assert "set GITHUB_TOKEN" in capsys.readouterr().err


def test_a_step_for_a_test_that_nobody_launched_says_so(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    assert account.live("verify", "--id", "never") == 2
    assert "launch a test with --id never first" in capsys.readouterr().err


def test_no_token_is_in_what_a_step_says_or_writes_down(
    account: Account, capsys: pytest.CaptureFixture[str]
) -> None:
    account.launched()
    account.live("watch", "--id", "one", "--minutes", "0", "--every", "0.1")
    said = capsys.readouterr()
    written = (account.live.records / "one.json").read_text()
    assert not any(token in said.out + said.err + written for token in (TOKEN, "A-TOKEN"))
