"""Lets requests go out: one in a turn of the event loop, to an endpoint that has room.

A fast server answers 256 requests sooner than one process can render, send and parse them. With
one sending a turn, all that has arrived is read and committed before more is asked; else answers
would lie unread in their sockets, and a killed run would pay for them twice.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from generator.llm.endpoints import Endpoint, Ticket, choose, take
from generator.llm.handoff import Handoff


@dataclass(eq=False, slots=True)
class _Waiting:
    tokens: int
    place: Handoff[Ticket]


class Gate:
    """Admits requests to `endpoints`; those that were sent before go first."""

    def __init__(
        self, endpoints: Sequence[Endpoint], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._endpoints = endpoints
        self._clock = clock
        self._waiting: deque[_Waiting] = deque()
        self._scheduled = False
        self._timer: asyncio.TimerHandle | None = None

    @property
    def waiting(self) -> int:
        """How many requests wait to be sent."""
        return len(self._waiting)

    async def admit(self, tokens: int, *, again: bool = False) -> Ticket:
        """Return in a turn, and with a place, of the request's own. Each must be given back."""
        place: Handoff[Ticket] = Handoff()
        put = self._waiting.appendleft if again else self._waiting.append
        put(_Waiting(tokens, place))
        self._schedule()
        try:
            return await place
        except asyncio.CancelledError:
            if place.is_given:
                self.leave(place.result())
            raise

    def leave(self, ticket: Ticket) -> None:
        """Give a place back."""
        ticket.endpoint.window.in_flight -= 1
        if ticket.tries:
            ticket.endpoint.health.given_up()
        self._schedule()

    def look(self) -> None:
        """Something has changed that may let a request go."""
        self._schedule()

    def _schedule(self) -> None:
        if self._waiting and not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._admit_one)

    def _admit_one(self) -> None:
        self._scheduled = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        while self._waiting and self._waiting[0].place.done():  # cancelled
            self._waiting.popleft()
        if not self._waiting:
            return
        tokens, now = self._waiting[0].tokens, self._clock()
        endpoint, wait_s = choose(self._endpoints, tokens, now)
        if endpoint is not None:
            ticket = take(endpoint, self._endpoints, tokens, now)
            self._waiting.popleft().place.give(ticket)
            self._schedule()
        elif wait_s is not None:
            loop = asyncio.get_running_loop()
            self._timer = loop.call_later(min(wait_s, 1.0), self._schedule)
