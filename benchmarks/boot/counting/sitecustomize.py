"""Writes down every file that a Python process opens or loads, to the file that COUNT_OPENED names."""

import os
import sys

_OUT = os.open(os.environ["COUNT_OPENED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)


def _look(name: str, arguments: tuple[object, ...]) -> None:
    # `import` names a file only for what is loaded as a shared library.
    path = arguments[0] if name == "open" else arguments[1] if name == "import" else None
    if isinstance(path, str) and path.startswith("/"):
        os.write(_OUT, f"{path}\n".encode())


sys.addaudithook(_look)
