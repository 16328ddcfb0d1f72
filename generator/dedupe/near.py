"""Near-duplicates: Jaccard similarity of character 5-grams at or above a threshold.

MinHash and LSH only propose pairs; each is verified on the texts, so a score is exact and no
dissimilar text is ever dropped. A pair at the threshold is missed with probability < 1 %.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from generator.dedupe.greedy import Match
from generator.dedupe.minhash import NO_KEY, PERMUTATIONS, bands_for, fewest_equal, sketch
from generator.text import Hashes, jaccard, shingles

_NONE = -1
# Sets of 5-grams kept at hand while verifying: about 7 kB each for a text of 150 words.
_CACHED_SETS = 2048


class NearIndex:
    """Finds kept items above the threshold.

    `text_of(item)` reads a text again, and is called only to verify. Every item is added before the
    first is looked for. An item takes 12 bytes a band and 96 more: 288 at threshold 0.8.
    """

    def __init__(self, text_of: Callable[[int], str | None], threshold: float) -> None:
        self.threshold = threshold
        self._bands = bands_for(threshold)
        self._fewest_equal = fewest_equal(threshold)
        self._keys = array("Q")
        self._sketches = bytearray()
        self._chains: _Chains | None = None
        self._shingles = lru_cache(maxsize=_CACHED_SETS)(lambda item: shingles(text_of(item) or ""))

    def add(self, text: str | None) -> None:
        """The next item; `None` resembles nothing."""
        keys, low_bytes = sketch(text or "", self._bands)
        self._keys.frombytes(keys.tobytes())
        self._sketches += low_bytes.tobytes()

    def find(self, item: int) -> Match | None:
        """The earliest kept item that this one resembles."""
        return next(self.matches(item), None)

    def matches(self, item: int) -> Iterator[Match]:
        """All kept items that this one resembles, in order."""
        for partner in self._likely(item, self._candidates().of(item)):
            score = self._similarity(item, partner)
            if score >= self.threshold:
                yield Match(partner, score)

    def keep(self, item: int) -> None:
        """Later items may resemble this one."""
        self._candidates().keep(item)

    def _likely(self, item: int, candidates: list[int]) -> list[int]:
        """The candidates whose sketches do not rule the threshold out: far cheaper than texts."""
        if not candidates:
            return []
        sketches = np.frombuffer(self._sketches, dtype=np.uint8).reshape(-1, PERMUTATIONS)
        of = np.array(candidates)
        found: list[int] = of[
            (sketches[of] == sketches[item]).sum(axis=1) >= self._fewest_equal
        ].tolist()
        return found

    def _similarity(self, first: int, second: int) -> float:
        return jaccard(self._shingles(first), self._shingles(second))

    def _candidates(self) -> _Chains:
        if self._chains is None:
            keys = np.frombuffer(self._keys, dtype=np.uint64).reshape(-1, self._bands.count)
            groups = np.stack([_groups(column) for column in keys.T], axis=1)
            self._keys = array("Q")  # the groups say it all in half the space
            self._chains = _Chains(groups)
        return self._chains


class _Chains:
    """Kept items by shared band: each (item, band) points at the last kept one before it."""

    def __init__(self, groups: NDArray[np.int32]) -> None:
        self._groups = groups
        self._is_alone = (groups == _NONE).all(axis=1)
        self._older = np.full(groups.shape, _NONE, dtype=np.int32)
        self._newest = np.full(groups.shape, _NONE, dtype=np.int32)

    def of(self, item: int) -> list[int]:
        if self._is_alone[item]:
            return []
        found: set[int] = set()
        for band, group in enumerate(self._groups[item].tolist()):
            kept = int(self._newest[group, band]) if group != _NONE else _NONE
            while kept != _NONE:
                found.add(kept)
                kept = int(self._older[kept, band])
        return sorted(found)

    def keep(self, item: int) -> None:
        if self._is_alone[item]:
            return
        for band, group in enumerate(self._groups[item].tolist()):
            if group != _NONE:
                self._older[item, band] = self._newest[group, band]
                self._newest[group, band] = item


def _groups(keys: Hashes) -> NDArray[np.int32]:
    """For each item the number of its group of equal keys; -1 where no other has its key."""
    _, groups, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    is_single = (sizes[groups] == 1) | (keys == NO_KEY)
    return np.where(is_single, _NONE, groups).astype(np.int32)


def similar_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int, float]]:
    """All pairs (i, j, Jaccard) with i < j at or above the threshold, ordered by j, then i.

    `texts` may be backed by a file: it is iterated once, then read by position to verify.
    """
    index = NearIndex(texts.__getitem__, threshold)
    for text in texts:
        index.add(text)
    for item in range(len(texts)):
        yield from ((match.partner, item, match.score) for match in index.matches(item))
        index.keep(item)
