"""Several rankings → one: reciprocal rank fusion (Cormack, Clarke & Büttcher 2009)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from generator.search.hits import Hits, hits, keys

RRF_K = 60  # the paper's constant


def reciprocal_rank_fusion(rankings: Sequence[Hits], k: int, *, constant: int = RRF_K) -> Hits:
    """The k documents of each query with the highest Σ 1 / (constant + rank), ranks from 1.

    A document that a ranking does not hold adds nothing. Equal sums stand in the order of the
    documents.
    """
    rows = [_fused([ranking.row(row)[0] for ranking in rankings], k, constant)
            for row in range(len(rankings[0].indices))]  # fmt: skip
    width = max((len(indices) for indices, _ in rows), default=0)
    found = Hits(
        np.full((len(rows), width), -1, dtype=np.int64),
        np.full((len(rows), width), -np.inf, dtype=np.float32),
    )
    for row, (indices, scores) in enumerate(rows):
        found.indices[row, : len(indices)] = indices
        found.scores[row, : len(scores)] = scores
    return found


def _fused(
    rankings: Sequence[NDArray[np.int64]], k: int, constant: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    flat = np.concatenate(rankings)
    gains = np.concatenate([1.0 / (constant + 1 + np.arange(len(r))) for r in rankings])
    documents, places = np.unique(flat, return_inverse=True)
    sums = np.bincount(places, weights=gains, minlength=len(documents)).astype(np.float32)
    best = hits(keys(sums, documents)[None, :])
    return best.indices[0, :k], best.scores[0, :k]
