"""All modules that a boot opens as one compressed file: an experiment (benchmarks/README.md says what came of it)."""

import subprocess
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

PROJECT = Path(__file__).parent.parent.parent
UNPACKS = str(Path(__file__).parent / "one_file")
"""Has a `sitecustomize` that Python finds there."""
ROOTS = (sysconfig.get_path("purelib"), sysconfig.get_path("stdlib"), str(PROJECT))


def pack(opened: Iterable[str], into: Path) -> None:
    """Writes the modules among the opened files, each below the root that Python would find it at."""
    names = sorted(set(_below_roots(opened)))
    command = ["tar", "-c", "-I", "zstd -3", "-f", str(into), "--hard-dereference"]
    for root in ROOTS:
        inside = [name for where, name in names if where == root]
        listed = into.with_name(f"names-{ROOTS.index(root)}")
        listed.write_text("\n".join(inside))
        command += ["-C", root, "-T", str(listed)]
    subprocess.run(command, check=True, timeout=60)


def _below_roots(opened: Iterable[str]) -> Iterator[tuple[str, str]]:
    for path in opened:
        root = next((root for root in ROOTS if path.startswith(root + "/")), None)
        if root is None or not Path(path).is_file() or "/.venv/" in path.removeprefix(root):
            continue
        name = path.removeprefix(root + "/")
        yield root, name
        if name.endswith(".pyc"):
            # Python looks at a module's source, to see whether the bytecode is of it.
            source = name.replace("__pycache__/", "").partition(".cpython-")[0] + ".py"
            if Path(root, source).is_file():
                yield root, source
