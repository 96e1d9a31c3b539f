"""What a job asks to be masked: GitHub's workflow command `::add-mask::VALUE` in what is shipped."""

import re

from agent.redact import Redactor

COMMAND = "::add-mask::"
MAX_VALUES = 1000
"""More are not learned: a job may write what it likes."""
MAX_CHARACTERS = 16 * 1024
MAX_CHARACTERS_IN_ALL = 256 * 1024
"""Every new value is sought beside all others from then on, which takes time to prepare."""
_VALUE = re.compile(rf"{COMMAND}(.+)")
_ESCAPES = (("%0D", "\r"), ("%0A", "\n"), ("%25", "%"))
"""As the runner's own reader of workflow commands takes them back, in this order."""


class JobMasks:
    """The values of one stream. They are not the agent's secrets: a job must not be able to blacken the agent's own words."""

    def __init__(self) -> None:
        """Knows none yet."""
        self._redactor = Redactor(overlapping=False)
        self._values: set[str] = set()
        self._characters = 0

    def learn(self, text: str) -> None:
        """Takes the values of every command in the text; they are masked in the commands too."""
        if COMMAND not in text:
            return
        new: list[str] = []
        for found in _VALUE.finditer(text):
            value = found[1].strip()
            for escaped, plain in _ESCAPES:
                value = value.replace(escaped, plain)
            if value not in self._values and self._has_room(value):
                self._values.add(value)
                self._characters += len(value)
                new += [found[1].strip(), value]
        self._redactor.add(*new)

    def _has_room(self, value: str) -> bool:
        return (
            len(value) <= MAX_CHARACTERS
            and len(self._values) < MAX_VALUES
            and self._characters + len(value) <= MAX_CHARACTERS_IN_ALL
        )

    def mask(self, text: str) -> str:
        """The text with every value replaced by `***`."""
        return self._redactor.mask(text)

    def in_text(self, text: str) -> bool:
        """Whether a value is in the text."""
        return bool(self._redactor.spans(text))
