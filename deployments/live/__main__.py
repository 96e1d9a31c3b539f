"""`python -m deployments.live STEP`."""

import sys

from deployments.live.cli import main

raise SystemExit(main(sys.argv[1:]))
