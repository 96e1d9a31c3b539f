"""The agent's artefact into the bucket, by the program that publishes it everywhere."""

import os
import subprocess
from pathlib import Path

from deployments.live.account import Aws, Refused, Say

PROGRAM = Path(__file__).parents[1] / "publish"
LIMIT_SECONDS = 1800.0


def publish(
    aws: Aws, bucket: str, say: Say, *, profile: str | None, program: Path = PROGRAM
) -> bool:
    """Calls `deployments/publish`, with the account checked before; false when it fails."""
    if not program.exists():
        raise Refused(f"{program} is not there; take a complete checkout")
    words = [str(program), "--bucket", bucket, "--region", aws.place.region]
    words += ["--dry-run"] if aws.dry_run else []
    say(" ".join(words))
    environment = {**os.environ, **({"AWS_PROFILE": profile} if profile else {})}
    done = subprocess.run(words, env=environment, check=False, timeout=LIMIT_SECONDS)
    return done.returncode == 0
