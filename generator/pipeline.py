"""Read this first: a run, as its stages composed.

    tasks.yaml, prompts/ ─ plan ─ generate ─ filter ─ dedupe ─ collect ─ mine ─ refine ─┬─ describe
                                                                                       └─ train

Every function takes a `RunConfig` and works in `config.output`; run it again to go on where it
was. The command line calls nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial
from math import ceil
from pathlib import Path

from generator import stages, writestage
from generator.config import RunConfig
from generator.counts import Counts
from generator.dedupestage import dedupe_records, dedupe_records_of
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
from generator.refinestage import refine_run as refine_stage
from generator.refining import Refined
from generator.runs import RunFolder, open_run
from generator.training import Trained, train_run, train_settings

# A run that is to end with `keep` records draws this many times more at first.
_FIRST_GUESS = 1.3
_LOWEST_YIELD = 0.02


@dataclass(frozen=True)
class Summary:
    """How a run ended: draws made, and what each stage passed on and rejected.

    `short` is true where fewer records were kept than asked for with `keep`; `stopped` says why not
    all draws were made (the budget), if so. `trained` is the embedder of a run that has a `train`
    section, None where it has none or the budget stopped it; `refined` the same of `refine`.
    """

    folder: Path
    drawn: int
    generated: Counts
    filtered: Counts
    deduped: Counts
    notes: tuple[str, ...]
    short: bool
    stopped: str = ""
    trained: Trained | None = None
    refined: Refined | None = None

    @property
    def kept(self) -> int:
        """How many records the run ended with."""
        return self.refined.kept if self.refined else self.deduped.passed.total()

    @property
    def rejected(self) -> Counter[str]:
        """Rejections by `family|stage|reason`."""
        refined = self.refined.rejected if self.refined else Counter[str]()
        return self.generated.rejected + self.filtered.rejected + self.deduped.rejected + refined


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
        folder.write_manifest(manifest(plan))
        summary = _until_kept(plan, folder, open_model, watch)
        mine_stage(folder, config, watch)
        summary = replace(summary, refined=refine_stage(folder, config, watch))
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
        counts = dedupe_records(folder, config.dedupe, watch or Silent())
        stages.collect(folder)
        return counts


def describe_run(config: RunConfig) -> None:
    """Statistics, Parquet and card of a run that has been filtered. Raises UserError."""
    plan = make_plan(config)
    with open_run(config.output) as folder:
        folder.require_stage("filter")
        dedupe_records(folder, config.dedupe, Silent())  # does nothing, unless filtered anew
        stages.collect(folder)
        mine_stage(folder, config, Silent())
        refine_stage(folder, config, Silent())
        describe(plan, folder, folder.drawn())


def mine_run(config: RunConfig, *, watch: Watch | None = None) -> Mined:
    """Mine for the records of a run, then statistics and data set anew. Raises UserError."""
    config = config.model_copy(update={"mine": config.mine or MineConfig()})
    plan = make_plan(config)
    with open_run(config.output) as folder:
        folder.require_stage("dedupe")
        folder.write_manifest(manifest(plan))
        stages.collect(folder)
        mined = mine_stage(folder, config, watch or Silent())
        if mined is None:
            raise InputError(f"{folder.path}: kept no record to mine for", hint="raise count: -n")
        refine_stage(folder, config, watch or Silent())
        describe(plan, folder, folder.drawn())
        return mined


def refine_run(config: RunConfig, *, watch: Watch | None = None) -> Refined:
    """Check a run's records by meaning, then statistics and data set anew. Raises UserError."""
    config = config.model_copy(update={"refine": config.refine or RefineConfig()})
    plan = make_plan(config)
    with open_run(config.output) as folder:
        folder.require_stage("dedupe")
        folder.write_manifest(manifest(plan))
        stages.collect(folder)
        mine_stage(folder, config, watch or Silent())
        refined = refine_stage(folder, config, watch or Silent())
        if refined is None:
            raise InputError(f"{folder.path}: kept no record to refine", hint="raise count: -n")
        describe(plan, folder, folder.drawn())
        return refined


def filter_file(source: Path, output: Path, config: RunConfig) -> Counts:
    """Filter a file of records: `records.jsonl` and `rejected.jsonl` in `output`."""
    plan = make_plan(config)
    items = stages.filtered_all(
        read_records(source), lambda family: compile_rules(plan.filter_spec(family))
    )
    return write_both(items, output)


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


def _until_kept(
    plan: Plan, folder: RunFolder, open_model: Callable[[], LLM], watch: Watch
) -> Summary:
    """Draw until `keep` records are kept; the result is the shortest prefix that reaches it."""
    config = plan.config
    count, keep = config.count, config.keep
    if keep is not None:
        guess = max(ceil(keep * _FIRST_GUESS), writestage.drawn(plan, folder))
        count = min(count, guess)
    while True:
        summary = _stages(plan, folder, count, open_model, watch)
        if keep is None or summary.stopped or (summary.kept < keep and count == config.count):
            return summary
        if summary.kept >= keep:
            exact = stages.draws_until(folder, keep)
            return summary if exact == count else _stages(plan, folder, exact, open_model, watch)
        rate = max(summary.kept / count, _LOWEST_YIELD)
        count = min(config.count, count + ceil((keep - summary.kept) / rate * 1.1))


def _stages(
    plan: Plan, folder: RunFolder, count: int, open_model: Callable[[], LLM], watch: Watch
) -> Summary:
    generated = writestage.generate(plan, folder, count, open_model, watch)
    filtered = stages.filter_records(plan, folder, watch)
    deduped = dedupe_records(folder, plan.config.dedupe, watch)
    stages.collect(folder)
    kept, keep = deduped.passed.total(), plan.config.keep
    return Summary(
        folder=folder.path,
        drawn=generated.seen.total() if generated.stopped else count,
        generated=generated,
        filtered=filtered,
        deduped=deduped,
        notes=plan.notes,
        short=keep is not None and kept < keep,
        stopped=generated.stopped,
    )


def write_both(items: Iterable[Record | Rejected], output: Path) -> Counts:
    """Write what is kept and what is not: `records.jsonl` and `rejected.jsonl` in `output`."""
    counts = Counts()
    with (
        write_whole(output / "records.jsonl") as kept,
        write_whole(output / "rejected.jsonl") as rejected,
    ):
        for item in items:
            (kept if isinstance(item, Record) else rejected).write(to_json(item) + "\n")
            counts.add(item)
    return counts
