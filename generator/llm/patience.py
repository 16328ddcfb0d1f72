"""How long one request is tried, and how long it waits in between."""

from __future__ import annotations

from random import Random

from generator.llm.failures import is_away, is_busy, is_hanging, retry_after_s

# Beyond `max_retries`, in seconds since a request's first failure: how long a server that has
# answered before may be away, and how long one may say that it has had too many requests.
OUTAGE_S = 180.0
RATE_LIMITED_S = 900.0
_FIRST_WAIT_S, _LONGEST_WAIT_S = 0.5, 10.0
_JITTER = 0.1
_random = Random()  # noqa: S311 - spreads retries, decides no record


def backoff_s(attempt: int) -> float:
    """A random wait of up to 0.5 s after the first failure, twice that after each more."""
    return _random.uniform(0, min(_FIRST_WAIT_S * 2 ** min(attempt - 1, 10), _LONGEST_WAIT_S))


class Patience:
    """The failures of one request. Times are monotonic seconds.

    Each kind of failure (away, busy, any other) counts for itself: who has waited out a rate limit
    for minutes has used up no retry of a connection that breaks off then.
    """

    def __init__(self, max_retries: int) -> None:
        self._max_retries = max_retries
        self._failures: dict[str, tuple[int, float]] = {}

    def wait_s(self, exc: BaseException, now: float, *, reached: bool) -> float | None:
        """How long to wait after a failure; None when it is enough.

        A server that has never answered is more likely a wrong address than a bad moment.
        """
        kind, most_s = _kind(exc)
        times, since = self._failures.get(kind, (0, now))
        times += 1
        self._failures[kind] = times, since
        retries = self._max_retries if reached else min(self._max_retries, 2)
        if is_hanging(exc):  # each failure takes minutes by itself
            retries = 0
        if not reached or not self._max_retries:
            most_s = 0.0
        if times > retries and now - since >= most_s:
            return None
        asked = retry_after_s(exc)
        return backoff_s(times) if asked is None else asked * _random.uniform(1, 1 + _JITTER)


def _kind(exc: BaseException) -> tuple[str, float]:
    """What a failure is, and for how long it is borne beyond `max_retries`."""
    if is_away(exc):
        return "away", OUTAGE_S
    return ("busy", RATE_LIMITED_S) if is_busy(exc) else ("broken", 0.0)
