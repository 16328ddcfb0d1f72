"""A negative that is none: negative_equals_positive, negative_equals_query, negative_near_positive.

Texts are compared in normal form; near means a Jaccard similarity of character 5-grams, or that
most of the positive's 5-grams stand in the negative (its sentences in another order, and more).
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.alike import contained, similarity
from generator.filters.base import Reject, quote
from generator.records import Record
from generator.text import SHINGLE_CHARS, normalise

# 5-grams of the one text looked up in the other before anything is counted.
_PROBES = 16
_DOCUMENT_CHARS = 100


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    max_similarity: float = 0.9,
    max_contained: float = 0.7,
) -> Reject | None:
    """Reject a record with a negative that says what a positive or the query says.

    `max_contained`: share of a positive's 5-grams in a negative, 0 to 1; 1 turns it off. Texts of
    fewer than 100 characters (50 where the script has no spaces) are not compared so.
    """
    query = normalise(record.query)
    positives = [normalise(positive.text) for positive in record.positives]
    for negative in record.negatives:
        text = normalise(negative.text)
        if text in positives:
            return Reject("negative_equals_positive", quote(negative.text))
        if text == query:
            return Reject("negative_equals_query", quote(negative.text))
        for positive in positives:
            if (score := _similarity(text, positive, max_similarity)) > max_similarity:
                return Reject("negative_near_positive", f"{score:.2f} with {quote(negative.text)}")
            if (share := _contained(positive, text, max_contained)) > max_contained:
                return Reject("negative_holds_positive", f"{share:.2f} in {quote(negative.text)}")
    return None


def _contained(positive: str, negative: str, max_contained: float) -> float:
    """The share of the positive's 5-grams in the negative, or 0 where it is low."""
    least = _DOCUMENT_CHARS if positive.isascii() or " " in positive[:40] else _DOCUMENT_CHARS // 2
    if max_contained >= 1 or len(positive) < least or len(negative) < least:
        return 0.0
    step = max(1, len(positive) // _PROBES)
    probes = [
        positive[i : i + SHINGLE_CHARS] for i in range(0, len(positive) - SHINGLE_CHARS, step)
    ]
    if sum(probe in negative for probe in probes) < max_contained / 2 * len(probes):
        return 0.0
    return contained(positive, negative, max_contained)


def _similarity(first: str, second: str, max_similarity: float) -> float:
    """Jaccard of the two, or 0 where it is low (a few probes show it nearly always)."""
    step = max(1, len(first) // _PROBES)
    probes = [first[start : start + SHINGLE_CHARS] for start in range(0, len(first), step)]
    if sum(probe in second for probe in probes) < max_similarity / 2 * len(probes):
        return 0.0
    return similarity(first, second, max_similarity)
