"""Positive-aware cuts: which scores are too high for a negative (NV-Retriever, arXiv 2407.15831).

TopK-PercPos, TopK-MarginPos and TopK-Abs of its section 3, in a form that holds for scores of any
sign: a share of a negative score would lie above the score itself.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.mineconfig import MineConfig

Scores = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Cut:
    """Scores at or above `limit` are cut for `reason`."""

    reason: str
    limit: float


def share_of(score: float, share: float) -> float:
    """`share` of a score, as far from it for a negative score as for a positive one.

    s − (1 − p)·|s|: 0.95 of 0.8 is 0.76, 0.95 of −2 is −2.1, and 0.95 of 0 is 0.
    """
    return score - (1 - share) * abs(score)


def cuts(positives: Sequence[float] | Scores, config: MineConfig) -> tuple[Cut, ...]:
    """The cuts for one query, by its positives' scores (the lowest counts; NaN: not scored)."""
    found: list[Cut] = []
    scored = [float(score) for score in positives if not np.isnan(score)]
    if scored and config.percent is not None:
        found.append(Cut("percent_of_positive", share_of(min(scored), config.percent)))
    if scored and config.margin is not None:
        found.append(Cut("margin_of_positive", min(scored) - config.margin))
    if config.max_score is not None:
        found.append(Cut("above_max_score", config.max_score))
    return tuple(found)


def promotion(positives: Sequence[float] | Scores, config: MineConfig) -> float:
    """The score from which a candidate is a positive itself; infinity where none is."""
    scored = [float(score) for score in positives if not np.isnan(score)]
    if config.promote is None or not scored:
        return float("inf")
    return share_of(min(scored), config.promote)
