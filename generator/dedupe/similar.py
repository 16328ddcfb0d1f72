"""Of each item, the most similar one before it: all that any threshold needs to know."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NOBODY = -1

Places = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Similar:
    """Partners [items] (-1: none) and scores [items], 0 to 1 (0 where there is no partner)."""

    partners: Places
    scores: NDArray[np.float64]

    @classmethod
    def none(cls, count: int) -> Similar:
        """Items that resemble nothing."""
        return cls(np.full(count, NOBODY, dtype=np.int64), np.zeros(count))

    def __len__(self) -> int:
        return len(self.partners)

    def take(self, known: Similar) -> int:
        """Put what is known of the first items in its place; returns how many they are."""
        self.partners[: len(known)], self.scores[: len(known)] = known.partners, known.scores
        return len(known)

    def of_items(self, order: Places, count: int) -> Similar:
        """What is told by places in `order`, told by items instead; `count` items in all."""
        found = Similar.none(count)
        has = self.partners != NOBODY
        found.partners[order[has]] = order[self.partners[has]]
        found.scores[order] = self.scores
        return found

    def of_places(self, order: Places) -> Similar:
        """The inverse, of those items in `order` that are told of; the others come behind them."""
        places = np.full(len(self), NOBODY, dtype=np.int64)
        order = order[order < len(self)]
        places[order] = np.arange(len(order))
        partners = self.partners[order]
        has = partners != NOBODY
        return Similar(np.where(has, places[partners], NOBODY), self.scores[order])
