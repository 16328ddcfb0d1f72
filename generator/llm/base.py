"""The contract of every LLM back end; knows no provider, no journal and no retry.

A back end answers one `Prompt` at a time, concurrently; batching and connection reuse are its own
affair. It repeats transport failures itself (the same request). It raises

    LLMError        nothing will work until the user changes something (wrong key, no such model)
    RequestFailed   this request alone cannot be answered (its draw is rejected)

An answer that does not parse is no error here: the caller asks again with the next attempt.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from generator.records import Completion, Prompt


class Flow(NamedTuple):
    """Requests in flight, how many may be at this moment, and how many wait to be sent.

    A back end that decides such things has it as `flow`, for progress lines.
    """

    in_flight: int
    window: int
    waiting: int


class LLM(Protocol):
    """What a run needs of a model."""

    @property
    def concurrency(self) -> int:
        """How many requests it is useful to keep in flight."""
        ...

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer to one prompt. Raises LLMError or RequestFailed."""
        ...

    async def aclose(self) -> None:
        """Give back connections, threads and memory."""
        ...
