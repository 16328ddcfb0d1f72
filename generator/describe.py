"""A run's records → its statistics, its data set folder and its card.

Replaces `stats.json` and `dataset/`. Reads the run's files alone: no model, no network.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from functools import partial
from importlib.metadata import version
from typing import Any

from generator.card import RunFacts, card
from generator.dataset.split import split
from generator.dataset.write import write_dataset
from generator.llm.journal import Journal
from generator.plan import Plan
from generator.recordfile import read_lines, write_whole
from generator.records import Record, Rejected, content_id
from generator.runs import RunFolder, file_hash
from generator.statistics import statistics


def describe(plan: Plan, run: RunFolder, drawn: int) -> Mapping[str, Any]:
    """Write statistics, Parquet, JSONL and card; returns the statistics.

    Nothing is written again when neither the records nor the configuration has changed. A run
    that kept no record has statistics and no data set.
    """
    key = content_id(
        file_hash(run.records),
        file_hash(run.rejected),
        plan.config.model_dump_json(exclude={"output"}),
        version("trine"),
    )
    if run.finished("describe", key) is not None and run.stats.is_file():
        found: Mapping[str, Any] = json.loads(run.stats.read_text(encoding="utf-8"))
        return found
    run.unfinish("describe")
    stats = statistics(
        read_lines(Record, run.records), read_lines(Rejected, run.rejected), usage(plan, run)
    )
    with write_whole(run.stats) as file:
        json.dump(stats, file, ensure_ascii=False, indent=1)
    if stats["records"]:
        config = plan.config
        sides = split(run.records, test_fraction=config.dataset.test_fraction, seed=config.seed)
        readme = partial(card, stats, run_facts(plan, run))
        write_dataset(run.records, run.dataset, split=sides, readme=readme)
    run.finish("describe", key, {"drawn": drawn})
    return stats


def usage(plan: Plan, run: RunFolder) -> dict[str, float]:
    """Requests, tokens and cost of all that the run's journal has answered."""
    if not run.journal.is_file():
        return {}
    with Journal(run.journal) as journal:
        models = journal.usage().values()
    prompt_tokens = sum(usage.prompt_tokens for usage in models)
    completion_tokens = sum(usage.completion_tokens for usage in models)
    llm = plan.config.llm
    cost = (
        prompt_tokens * llm.input_usd_per_million + completion_tokens * llm.output_usd_per_million
    ) / 1e6
    return {
        "requests": sum(usage.requests for usage in models),
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        **({"cost_usd": round(cost, 4)} if cost else {}),
    }


def run_facts(plan: Plan, run: RunFolder) -> RunFacts:
    """What the card says of how the data was made."""
    config = plan.config
    return RunFacts(
        name=run.path.name,
        version=version("trine"),
        seed=config.seed,
        models=(config.llm.model,),
        parameters=dict(_sampling(plan)),
        templates=plan.template_hashes(),
        families={quota.name: quota.family.description for quota in plan.quotas},
        license=config.dataset.license,
    )


def _sampling(plan: Plan) -> Iterator[tuple[str, str | float]]:
    """The run's sampling parameters, then those of each step that has its own."""
    names = ("temperature", "top_p", "max_tokens")
    yield from ((name, getattr(plan.config.llm, name)) for name in names)
    for quota in plan.quotas:
        form = quota.family.forms[quota.form]
        steps = {"brainstorm": form.brainstorm} if form.brainstorm else {}
        for step_name, step in {**steps, **form.steps}.items():
            own = {name: getattr(step, name) for name in names}
            if any(value is not None for value in own.values()):
                told = (f"{name} {value:g}" for name, value in own.items() if value is not None)
                yield f"{quota.name}, {step_name}", ", ".join(told)
