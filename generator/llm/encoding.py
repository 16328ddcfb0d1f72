"""Texts → tokens, many at once and beside the event loop.

To encode a prompt is a third of the work that a request makes beside the engine. A fast tokenizer
does that on every core and without holding Python's lock, if it gets texts together: those that
come while a batch is being encoded make the next one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any

_MOST = 64  # at once: their requests come to the event loop together


class Encoder:
    """Of a tokenizer of `transformers`; adds no special tokens (a chat template writes them)."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer
        self._waiting: deque[tuple[str, asyncio.Future[list[int]]]] = deque()
        self._work: asyncio.Task[None] | None = None

    async def encode(self, text: str) -> list[int]:
        """The tokens of a text. Raises what the tokenizer raises."""
        tokens: asyncio.Future[list[int]] = asyncio.get_running_loop().create_future()
        self._waiting.append((text, tokens))
        if self._work is None:
            self._work = asyncio.create_task(self._all())
        return await tokens

    async def _all(self) -> None:
        while self._waiting:
            batch = [self._waiting.popleft() for _ in range(min(_MOST, len(self._waiting)))]
            try:
                found = await asyncio.to_thread(self._encoded, [text for text, _ in batch])
            except Exception as error:  # noqa: BLE001 - each of the batch is told
                _tell(batch, error)
            else:
                for (_, tokens), encoded in zip(batch, found, strict=True):
                    if not tokens.done():  # it was cancelled
                        tokens.set_result(encoded)
        self._work = None

    def _encoded(self, texts: list[str]) -> list[list[int]]:
        found: list[list[int]] = self._tokenizer(texts, add_special_tokens=False)["input_ids"]
        return found


def _tell(batch: list[tuple[str, asyncio.Future[list[int]]]], error: Exception) -> None:
    for _, tokens in batch:
        if not tokens.done():
            tokens.set_exception(error)
