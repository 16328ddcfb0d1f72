"""A run's records → its statistics, its data set folder and its card.

Replaces `stats.json` and `dataset/`. Reads the run's files alone: no model, no network.
"""

from __future__ import annotations

import json
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from importlib.metadata import version
from typing import Any

from generator import sampling
from generator.attempts import Attempts, attempts
from generator.card import RunFacts, card
from generator.contaminationstage import matches_file, report
from generator.dataset.split import split
from generator.dataset.write import write_dataset
from generator.datasetconfig import DiversityConfig
from generator.diversity import Diversity, Encode
from generator.drawn import DrawnValues
from generator.encoders import Vectors, embed, load
from generator.families import Axis
from generator.llm.journal import Journal
from generator.plan import Plan
from generator.recordfile import read_lines, write_whole
from generator.records import Record, Rejected, content_id
from generator.runs import RunFolder, file_hash
from generator.spending import Spent, spent_by_model, spent_in
from generator.statistics import statistics


def describe(plan: Plan, run: RunFolder, drawn: int) -> Mapping[str, Any]:
    """Write statistics, Parquet, JSONL and card; returns the statistics.

    Nothing is written again when neither the records nor the configuration has changed. A run
    that kept no record has statistics and no data set.
    """
    judged = judge_usage(plan, run)
    key = content_id(
        file_hash(run.records),
        file_hash(run.rejected),
        plan.config.model_dump_json(exclude={"output", "train", "searches"}),
        repr(plan.prices.table),
        file_hash(matches_file(run)) if matches_file(run).is_file() else "",
        repr(judged),
        version("trine"),
    )
    if run.finished("describe", key) is not None and run.stats.is_file():
        known: Mapping[str, Any] = json.loads(run.stats.read_text(encoding="utf-8"))
        return known
    run.unfinish("describe")
    spent, asked = usage(plan, run), asked_by(plan, run)
    stats = statistics(
        read_lines(Record, run.records),
        read_lines(Rejected, run.rejected),
        total((spent, judged), priced=plan.prices.table),
        model_usage=spent,
        judge_usage=judged,
        asked=asked,
        drawn=drawn,
        diversity=diversity_of(plan),
        writer_of=lambda draw: plan.writer_of(draw).model if draw else None,
    )
    found = contamination(plan, run)
    stats |= {"contamination": found} if found else {}
    with write_whole(run.stats) as file:
        json.dump(stats, file, ensure_ascii=False, indent=1)
    if stats["records"]:
        config = plan.config
        sides = split(run.records, test_fraction=config.dataset.test_fraction, seed=config.seed)
        readme = partial(card, stats, run_facts(plan, run))
        write_dataset(run.records, run.dataset, split=sides, readme=readme)
    run.finish("describe", key, {"drawn": drawn, "records": file_hash(run.records)})
    return stats


def is_outdated(run: RunFolder) -> bool:
    """Whether the records have changed since the statistics were made."""
    if run.records.stat().st_mtime <= run.stats.stat().st_mtime:
        return False
    described = run.marked("describe") or {}  # the same records may have been written again
    return described.get("records") != file_hash(run.records)


def diversity_of(plan: Plan) -> Diversity:
    """What counts the axes of a run, and compares queries with the encoder that it names."""
    drawn, config = DrawnValues(plan), plan.config.diversity
    languages = {q.name: sampling.language_keys(q.family, plan.languages) for q in plan.quotas}
    by_family = {
        name: Axis(values=tuple(keys), weights=tuple(keys.values()))
        for name, keys in languages.items()
        if len(keys) > 1
    }
    axes = {**drawn.axes, **({"language": by_family} if by_family else {})}
    encode = None if config.encoder is None else encoder_of(config)
    return Diversity(axes, drawn.of, encode, config.encoder or "", config.sample)


def encoder_of(config: DiversityConfig) -> Encode:
    """Encodes texts as queries without an instruction; the model is loaded when it is used."""

    def encode(texts: Sequence[str]) -> Vectors:
        return embed(load(config.encoder or "", base_url=config.base_url), texts, "query", "")

    return encode


def compared_queries(run: RunFolder, config: DiversityConfig) -> dict[str, Any]:
    """How alike a sample of the run's queries is, by n-grams and by the encoder."""
    found = Diversity(
        encode=encoder_of(config), encoder=config.encoder or "", compared=config.sample
    )
    for record in read_lines(Record, run.records):
        found.add(record)
    likeness: dict[str, Any] = found.to_dict()["queries"]
    return likeness


def asked_by(plan: Plan, run: RunFolder) -> Attempts:
    """Attempts, tokens and cost by family, language and model."""
    if not run.journal.is_file():
        return {}
    with Journal(run.journal) as journal:
        return attempts(plan, journal)


def contamination(plan: Plan, run: RunFolder) -> dict[str, Any] | None:
    """What the run's comparison with evaluation sets has found, or None; writes the whole report.

    Test texts stay in `contamination.json`: statistics and card tell how many there were.
    """
    found = report(run) if plan.config.contamination else None
    if found is None:
        return None
    with write_whole(run.path / "contamination.json") as file:
        json.dump(found, file, ensure_ascii=False, indent=1)
    sets = found["sets"].items()
    told = {name: {k: v for k, v in row.items() if k != "examples"} for name, row in sets}
    return {**found, "sets": told}


def usage(plan: Plan, run: RunFolder) -> dict[str, dict[str, float]]:
    """Requests, tokens and cost of all that the run's journal has answered, by model."""
    if not run.journal.is_file():
        return {}
    with Journal(run.journal) as journal:
        spent = spent_by_model(journal, plan.prices)
    return {model: _row(row) for model, row in spent.items()}


def judge_usage(plan: Plan, run: RunFolder) -> dict[str, dict[str, float]]:
    """The same of the judges of mining and of refinement."""
    return {model: _row(row) for model, row in spent_in(run.judged, plan.prices).items()}


def _row(spent: Spent) -> dict[str, float]:
    counts = asdict(spent)
    cost = counts.pop("cost_usd")
    row = {"requests": counts.pop("answers")}
    row |= {name: n for name, n in counts.items() if n or not name.startswith(("cached", "reas"))}
    return row | ({"cost_usd": round(cost, 6)} if cost else {})


def total(
    usages: Sequence[Mapping[str, Mapping[str, float]]], *, priced: Container[str]
) -> dict[str, float]:
    """The sum over models; without a cost where one of them is not `priced`."""
    rows = [row for usage in usages for row in usage.values()]
    names = dict.fromkeys(name for row in rows for name in row)
    found = {name: sum(row.get(name, 0) for row in rows) for name in names}
    if not all(model in priced for usage in usages for model in usage):
        found.pop("cost_usd", None)
    return found


def run_facts(plan: Plan, run: RunFolder) -> RunFacts:
    """What the card says of how the data was made."""
    config = plan.config
    return RunFacts(
        name=run.path.name,
        version=version("trine"),
        seed=config.seed,
        models=config.llm.models,
        parameters=dict(_sampling(plan)),
        templates=plan.template_hashes(),
        families={quota.name: quota.family.description for quota in plan.quotas},
        license=config.dataset.license,
    )


def _sampling(plan: Plan) -> Iterator[tuple[str, str | float]]:
    """The models' sampling parameters, then those of each step that has its own."""
    names = ("temperature", "top_p", "max_tokens", "stop")
    writers = plan.config.llm.everyone
    for writer in writers:
        place = f"{writer.model}, " if len(writers) > 1 else ""
        yield from ((place + name, getattr(writer, name)) for name in names[:3])
    for quota in plan.quotas:
        form = quota.family.forms[quota.form]
        steps = {"brainstorm": form.brainstorm} if form.brainstorm else {}
        for step_name, step in {**steps, **form.steps}.items():
            own = {name: getattr(step, name) for name in names}
            told = [f"{name} {_said(value)}" for name, value in own.items() if value is not None]
            if told:
                yield f"{quota.name}, {step_name}", ", ".join(told)


def _said(value: float | tuple[str, ...]) -> str:
    return " ".join(map(repr, value)) if isinstance(value, tuple) else f"{value:g}"
