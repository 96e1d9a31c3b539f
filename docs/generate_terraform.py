"""Writes the tables of terraform/README.md that come out of the module and its policy; `--check` only tells whether they are current."""

import argparse
import json
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MODULE = ROOT / "terraform"
README = MODULE / "README.md"
STATEMENTS = MODULE / "policy" / "statements"
OPTIONS = {
    "runner-logs": "`runner_logs` is set",
    "parameters-key": "`kms_key_arns.parameters` is set",
    "bucket-key": "`kms_key_arns.bucket` is set",
    "queue-key": "`kms_key_arns.queue` is set",
}
"""Statements that not every instance has, and when it has them."""


def statement(name: str, values: Mapping[str, str]) -> dict[str, Any]:
    """One file of the policy with its variables filled in, as Terraform's `templatefile` does it.

    Raises:
        KeyError: a variable has no value.
    """
    text = (STATEMENTS / f"{name}.json").read_text()
    filled = re.sub(r"(?<!\$)\$\{([a-z_]+)\}", lambda match: values[match[1]], text)
    parsed: dict[str, Any] = json.loads(filled.replace("$${", "${"))
    return parsed


def statement_names() -> list[str]:
    """Every file of the policy; those that every instance has come first."""
    names = sorted(path.stem for path in STATEMENTS.glob("*.json"))
    return sorted(names, key=lambda name: name in OPTIONS)


def permissions_table() -> str:
    """One row a statement."""
    rows = ["| statement | allows | on | when |", "|---|---|---|---|"]
    for name in statement_names():
        each = statement(name, _Places())
        actions = ", ".join(f"`{action}`" for action in _listed(each["Action"]))
        on = f"`{each['Resource']}`"
        for operator, keys in each.get("Condition", {}).items():
            on += "".join(f", where `{key}` {operator} `{value}`" for key, value in keys.items())
        rows.append(f"| `{each['Sid']}` | {actions} | {on} | {OPTIONS.get(name, 'always')} |")
    return "\n".join([*rows, _agent_at_boot()])


def _agent_at_boot() -> str:
    """What the bucket's policy allows the role, beside the role's own."""
    text = (MODULE / "bucket.tf").read_text()
    found = re.search(
        r'for yes in \[!var\.baked\].*?Sid += "(\w+)".*?Action += "([\w:]+)".*?Resource += "(.*?)"\n',
        text,
        re.DOTALL,
    )
    if found is None:
        raise ValueError(f"{MODULE}/bucket.tf has no statement for what is fetched at boot")
    sid, action, resource = found.groups()
    on = resource.replace("${local.partition}", "aws").replace("${local.bucket}", "{bucket}")
    return f"| `{sid}` | `{action}` | `{on}` | `baked` is false; in the bucket's policy |"


def inputs_table() -> str:
    """One row a variable; those without a default first."""
    found = sorted(blocks("variable"), key=lambda each: ("default" in each[1], each[0]))
    rows = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, body in found:
        default = _code(body["default"]) if "default" in body else "required"
        rows.append(f"| `{name}` | {_code(body['type'])} | {default} | {_text(body)} |")
    return "\n".join(rows)


def outputs_table() -> str:
    """One row an output."""
    rows = ["| output | meaning |", "|---|---|"]
    rows += [
        f"| `{name}` | {_text(body)} |"
        for name, body in sorted(blocks("output"), key=lambda each: each[0])
    ]
    return "\n".join(rows)


def blocks(kind: str) -> list[tuple[str, dict[str, str]]]:
    """Name and attributes of every `kind` block of the module, each expression on one line.

    It knows as much of HCL as `terraform fmt` guarantees: what belongs to a block itself is indented by two spaces.
    """
    text = "".join(path.read_text() for path in sorted(MODULE.glob("*.tf")))
    found = re.findall(rf'^{kind} "(\w+)".*? \{{\n(.*?)^\}}', text, re.MULTILINE | re.DOTALL)
    return [(name, dict(_attributes(body))) for name, body in found]


def _attributes(body: str) -> Iterator[tuple[str, str]]:
    for name, written in re.findall(
        r"^  (\w+) += (.*(?:\n {3,}.*|\n  [)\]}].*)*)", body, re.MULTILINE
    ):
        lines = [line.strip() for line in written.splitlines()]
        parts = [re.sub(r" +=", " =", line) for line in lines]
        yield name, re.sub(r",? ([)\]}])", r" \1", ", ".join(parts).replace("{, ", "{ "))


def with_tables(text: str) -> str:
    """The text with each generated part made anew.

    Raises:
        ValueError: the text has no place for one of them.
    """
    tables = {
        "permissions": permissions_table(),
        "inputs": inputs_table(),
        "outputs": outputs_table(),
    }
    for name, table in tables.items():
        begin, end = f"<!-- {name}: written by make docs -->", f"<!-- end of {name} -->"
        before, mark, rest = text.partition(begin)
        _, end_mark, after = rest.partition(end)
        if not mark or not end_mark:
            raise ValueError(f"{README} has no {begin} … {end}")
        text = f"{before}{begin}\n{table}\n{end}{after}"
    return text


class _Places(dict[str, str]):
    """A name in braces for every value that is not the same everywhere."""

    def __missing__(self, name: str) -> str:
        return "aws" if name == "partition" else f"{{{name}}}"


def _listed(value: str | list[str]) -> list[str]:
    return [value] if isinstance(value, str) else value


def _text(body: Mapping[str, str]) -> str:
    return body["description"].strip('"').replace("|", r"\|")


def _code(text: str) -> str:
    return f"`{text}`".replace("|", r"\|")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    wanted = with_tables(README.read_text())
    if given.check:
        return 0 if README.read_text() == wanted else 1
    README.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
