"""Decisions put into the record, and written down for people."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from generator.records import Negative, Positive, Record, Rejected, Score, content_id
from generator.refine.decide import DROPPED, RELABELLED, Decided, Grades
from generator.refine.grading import Grade
from generator.refine.measures import Measures


@dataclass(frozen=True, slots=True)
class Signed:
    """What scores are signed with: the encoder's name and the judges'; "" for none."""

    encoder: str
    judges: tuple[str, ...] = ()


def applied(
    record: Record, found: Measures | None, grades: Grades, decided: Decided,
    candidates: Sequence[str], signed: Signed,
) -> Record:  # fmt: skip
    """The record with what the decisions leave, and every score; the id stays, as in mining.

    A negative that becomes a positive stands behind the others; a better positive first.
    """
    scores = {"positives": _none(record.positives), "negatives": _none(record.negatives)}
    if found is not None:
        scores = {"positives": found.positives.tolist(), "negatives": found.negatives.tolist()}

    def of(side: str, place: int, known: tuple[Score, ...]) -> tuple[Score, ...]:
        graded: Mapping[int, Grade] = getattr(grades, side)
        return _scores(known, scores[side][place], graded.get(place), signed)

    positives = [
        replace(item, scores=of("positives", place, item.scores))
        for place, item in enumerate(record.positives)
        if decided.positives[place].what not in {DROPPED, RELABELLED}
    ]
    if decided.better is not None:
        text = candidates[decided.better]
        cosine = None if found is None else float(found.rival_scores[decided.better])
        grade = grades.candidates.get(decided.better)
        positives.insert(0, Positive(content_id(text), text, _scores((), cosine, grade, signed)))
    negatives: list[Negative] = []
    for place, item in enumerate(record.negatives):
        own = of("negatives", place, item.scores)
        if decided.negatives[place].what == RELABELLED:
            positives.append(Positive(item.id, item.text, own))
        elif decided.negatives[place].what != DROPPED and item.id not in {p.id for p in positives}:
            negatives.append(replace(item, scores=own))
    return replace(record, positives=tuple(positives), negatives=tuple(negatives))


def rejected(record: Record, found: Measures | None, grades: Grades, decided: Decided) -> Rejected:
    """Why the record goes; `score` is its positive's cosine."""
    cosine = None if found is None else round(float(found.positives[0]), 4)
    return Rejected(
        stage="refine",
        reason=decided.rejected,
        family=record.family,
        language=record.language,
        detail="; ".join(_details(found, grades)),
        record=record,
        score=cosine,
    )


def _details(found: Measures | None, grades: Grades) -> list[str]:
    told = []
    if found is not None:
        told = [
            f"cosine {found.positives[0]:.3f}",
            f"{found.ranks[0]} texts come before it",
            f"{found.best - found.positive_evidence[0]:.2f} spreads behind the best",
        ]
        if len(found.negatives):
            gap = found.negative_evidence.max() - found.positive_evidence[0]
            told.append(f"the best negative {gap:+.2f} spreads from it")
    grade = grades.positives.get(0)
    return [*told, f"grade {grade.final}"] if grade and grade.final is not None else told


def decisions_line(
    record: Record, found: Measures | None, grades: Grades, decided: Decided, signed: Signed
) -> str:
    """What `refined.jsonl` says of a record: every text with score, rank, grade and decision."""
    row: dict[str, Any] = {"record": record.id, "rejected": decided.rejected or None}
    if found is not None:
        numbers = {"mean": found.mean, "spread": found.spread, "best": found.best}
        row |= {"encoder": signed.encoder, **{k: round(v, 6) for k, v in numbers.items()}}
    for side in ("positives", "negatives"):
        texts, graded = getattr(record, side), getattr(grades, side)
        row[side] = []
        for place, decision in enumerate(getattr(decided, side)):
            item: dict[str, Any] = {"id": texts[place].id}
            if found is not None:
                item["score"] = round(float(getattr(found, side)[place]), 6)
                evidence = getattr(found, f"{side[:-1]}_evidence")[place]
                item["evidence"] = round(float(evidence), 4)
                if side == "positives":
                    item["rank"] = int(found.ranks[place])
                else:
                    item["alike"] = round(float(found.likeness()[place]), 6)
            item |= _grades(graded.get(place))
            item |= {"decision": decision.what, "reason": decision.reason or None}
            row[side].append(item)
    if grades.candidates:
        row["candidates"] = [_grades(grade) for _, grade in sorted(grades.candidates.items())]
        row["better"] = decided.better
    return json.dumps(row, ensure_ascii=False)


def _grades(grade: Grade | None) -> dict[str, int]:
    """The grades that there are, by which judge gave them."""
    if grade is None:
        return {}
    named = {"grade": grade.cheap, "strong_grade": grade.strong, "grade_again": grade.again}
    return {name: value for name, value in named.items() if value is not None}


def _scores(
    known: tuple[Score, ...], cosine: float | None, grade: Grade | None, signed: Signed
) -> tuple[Score, ...]:
    """The new scores first; those of the same names before go."""
    own = [] if cosine is None else [Score(signed.encoder, cosine)]
    if grade is not None:
        values = (grade.cheap, grade.strong)
        pairs = zip(signed.judges, values, strict=False)
        own += [Score(name, float(value)) for name, value in pairs if value is not None]
    names = {score.teacher for score in own}
    return (*own, *(score for score in known if score.teacher not in names))


def _none(items: Sequence[object]) -> list[float | None]:
    return [None] * len(items)
