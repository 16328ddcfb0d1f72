"""The contract of every LLM back end; knows no provider, no journal and no retry.

A back end answers one `Prompt` at a time, concurrently; batching and connection reuse are its own
affair. It repeats transport failures itself (the same request). It raises

    LLMError        nothing will work until the user changes something (wrong key, no such model)
    RequestFailed   this request alone cannot be answered (its draw is rejected)

An answer that does not parse is no error here: the caller asks again with the next attempt.
"""

from __future__ import annotations

from typing import Protocol

from generator.records import Completion, Prompt


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
