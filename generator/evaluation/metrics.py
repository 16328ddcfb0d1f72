"""Metrics of rankings and of pairs of numbers: plain arithmetic that knows no model and no file.

They agree with trec_eval to 1e-9, ties and graded judgements included (`tests/test_metrics.py`).
nDCG: Järvelin & Kekäläinen 2002, with linear gains as trec_eval has them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]
Judgements = Mapping[str, int]  # document id: grade; 0 and below: judged, not relevant


@dataclass(frozen=True, slots=True)
class Judged:
    """One query's ranking, seen through its judgements.

    `gains` [results] is the grade of each result, best result first (0: unjudged or not relevant);
    `ideal` [relevant] holds the grades of all relevant documents, highest first.
    """

    gains: Floats
    ideal: Floats


def ranked(ids: Sequence[str], scores: ArrayLike) -> list[str]:
    """The ids in trec_eval's order: by score, as 32-bit floats; equal scores by id, descending.

    The order of the input does not matter, so a tie cannot favour the document that a search
    happened to name first.
    """
    values = np.asarray(scores, dtype=np.float32).tolist()
    order = sorted(zip(values, ids, strict=True), reverse=True)
    return [name for _, name in order]


def judge(ranking: Sequence[str], judgements: Judgements) -> Judged:
    """A ranking (best first, each id once) seen through the query's judgements."""
    gains = np.array([max(judgements.get(name, 0), 0) for name in ranking], dtype=np.float64)
    relevant = sorted((grade for grade in judgements.values() if grade > 0), reverse=True)
    return Judged(gains, np.array(relevant, dtype=np.float64))


def ndcg(judged: Judged, k: int) -> float:
    """Discounted gain of the first k results, relative to the best possible ranking; 0 to 1."""
    ideal = _discounted(judged.ideal[:k])
    return _discounted(judged.gains[:k]) / ideal if ideal else 0.0


def recall(judged: Judged, k: int) -> float:
    """Share of all relevant documents that are among the first k results."""
    found = int(np.count_nonzero(judged.gains[:k]))
    return found / judged.ideal.size if judged.ideal.size else 0.0


def reciprocal_rank(judged: Judged, k: int) -> float:
    """1 / rank of the first relevant result; 0 where none is among the first k."""
    hits = np.flatnonzero(judged.gains[:k])
    return 1.0 / (int(hits[0]) + 1) if hits.size else 0.0


def average_precision(judged: Judged, k: int) -> float:
    """Mean, over all relevant documents, of the precision at the rank of each one found by k."""
    if not judged.ideal.size:
        return 0.0
    ranks = np.flatnonzero(judged.gains[:k]) + 1
    precisions = np.arange(1, ranks.size + 1) / ranks
    return float(precisions.sum()) / judged.ideal.size


def hit(judged: Judged, k: int) -> float:
    """1 where a relevant document is among the first k results, else 0."""
    return float(np.any(judged.gains[:k]))


Measure = Callable[[Judged, int], float]
MEASURES: dict[str, Measure] = {
    "ndcg": ndcg,
    "recall": recall,
    "mrr": reciprocal_rank,
    "map": average_precision,
    "hit": hit,
}


def measure(judged: Judged, name: str) -> float:
    """A measure by its name with cut-off: `measure(judged, "ndcg@10")`. Raises KeyError."""
    base, _, cut = name.partition("@")
    return MEASURES[base](judged, int(cut))


def pearson(first: ArrayLike, second: ArrayLike) -> float:
    """Linear correlation, -1 to 1; nan where either side is constant or has under two values."""
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.size < 2 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return float("nan")
    x, y = x - x.mean(), y - y.mean()
    # Norms, not the product of the variances: that underflows for tiny values.
    cosine = float((x / np.linalg.norm(x)) @ (y / np.linalg.norm(y)))
    return min(1.0, max(-1.0, cosine))


def spearman(first: ArrayLike, second: ArrayLike) -> float:
    """Rank correlation, -1 to 1, equal values sharing their mean rank; nan as `pearson`."""
    return pearson(mean_ranks(first), mean_ranks(second))


def mean_ranks(values: ArrayLike) -> Floats:
    """The rank of each value [n], from 1; equal values get the mean of the ranks they span."""
    _, inverse, counts = np.unique(
        np.asarray(values, dtype=np.float64), return_inverse=True, return_counts=True
    )
    last = np.cumsum(counts)
    means: Floats = (last - (counts - 1) / 2).astype(np.float64)
    return means[inverse.reshape(-1)]


def _discounted(gains: Floats) -> float:
    return float((gains / np.log2(np.arange(2, gains.size + 2))).sum())
