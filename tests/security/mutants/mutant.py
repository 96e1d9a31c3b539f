"""What a mutant is: a line of `row<N>.toml`."""

import tomllib
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[3]
FOLDER = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Mutant:
    """One defence, and how to take it out."""

    row: int
    name: str
    """What is taken out, as a sentence."""
    file: str
    old: str
    """Its exact text; it occurs once in the file."""
    new: str
    tests: tuple[str, ...]
    """Node ids of pytest; at least one of them must fail."""

    def occurrences(self, root: Path = ROOT) -> int:
        return (root / self.file).read_text().count(self.old)

    def apply(self, root: Path) -> None:
        """Takes the defence out in a copy of the tree."""
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))


def mutants(folder: Path = FOLDER) -> list[Mutant]:
    """All of them, in the rows' order.

    Raises:
        TypeError: one has a key too many or too few.
        KeyError: it has no tests.
    """
    return [
        Mutant(**{**each, "row": int(path.stem.removeprefix("row")), "tests": tuple(each["tests"])})
        for path in sorted(folder.glob("row*.toml"))
        for each in tomllib.loads(path.read_text())["mutant"]
    ]
