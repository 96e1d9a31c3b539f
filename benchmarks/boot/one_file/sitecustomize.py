"""Unpacks the file that ONE_FILE names to memory, before anything of the agent is opened, and lets children import from there."""

import os
import subprocess
import sys

if "agent" in sys.orig_argv and "run" in sys.orig_argv:
    into = os.environ["ONE_FILE"].removesuffix(".tar.zst")
    os.mkdir(into)  # noqa: PTH102 - as little as possible is imported
    subprocess.run(
        ["tar", "-x", "-I", "zstd", "-f", os.environ["ONE_FILE"], "-C", into], check=True
    )
    os.environ["PYTHONPATH"] = into
    sys.path.insert(0, into)
