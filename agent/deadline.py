"""A moment on the monotonic clock, handed down instead of a fresh timeout at every level."""

from dataclasses import dataclass

from agent.clock import Clock


@dataclass(frozen=True, slots=True)
class Deadline:
    """The moment by which something must be over."""

    clock: Clock
    at: float
    """On `clock.monotonic()`, seconds."""

    @classmethod
    def after(cls, clock: Clock, seconds: float) -> "Deadline":
        return cls(clock, clock.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left, never negative."""
        return max(0.0, self.at - self.clock.monotonic())

    @property
    def expired(self) -> bool:
        return self.remaining() <= 0.0

    def at_most(self, seconds: float) -> "Deadline":
        """The earlier of this deadline and `seconds` from now."""
        return Deadline(self.clock, min(self.at, self.clock.monotonic() + seconds))

    def later(self, seconds: float) -> "Deadline":
        return Deadline(self.clock, self.at + seconds)
