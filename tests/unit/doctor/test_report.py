import json

from agent.doctor.finding import failed, ok, skipped, warning
from agent.doctor.report import all_well, as_json, as_text

FINDINGS = [
    ok("python", "Python 3.11.2"),
    skipped("sqs:SendMessage", "a try would send a message"),
    warning("clock", "9 s behind AWS's", mend="ask the time service"),
    failed("IMDS", "does not answer", mend="let the instance reach IMDS"),
]


def test_a_person_reads_one_line_a_check_with_the_mend_below() -> None:
    lines = as_text(FINDINGS).splitlines()
    assert lines[0] == "ok       python           Python 3.11.2"
    assert lines[-2].strip() == "→ let the instance reach IMDS"
    assert lines[-1] == "something is missing: 1 ok, 1 warning, 1 failed, 1 skipped"


def test_a_machine_reads_one_object() -> None:
    found = json.loads(as_json(FINDINGS))
    assert found["ok"] is False
    assert found["checks"][3] == {
        "name": "IMDS",
        "verdict": "failed",
        "seen": "does not answer",
        "mend": "let the instance reach IMDS",
    }


def test_only_what_failed_makes_it_unwell() -> None:
    assert all_well(FINDINGS[:3])
    assert not all_well(FINDINGS)
