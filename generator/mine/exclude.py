"""Texts that can never be a negative of a record, whatever their score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.alike import jaccard
from generator.records import Record
from generator.search.pool import Pool, passage_key, text_key
from generator.text import Hashes, shingles

# Negatives that a miner found; the others were written, by people or by a model.
MINED = frozenset({"random", "bm25", "dense", "hybrid"})


def query_key(record: Record) -> int:
    """What records with the same question in the same language have in common."""
    return text_key(record.query)


def answers(records: Iterable[Record]) -> dict[int, set[int]]:
    """The keys of the positives of each question, by the question's key.

    Only of questions that stand in more than one record: 200 bytes each.
    """
    first: dict[int, int] = {}
    found: dict[int, set[int]] = {}
    for number, record in enumerate(records):
        key = query_key(record)
        if first.setdefault(key, number) != number:
            found[key] = set()
    # A second pass, so that questions asked once hold no set.
    for record in records:
        keys = found.get(query_key(record))
        if keys is not None:
            keys.update(text_key(positive.text) for positive in record.positives)
    return found


@dataclass(frozen=True, slots=True)
class Exclusions:
    """The keys of a record's forbidden texts, each with the reason."""

    reasons: Mapping[int, str]

    @classmethod
    def of(
        cls, record: Record, answered: Mapping[int, set[int]], *, keep_written: bool
    ) -> Exclusions:
        """Those of one record. `answered` is as `answers` gives it."""
        found: dict[int, str] = {}
        if keep_written:
            written = (n for n in record.negatives if n.source not in MINED)
            found |= {text_key(negative.text): "already_negative" for negative in written}
        found[text_key(record.query)] = "equals_query"
        for name in (record.provenance.passage or "").split("+"):  # two of a multi-hop query
            if name:
                found[passage_key(name)] = "source_passage"
        found |= dict.fromkeys(answered.get(query_key(record), ()), "answers_same_query")
        found |= {text_key(positive.text): "equals_positive" for positive in record.positives}
        return cls(found)

    def of_candidates(self, pool: Pool, indices: NDArray[np.int64]) -> list[str]:
        """The reason for each candidate, "" where it may be a negative."""
        keys = pool.keys[indices]
        reasons = [""] * len(indices)
        for key, reason in self.reasons.items():
            for row in np.flatnonzero((keys == np.uint64(key)).any(axis=1)).tolist():
                reasons[row] = reason
        return reasons


class NearPositive:
    """Whether a text is nearly a positive: Jaccard of character 5-grams, so in any language."""

    def __init__(self, record: Record, threshold: float | None) -> None:
        self._threshold = threshold
        texts = () if threshold is None else (positive.text for positive in record.positives)
        self._positives: list[Hashes] = [shingles(text) for text in texts]

    def __call__(self, text: str) -> bool:
        """Whether it is."""
        if self._threshold is None:
            return False
        own = shingles(text)
        return any(jaccard(own, positive) >= self._threshold for positive in self._positives)
