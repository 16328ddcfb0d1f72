"""A decision put into the record, and written down for people."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from generator.mine.candidates import Candidates
from generator.mine.decide import Decided
from generator.mine.exclude import MINED
from generator.mineconfig import MineConfig, SourceName
from generator.records import Negative, Positive, Record, Score, content_id
from generator.search.pool import Pool


def applied(
    record: Record,
    found: Candidates,
    decided: Decided,
    pool: Pool,
    config: MineConfig,
    teacher: str,
) -> Record:
    """The record with the mined negatives, in place of those of an earlier mining.

    The mined ones come first: a trainer's `max_negatives` takes the first. The id stays, with
    promoted positives too. Texts carry the teacher's score, first in their list.
    """

    def taken(place: int) -> Negative:
        text = pool.text(int(found.indices[place]))
        scores = _scores((), teacher, found.teacher[place])
        return Negative(content_id(text), text, config.source_name, scores)

    def promoted(place: int) -> Positive:
        text = pool.text(int(found.indices[place]))
        return Positive(content_id(text), text, _scores((), teacher, found.teacher[place]))

    positives = tuple(
        replace(positive, scores=_scores(positive.scores, teacher, value))
        for positive, value in zip(record.positives, found.positives, strict=True)
    )
    kept = tuple(
        replace(negative, scores=_scores(negative.scores, teacher, value))
        for negative, value in zip(written(record, config), found.written, strict=True)
    )
    return replace(
        record,
        positives=positives + tuple(map(promoted, decided.promoted)),
        negatives=tuple(map(taken, decided.taken)) + kept,
    )


def written(record: Record, config: MineConfig) -> tuple[Negative, ...]:
    """The negatives that stay: those that a model or people wrote."""
    if not config.keep_written:
        return ()
    return tuple(negative for negative in record.negatives if negative.source not in MINED)


def _scores(known: tuple[Score, ...], teacher: str, value: float) -> tuple[Score, ...]:
    if not np.isfinite(value):
        return known
    own = Score(teacher, float(value))
    return (own, *(score for score in known if score.teacher != teacher))


def decisions_line(
    record: Record, found: Candidates, decided: Decided, pool: Pool, source: SourceName,
    teacher: str,
) -> str:  # fmt: skip
    """What `negatives.jsonl` says of a record: every candidate and its decision, by columns."""
    return json.dumps(
        {
            "record": record.id,
            "source": source,
            "teacher": teacher or None,
            "positive_scores": _rounded(found.positives),
            "id": pool.content_ids(found.indices),
            "rank": decided.ranks,
            "score": _rounded(found.scores),
            "teacher_score": _rounded(found.teacher),
            "decision": decided.decisions,
        },
        ensure_ascii=False,
    )


def _rounded(values: NDArray[np.float64]) -> list[float | None]:
    rounded: list[float | None] = values.round(6).tolist()
    if np.isnan(values).any():
        return [None if value != value else value for value in rounded]  # noqa: PLR0124 - NaN
    return rounded
