"""Near-duplicates: of each text the most similar one before it, by Jaccard similarity of shingles.

MinHash and LSH only propose pairs; each is verified on the texts, so a score is exact and no
dissimilar text is ever taken for a duplicate. What is similar to an earlier text at `floor` is
found with probability 0.92, and at `floor` + 0.03 with 0.96.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence

import numpy as np

from generator.alike import jaccard
from generator.dedupe.buckets import (
    WINDOW,
    Bucket,
    Buckets,
    Crowd,
    Limit,
    Places,
)
from generator.dedupe.minhash import Sketches, bands_for, fewest_equal
from generator.dedupe.similar import NOBODY, Similar
from generator.shingles import Unit, shingle_set
from generator.text import Hashes
from generator.unionfind import Groups

# Of the partners that an item might have, how many are read that stay whenever a given one stays.
READ = 4
_PAIRS_READ = 16  # to join what is similar, where scores are not known
_CACHE_BYTES = 1 << 28

TextOf = Callable[[int], str | None]


class NearIndex:
    """Texts that are added one after another, to be compared in any order.

    `text_of(item)` reads a text again, and is called only to verify. An item takes 12 bytes a band,
    and 128 more: 380 at floor 0.7.
    """

    def __init__(self, text_of: TextOf, floor: float, unit: Unit = "characters") -> None:
        self.floor = floor
        self._sketches = Sketches(bands_for(floor), unit)
        self._shingles = _ShingleCache(lambda item: shingle_set(text_of(item) or "", unit))

    def add(self, text: str | None) -> None:
        """The next item; `None` resembles nothing."""
        self._sketches.add(text)

    def nearest(self, order: Places, known: Similar | None = None) -> Similar:
        """Of each item of `order`: the most similar one before it, where one reaches the floor.

        Partners are places in `order`, as are the rows. What is `known` of the first places is not
        looked for again.
        """
        found = Similar.none(len(order))
        start = found.take(known) if known else 0
        crowds: dict[Bucket, Crowd] = {}
        fewest, buckets = fewest_equal(self.floor), self._buckets(order)
        for likely in buckets.likely(fewest, start):
            crowded = buckets.crowded(likely.item)
            for bucket, rank in crowded:
                if bucket not in crowds:
                    crowds[bucket] = Crowd(buckets.members(bucket, rank), found.scores)
            others = [crowds[bucket].items for bucket, _ in crowded]
            partners = buckets.by_likelihood(likely, others, fewest)
            self._settle(likely.item, partners, order, found)
            for bucket, _ in crowded:
                crowds[bucket].add(likely.item, float(found.scores[likely.item]))
        return found

    def pairs(self) -> Iterator[tuple[int, int, float]]:
        """Pairs (i, j, Jaccard), i < j, at or above the floor: enough to join all that are similar.

        A pair that the ones before it have joined is left out.
        """
        fewest, buckets = fewest_equal(self.floor), self._buckets(np.arange(len(self._sketches)))
        groups = Groups(len(self._sketches))
        for likely in buckets.likely(fewest):
            item, read = likely.item, 0
            others = [buckets.members(*place)[-WINDOW:] for place in buckets.crowded(item)]
            for partner in buckets.by_likelihood(likely, others, fewest):
                if groups.root(partner) == groups.root(item):
                    continue
                score = self._similarity(partner, item)
                if score >= self.floor:
                    groups.join(partner, item)
                    yield partner, item, score
                read += 1
                if read == _PAIRS_READ:
                    break

    def _settle(self, item: int, partners: Iterable[int], order: Places, found: Similar) -> None:
        """Read the likeliest partners, and note the best."""
        limit, best, nearest = Limit(READ), 0.0, NOBODY
        for partner in partners:
            if not limit.allows(float(found.scores[partner])):
                continue
            score = self._similarity(int(order[partner]), int(order[item]))
            if score > best or (score == best and partner < nearest):
                best, nearest = score, partner
            if best == 1:
                break
        if best >= self.floor:
            found.partners[item], found.scores[item] = nearest, best

    def _similarity(self, first: int, second: int) -> float:
        return jaccard(self._shingles[first], self._shingles[second])

    def _buckets(self, order: Places) -> Buckets:
        keys, low_bytes, empty = self._sketches.finished()
        if len(order) == len(keys) and (order == np.arange(len(keys))).all():
            return Buckets(keys, low_bytes, empty)  # no copy
        return Buckets(keys[order], low_bytes[order], empty[order])


class _ShingleCache:
    """Sets of shingles of the texts read last, up to 256 MB."""

    def __init__(self, read: Callable[[int], Hashes]) -> None:
        self._read = read
        self._held: OrderedDict[int, Hashes] = OrderedDict()
        self._bytes = 0

    def __getitem__(self, item: int) -> Hashes:
        if item in self._held:
            self._held.move_to_end(item)
            return self._held[item]
        hashes = self._held[item] = self._read(item)
        self._bytes += hashes.nbytes
        while self._bytes > _CACHE_BYTES and len(self._held) > 2:
            self._bytes -= self._held.popitem(last=False)[1].nbytes
        return hashes


def similar_pairs(texts: Sequence[str], threshold: float) -> Iterator[tuple[int, int, float]]:
    """Pairs (i, j, Jaccard), i < j, at or above the threshold, ordered by j: see `NearIndex.pairs`.

    `texts` may be backed by a file: it is iterated once, then read by position to verify.
    """
    index = NearIndex(texts.__getitem__, threshold)
    for text in texts:
        index.add(text)
    yield from index.pairs()
