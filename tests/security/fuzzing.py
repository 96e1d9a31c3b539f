"""`python -m tests.security.fuzzing TARGET [libFuzzer's options]`: atheris looks for inputs; what breaks something stays in the corpus."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path


def main(arguments: Sequence[str]) -> int:
    name, *options = arguments
    atheris = import_module("atheris")  # in its own virtual environment: see `make fuzz`
    with atheris.instrument_imports(include=["agent"]):
        fuzz = import_module("tests.security.fuzz")
    corpus = fuzz.CORPUS / name
    found = Path(".fuzz") / name
    found.mkdir(parents=True, exist_ok=True)
    given = [
        name,
        str(found),
        str(corpus),
        f"-artifact_prefix={corpus}/crash-",
        "-max_len=8192",
        *options,
    ]
    atheris.Setup(given, fuzz.TARGETS[name])
    atheris.Fuzz()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
