"""The stage of a run that compares its records with evaluation sets, and drops what they hold.

stages/dedupe.jsonl → stages/contamination.jsonl, contamination.matches.jsonl
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from generator.contamination import (
    Checks,
    EvalIndex,
    Report,
    build_index,
    check,
    eval_texts,
    from_line,
    rejected,
    sets_key,
    to_line,
)
from generator.contamination.report import Line
from generator.contaminationconfig import ContaminationConfig
from generator.counts import Counts
from generator.plan import Plan
from generator.progress import Watch
from generator.recordfile import read_lines, write_whole
from generator.records import Record, Rejected, content_id
from generator.runs import RunFolder
from generator.stagefile import Output

NAME = "contamination"


def contamination_key(plan: Plan) -> str:
    """A hash of the evaluation sets and of what counts as a match."""
    config = plan.config.contamination
    return (
        content_id(config.model_dump_json(), sets_key(config.sets), version("trine"))
        if config
        else ""
    )


def match_records(plan: Plan, run: RunFolder, watch: Watch) -> Counts:
    """Compare every record; those that match are dropped where the configuration says so."""
    config = plan.config.contamination
    assert config is not None  # noqa: S101 - the stage is one of the run's
    key, source = contamination_key(plan), run.stage("dedupe")
    begun = run.begun(NAME, key, source)
    counts = Counts.from_dict(begun.counts) if begun else Counts()
    if begun and begun.is_all:
        return counts
    run.unfinish(NAME)
    watch.begin(NAME, None)
    start = begun.read_bytes if begun else 0
    with ExitStack() as stack:
        index = stack.enter_context(closing(open_index(config, watch)))
        output = stack.enter_context(Output(run, NAME, extend=start > 0))
        log = stack.enter_context(write_whole(matches_file(run), extend=start > 0))
        records = read_lines(Record, source, start)
        for item, line in compared(records, index, config, first=counts.seen.total()):
            output.add(item)
            counts.add(item)
            watch.advance(kept=isinstance(item, Record))
            log.write(to_line(line) + "\n" if line.found else "")
    counts.texts = dict(index.sets)
    run.finish(NAME, key, counts.to_dict(), source)
    return counts


def open_index(config: ContaminationConfig, watch: Watch) -> EvalIndex:
    """The texts of the configured sets. Raises InputError."""

    def tell(name: str, texts: int) -> None:
        watch.status(f"{name}: {texts:,} texts")

    checks = Checks(config.min_words, config.one_word, config.ngram_words, config.near_threshold)
    return build_index(eval_texts(config.sets, passages=config.passages, tell=tell), checks)


def compared(
    records: Iterable[Record], index: EvalIndex, config: ContaminationConfig, first: int = 0
) -> Iterator[tuple[Record | Rejected, Line]]:
    """Each record, or why it goes, with what was found; `first` is the number of the first."""
    for number, (record, found) in enumerate(check(records, index), start=first):
        is_dropped = config.remove and found
        item = rejected(record, found) if is_dropped else record
        yield item, Line(number, record.id, found)


def matches_file(run: RunFolder) -> Path:
    """What was found of each record that matches, dropped or not."""
    return run.path / "stages" / f"{NAME}.matches.jsonl"


def cut_matches(run: RunFolder, records: int) -> None:
    """Leave the matches of the first records alone."""
    lines = matches_file(run).read_text(encoding="utf-8").splitlines(keepends=True)
    with write_whole(matches_file(run)) as file:
        file.writelines(line for line in lines if from_line(line).item < records)


def report(run: RunFolder) -> dict[str, Any] | None:
    """What the stage of a run has found, by evaluation set; None where it has none."""
    done = run.marked(NAME)
    if done is None or not matches_file(run).is_file():
        return None
    counts = Counts.from_dict(done)
    found = Report(counts.texts)
    found.records = counts.seen.total()
    with matches_file(run).open(encoding="utf-8") as file:
        for text in file:
            found.add(from_line(text))
    return {**found.to_dict(), "dropped": counts.rejected.total()}
