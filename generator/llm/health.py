"""Whether an endpoint is worth asking: a circuit breaker that a single request tries again.

After some failures in a row, with no answer between, nothing is sent for a moment; then one
request tries. Its answer opens the way for all, its failure doubles the moment. Times are
monotonic seconds and enter by argument.
"""

from __future__ import annotations

FAILURES = 5
FIRST_REST_S = 0.25
LONGEST_REST_S = 5.0


class Health:
    """Closed (`is_well`) as long as answers come."""

    def __init__(self) -> None:
        self._failures = 0
        self._rest_s = FIRST_REST_S
        self._rests_until: float | None = None
        self._tried = False

    @property
    def is_well(self) -> bool:
        """Whether requests go out freely."""
        return self._rests_until is None

    def wait_s(self, now: float) -> float | None:
        """How long until a request may go; None while another one tries."""
        if self._rests_until is None:
            return 0.0
        return None if self._tried else max(0.0, self._rests_until - now)

    def sent(self) -> bool:
        """A request goes out; whether it is the one that tries."""
        if self._rests_until is None:
            return False
        self._tried = True
        return True

    def answered(self) -> None:
        """The server said something, if only that it has too much to do."""
        self._failures, self._rest_s = 0, FIRST_REST_S
        self._rests_until, self._tried = None, False

    def failed(self, now: float, *, tried: bool) -> None:
        """The server was not there. `tried`: what `sent` returned for the request."""
        self._failures += 1
        if tried:
            self._rest_s = min(2 * self._rest_s, LONGEST_REST_S)
            self._tried = False
        elif self._rests_until is not None or self._failures < FAILURES:
            return  # sent before it was known
        self._rests_until = now + self._rest_s

    def given_up(self) -> None:
        """The request that tried has ended without a result."""
        self._tried = False
