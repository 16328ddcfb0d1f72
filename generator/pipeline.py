"""Read this first: a run, as its stages composed.

    tasks.yaml, prompts/ ─ plan ─ generate ─ filter ─ dedupe ─ (contamination, quota) ─ collect ─┐
                                                          train ─ describe ─ (refine) ─ (mine) ─┘

From generate to refine in rounds, until `keep` records are left (`rounds.py`). Every function takes
a `RunConfig` and works in `config.output`; run it again to go on where it was. The command line
calls nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from generator import stages, writestage
from generator.config import RunConfig
from generator.counts import Counts
from generator.dedupestage import dedupe_records_of
from generator.describe import describe
from generator.errors import InputError
from generator.filters import compile_rules
from generator.llm.backends import open_models
from generator.llm.base import LLM
from generator.mineconfig import MineConfig
from generator.minestage import mine_run as mine_stage
from generator.mining import Mined
from generator.plan import Plan, make_plan
from generator.progress import Silent, Watch
from generator.recordfile import read_records, write_whole
from generator.records import Record, Rejected, to_json
from generator.refineconfig import RefineConfig
from generator.refined import Refined
from generator.refinestage import refine_run as refine_stage
from generator.replaced import tell_replaced
from generator.rounds import Work, draw
from generator.runs import RunFolder, open_run
from generator.summary import Summary
from generator.training import train_run, train_settings


def run(
    config: RunConfig, *, watch: Watch | None = None, open_model: Callable[[], LLM] | None = None
) -> Summary:
    """The main job: from a configuration to a data set, and an embedder, in `config.output`.

    `open_model` gives the LLM (the configured back end when None). Raises UserError.
    """
    watch = watch or Silent()
    plan, settings = make_plan(config, watch), train_settings(config)
    for note in plan.notes:
        watch.note(note)
    open_model = open_model or partial(open_models, config.llm, config.output)
    with open_run(config.output) as folder:
        tell_replaced(config, folder, watch)
        folder.write_manifest(manifest(plan))
        summary = draw(plan, Work(folder, open_model, watch))
        describe(plan, folder, summary.drawn)
        if settings is not None and not summary.stopped:
            trained = train_run(folder, config, settings, watch)
            summary = replace(summary, trained=trained)
    return summary


def generate(
    config: RunConfig, *, watch: Watch | None = None, open_model: Callable[[], LLM] | None = None
) -> Counts:
    """The first stage of a run alone: draws, requests, replies. Raises UserError."""
    plan = make_plan(config)
    open_model = open_model or partial(open_models, config.llm, config.output)
    with open_run(config.output) as folder:
        folder.write_manifest(manifest(plan))
        count = plan.config.count
        return writestage.generate(plan, folder, count, open_model, watch or Silent())


def filter_run(config: RunConfig, *, watch: Watch | None = None) -> Counts:
    """The filter stage of a run that has been generated. Raises UserError."""
    plan = make_plan(config)
    with open_run(config.output) as folder:
        folder.require_stage("generate")
        return stages.filter_records(plan, folder, watch or Silent())


def dedupe_run(config: RunConfig, *, watch: Watch | None = None) -> Counts:
    """The dedupe stage of a run that has been filtered. Raises UserError."""
    with open_run(config.output) as folder:
        folder.require_stage("filter")
        return stages.decide(make_plan(config), folder, watch or Silent())["dedupe"]


def describe_run(config: RunConfig, *, watch: Watch | None = None) -> Mapping[str, Any]:
    """Statistics, Parquet and card of a run that has been filtered; returns the statistics.

    Raises UserError.
    """
    plan, watch = make_plan(config), watch or Silent()
    with open_run(config.output) as folder:
        folder.require_stage("filter")
        stages.decide(plan, folder, watch)  # does nothing, unless filtered anew
        mine_stage(folder, plan, watch)
        refine_stage(folder, plan, watch)
        return describe(plan, folder, folder.drawn())


@contextmanager
def _decided(plan: Plan, watch: Watch) -> Iterator[RunFolder]:
    """The open folder of a run that was deduplicated, under this plan and up to mining."""
    with open_run(plan.config.output) as folder:
        folder.require_stage("dedupe")
        folder.write_manifest(manifest(plan))
        stages.decide(plan, folder, watch)
        yield folder


def mine_run(config: RunConfig, *, watch: Watch | None = None) -> Mined:
    """Mine for the records of a run, then statistics and data set anew. Raises UserError."""
    config = config.model_copy(update={"mine": config.mine or MineConfig()})
    plan, watch = make_plan(config), watch or Silent()
    with _decided(plan, watch) as folder:
        mined = mine_stage(folder, plan, watch)
        if mined is None:
            raise InputError(f"{folder.path}: kept no record to mine for", hint="raise count: -n")
        refine_stage(folder, plan, watch)
        describe(plan, folder, folder.drawn())
        return mined


def refine_run(config: RunConfig, *, watch: Watch | None = None) -> Refined:
    """Check a run's records by meaning, then statistics and data set anew. Raises UserError."""
    config = config.model_copy(update={"refine": config.refine or RefineConfig()})
    plan, watch = make_plan(config), watch or Silent()
    with _decided(plan, watch) as folder:
        mined = mine_stage(folder, plan, watch)
        refined = refine_stage(folder, plan, watch)
        if refined is None:
            raise InputError(f"{folder.path}: kept no record to refine", hint="raise count: -n")
        describe(plan, folder, folder.drawn())
        return replace(refined, stopped=refined.stopped or (mined.stopped if mined else ""))


def filter_file(
    source: Path, output: Path, config: RunConfig, *, watch: Watch | None = None
) -> Counts:
    """Filter a file of records: `records.jsonl` and `rejected.jsonl` in `output`."""
    plan = make_plan(config)
    items = stages.filtered_all(
        read_records(source), lambda family: compile_rules(plan.filter_spec(family))
    )
    return write_both(items, output, watch=watch)


def dedupe_file(
    source: Path, output: Path, config: RunConfig, *, watch: Watch | None = None
) -> Counts:
    """Deduplicate a file of records: `records.jsonl` and `rejected.jsonl` in `output`."""
    return write_both(dedupe_records_of(source, config.dedupe, output, watch or Silent()), output)


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


def write_both(
    items: Iterable[Record | Rejected], output: Path, *, watch: Watch | None = None
) -> Counts:
    """Write what is kept and what is not: `records.jsonl` and `rejected.jsonl` in `output`."""
    counts, watch = Counts(), watch or Silent()
    with (
        write_whole(output / "records.jsonl") as kept,
        write_whole(output / "rejected.jsonl") as rejected,
    ):
        for item in items:
            (kept if isinstance(item, Record) else rejected).write(to_json(item) + "\n")
            counts.add(item)
            watch.advance(kept=isinstance(item, Record))
    return counts
