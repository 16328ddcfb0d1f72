"""The stage of a run that mines: what is kept → `records.jsonl` and `negatives.jsonl`."""

from __future__ import annotations

import json
import shutil
from importlib.metadata import version

from generator.llm.budget import Budget
from generator.mineconfig import LLM_TEACHER, MineConfig
from generator.miners import models_key
from generator.mining import Mined, mine
from generator.plan import Plan
from generator.progress import Watch
from generator.recordfile import write_whole
from generator.records import content_id
from generator.runs import RunFolder, file_hash
from generator.search.passages import passages_file
from generator.spending import open_budget


def mine_run(run: RunFolder, plan: Plan, watch: Watch) -> Mined | None:
    """Mine where the run has a `mine` section and a record, unless that is done; counts or None.

    Call it after `collect`, whose `records.jsonl` it replaces. Raises UserError.
    """
    config = plan.config
    source = run.stage(config.verdicts[-1])
    if config.mine is None or not source.stat().st_size:
        return None
    mined, key = run.stage("mine"), content_id(file_hash(source), mine_key(config.mine))
    done = run.finished("mine", key)
    if done is None or not mined.is_file():
        run.unfinish("mine")
        watch.begin("mine", None)
        found = mine(
            source, mined, run.path / "negatives.jsonl", run.path / "mine", config.mine,
            llm=config.llm, vectors=run.vectors if plan.refines_in_rounds else None,
            budget=_budget(run, plan) if config.mine.teacher_name == LLM_TEACHER else None,
            progress=lambda what, n, of: watch.status(f"{what} {n:,}/{of:,}"),
        )  # fmt: skip
        done = found.to_dict()
        if not found.stopped:
            run.finish("mine", key, done)
    with write_whole(run.records) as kept, mined.open(encoding="utf-8") as lines:
        shutil.copyfileobj(lines, kept)
    return Mined.from_dict(done)


def _budget(run: RunFolder, plan: Plan) -> Budget:
    return open_budget(plan.config, plan.prices, (run.journal, *run.judged))


def mine_key(config: MineConfig) -> str:
    """A hash of what decides what is mined, but for the records."""
    corpus = file_hash(passages_file(config.corpus)) if config.corpus else ""
    keys = json.dumps(config.model_dump(mode="json", exclude={"corpus"}), sort_keys=True)
    return content_id(corpus, keys, models_key(config), version("trine"))
