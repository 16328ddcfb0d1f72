"""The stages of a run after the first, each from the files of the one before to files of its own.

Every stage reads and writes `stages/` of a run's folder, streams where it can, and returns its
counts. Where its source has only grown, it goes on behind what it has. `pipeline.py` composes them.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Sequence
from importlib.metadata import version
from itertools import islice

from generator import sampling
from generator.contaminationstage import contamination_key, cut_matches, match_records
from generator.counts import Counts
from generator.dedupestage import can_shorten, dedupe_key, dedupe_records, shorten
from generator.filters import Chain
from generator.plan import Plan
from generator.progress import Watch
from generator.quotastage import quota_key, share_out
from generator.recordfile import read_lines, write_whole
from generator.records import Record, Rejected, Task, content_id, to_json
from generator.runs import RunFolder
from generator.stagefile import Output, cut, place_of, verdicts
from generator.written import filtered

ChainOf = Callable[[str], Chain]


def filters_key(plan: Plan) -> str:
    """A hash of the rules of every family of the run."""
    specs = {quota.name: plan.filter_spec(quota.name) for quota in plan.quotas}
    return content_id(repr(specs), version("trine"))


def stage_key(plan: Plan, name: str) -> str:
    """A hash of what decides the verdicts of a stage behind the first, but for its input."""
    config = plan.config
    found = {
        "filter": filters_key,
        "dedupe": lambda _: dedupe_key(config.dedupe),
        "contamination": contamination_key,
        "quota": quota_key,
    }
    return found[name](plan)


def decide(plan: Plan, run: RunFolder, watch: Watch) -> dict[str, Counts]:
    """What comes behind the filters, as far as it is not done: counts by stage, in their order."""
    counts = {"dedupe": dedupe_records(run, plan.config.dedupe, watch)}
    if plan.config.contamination is not None:
        counts["contamination"] = match_records(plan, run, watch)
    if "quota" in plan.config.verdicts:
        counts["quota"] = share_out(plan, run, watch)
    collect(run, plan.config.verdicts)
    return counts


def filter_records(plan: Plan, run: RunFolder, watch: Watch) -> Counts:
    """Apply the rules of its family to every record: `stages/filter.jsonl`."""
    key, source = filters_key(plan), run.stage("generate")
    begun = run.begun("filter", key, source)
    counts = Counts.from_dict(begun.counts) if begun else Counts()
    if begun and begun.is_all:
        return counts
    run.unfinish("filter")
    watch.begin("filter", None)
    start = begun.read_bytes if begun else 0
    with Output(run, "filter", extend=start > 0) as output:
        for item in filtered_all(read_lines(Record, source, start), plan.chains.__getitem__):
            output.add(item)
            counts.add(item)
            watch.advance(kept=isinstance(item, Record))
    run.finish("filter", key, counts.to_dict(), source)
    return counts


def filtered_all(
    records: Iterable[Record | Rejected], chain_of: ChainOf
) -> Iterable[Record | Rejected]:
    """Each record, or why it is rejected; what is rejected already goes by."""
    for record in records:
        if isinstance(record, Record):
            yield filtered(record, chain_of(record.family))
        else:
            yield record


def draws_until(run: RunFolder, verdict_stages: Sequence[str], keep: int) -> int:
    """How many draws it took to end with `keep` records."""
    place = keep
    for stage in reversed(verdict_stages):
        place = place_of(verdicts(run, stage), place)
    return place


def cut_run(plan: Plan, run: RunFolder, count: int, counts: Counts, key: str) -> None:
    """Leave the first draws alone, in the files of every stage that is up to date.

    The first stage must be, with these counts and this key; `counts` are put right.
    """
    first, *later = plan.config.verdicts
    dedupe = plan.config.dedupe
    keys = {name: stage_key(plan, name) for name in later}
    sources = dict(zip(later, map(run.stage, (first, *later)), strict=False))
    begun = {name: run.begun(name, keys[name], sources[name]) for name in later}
    if not can_shorten(run, dedupe):
        begun["dedupe"] = None
    for name in plan.config.verdicts:
        run.unfinish(name)
    passed = cut(run, "generate", count, counts)
    _cut_tasks(plan, run, count)
    run.finish("generate", key, counts.to_dict())
    for name, done in begun.items():
        if done is None or not done.is_all:
            break
        left = Counts.from_dict(done.counts)
        if name == "dedupe":
            shorten(run, dedupe, passed)
        elif name == "contamination":
            cut_matches(run, passed)
        passed = cut(run, name, passed, left)
        run.finish(name, keys[name], left.to_dict(), sources[name])


def _cut_tasks(plan: Plan, run: RunFolder, count: int) -> None:
    """Leave the tasks of those brainstorming calls that the first draws need."""
    slots = islice(plan.slots(), count)
    needed = {sampling.call_id(slot) for slot in slots}
    tasks = list(read_lines(Task, run.tasks))
    with write_whole(run.tasks) as file:
        for task in tasks:
            if task.draw in needed:
                file.write(to_json(task) + "\n")


def collect(run: RunFolder, verdict_stages: Sequence[str]) -> None:
    """`records.jsonl` and `rejected.jsonl` from the stages' files, each whole or not at all."""
    last = run.stage(verdict_stages[-1])
    with write_whole(run.records) as kept, last.open(encoding="utf-8") as source:
        shutil.copyfileobj(source, kept)
    with write_whole(run.rejected) as rejected:
        for stage in verdict_stages:
            with run.stage_rejected(stage).open(encoding="utf-8") as source:
                shutil.copyfileobj(source, rejected)
