"""A few sends a turn of the event loop: answers are read and committed before more is asked.

A fast server answers 256 requests sooner than one process can render, send and parse them. Without
this, answers would lie unread in their sockets for as long as it takes to send all the others, and
a killed run would pay for them twice.
"""

from __future__ import annotations

import asyncio
from collections import deque

SENDS_PER_TURN = 1


class Turns:
    """Lets `sends` callers go on in each turn of the event loop, first come first served."""

    def __init__(self, sends: int = SENDS_PER_TURN) -> None:
        self._sends = sends
        self._waiting: deque[asyncio.Future[None]] = deque()

    async def wait(self) -> None:
        """Return in a turn that has room."""
        loop = asyncio.get_running_loop()
        place = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._admit)
        self._waiting.append(place)
        await place

    def _admit(self) -> None:
        for _ in range(min(self._sends, len(self._waiting))):
            place = self._waiting.popleft()
            if not place.done():  # its caller was cancelled
                place.set_result(None)
        if self._waiting:
            asyncio.get_running_loop().call_soon(self._admit)
