"""A few sends a turn of the event loop: answers are read and committed before more is asked.

A fast server answers 256 requests sooner than one process can render, send and parse them. Without
this, answers would lie unread in their sockets for as long as it takes to send all the others, and
a killed run would pay for them twice.
"""

from __future__ import annotations

import asyncio
from collections import deque

from generator.llm.handoff import Handoff

SENDS_PER_TURN = 1


class Turns:
    """Lets `sends` callers go on in each turn of the event loop, first come first served."""

    def __init__(self, sends: int = SENDS_PER_TURN) -> None:
        self._sends = sends
        self._waiting: deque[Handoff[None]] = deque()
        self._is_scheduled = False

    async def wait(self) -> None:
        """Return in a turn that has room."""
        place: Handoff[None] = Handoff()  # `Handoff[None]()` takes three times as long
        self._waiting.append(place)
        self._schedule()
        await place

    def _schedule(self) -> None:
        if self._waiting and not self._is_scheduled:
            self._is_scheduled = True
            asyncio.get_running_loop().call_soon(self._admit)

    def _admit(self) -> None:
        self._is_scheduled = False
        for _ in range(min(self._sends, len(self._waiting))):
            self._waiting.popleft().give(None)  # nothing where its caller was cancelled
        self._schedule()
