"""The second pass of checks for a file of records: an encoder, a judge, decisions; all resumable.

    records ─┬─ pool ─ vectors ─ measures ─┬─ questions ─ grades ─┬─ decide ─ records, rejected,
    corpus ──┘                             └──────────────────────┘           refined.jsonl

Work lies in `refine/` beside the result: vectors, measures, and the judges' journal. Under other
thresholds alone, nothing is encoded and no grade is asked for again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import asdict
from itertools import repeat
from pathlib import Path
from typing import Any, NamedTuple

from generator.config import RunConfig, find_taxonomy
from generator.encoders import Progress
from generator.errors import InputError
from generator.linefile import LineFile
from generator.measuring import Measurer, open_measurer
from generator.mine.exclude import answers
from generator.prices import Prices, read_prices, refuse_unpriced
from generator.recordfile import RecordFile, write_whole
from generator.recordpool import record_pool
from generator.records import Record, to_json
from generator.refine.agreement import Agreement
from generator.refine.apply import Signed, applied, decisions_line, rejected
from generator.refine.checks import FINE, Findings, check
from generator.refine.decide import KEPT, Decided, Decision, Grades, Question, decide, question
from generator.refine.measures import Measures
from generator.refineconfig import JudgeConfig, RefineConfig
from generator.refined import Refined
from generator.refinejudge import Agreements, Asked, Judges, OpenModel, Templates
from generator.runs import JUDGED, file_hash
from generator.search.pool import Pool
from generator.spending import open_budget, spent_by_model
from generator.taxonomy import load_taxonomy


class Paths(NamedTuple):
    """Where a refinement reads and writes.

    `vectors` remembers what is encoded, by text; what `journals` hold counts against the budget.
    """

    source: Path
    kept: Path
    rejected: Path
    decisions: Path
    work: Path
    vectors: Path | None = None
    journals: tuple[Path, ...] = ()


def refine_file(
    source: Path, output: Path, config: RunConfig, *, progress: Progress | None = None,
    open_model: OpenModel | None = None,
) -> Refined:  # fmt: skip
    """Refine the records of a JSONL file: `records`, `rejected` and `refined.jsonl` in `output`.

    Raises UserError: no records, a broken line, a model that cannot be used.
    """
    kept, rejected, decisions = (
        output / f"{name}.jsonl" for name in ("records", "rejected", "refined")
    )
    paths = Paths(source, kept, rejected, decisions, output / "refine")
    return refine(paths, config, progress=progress, open_model=open_model)


def refine(
    paths: Paths, config: RunConfig, *, progress: Progress | None = None,
    open_model: OpenModel | None = None,
) -> Refined:  # fmt: skip
    """The same with every path given; `refining.json` lies beside `paths.decisions`."""
    own = config.refine or RefineConfig()
    with ExitStack() as stack:
        records = stack.enter_context(closing(RecordFile(paths.source)))
        if not len(records):
            raise InputError(f"{paths.source}: no records", hint="trine generate, or import")
        work = _Work(records, paths, own, progress or _nothing)
        work.measure(stack)
        if own.judge is not None:
            prices = read_prices(config)
            refuse_unpriced(config, prices, own.judge.graders)
            journal = paths.work / JUDGED
            budget = open_budget(config, prices, dict.fromkeys((*paths.journals, journal)))
            judges = Judges(own.judge, _templates(config), journal, open_model, budget)
            work.judge(stack.enter_context(judges), own.judge)
        summary = work.write()
        if work.judges is not None:
            summary.stopped = work.judges.stopped
            summary.spent = _spent(work.judges, prices)
    with write_whole(paths.decisions.with_name("refining.json")) as file:
        json.dump(summary.to_dict(), file, indent=1)
    return summary


class _Found(NamedTuple):
    """A record, what the encoder says of it, and the texts of the pool that might be better."""

    record: Record
    measures: Measures | None
    findings: Findings
    candidates: list[str]


class _Work:
    """One refinement under way."""

    def __init__(
        self, records: RecordFile, paths: Paths, config: RefineConfig, tell: Progress
    ) -> None:
        self._records, self._paths, self._config, self._tell = records, paths, config, tell
        self._pool: Pool | None = None
        self._found: LineFile[Measures] | None = None
        self._measurer: Measurer | None = None
        self.judges: Judges | None = None

    def measure(self, stack: ExitStack) -> None:
        """Encode and score what is not yet; nothing without an encoder."""
        if self._config.encoder is None:
            return
        paths, config = self._paths, self._config
        pool, corpus = record_pool(self._records, paths.source, config.corpus, paths.work / "pool")
        self._pool = stack.enter_context(closing(pool))
        keys = (corpus, file_hash(paths.source))
        self._measurer = open_measurer(config, pool, keys, paths.work, self._tell, paths.vectors)
        answered = answers(self._records)
        self._found = self._measurer.measured(self._records, answered, paths.work, self._tell)

    def judge(self, judges: Judges, judge: JudgeConfig) -> None:
        """Ask for every grade that is not in the journal."""
        self.judges = judges
        asked = (self._asked(found, judge)[1] for found in self)
        self.judges.ask((a for a in asked if a.texts), len(self._records), self._tell)

    def _asked(self, found: _Found, judge: JudgeConfig) -> tuple[Question, Asked]:
        asking = question(found.findings, len(found.candidates), judge)
        return asking, Asked(found.record, asking.texts(found.record, found.candidates))

    def __iter__(self) -> Iterator[_Found]:
        measures: Iterable[Measures | None] = self._found or repeat(None)
        for record, measured in zip(self._records, measures, strict=False):
            yield _Found(record, measured, self._check(record, measured), self._rivals(measured))

    def _check(self, record: Record, measured: Measures | None) -> Findings:
        if measured is None:
            return Findings([FINE] * len(record.positives), [FINE] * len(record.negatives))
        return check(record, measured, self._config)

    def _rivals(self, measured: Measures | None) -> list[str]:
        judge = self._config.judge
        if measured is None or self._pool is None or judge is None:
            return []
        return [self._pool.text(place) for place in measured.rivals[: judge.candidates].tolist()]

    def write(self) -> Refined:
        """The records, the rejections and every decision, always from the files and the journal."""
        paths, agreements = self._paths, Agreements()
        signed = Signed(
            self._measurer.encoder.name if self._measurer else "",
            self.judges.names if self.judges else (),
        )
        summary = Refined(encoder=signed.encoder, judges=signed.judges)
        summary.texts = self._pool.searchable if self._pool else 0
        with_encoder = Agreement(1)
        with (
            write_whole(paths.kept) as kept,
            write_whole(paths.rejected) as lost,
            write_whole(paths.decisions) as log,
        ):
            for found in self:
                grades = self._grades(found, agreements, with_encoder)
                if grades is None:
                    grades, decided = Grades(), _not_judged(found.record)
                else:
                    decided = decide(found.findings, grades, self._config)
                record, measured = found.record, found.measures
                log.write(decisions_line(record, measured, grades, decided, signed) + "\n")
                _count(summary, record, decided)
                if decided.rejected:
                    lost.write(to_json(rejected(record, measured, grades, decided)) + "\n")
                    continue
                left = applied(record, measured, grades, decided, found.candidates, signed)
                kept.write(to_json(left) + "\n")
        if self.judges is not None:
            summary.agreement = _agreement(agreements, with_encoder)
        return summary

    def _grades(
        self, found: _Found, agreements: Agreements, with_encoder: Agreement
    ) -> Grades | None:
        """None where the budget ended before the judge was asked."""
        judge = self._config.judge
        if self.judges is None or judge is None:
            return Grades()
        asking, asked = self._asked(found, judge)
        given = self.judges.grades(asked)
        if given is None:
            return None
        agreements.add(given)
        grades = asking.answer(given)
        if judge.on == "all" and found.measures is not None:
            _compare(found.findings, grades, judge, with_encoder)
        return grades


def _not_judged(record: Record) -> Decided:
    """What nobody has looked at is not kept, until the cap is raised."""
    texts = (record.positives, record.negatives)
    positives, negatives = ([Decision(KEPT)] * len(items) for items in texts)
    return Decided(positives, negatives, None, "not_judged")


def _compare(findings: Findings, grades: Grades, judge: JudgeConfig, agreement: Agreement) -> None:
    """Count where encoder and judge both let a text of the record pass, or do not."""
    for place, grade in grades.positives.items():
        if grade.final is not None:
            agreement.add(not findings.positives[place], grade.final >= judge.positive_min)
    for place, grade in grades.negatives.items():
        if grade.final is not None:
            agreement.add(not findings.negatives[place], grade.final <= judge.negative_max)


def _count(summary: Refined, record: Record, decided: Decided) -> None:
    summary.records += 1
    if decided.rejected:
        summary.rejected[f"{record.family}|refine|{decided.rejected}"] += 1
    else:
        summary.kept += 1
    for side in ("positives", "negatives"):
        for decision in getattr(decided, side):
            why = f"|{decision.reason}" if decision.reason else ""
            summary.decisions[f"{side}|{decision.what}{why}"] += 1
    if decided.better is not None:
        summary.decisions["candidates|relabelled"] += 1


def _agreement(found: Agreements, with_encoder: Agreement) -> dict[str, dict[str, Any]]:
    named = {
        "judge with itself": found.itself,
        "judge with the strong one": found.strong,
        "judge with the encoder": with_encoder,
    }
    return {name: value.to_dict() for name, value in named.items() if value.count}


def _spent(judges: Judges, prices: Prices) -> dict[str, dict[str, Any]]:
    """What all answers of the judges' journal have cost, in every session."""
    spent = spent_by_model(judges.journal, prices)
    return {
        model: {name: value for name, value in asdict(row).items() if value is not None}
        for model, row in spent.items()
    }


def _templates(config: RunConfig) -> Templates:
    tasks, prompts = find_taxonomy(config)
    return Templates(prompts, load_taxonomy(tasks, prompts).languages)


def _nothing(_: str, __: int, ___: int) -> None:
    pass
