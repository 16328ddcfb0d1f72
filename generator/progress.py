"""What a long stage tells while it works; the command line draws it."""

from __future__ import annotations

from typing import Protocol

from generator.llm.pool import Traffic


class Watch(Protocol):
    """Gets told how a run goes. Every method returns at once."""

    def begin(self, stage: str, total: int | None) -> None:
        """A stage starts; `total` is how many items it will see, when known."""
        ...

    def advance(self, *, kept: bool) -> None:
        """One more item is done; `kept` tells whether it went through the streaming filters."""
        ...

    def traffic(self, traffic: Traffic) -> None:
        """The live counts of requests and tokens of this stage (the object changes later)."""
        ...

    def note(self, message: str) -> None:
        """Something that a user should know."""
        ...

    def status(self, line: str) -> None:
        """Where a stage that counts no items stands; the next one takes its place."""
        ...


class Silent:
    """A watch that looks away."""

    def begin(self, stage: str, total: int | None) -> None:
        """Nothing."""

    def advance(self, *, kept: bool) -> None:
        """Nothing."""

    def traffic(self, traffic: Traffic) -> None:
        """Nothing."""

    def note(self, message: str) -> None:
        """Nothing."""

    def status(self, line: str) -> None:
        """Nothing."""
