"""A command line that refuses in one line, as every other refusal of this project."""

import argparse
from typing import NoReturn

EXIT = 2


class Parser(argparse.ArgumentParser):
    """Says what is wrong and where the help is; the whole usage stands in the help."""

    def error(self, message: str) -> NoReturn:
        """Leaves with 2, as argparse does."""
        name, _, _ = self.prog.partition(" ")
        self.exit(EXIT, f"{name}: {message}; see `{self.prog} --help`\n")
