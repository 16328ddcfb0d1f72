"""Servers and their clients in simulated time: what a window does in minutes, in milliseconds."""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from statistics import median
from typing import Protocol


class Control(Protocol):
    """What decides how many requests are in flight."""

    @property
    def size(self) -> int:
        """How many at this moment."""
        ...

    def add(self, latency_s: float, tokens: int, level: int) -> None:
        """Learn from an answer."""
        ...


class Server(Protocol):
    """Takes requests and finishes them in simulated seconds."""

    now: float

    def send(self, number: int, tokens: int) -> None:
        """Take a request."""
        ...

    def next(self) -> int:
        """Go on to the next answer; its number."""
        ...


class Queueing:
    """At most `capacity` at a time, each for `seconds(tokens)`; the others wait in order."""

    def __init__(self, capacity: int, seconds: Callable[[int], float]) -> None:
        self.now = 0.0
        self._capacity, self._seconds = capacity, seconds
        self._running: list[tuple[float, int]] = []
        self._waiting: deque[tuple[int, int]] = deque()

    def send(self, number: int, tokens: int) -> None:
        """Take a request, or let it wait."""
        self._waiting.append((number, tokens))
        self._pump()

    def next(self) -> int:
        """The answer that comes first."""
        self.now, number = heapq.heappop(self._running)
        self._pump()
        return number

    def _pump(self) -> None:
        while self._waiting and len(self._running) < self._capacity:
            number, tokens = self._waiting.popleft()
            heapq.heappush(self._running, (self.now + self._seconds(tokens), number))


class Sharing:
    """All at once: a token takes `base + slope * n` seconds while n run (a continuous batch)."""

    def __init__(self, base: float, slope: float) -> None:
        self.now = 0.0
        self._base, self._slope = base, slope
        self._written = 0.0  # tokens that a request from the beginning would have by now
        self._running: list[tuple[float, int]] = []

    def send(self, number: int, tokens: int) -> None:
        """Take a request at once."""
        heapq.heappush(self._running, (self._written + tokens, number))

    def next(self) -> int:
        """The answer with the fewest tokens to go."""
        pace = self._base + self._slope * len(self._running)
        written, number = heapq.heappop(self._running)
        self.now += (written - self._written) * pace
        self._written = written
        return number


@dataclass
class Seen:
    """What happened: the number in flight and the time at each answer."""

    in_flight: list[int] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    def settled(self) -> tuple[float, float]:
        """Median in flight and answers a second, of the second half."""
        half = len(self.times) // 2
        seconds = self.times[-1] - self.times[half]
        return median(self.in_flight[half:]), (len(self.times) - 1 - half) / seconds


def run(control: Control, server: Server, answers: int, lengths: Callable[[Random], int]) -> Seen:
    """Keep `control.size` in flight until so many answers have come."""
    random, seen = Random(0), Seen()
    sent: dict[int, tuple[float, int, int]] = {}
    number = 0
    while len(seen.times) < answers:
        while len(sent) < control.size:
            tokens = lengths(random)
            number += 1
            full = len(sent) + 1 == control.size
            sent[number] = (server.now, tokens, control.size if full else 0)
            server.send(number, tokens)
        start, tokens, level = sent.pop(server.next())
        seen.in_flight.append(len(sent) + 1)
        seen.times.append(server.now)
        control.add(server.now - start, tokens, level)
    return seen


class Fixed:
    """A number set by hand."""

    def __init__(self, size: int) -> None:
        self.size = size

    def add(self, latency_s: float, tokens: int, level: int) -> None:
        """Nothing is learnt."""
