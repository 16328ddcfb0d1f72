"""The stages of a run, each from the files of the one before it to files of its own.

Every stage reads and writes `stages/` of a run's folder, streams where it can, and returns its
counts. `pipeline.py` composes them.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from generator import generation
from generator.config import DedupeConfig
from generator.dedupe import deduplicate
from generator.filters import Chain, apply
from generator.llm.base import LLM
from generator.llm.journal import Journal
from generator.llm.pool import Pool
from generator.plan import Plan
from generator.progress import Watch
from generator.recordfile import RecordFile, read_lines, write_whole
from generator.records import Draw, Record, Rejected, Task, content_id, to_json
from generator.runs import RunFolder, file_hash
from generator.writing import Outcome

ChainOf = Callable[[str], Chain]


@dataclass
class Counts:
    """How many items a stage got and passed on, and why it rejected the others, by family."""

    seen: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)

    def add(self, item: Record | Rejected) -> None:
        """Count one item that came out of the stage."""
        self.seen[item.family] += 1
        if isinstance(item, Record):
            self.passed[item.family] += 1
        else:
            self.rejected[f"{item.family}|{item.stage}|{item.reason}"] += 1

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries, for a marker."""
        return {name: dict(getattr(self, name)) for name in ("seen", "passed", "rejected")}

    @classmethod
    def from_dict(cls, counts: dict[str, Any]) -> Counts:
        """The inverse of `to_dict`."""
        return cls(**{name: Counter(value) for name, value in counts.items()})


def generate(
    plan: Plan, run: RunFolder, count: int, open_model: Callable[[], LLM], watch: Watch
) -> Counts:
    """Ask for what the journal has not answered, then write the outcome of every draw, in order.

    Writes `stages/generate.jsonl` and `tasks.jsonl`. Without a marker as long as a request stands
    unanswered, so that the same command asks again.
    """
    key = content_id(plan.writing_key(), str(count), version("trine"))
    done = run.finished("generate", key)
    if done is not None:
        return Counts.from_dict(done)
    run.unfinish("generate")
    with Journal(run.journal) as journal:
        asyncio.run(_write(plan, count, journal, open_model, watch))
        counts = _replay(plan, run, count, journal)
    if not any(name.split("|")[1] == "generate" for name in counts.rejected):
        run.finish("generate", key, counts.to_dict())
    return counts


async def _write(
    plan: Plan, count: int, journal: Journal, open_model: Callable[[], LLM], watch: Watch
) -> None:
    llm = open_model()
    try:
        pool = Pool(llm, journal)
        watch.begin("generate", count)
        watch.traffic(pool.traffic)

        def on_outcome(draw: Draw, outcome: Outcome) -> None:
            kept = isinstance(outcome, Record) and apply(plan.chains[draw.family], outcome) is None
            watch.advance(kept=kept)

        await generation.write(plan, plan.draws(count), pool, on_outcome)
    finally:
        await llm.aclose()


def _replay(plan: Plan, run: RunFolder, count: int, journal: Journal) -> Counts:
    counts = Counts()
    with _Output(run, "generate") as output, write_whole(run.tasks) as tasks:

        def on_task(task: Task) -> None:
            tasks.write(to_json(task) + "\n")

        for _, outcome in generation.replay(plan, plan.draws(count), journal, on_task):
            output.write(outcome)
            counts.add(outcome)
    return counts


def filter_records(run: RunFolder, chain_of: ChainOf, spec_key: str, watch: Watch) -> Counts:
    """Apply the rules of its family to every record: `stages/filter.jsonl`."""
    source = run.stage("generate")
    key = content_id(file_hash(source), spec_key, version("trine"))
    done = run.finished("filter", key)
    if done is not None:
        return Counts.from_dict(done)
    run.unfinish("filter")
    watch.begin("filter", None)
    counts = Counts()
    with _Output(run, "filter") as output:
        for item in filtered(read_lines(Record, source), chain_of):
            output.write(item)
            counts.add(item)
            watch.advance(kept=isinstance(item, Record))
    run.finish("filter", key, counts.to_dict())
    return counts


def filtered(
    records: Iterable[Record | Rejected], chain_of: ChainOf
) -> Iterable[Record | Rejected]:
    """Each record, or why it is rejected; what is rejected already goes by."""
    for record in records:
        if isinstance(record, Rejected):
            yield record
            continue
        reject = apply(chain_of(record.family), record)
        yield (
            record
            if reject is None
            else Rejected(
                stage="filter",
                reason=reject.reason,
                family=record.family,
                language=record.language,
                detail=reject.detail,
                record=record,
            )
        )


def dedupe_records(run: RunFolder, config: DedupeConfig, watch: Watch) -> Counts:
    """Drop duplicates of earlier records: `stages/dedupe.jsonl`, the partner beside each drop."""
    source = run.stage("filter")
    key = content_id(file_hash(source), config.model_dump_json(), version("trine"))
    done = run.finished("dedupe", key)
    if done is not None:
        return Counts.from_dict(done)
    run.unfinish("dedupe")
    watch.begin("dedupe", None)
    counts = Counts()
    with _Output(run, "dedupe") as output:
        for item in deduped(source, config):
            output.write(item)
            counts.add(item)
    run.finish("dedupe", key, counts.to_dict())
    return counts


def deduped(source: Path, config: DedupeConfig) -> Iterable[Record | Rejected]:
    """The records of a file in order, each kept or rejected for an earlier partner."""
    records = RecordFile(source)
    try:
        result = deduplicate(
            records,
            near_threshold=config.near_threshold,
            query_near_threshold=config.query_near_threshold,
        )
        dropped = {drop.index: drop for drop in result.dropped}
        for index, record in enumerate(records):
            drop = dropped.get(index)
            yield (
                record
                if drop is None
                else Rejected(
                    stage="dedupe",
                    reason=drop.reason,
                    family=record.family,
                    language=record.language,
                    record=record,
                    partner=records[drop.partner].id,
                    score=round(drop.score, 4),
                )
            )
    finally:
        records.close()


def collect(run: RunFolder) -> None:
    """`records.jsonl` and `rejected.jsonl` from the stages' files, each whole or not at all."""
    with write_whole(run.records) as kept, run.stage("dedupe").open(encoding="utf-8") as source:
        shutil.copyfileobj(source, kept)
    with write_whole(run.rejected) as rejected:
        for stage in ("generate", "filter", "dedupe"):
            with run.stage_rejected(stage).open(encoding="utf-8") as source:
                shutil.copyfileobj(source, rejected)


class _Output:
    """The two files of a stage: what it passed on and what it rejected; whole or not at all."""

    def __init__(self, run: RunFolder, stage: str) -> None:
        self._stack = ExitStack()
        self._run, self._stage = run, stage

    def __enter__(self) -> Self:
        self._passed = self._stack.enter_context(write_whole(self._run.stage(self._stage)))
        self._rejected = self._stack.enter_context(
            write_whole(self._run.stage_rejected(self._stage))
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, exc, tb)

    def write(self, item: Record | Rejected) -> None:
        (self._passed if isinstance(item, Record) else self._rejected).write(to_json(item) + "\n")
