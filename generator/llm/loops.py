"""Replies that say the same over and over: seen as they are written, so that nobody waits.

Small models loop, and stop at the limit of their tokens: thousands of steps for a reply that no
filter lets through, with a row of the batch taken and, at the end of a run, all others done.
"""

from __future__ import annotations

from collections.abc import Sequence

LOOPS = "repetition"
"""The finish reason of such a reply, as vLLM's own detection names it."""

EVERY = 64
"""Look each time that so many tokens more are written."""

SPAN, PERIOD = 256, 64


def loops(tokens: Sequence[int]) -> bool:
    """Whether the last 256 tokens are one piece of at most 64 tokens, four times or more."""
    tail = tokens[-SPAN:]
    return len(tail) == SPAN and any(tail[p:] == tail[:-p] for p in range(1, PERIOD + 1))
