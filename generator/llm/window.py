"""How many requests an endpoint may have in flight at this moment.

The least of three: what was configured; what its throughput or its queue says is of use (where
nothing was configured); and a cap that refusals (429, 503) trim. Knows no clock but its arguments.
"""

from __future__ import annotations

from generator.llm.climb import Climb
from generator.llm.queuedepth import QueueDepth

MOST = 1024
"""In flight at one endpoint where no number is configured."""
_TOLERATED = 0.04  # share of refusals that trims nothing: they strike at random
_GROWTH = 1.1


class Window:
    """`size` for one endpoint; `concurrency` None: found out."""

    def __init__(self, concurrency: int | None = None) -> None:
        self.most = concurrency or MOST
        self._climb = None if concurrency else Climb(MOST)
        self._queue = None if concurrency else QueueDepth(MOST)
        self._cap = _Cap(self.most)
        self.in_flight = 0

    @property
    def size(self) -> int:
        """How many may be in flight, at least one."""
        useful = self.most
        if self._queue is not None and self._queue.is_known:
            useful = self._queue.size
        elif self._climb is not None:
            useful = self._climb.size
        return min(useful, self._cap.size)

    @property
    def is_found_out(self) -> bool:
        """Whether the number is not configured."""
        return self._queue is not None

    def sent(self) -> int:
        """Count a request; the level at which it was sent, 0 where the window was not full."""
        self.in_flight += 1
        size = self.size
        return size if self.in_flight == size else 0

    def answered(self, sent_at: float, now: float, level: int, tokens: int) -> None:
        """Learn from an answer."""
        self._cap.note(sent_at, now, refused=False)
        if self._climb is not None and level:
            self._climb.add(now - sent_at, tokens, level)

    def refused(self, sent_at: float, now: float) -> None:
        """Learn from a 429 or 503."""
        self._cap.note(sent_at, now, refused=True)

    def depth(self, running: int, waiting: int) -> None:
        """Learn from what the server says of its queue."""
        if self._queue is not None:
            self._queue.note(running, waiting, self.in_flight, self.size)

    def depth_unknown(self) -> None:
        """The server no longer tells: go by its latency."""
        if self._queue is not None:
            self._queue.is_known = False


class _Cap:
    """Trimmed once a round trip by half the share of its requests that were refused.

    So one refusal among hundreds trims nothing, while a server that refuses every second request
    gets a quarter less each round (the rule of DCTCP, Alizadeh et al. 2010, for refusals). A round
    ends with the first reply to a request that was sent after it began.
    """

    def __init__(self, most: int) -> None:
        self._most, self._size = most, float(most)
        self._began = float("-inf")
        self._replies = self._refusals = 0

    @property
    def size(self) -> int:
        return max(1, int(self._size))

    def note(self, sent_at: float, now: float, *, refused: bool) -> None:
        self._replies += 1
        self._refusals += refused
        if sent_at < self._began:
            return
        share = self._refusals / self._replies
        if share > _TOLERATED:
            self._size = max(1.0, self._size * (1 - share / 2))
        elif self._size < self._most:
            self._size = min(float(self._most), self._size * _GROWTH + 1)
        self._began, self._replies, self._refusals = now, 0, 0
