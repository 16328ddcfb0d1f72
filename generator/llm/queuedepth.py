"""What a vLLM server says of its queue (`GET /metrics`), and how many in flight suit that.

Such a server refuses nothing; what it cannot run yet waits. A few should wait, so that a place
that comes free is taken at once; more only grow old.
"""

from __future__ import annotations

import re
from collections import deque
from typing import NamedTuple

from generator.llm.climb import FIRST

_LINE = re.compile(
    r"^vllm:num_requests_(running|waiting)(?:\{[^}]*\})? ([0-9.eE+]+)$", re.MULTILINE
)

_LOOKS = 4


class Depth(NamedTuple):
    """Requests that run and that wait, over all engines of a server."""

    running: int
    waiting: int


def read_depth(metrics: str | None) -> Depth | None:
    """The depth in a page of metrics; None where it holds none."""
    counts = {"running": 0.0, "waiting": 0.0}
    found = _LINE.findall(metrics or "")
    for name, value in found:
        counts[name] += float(value)
    return Depth(int(counts["running"]), int(counts["waiting"])) if found else None


class QueueDepth:
    """A number in flight, up to `most`, that keeps up to an eighth of what runs waiting.

    Answers come in bursts: how many wait is the most of a few looks, not what one of them saw.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._doubling = True
        self.is_known = False
        self.size = min(FIRST, most)
        self._looks: deque[int] = deque(maxlen=_LOOKS)

    def note(self, running: int, waiting: int, in_flight: int, size: int) -> None:
        """Learn from one look; `in_flight` of `size` are our own."""
        if not self.is_known:
            self.is_known, self.size = True, max(self.size, min(size, in_flight))
        self._looks.append(waiting)
        before, wanted, most = self.size, max(2, running // 8), max(self._looks)
        if 2 * most < wanted:
            if in_flight >= self.size:  # else it is not the window that holds it back
                more = self.size if self._doubling else max(1, self.size // 8)
                self.size = min(self._most, self.size + more)
        elif most > wanted:
            self._doubling = False
            if in_flight <= self.size:  # else what was taken back has not shown yet
                self.size = max(1, self.size // 2, self.size - (most - wanted))
        if self.size != before:
            self._looks.clear()
