"""Which of several duplicates is the best: a number a record, the highest stays."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from generator.records import Record


def teacher(record: Record) -> float:
    """The first teacher's score of the first positive; unscored records come last."""
    scores = record.positives[0].scores if record.positives else ()
    return scores[0].value if scores else float("-inf")


def longest(record: Record) -> float:
    """Characters of the query and the positives."""
    return len(record.query) + sum(len(positive.text) for positive in record.positives)


RANKS: Mapping[str, Callable[[Record], float]] = {"teacher": teacher, "longest": longest}
