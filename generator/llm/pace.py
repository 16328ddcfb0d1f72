"""How fast the number of requests in flight may grow at one endpoint.

A run that starts would send hundreds faster than a server reads them: they would lie in its
sockets, and a killed run would pay for them though the server had not begun any. Who replaces an
answer is not held up.
"""

from __future__ import annotations

GROWTH_S = 0.001


class Pace:
    """Times are monotonic seconds."""

    def __init__(self, growth_s: float = GROWTH_S) -> None:
        self._growth_s = growth_s
        self._most = 0
        self._grew_at = float("-inf")

    def wait_s(self, in_flight: int, now: float) -> float:
        """How long until one more may go beside so many."""
        return 0.0 if in_flight < self._most else max(0.0, self._grew_at + self._growth_s - now)

    def sent(self, in_flight: int, now: float) -> None:
        """One more goes out; so many are in flight with it."""
        if in_flight > self._most:
            self._most, self._grew_at = in_flight, now
