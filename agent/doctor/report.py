"""Findings, for a person or a machine."""

import json
from collections.abc import Sequence
from dataclasses import asdict

from agent.doctor.finding import Finding, Verdict


def as_text(findings: Sequence[Finding]) -> str:
    """One line a check, its mend below it where there is one, and a last line that sums up."""
    width = max((len(finding.name) for finding in findings), default=0)
    lines = []
    for finding in findings:
        lines.append(f"{finding.verdict:<8} {finding.name:<{width}}  {finding.seen}")
        if finding.mend:
            lines.append(f"{'':<8} {'':<{width}}  → {finding.mend}")
    return "\n".join([*lines, _sum(findings)])


def as_json(findings: Sequence[Finding]) -> str:
    """One JSON object: `ok`, and `checks` with `name`, `verdict`, `seen` and `mend` each."""
    return json.dumps(
        {"ok": all_well(findings), "checks": [asdict(finding) for finding in findings]}, indent=2
    )


def all_well(findings: Sequence[Finding]) -> bool:
    return not any(finding.verdict is Verdict.FAILED for finding in findings)


def _sum(findings: Sequence[Finding]) -> str:
    count = {verdict: sum(f.verdict is verdict for f in findings) for verdict in Verdict}
    said = [f"{number} {verdict}" for verdict, number in count.items() if number]
    return f"{'all well' if all_well(findings) else 'something is missing'}: {', '.join(said)}"
