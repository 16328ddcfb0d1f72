"""Measures → which texts of a record fail, and why: the checks that an encoder makes."""

from __future__ import annotations

from dataclasses import dataclass

from generator.records import Record
from generator.refine.measures import Measures
from generator.refineconfig import RefineConfig

# Every reason, with what it means; docs/refine.md has the list.
POSITIVE_REASONS = {
    "positive_not_found": "not among the first refine.top_k of the pool for its query",
    "positive_far_behind": "another text of the pool fits far better (refine.max_behind)",
    "positive_too_far": "its cosine is low (refine.min_cosine, refine.min_sigmas)",
    "positive_too_near": "its cosine is high: a copy of the query (refine.max_cosine)",
    "negative_above_positive": "a negative fits better (refine.max_above, refine.order_margin)",
    "positive_not_relevant": "the judge's grade is below refine.judge.positive_min",
}
NEGATIVE_REASONS = {
    "negative_answers": "fits like the positive (refine.answers_from, negative_share, margin)",
    "negative_like_positive": "says what the positive says (refine.alike)",
    "negative_relevant": "the judge's grade is above refine.judge.negative_max",
}
FINE = ""
_NEVER = float("inf")


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
    fine = [place for place, reason in enumerate(positives) if reason == FINE]
    others = [place for place, reason in enumerate(negatives) if reason == FINE]
    if not others or not fine:
        return Findings(positives, negatives)
    if _is_above(record, found, fine, others, config):
        positives = [reason or "negative_above_positive" for reason in positives]
    elif not record.symmetric:
        for place in others:
            if _answers(found, fine, place, config):
                negatives[place] = "negative_answers"
    return Findings(positives, negatives)


def _positive(record: Record, found: Measures, place: int, config: RefineConfig) -> str:
    """The first reason of a positive. Others' texts only count where they may be negatives."""
    if record.in_batch == "all":
        if config.top_k is not None and found.ranks[place] >= config.top_k:
            return "positive_not_found"
        behind = found.best - found.positive_evidence[place]
        if config.max_behind is not None and behind > config.max_behind:
            return "positive_far_behind"
    cosine = found.positives[place]
    sigmas = (cosine - found.mean) / found.spread
    if (config.min_cosine is not None and cosine < config.min_cosine) or (
        config.min_sigmas is not None and sigmas < config.min_sigmas
    ):
        return "positive_too_far"
    if config.max_cosine is not None and cosine > config.max_cosine:
        return "positive_too_near"
    return FINE


def _is_above(
    record: Record, found: Measures, fine: list[int], others: list[int], config: RefineConfig
) -> bool:
    """Whether a negative fits the query so much better that the positive itself is doubted.

    Of symmetric records the cosines alone count: words may be shared by any two of their texts.
    """
    if record.symmetric:
        limit = _NEVER if config.order_margin is None else -config.order_margin * found.spread
        return bool(found.negatives[others].max() - found.positives[fine].min() > limit)
    limit = _NEVER if config.max_above is None else config.max_above
    gap = found.negative_evidence[others].max() - found.positive_evidence[fine].min()
    return bool(gap > limit)


def _answers(found: Measures, fine: list[int], place: int, config: RefineConfig) -> bool:
    """Whether a negative may answer as well as the positives; the lowest of them counts."""
    cosine, positive = float(found.negatives[place]), float(found.positives[fine].min())
    gap = found.negative_evidence[place] - found.positive_evidence[fine].min()
    if config.answers_from is not None and gap >= config.answers_from:
        return True
    if config.negative_share is not None:
        limit = share_of(positive - found.mean, config.negative_share)
        if cosine - found.mean >= limit:
            return True
    return config.margin is not None and cosine >= positive - config.margin


def _like_positive(record: Record, found: Measures, config: RefineConfig) -> list[str]:
    """Negatives that say what a positive says; in symmetric families all are meant to be near."""
    if record.symmetric or config.alike is None:
        return [FINE] * len(found.negatives)
    return ["negative_like_positive" if n >= config.alike else FINE for n in found.likeness()]
