"""Which earlier items share a band with an item: at most a few of each bucket, whatever its size.

Texts from one template fall into the same buckets by the thousand, and to compare all of them would
take time by the square. So an item looks at the nearest ones before it in each of its buckets: a
later item changes nothing for it.
"""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from generator.dedupe.minhash import Keys, LowBytes

# Of a bucket, how many items are looked at that stay whenever a given one stays (see `Crowd`).
WINDOW = 8
_CHUNK = 8192  # items whose partners are gathered at once
_PAIRS = 1 << 18  # compared at once: 64 MB of signatures
_INDEX = np.uint64(32)

Places = NDArray[np.int64]


Bucket = tuple[int, int]  # a band, and where the bucket starts in the order of the band


class Likely(NamedTuple):
    """An item, and items before it that share a band: how many bytes of signatures are equal."""

    item: int
    partners: Places
    equal: NDArray[np.int64]


class Buckets:
    """Items 0, 1, … in the order in which they are decided, by band; 12 bytes an item and band."""

    def __init__(self, keys: Keys, low_bytes: LowBytes, empty: NDArray[np.bool_]) -> None:
        self._low_bytes = low_bytes
        self._bands = [_band(keys[:, band], empty) for band in range(keys.shape[1])]

    def crowded(self, item: int) -> list[tuple[Bucket, int]]:
        """The buckets in which more than a window of items stand before it, and how many do."""
        found = []
        for band, (_, places, ranks) in enumerate(self._bands):
            rank = int(ranks[item])
            if rank > WINDOW:
                found.append(((band, int(places[item]) - rank), rank))
        return found

    def members(self, bucket: Bucket, count: int) -> Places:
        """The first items of a bucket, in order."""
        band, start = bucket
        return self._bands[band][0][start : start + count].astype(np.int64)

    def by_likelihood(self, likely: Likely, others: Sequence[Places], fewest: int) -> list[int]:
        """The partners of an item and `others`, more equal bytes first, then in order."""
        partners, equal = likely.partners, likely.equal
        if others:
            partners = np.unique(np.concatenate([partners, *others]))
            equal = (self._low_bytes[partners] == self._low_bytes[likely.item]).sum(axis=1)
            partners, equal = partners[equal >= fewest], equal[equal >= fewest]
        found: list[int] = partners[np.lexsort((partners, -equal))].tolist()
        return found

    def likely(self, fewest: int, start: int = 0) -> Iterator[Likely]:
        """The items from `start` on that have likely partners, or a crowded bucket.

        The partners are those of buckets that are not crowded, with at least `fewest` equal bytes.
        """
        total = len(self._low_bytes)
        for low in range(start, total, _CHUNK):
            items, partners, crowded = self._pairs(low, min(low + _CHUNK, total))
            equal = self._equal(items, partners)
            chosen = equal >= fewest
            items, partners, equal = items[chosen], partners[chosen], equal[chosen]
            wanted = np.union1d(items, crowded)
            begins = np.searchsorted(items, wanted, side="left").tolist()
            ends = np.searchsorted(items, wanted, side="right").tolist()
            for item, begin, end in zip(wanted.tolist(), begins, ends, strict=True):
                yield Likely(item, partners[begin:end], equal[begin:end])

    def _pairs(self, low: int, high: int) -> tuple[Places, Places, Places]:
        codes, crowded = [], []
        for order, places, ranks in self._bands:
            rank = ranks[low:high]
            later = np.flatnonzero(rank)
            crowd = rank[later] > WINDOW
            crowded.append(later[crowd] + low)
            later = later[~crowd]
            counts = rank[later].astype(np.int64)
            back = np.arange(1, int(counts.sum()) + 1) - np.repeat(
                np.cumsum(counts) - counts, counts
            )
            at = np.repeat(places[low:high][later].astype(np.int64), counts) - back
            own = np.repeat(later + low, counts).astype(np.uint64)
            codes.append((own << _INDEX) | order[at])
        pairs = np.unique(np.concatenate(codes))
        items = (pairs >> _INDEX).astype(np.int64)
        partners = (pairs & np.uint64(2**32 - 1)).astype(np.int64)
        return items, partners, np.unique(np.concatenate(crowded))

    def _equal(self, items: Places, partners: Places) -> NDArray[np.int64]:
        equal = np.empty(len(items), dtype=np.int64)
        for at in range(0, len(items), _PAIRS):
            part = slice(at, at + _PAIRS)
            same = self._low_bytes[items[part]] == self._low_bytes[partners[part]]
            equal[part] = same.sum(axis=1)
        return equal


def _band(
    keys: NDArray[np.uint32], empty: NDArray[np.bool_]
) -> tuple[NDArray[np.uint32], NDArray[np.uint32], NDArray[np.uint32]]:
    """Items by key and then in order; the place of each item there; its rank among equal keys."""
    count = len(keys)
    order = np.argsort(keys, kind="stable").astype(np.uint32)
    ordered = keys[order]
    first = np.ones(count, dtype=np.bool_)
    first[1:] = (ordered[1:] != ordered[:-1]) | empty[order[1:]]
    starts = np.maximum.accumulate(np.where(first, np.arange(count, dtype=np.uint32), 0))
    places, ranks = np.empty(count, dtype=np.uint32), np.empty(count, dtype=np.uint32)
    places[order] = np.arange(count, dtype=np.uint32)
    ranks[order] = np.arange(count, dtype=np.uint32) - starts
    return order, places, ranks


class Crowd:
    """The items of a crowded bucket that a later one looks at.

    Looked at is every item with fewer than a window of nearer ones of the same or a lower score.
    Those are kept whenever it is, so what a threshold takes away changes no comparison of what it
    leaves; that makes deduplication idempotent. There are about window · (1 + ln(n / window)).
    """

    def __init__(self, members: Places, scores: NDArray[np.float64]) -> None:
        self._items = np.empty(4 * WINDOW, dtype=np.int64)
        self._scores = np.empty(4 * WINDOW)
        self._counts = np.empty(4 * WINDOW, dtype=np.int32)
        self._size = 0
        for member, score in zip(members.tolist(), scores[members].tolist(), strict=True):
            self.add(member, score)

    @property
    def items(self) -> Places:
        """Those looked at."""
        looked_at: Places = self._items[: self._size][self._counts[: self._size] < WINDOW]
        return looked_at

    def add(self, item: int, score: float) -> None:
        """The next item, with its score."""
        counts = self._counts[: self._size]
        counts += self._scores[: self._size] >= score
        if self._size == len(self._items):
            self._make_room()
        self._items[self._size] = item
        self._scores[self._size] = score
        self._counts[self._size] = 0
        self._size += 1

    def _make_room(self) -> None:
        left = self._counts < WINDOW
        size = int(left.sum())
        grown = max(len(self._items), 2 * size)
        for name in ("_items", "_scores", "_counts"):
            old = getattr(self, name)
            new = np.empty(grown, dtype=old.dtype)
            new[:size] = old[left]
            setattr(self, name, new)
        self._size = size


class Limit:
    """As `Crowd`, for the partners of one item: which are worth reading, the likeliest first."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lowest: list[float] = []

    def allows(self, score: float) -> bool:
        """Whether a partner with this score is read; then it counts."""
        if len(self._lowest) >= self._width and self._lowest[self._width - 1] <= score:
            return False
        insort(self._lowest, score)
        return True
