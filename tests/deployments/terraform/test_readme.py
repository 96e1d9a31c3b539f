import re
import subprocess
import sys

from docs.generate_terraform import blocks, statement_names
from tests.deployments.terraform.tool import ROOT

README = (ROOT / "terraform/README.md").read_text()


def test_the_generated_tables_are_what_the_module_says() -> None:
    program = [sys.executable, "docs/generate_terraform.py", "--check"]
    done = subprocess.run(program, cwd=ROOT, check=False, timeout=60)
    assert done.returncode == 0, "run `make docs`"


def test_the_tables_have_a_row_for_every_variable_output_and_statement() -> None:
    rows = re.findall(r"^\| `(\w+)` \|", README, re.MULTILINE)
    text = "".join(path.read_text() for path in (ROOT / "terraform").glob("*.tf"))
    declared = re.findall(r'^(?:variable|output) "(\w+)"', text, re.MULTILINE)
    assert len(rows) == len(declared) + len(statement_names()) + len(["AgentAtBoot"])
    assert set(declared) < set(rows)


def test_the_permissions_have_a_row_for_what_the_buckets_policy_allows() -> None:
    row = "| `AgentAtBoot` | `s3:GetObject` | `arn:aws:s3:::{bucket}/agent/*` | `baked` is false; in the bucket's policy |"
    assert row in README.splitlines()


def test_every_variable_and_output_says_what_it_is() -> None:
    for kind in ("variable", "output"):
        for name, body in blocks(kind):
            assert body["description"].endswith('."'), name


def test_every_variable_that_the_readme_names_exists() -> None:
    known = {name for name, _ in blocks("variable")} | {name for name, _ in blocks("output")}
    named = set(
        re.findall(
            r"`((?:existing|kms_key_arns|egress_ports|alarm_topic_arns|\w+_minutes)\b)", README
        )
    )
    assert named <= known
