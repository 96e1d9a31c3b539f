"""What a job asks to be masked: GitHub's workflow command `::add-mask::VALUE` in what is shipped."""

import re

from agent.redact import Redactor

COMMAND = "::add-mask::"
MAX_VALUES = 1000
"""More are not learned: a job may write what it likes."""
MAX_CHARACTERS = 16 * 1024
_VALUE = re.compile(rf"{COMMAND}(.+)")
_ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
"""As the runner's own reader of workflow commands takes them back, in this order."""


class JobMasks:
    """The values of one stream. They are not the agent's secrets: a job must not be able to blacken the agent's own words."""

    def __init__(self) -> None:
        """Knows none yet."""
        self._redactor = Redactor()
        self._values: set[str] = set()

    def learn(self, text: str) -> None:
        """Takes the values of every command in the text; they are masked in the commands too."""
        if COMMAND not in text:
            return
        for found in _VALUE.finditer(text):
            value = found[1].strip()
            for escaped, plain in _ESCAPES:
                value = value.replace(escaped, plain)
            if len(value) <= MAX_CHARACTERS and len(self._values) < MAX_VALUES:
                self._values.add(value)
                self._redactor.add(found[1].strip(), value)

    def mask(self, text: str) -> str:
        """The text with every value replaced by `***`."""
        return self._redactor.mask(text)

    def in_text(self, text: str) -> bool:
        """Whether a value is in the text."""
        return bool(self._redactor.spans(text))
