"""How much a set of texts repeats itself: distinct-n over a sample of fixed size.

distinct-n (Li et al. 2016, arXiv 1510.03055) is different n-grams over all n-grams. It falls as a
set grows, so two sets compare only at equal size: hence the sample.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence

from generator.records import content_id
from generator.text import normalise, units

UNIT = "words; single characters in scripts written without spaces"


class Sample:
    """The `size` texts with the smallest hash of their id: the same ones in whatever order."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[int, str]] = []  # negated hashes: the largest is on top

    def __len__(self) -> int:
        return len(self._heap)

    def add(self, text_id: str, text: str) -> None:
        """Consider one text."""
        item = (-int(content_id(text_id)[:16], 16), text)
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, item)
        else:
            heapq.heappushpop(self._heap, item)

    def __iter__(self) -> Iterator[str]:
        return (text for _, text in sorted(self._heap, reverse=True))


def tokens(text: str) -> list[str]:
    """The text's units, normalised: see `UNIT`."""
    return units(normalise(text))


def distinct(sample: Sample, n: int) -> float | None:
    """Different n-grams over all n-grams of the texts, 0 to 1; `None` when there are none."""
    seen: set[Sequence[str]] = set()
    total = 0
    for text in sample:
        found = tokens(text)
        grams = [tuple(found[start : start + n]) for start in range(len(found) - n + 1)]
        seen.update(grams)
        total += len(grams)
    return round(len(seen) / total, 4) if total else None
