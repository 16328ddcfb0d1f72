"""What held-out questions score, by family and in the mean, before training and after it.

The mean is over questions that somebody wrote, a model or a person. Titles and sentences that were
taken out of documents train an embedder, but finding them tells little about users' questions: they
stand by their families, and make the mean only where nobody wrote a question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from generator.records import Record


@dataclass(frozen=True, slots=True)
class FamilyScore:
    """Mean nDCG@10 of a family's held-out questions. `written`: somebody wrote them."""

    family: str
    written: bool
    questions: int
    before: float
    after: float


def family_scores(
    records: Sequence[Record], before: Sequence[float], after: Sequence[float]
) -> tuple[FamilyScore, ...]:
    """The scores [n] of n records by family; those that somebody wrote come first."""
    groups: dict[tuple[bool, str], list[int]] = {}
    for row, record in enumerate(records):
        groups.setdefault((not _is_written(record), record.family), []).append(row)
    return tuple(
        FamilyScore(family, not taken, len(rows), _mean(before, rows), _mean(after, rows))
        for (taken, family), rows in sorted(groups.items())
    )


def score_name(families: Sequence[FamilyScore]) -> str:
    """What the mean is of, in words."""
    written = [family.written for family in families]
    if all(written):
        return "held-out questions"
    if any(written):
        return "held-out questions that were written"
    return "held-out titles and sentences of the documents"


def mean_scores(families: Sequence[FamilyScore]) -> dict[str, Any]:
    """`questions`, and their mean `before` and `after` training (None without any)."""
    counted = [family for family in families if family.written] or families
    questions = sum(family.questions for family in counted)
    if not questions:
        return {"questions": 0, "before": None, "after": None}
    before = sum(family.before * family.questions for family in counted) / questions
    after = sum(family.after * family.questions for family in counted) / questions
    return {"questions": questions, "before": before, "after": after}


def _is_written(record: Record) -> bool:
    """Imported, or an answer of a model; else the draw alone gave it, a piece of a document."""
    return record.provenance.draw is None or bool(record.provenance.requests)


def _mean(scores: Sequence[float], rows: Sequence[int]) -> float:
    return sum(scores[row] for row in rows) / len(rows)
