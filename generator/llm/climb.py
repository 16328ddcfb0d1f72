"""How many requests are worth having in flight, found from the latency of answers alone.

A server that queues what it cannot do yet sends no 429: more in flight then only wait longer. By
Little's law the throughput at a level of n in flight is n / latency, so two levels can be compared
by their mean latencies (less the slowest twentieth, so that stragglers do not decide), and a
server whose latency grows slowly with the load, as that of a continuous batch does, is not taken
for a full one as long as its throughput still grows.

The levels are 2^(k/4). It begins low and doubles while that pays; then it stays at a level (A) and
now and then tries a neighbour (B) between two stays: A-B-A, so that a server which becomes slower
meanwhile misleads nobody. The elasticity of throughput, d log(rate) / d log(n), is 1 below
saturation and 0 above: it moves up where it is clearly above 0, and down where it is not.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import ceil, log, log2, sqrt

FIRST = 16
UP, DOWN = 0.18, 0.08
"""Elasticities: at least so much to stay one level higher, at most so much to stay one lower."""
_WORTH_DOUBLING = 0.3
_PRECISION = 0.03  # relative standard error of a mean that a stay aims at
_FEWEST = 32
_LONGEST_REST = 4


@dataclass(slots=True)
class _Stay:
    """The answers to requests that were sent at one level, its window full."""

    level: int
    seconds: list[float] = field(default_factory=list)
    paces: list[float] = field(default_factory=list)  # seconds a token

    def is_over(self, *, first: bool) -> bool:
        """Whether it has answers enough: two rounds, more where they scatter, at most eight."""
        count = len(self.seconds)
        if count < max(_FEWEST, self.level if first else 2 * self.level):
            return False
        if first or count >= 8 * max(self.level, _FEWEST):
            return True
        if count % 16:
            return False  # sorting at every answer would cost more than it is worth
        scatter = min(_mean(self.seconds)[1], _mean(self.paces)[1])
        return count >= (scatter / _PRECISION) ** 2


class Climb:
    """Chooses among levels up to `most`; `size` is the one to keep in flight now."""

    def __init__(self, most: int) -> None:
        exact = (2 ** (k / 4) for k in range(ceil(4 * log2(most)) + 1))
        self._levels = sorted({min(most, round(size)) for size in exact} | {most})
        self._base = max(i for i, size in enumerate(self._levels) if size <= FIRST)
        self._stay = _Stay(self._levels[self._base])
        self._before: _Stay | None = None  # the stay at the base, or at half of it while doubling
        self._trial: _Stay | None = None
        self._doubling = True
        self._step = self._stride = 1
        self._rest = self._rested = 0

    @property
    def size(self) -> int:
        """How many requests to have in flight."""
        return self._stay.level

    def add(self, latency_s: float, tokens: int, level: int) -> None:
        """Note an answer to a request that was sent with `level` in flight, as many as may be."""
        stay = self._stay
        if level != stay.level:
            return
        stay.seconds.append(max(latency_s, 1e-6))
        stay.paces.append(max(latency_s, 1e-6) / max(tokens, 1))
        if stay.is_over(first=self._doubling):
            (self._double if self._doubling else self._settle)(stay)

    def _double(self, stay: _Stay) -> None:
        """Go on to twice the level, or back where that did not pay."""
        if self._before and _elasticity(self._before, stay) < _WORTH_DOUBLING:
            self._doubling = False
            self._base = self._levels.index(self._before.level)
            self._before = None
        elif stay.level == self._levels[-1]:
            self._doubling, self._before = False, stay
        else:
            self._before = stay
            above = (i for i, size in enumerate(self._levels) if size >= 2 * stay.level)
            self._base = next(above, len(self._levels) - 1)
        self._stay = _Stay(self._levels[self._base])

    def _settle(self, stay: _Stay) -> None:
        """After a stay at the base or a trial: what comes next."""
        at = self._base
        if stay.level != self._levels[at]:
            self._trial, after = stay, at
        elif self._trial is not None and self._before is not None:
            after = self._decide(self._before, self._trial, stay)
            self._before, self._trial = stay if after == at else None, None
        else:
            after = at
            self._before, self._rested = stay, self._rested + 1
            if self._rested > self._rest:
                after = self._try()
        self._stay = _Stay(self._levels[after])

    def _decide(self, before: _Stay, trial: _Stay, stay: _Stay) -> int:
        """Move to the level that was tried, or stay; the level to be at next."""
        elasticity = (_elasticity(before, trial) + _elasticity(stay, trial)) / 2
        up = trial.level > stay.level
        self._rested = 0
        if elasticity >= UP if up else elasticity <= DOWN:
            self._base = self._levels.index(trial.level)
            self._stride, self._rest = min(2 * self._stride, 4), 0
        else:
            self._step, self._stride = -self._step, 1
            self._rest = min(self._rest + 1, _LONGEST_REST)
        return self._base

    def _try(self) -> int:
        """The level to try next: up and down in turn, on while it pays."""
        tried = self._base + self._step * self._stride
        tried = max(0, min(tried, len(self._levels) - 1))
        if tried == self._base:
            self._step = -self._step
        return tried


def _elasticity(one: _Stay, other: _Stay) -> float:
    """D log(rate) / d log(n) between two levels; by whichever of latency and pace scatters less."""
    more = log(other.level / one.level)
    (before, by_seconds), (before_pace, by_pace) = _mean(one.seconds), _mean(one.paces)
    after, after_pace = _mean(other.seconds)[0], _mean(other.paces)[0]
    slower = after_pace / before_pace if by_pace < by_seconds else after / before
    return (more - log(slower)) / more


def _mean(values: list[float]) -> tuple[float, float]:
    """Mean without the highest twentieth, and the standard deviation in units of it."""
    kept = sorted(values)[: len(values) - len(values) // 20]
    mean = sum(kept) / len(kept)
    return mean, sqrt(sum((value - mean) ** 2 for value in kept) / len(kept)) / mean
