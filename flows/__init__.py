"""How the tasks become one flow, and the process that runs it."""

import sys

# httpx's command line, where click and rich are installed: it does without, and its 70 ms of imports are the boot's.
sys.modules.setdefault("httpx._main", None)  # type: ignore[arg-type]
