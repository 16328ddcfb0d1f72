"""Measures → which texts of a record fail, and why: the checks that an encoder makes."""

from __future__ import annotations

from dataclasses import dataclass

from generator.records import Record
from generator.refine.measures import Measures
from generator.refineconfig import RefineConfig

# Every reason, with what it means; docs/refine.md has the list.
POSITIVE_REASONS = {
    "positive_not_found": "not among the first refine.top_k of the pool for its query",
    "positive_far_behind": "others score far higher (refine.best_share)",
    "positive_too_far": "its cosine is low (refine.min_cosine, refine.min_sigmas)",
    "positive_too_near": "its cosine is high: a copy of the query (refine.max_cosine)",
    "negative_above_positive": "a negative scores higher (refine.above_share, order_margin)",
    "positive_not_relevant": "the judge's grade is below refine.judge.positive_min",
}
NEGATIVE_REASONS = {
    "negative_answers": "scores like the positive (refine.negative_share, refine.margin)",
    "negative_like_positive": "says what the positive says (refine.alike)",
    "negative_relevant": "the judge's grade is above refine.judge.negative_max",
}
FINE = ""


@dataclass(frozen=True, slots=True)
class Findings:
    """The reason of each positive and negative of a record, "" where none fails."""

    positives: list[str]
    negatives: list[str]


def share_of(lift: float, share: float) -> float:
    """`share` of a lift, as far from it for a negative lift as for a positive one.

    s − (1 − p)·|s|: 0.9 of 0.5 is 0.45, 0.9 of −0.5 is −0.55; above 1 it lies above the lift.
    """
    return lift - (1 - share) * abs(lift)


def check(record: Record, found: Measures, config: RefineConfig) -> Findings:
    """What fails of a record: a pure function of its arguments."""
    positives = [_positive(record, found, place, config) for place in range(len(found.positives))]
    negatives = _like_positive(record, found, config)
    fine = found.positives[[reason == FINE for reason in positives]]
    others = found.negatives[[reason == FINE for reason in negatives]]
    if not len(others) or not len(fine):
        return Findings(positives, negatives)
    lowest = float(fine.min())
    if others.max() > _order_limit(record, found, lowest, config):
        positives = [reason or "negative_above_positive" for reason in positives]
    elif not record.symmetric:
        limit = _answer_limit(found, lowest, config)
        scored = zip(negatives, found.negatives.tolist(), strict=True)
        negatives = [why or ("negative_answers" if s >= limit else FINE) for why, s in scored]
    return Findings(positives, negatives)


def _positive(record: Record, found: Measures, place: int, config: RefineConfig) -> str:
    """The first reason of a positive. Others' texts only count where they may be negatives."""
    score = found.positives[place]
    if record.in_batch == "all":
        if config.top_k is not None and found.ranks[place] >= config.top_k:
            return "positive_not_found"
        least = None if config.best_share is None else share_of(found.best_lift, config.best_share)
        if least is not None and score - found.mean < least:
            return "positive_far_behind"
    sigmas = float(found.sigmas(found.positives)[place])
    if (config.min_cosine is not None and score < config.min_cosine) or (
        config.min_sigmas is not None and sigmas < config.min_sigmas
    ):
        return "positive_too_far"
    if config.max_cosine is not None and score > config.max_cosine:
        return "positive_too_near"
    return FINE


def _order_limit(record: Record, found: Measures, positive: float, config: RefineConfig) -> float:
    """The cosine from which a negative speaks against the positive itself."""
    if record.symmetric:
        if config.order_margin is None:
            return float("inf")
        return positive - config.order_margin
    if config.above_share is None:
        return float("inf")
    return found.mean + share_of(positive - found.mean, config.above_share)


def _answer_limit(found: Measures, positive: float, config: RefineConfig) -> float:
    """The cosine from which a negative may answer as well as the positive."""
    limit = float("inf")
    if config.negative_share is not None:
        limit = found.mean + share_of(positive - found.mean, config.negative_share)
    if config.margin is not None:
        limit = min(limit, positive - config.margin)
    return limit


def _like_positive(record: Record, found: Measures, config: RefineConfig) -> list[str]:
    """Negatives that say what a positive says; in symmetric families all are meant to be near."""
    if record.symmetric or config.alike is None:
        return [FINE] * len(found.negatives)
    return ["negative_like_positive" if n >= config.alike else FINE for n in found.likeness()]
