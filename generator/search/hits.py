"""The answer of a search, and the exact top k with ties that are broken the same way every time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Scores = NDArray[np.float32]
Keys = NDArray[np.uint64]

MAX_DOCUMENTS = 2**32 - 1  # a document's index takes half of a key
_INDEX_BITS = np.uint64(32)
_INDEX_MASK = np.uint64(MAX_DOCUMENTS)
_SIGN = np.uint32(1 << 31)


@dataclass(frozen=True, slots=True)
class Hits:
    """Best documents of each query: `indices` and `scores` are [queries, k], best first.

    Equal scores stand in the order of the documents. Where a query has fewer than k hits, its row
    ends in index -1 with score -inf.
    """

    indices: NDArray[np.int64]
    scores: Scores

    def row(self, query: int) -> tuple[NDArray[np.int64], Scores]:
        """Indices and scores of one query, without the padding."""
        found = self.indices[query] >= 0
        return self.indices[query][found], self.scores[query][found]


def keys(scores: Scores, indices: NDArray[np.integer]) -> Keys:
    """Scores and document indices (shapes that broadcast) as integers that sort as (score, -index).

    With every key of a query distinct, its k largest are one set and one order, however the
    documents were cut into blocks. Raises ValueError on NaN.
    """
    if np.isnan(scores).any():
        raise ValueError("a score is not a number")
    bits = (scores + np.float32(0)).view(np.uint32)  # + 0 makes -0.0 and 0.0 equal
    # IEEE floats sort as integers once negatives are inverted and positives set above them.
    ordered = np.where(bits & _SIGN, ~bits, bits | _SIGN).astype(np.uint64)
    found: Keys = (ordered << _INDEX_BITS) | (_INDEX_MASK - indices.astype(np.uint64))
    return found


def largest(candidates: Keys, k: int) -> Keys:
    """The k largest keys of each row, in no order (all of them, where there are no more)."""
    if candidates.shape[1] <= k:
        return candidates
    return np.partition(candidates, candidates.shape[1] - k, axis=1)[:, -k:]


def merged(best: Keys, scores: Scores, first: int, k: int) -> Keys:
    """The k largest keys of each row of `best` and of a block of scores, in no order.

    `scores` [queries, documents] belong to the documents from index `first` on, which come after
    all those in `best`.
    """
    # Few scores beat the worst of k once some blocks are seen. Only those become keys: sorting out
    # all of them would cost several times the product itself. An equal one comes too late, but
    # where there are no k yet it counts, as does a copy of the block's own k-th best.
    if best.shape[1] < k:
        if np.isnan(scores).any():
            raise ValueError("a score is not a number")
        few = scores.shape[1] <= k
        chosen = np.ones(scores.shape, bool) if few else scores >= _kth(scores, k)[:, None]
    else:
        chosen = scores > _scores(best.min(axis=1))[:, None]
    # Flat: numpy finds the few that are true in one dimension many times faster than in two.
    rows, columns = np.divmod(np.flatnonzero(chosen), scores.shape[1])
    counts = np.bincount(rows, minlength=len(scores))
    places = np.arange(rows.size) - np.repeat(np.cumsum(counts) - counts, counts)
    better = np.zeros((len(scores), int(counts.max(initial=0))), dtype=np.uint64)
    better[rows, places] = keys(scores[rows, columns], first + columns)
    return largest(np.concatenate([best, better], axis=1), k)


def _kth(scores: Scores, k: int) -> Scores:
    """The k-th largest score of each row."""
    kth: Scores = np.partition(scores, scores.shape[1] - k, axis=1)[:, -k]
    return kth


def hits(candidates: Keys) -> Hits:
    """The documents and scores that keys [queries, k] stand for, best first; -inf is no hit."""
    best = np.sort(candidates, axis=1)[:, ::-1]
    indices = (_INDEX_MASK - (best & _INDEX_MASK)).astype(np.int64)
    scores = _scores(best)
    indices[np.isneginf(scores)] = -1
    return Hits(indices, scores)


def top_k(scores: Scores, k: int) -> Hits:
    """The k best documents of each row of scores [queries, documents]."""
    return hits(merged(np.empty((len(scores), 0), dtype=np.uint64), scores, 0, k))


def _scores(found: Keys) -> Scores:
    ordered = (found >> _INDEX_BITS).astype(np.uint32)
    return np.where(ordered & _SIGN, ordered ^ _SIGN, ~ordered).view(np.float32)
