"""Findings of the encoder and grades of the judge → what becomes of each text of a record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from generator.records import Record
from generator.refine.checks import FINE, Findings
from generator.refine.grading import Grade, Text
from generator.refineconfig import JudgeConfig, RefineConfig

KEPT, DROPPED, RELABELLED, MARKED = "kept", "dropped", "relabelled", "marked"
TOO_FEW, NONE = "too_few_negatives", "no_positive"


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a text, and why (`reason` "" where nothing is wrong with it)."""

    what: str
    reason: str = FINE


@dataclass(frozen=True, slots=True)
class Decided:
    """Of a record: one decision a positive and a negative; `better` is a candidate's place.

    `rejected` is the reason for which the record goes, "" where it stays.
    """

    positives: list[Decision]
    negatives: list[Decision]
    better: int | None = None
    rejected: str = ""


@dataclass(frozen=True, slots=True)
class Grades:
    """The judge's grades of a record's texts, by place; a text that was not asked for has none."""

    positives: dict[int, Grade] = field(default_factory=dict)
    negatives: dict[int, Grade] = field(default_factory=dict)
    candidates: dict[int, Grade] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Question:
    """The texts of a record that the judge is asked about; places in their lists."""

    positives: list[int]
    negatives: list[int]
    candidates: list[int]

    def texts(self, record: Record, candidates: Sequence[str]) -> list[Text]:
        """In the order of `answer`: positives, negatives, candidates."""
        return [
            *(Text(record.positives[place].text, is_positive=True) for place in self.positives),
            *(Text(record.negatives[place].text, is_positive=False) for place in self.negatives),
            *(Text(candidates[place], is_positive=False) for place in self.candidates),
        ]

    def answer(self, grades: Sequence[Grade]) -> Grades:
        """The grades of `texts`, each under its place."""
        left = iter(grades)
        return Grades(*({place: next(left) for place in places} for places in self._lists))

    @property
    def _lists(self) -> tuple[list[int], list[int], list[int]]:
        return self.positives, self.negatives, self.candidates


def question(findings: Findings, candidates: int, judge: JudgeConfig) -> Question:
    """What to ask the judge: everything, or what the encoder doubts.

    Where a negative stands above the positive, one of the two is wrong: both are asked about.
    """
    if judge.on == "all":
        all_of = (range(len(findings.positives)), range(len(findings.negatives)), range(candidates))
        return Question(list(all_of[0]), list(all_of[1]), list(all_of[2]))
    positives = [place for place, reason in enumerate(findings.positives) if reason]
    negatives = [place for place, reason in enumerate(findings.negatives) if reason]
    if "negative_above_positive" in findings.positives:
        negatives = list(range(len(findings.negatives)))
    return Question(positives, negatives, list(range(candidates)) if positives else [])


def decide(findings: Findings, grades: Grades, config: RefineConfig) -> Decided:
    """The decisions: a pure function of its arguments. A grade overrules the encoder."""
    positives = _overruled(findings.positives, grades.positives, config, is_positive=True)
    negatives = _overruled(findings.negatives, grades.negatives, config, is_positive=False)
    better = _better(grades, config)
    kept_negatives = [_done(reason, config.negatives) for reason in negatives]
    if better is not None:
        replaced = [
            Decision(KEPT) if not reason and _grade(grades.positives, place) is None
            else Decision(RELABELLED, reason or "better_positive")
            for place, reason in enumerate(positives)
        ]  # fmt: skip
        return Decided(replaced, kept_negatives, better, _few(kept_negatives, config))
    kept_positives = [_done(reason, _without_better(config)) for reason in positives]
    rejected = ""
    is_lost = all(decision.what == DROPPED for decision in kept_positives)
    if is_lost and not any(decision.what == RELABELLED for decision in kept_negatives):
        rejected = kept_positives[0].reason if kept_positives else NONE
    return Decided(kept_positives, kept_negatives, None, rejected or _few(kept_negatives, config))


def _without_better(config: RefineConfig) -> str:
    """A positive that should give way, and has nothing to give way to, is dropped."""
    return "drop" if config.positives == "relabel" else config.positives


def _overruled(
    reasons: Sequence[str], grades: dict[int, Grade], config: RefineConfig, *, is_positive: bool
) -> list[str]:
    """The encoder's reasons, or the judge's where it gave a grade."""
    judge, found = config.judge, list(reasons)
    for place in grades if judge else ():
        grade = _grade(grades, place)
        if grade is None or judge is None:
            continue
        if is_positive:
            fails, reason = grade < judge.positive_min, "positive_not_relevant"
        else:
            fails, reason = grade > judge.negative_max, "negative_relevant"
        found[place] = (found[place] or reason) if fails else FINE
    return found


def _grade(grades: dict[int, Grade], place: int) -> int | None:
    found = grades.get(place)
    return None if found is None else found.final


def _better(grades: Grades, config: RefineConfig) -> int | None:
    """The first candidate of the highest grade, where that is above every positive's."""
    if config.positives != "relabel" or config.judge is None:
        return None
    own = [_grade(grades.positives, place) for place in grades.positives]
    least = max([config.judge.positive_min - 1, *(grade for grade in own if grade is not None)])
    found: int | None = None
    for place in sorted(grades.candidates):
        grade = _grade(grades.candidates, place)
        if grade is not None and grade > least:
            found, least = place, grade
    return found


def _done(reason: str, action: str) -> Decision:
    what = {"drop": DROPPED, "relabel": RELABELLED, "keep": MARKED}[action]
    return Decision(what, reason) if reason else Decision(KEPT)


def _few(negatives: Sequence[Decision], config: RefineConfig) -> str:
    left = sum(decision.what in {KEPT, MARKED} for decision in negatives)
    return TOO_FEW if left < config.min_negatives else ""
