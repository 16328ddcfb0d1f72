"""Read this first: a run, as its stages composed.

    tasks.yaml, prompts/ ─ plan ─ generate ─ filter ─ dedupe ─ (contamination, quota) ─ collect ─┐
                                                          train ─ describe ─ (refine) ─ (mine) ─┘

Every function takes a `RunConfig` and works in `config.output`; run it again to go on where it
was. The command line calls nothing else.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from math import ceil
from pathlib import Path

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
from generator.records import Record, Rejected, content_id, to_json
from generator.refineconfig import RefineConfig
from generator.refinestage import refine_run as refine_stage
from generator.refining import Refined
from generator.runs import RunFolder, open_run
from generator.shares import FIRST_GUESS, LOWEST_YIELD, next_round, with_rounds
from generator.training import Trained, train_run, train_settings


@dataclass(frozen=True)
class Summary:
    """How a run ended: draws made, and what each stage passed on and rejected.

    `later` are the stages behind deduplication, those that the run has (contamination, quota).
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
    later: Mapping[str, Counts] = field(default_factory=dict)

    @property
    def last(self) -> Counts:
        """What the last stage that drops records passed on."""
        return [self.deduped, *self.later.values()][-1]

    @property
    def kept(self) -> int:
        """How many records the run ended with."""
        return self.refined.kept if self.refined else self.last.passed.total()

    @property
    def rejected(self) -> Counter[str]:
        """Rejections by `family|stage|reason`."""
        stages = (self.generated, self.filtered, self.deduped, *self.later.values())
        refined = self.refined.rejected if self.refined else Counter[str]()
        return sum((counts.rejected for counts in stages), Counter[str]()) + refined


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
        draw = _until_kept if config.keep_shares is None else _until_shares
        summary = draw(plan, folder, open_model, watch)
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
        return stages.decide(make_plan(config), folder, watch or Silent())["dedupe"]


def describe_run(config: RunConfig) -> None:
    """Statistics, Parquet and card of a run that has been filtered. Raises UserError."""
    plan = make_plan(config)
    with open_run(config.output) as folder:
        folder.require_stage("filter")
        stages.decide(plan, folder, Silent())  # does nothing, unless filtered anew
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
        stages.decide(plan, folder, watch or Silent())
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
        stages.decide(plan, folder, watch or Silent())
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
        guess = max(ceil(keep * FIRST_GUESS), writestage.drawn(plan, folder))
        count = min(count, guess)
    while True:
        summary = _stages(plan, folder, count, open_model, watch)
        if keep is None or summary.stopped or (summary.kept < keep and count == config.count):
            return summary
        if summary.kept >= keep:
            exact = stages.draws_until(folder, config.verdicts, keep)
            return summary if exact == count else _stages(plan, folder, exact, open_model, watch)
        rate = max(summary.kept / count, LOWEST_YIELD)
        count = min(config.count, count + ceil((keep - summary.kept) / rate * 1.1))


def _until_shares(
    plan: Plan, folder: RunFolder, open_model: Callable[[], LLM], watch: Watch
) -> Summary:
    """Draw in rounds until every share of `keep` is kept; see `shares.py`."""
    config = plan.config
    keys = [stages.stage_key(plan, name) for name in config.verdicts[1:]]
    parts = (plan.writing_key(), *keys, str(config.keep), str(config.keep_shares))
    plan = with_rounds(plan, folder, content_id(*parts))
    while True:
        count = sum(1 for _ in islice(plan.slots(), config.count))
        summary = _stages(plan, folder, count, open_model, watch)
        longer = next_round(plan, folder, count)
        if summary.stopped or longer is plan or count == config.count:
            return summary
        plan = longer


def _stages(
    plan: Plan, folder: RunFolder, count: int, open_model: Callable[[], LLM], watch: Watch
) -> Summary:
    generated = writestage.generate(plan, folder, count, open_model, watch)
    filtered = stages.filter_records(plan, folder, watch)
    later = stages.decide(plan, folder, watch)
    deduped, keep = later.pop("dedupe"), plan.config.keep
    summary = Summary(
        folder=folder.path,
        drawn=generated.seen.total() if generated.stopped else count,
        generated=generated,
        filtered=filtered,
        deduped=deduped,
        notes=plan.notes,
        short=False,
        stopped=generated.stopped,
        later=later,
    )
    return replace(summary, short=keep is not None and summary.kept < keep)


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
