"""Read this first: a run, as its stages composed.

    tasks.yaml, prompts/ ─ make_plan ─ generate ─ filter ─ dedupe ─ collect ─ describe

Every function takes a `RunConfig` and works in `config.output`; run it again to go on where it
was. The command line calls nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from math import ceil
from pathlib import Path

from generator import stages
from generator.config import RunConfig
from generator.describe import describe
from generator.filters import compile_rules
from generator.llm.backends import open_llm
from generator.llm.base import LLM
from generator.plan import Plan, make_plan
from generator.progress import Silent, Watch
from generator.recordfile import RecordFile, read_records, write_whole
from generator.records import Record, Rejected, content_id, to_json
from generator.runs import RunFolder, open_run
from generator.stages import Counts

# A run that is to end with `keep` records draws this many times more at first.
_FIRST_GUESS = 1.3
_LOWEST_YIELD = 0.02


@dataclass(frozen=True)
class Summary:
    """How a run ended: draws made, and what each stage passed on and rejected.

    `short` is true where fewer records were kept than asked for with `keep`.
    """

    folder: Path
    drawn: int
    generated: Counts
    filtered: Counts
    deduped: Counts
    notes: tuple[str, ...]
    short: bool

    @property
    def kept(self) -> int:
        """How many records the run ended with."""
        return self.deduped.passed.total()

    @property
    def rejected(self) -> Counter[str]:
        """Rejections by `family|stage|reason`."""
        return self.generated.rejected + self.filtered.rejected + self.deduped.rejected


def run(
    config: RunConfig, *, watch: Watch | None = None, open_model: Callable[[], LLM] | None = None
) -> Summary:
    """The main job: from a configuration to a data set in `config.output`.

    `open_model` gives the LLM (the configured back end when None). Raises UserError.
    """
    watch = watch or Silent()
    plan = make_plan(config)
    for note in plan.notes:
        watch.note(note)
    open_model = open_model or partial(open_llm, config.llm)
    with open_run(config.output) as folder:
        folder.write_manifest(manifest(plan))
        summary = _until_kept(plan, folder, open_model, watch)
        describe(plan, folder, summary.drawn)
    return summary


def generate(
    config: RunConfig, *, watch: Watch | None = None, open_model: Callable[[], LLM] | None = None
) -> Counts:
    """The first stage of a run alone: draws, requests, replies. Raises UserError."""
    plan = make_plan(config)
    open_model = open_model or partial(open_llm, config.llm)
    with open_run(config.output) as folder:
        folder.write_manifest(manifest(plan))
        return stages.generate(plan, folder, config.count, open_model, watch or Silent())


def filter_run(config: RunConfig, *, watch: Watch | None = None) -> Counts:
    """The filter stage of a run that has been generated. Raises UserError."""
    plan = make_plan(config)
    with open_run(config.output) as folder:
        folder.require_stage("generate")
        return _filter(plan, folder, watch or Silent())


def dedupe_run(config: RunConfig, *, watch: Watch | None = None) -> Counts:
    """The dedupe stage of a run that has been filtered. Raises UserError."""
    with open_run(config.output) as folder:
        folder.require_stage("filter")
        counts = stages.dedupe_records(folder, config.dedupe, watch or Silent())
        stages.collect(folder)
        return counts


def describe_run(config: RunConfig) -> None:
    """Statistics, Parquet and card of a run that has been filtered. Raises UserError."""
    plan = make_plan(config)
    with open_run(config.output) as folder:
        folder.require_stage("filter")
        stages.dedupe_records(
            folder, config.dedupe, Silent()
        )  # nothing to do, unless filtered anew
        stages.collect(folder)
        describe(plan, folder, folder.drawn())


def filter_file(source: Path, output: Path, config: RunConfig) -> Counts:
    """Filter a file of records: `records.jsonl` and `rejected.jsonl` in `output`."""
    plan = make_plan(config)
    items = stages.filtered(
        read_records(source), lambda family: compile_rules(plan.filter_spec(family))
    )
    return _write_both(items, output)


def dedupe_file(source: Path, output: Path, config: RunConfig) -> Counts:
    """Deduplicate a file of records: `records.jsonl` and `rejected.jsonl` in `output`."""
    return _write_both(stages.deduped(source, config.dedupe), output)


def manifest(plan: Plan) -> dict[str, object]:
    """What `run.yaml` holds: nothing that differs between two runs of the same draws."""
    from importlib.metadata import version  # noqa: PLC0415

    return {
        "trine": version("trine"),
        "config": plan.config.model_dump(mode="json", exclude={"output"}),
        "taxonomy": str(plan.tasks_path),
        "forms": {quota.name: f"{quota.form}@{quota.family.version}" for quota in plan.quotas},
        "templates": plan.template_hashes(),
    }


def _until_kept(
    plan: Plan, folder: RunFolder, open_model: Callable[[], LLM], watch: Watch
) -> Summary:
    """Draw until `keep` records are kept; the result is the shortest prefix that reaches it."""
    config = plan.config
    count, keep = config.count, config.keep
    if keep is not None:
        count = min(count, ceil(keep * _FIRST_GUESS))
    while True:
        summary = _stages(plan, folder, count, open_model, watch)
        if keep is None or (summary.kept < keep and count == config.count):
            return summary
        if summary.kept >= keep:
            exact = _draws_until(plan, folder, keep)
            return summary if exact == count else _stages(plan, folder, exact, open_model, watch)
        rate = max(summary.kept / count, _LOWEST_YIELD)
        count = min(config.count, count + ceil((keep - summary.kept) / rate * 1.1))


def _stages(
    plan: Plan, folder: RunFolder, count: int, open_model: Callable[[], LLM], watch: Watch
) -> Summary:
    generated = stages.generate(plan, folder, count, open_model, watch)
    filtered = _filter(plan, folder, watch)
    deduped = stages.dedupe_records(folder, plan.config.dedupe, watch)
    stages.collect(folder)
    kept, keep = deduped.passed.total(), plan.config.keep
    return Summary(
        folder=folder.path,
        drawn=count,
        generated=generated,
        filtered=filtered,
        deduped=deduped,
        notes=plan.notes,
        short=keep is not None and kept < keep,
    )


def _filter(plan: Plan, folder: RunFolder, watch: Watch) -> Counts:
    specs = {quota.name: plan.filter_spec(quota.name) for quota in plan.quotas}
    return stages.filter_records(folder, plan.chains.__getitem__, content_id(repr(specs)), watch)


def _draws_until(plan: Plan, folder: RunFolder, keep: int) -> int:
    """How many draws it took to keep `keep` records."""
    from generator.records import draw_to_json  # noqa: PLC0415

    records = RecordFile(folder.records)
    last = records[keep - 1].provenance.draw
    records.close()
    for number, draw in enumerate(plan.draws(), start=1):
        if draw_to_json(draw) == last:
            return number
    raise AssertionError(last)  # every record comes from a draw of the plan


def _write_both(items: Iterable[Record | Rejected], output: Path) -> Counts:
    counts = Counts()
    with (
        write_whole(output / "records.jsonl") as kept,
        write_whole(output / "rejected.jsonl") as rejected,
    ):
        for item in items:
            (kept if isinstance(item, Record) else rejected).write(to_json(item) + "\n")
            counts.add(item)
    return counts
