"""How many requests and tokens a minute may go to an endpoint: what was configured, or learnt.

A meter keeps what was charged in the last minute, so that no minute, wherever it begins, gets more
than the limit. That holds for providers that count in a sliding window, in a fixed one, or in a
bucket that refills. Times are monotonic seconds and enter by argument.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass

WINDOW_S = 60.0
_MARGIN_S = 1.0  # a request may be on its way for longer than the one whose place it takes
_OTHERS = 60  # into how many charges the use of others is divided


@dataclass(eq=False, slots=True)
class Charge:
    """What one request takes of a limit; `until` when it no longer counts."""

    amount: int
    until: float


class Meter:
    """A limit a minute, None for none, and the charges that count against it."""

    def __init__(self, limit: int | None = None) -> None:
        self._asked = limit
        self._told: int | None = None
        self._charges: deque[Charge] = deque()
        self.used = 0

    @property
    def limit(self) -> int | None:
        """The lower one of what was configured and what the server told."""
        known = [limit for limit in (self._asked, self._told) if limit is not None]
        return min(known, default=None)

    def wait_s(self, amount: int, now: float) -> float:
        """How long until so much has room; 0 where it has. More than the limit waits for all."""
        self._expire(now)
        limit = self.limit
        if limit is None or self.used + amount <= limit:
            return 0.0
        missing = self.used + min(amount, limit) - limit
        for charge in self._charges:
            if missing <= 0:
                break
            missing -= charge.amount
            wait = charge.until - now
        return max(0.0, wait) if self._charges else 0.0

    def charge(self, amount: int, now: float) -> Charge:
        """Count a request that is sent."""
        made = Charge(amount, now + WINDOW_S + _MARGIN_S)
        self._charges.append(made)
        self.used += amount
        return made

    def correct(self, charge: Charge, amount: int) -> None:
        """Put right what a request took, once its answer says so."""
        if self._charges and self._charges[0].until <= charge.until:
            self.used += amount - charge.amount
            charge.amount = amount

    def told(self, limit: int, remaining: int, now: float) -> None:
        """Learn from a reply's headers; what others used comes free over the next minute."""
        if limit <= 0:
            return
        self._told = limit
        self._expire(now)
        others = limit - max(remaining, 0) - self.used
        if others <= 0:
            return
        parts = min(others, _OTHERS)
        for i in range(parts):
            amount = others * (i + 1) // parts - others * i // parts
            until = now + (WINDOW_S + _MARGIN_S) * (i + 1) / parts
            self._charges.append(Charge(amount, until))
        if parts > 1:
            self._charges = deque(sorted(self._charges, key=lambda charge: charge.until))
        self.used += others

    def _expire(self, now: float) -> None:
        while self._charges and self._charges[0].until <= now:
            self.used -= self._charges.popleft().amount


class Meters:
    """The limits of one endpoint: requests and tokens a minute."""

    def __init__(self, rpm: int | None = None, tpm: int | None = None) -> None:
        self.requests, self.tokens = Meter(rpm), Meter(tpm)

    def wait_s(self, tokens: int, now: float) -> float:
        """How long a request of so many tokens has to wait."""
        return max(self.requests.wait_s(1, now), self.tokens.wait_s(tokens, now))

    def learn(self, headers: Mapping[str, str], now: float) -> None:
        """Take `x-ratelimit-limit-*` and `x-ratelimit-remaining-*` from a reply."""
        for name, meter in (("requests", self.requests), ("tokens", self.tokens)):
            try:
                limit = int(headers[f"x-ratelimit-limit-{name}"])
                remaining = int(headers[f"x-ratelimit-remaining-{name}"])
            except (KeyError, ValueError):
                continue
            meter.told(limit, remaining, now)
