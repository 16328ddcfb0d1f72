"""The stage of a run that refines: what mining (or deduplication) left → `records.jsonl`.

Where the run is to `keep` a number of records, no more than that stay (`keepstage.py`).
"""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

from generator.config import RunConfig, find_taxonomy
from generator.keepstage import first_of
from generator.measuring import encoder_key
from generator.plan import Plan
from generator.progress import Watch
from generator.recordfile import write_whole
from generator.records import content_id
from generator.refineconfig import RefineConfig
from generator.refined import Refined
from generator.refinejudge import FOLDER, OpenModel
from generator.refining import Paths, refine
from generator.runs import RunFolder, file_hash
from generator.search.passages import passages_file


def refine_run(
    run: RunFolder, plan: Plan, watch: Watch, *, open_model: OpenModel | None = None
) -> Refined | None:
    """Refine where the run has a `refine` section and a record, unless that is done; or None.

    Call it after `collect` and mining, whose `records.jsonl` it replaces; its rejections go behind
    theirs. Raises UserError.
    """
    config = plan.config
    source = run.stage("mine" if config.mine is not None else config.verdicts[-1])
    if config.refine is None or not run.records.stat().st_size:
        return None
    kept, lost = run.stage("refine"), run.stage_rejected("refine")
    key = content_id(file_hash(source), refine_key(config, config.refine))
    done = run.finished("refine", key)
    if done is None or not kept.is_file():
        run.unfinish("refine")
        watch.begin("refine", None)
        vectors = run.vectors if plan.refines_in_rounds else None
        paths = Paths(source, kept, lost, run.path / "refined.jsonl", run.path / "refine", vectors,
            (run.journal, *run.judged),
        )  # fmt: skip
        found = refine(
            paths, config, open_model=open_model,
            progress=lambda what, n, of: watch.status(f"{what} {n:,}/{of:,}"),
        )  # fmt: skip
        done = found.to_dict()
        if not found.stopped:
            run.finish("refine", key, done)
    with write_whole(run.rejected, extend=True) as file, lost.open(encoding="utf-8") as lines:
        shutil.copyfileobj(lines, file)
    surplus = first_of(kept, plan, run)
    refined = Refined.from_dict(done)
    return replace(
        refined, kept=refined.kept - surplus.total(), rejected=refined.rejected + surplus
    )


def refine_key(config: RunConfig, own: RefineConfig) -> str:
    """A hash of what decides the verdicts, but for the records."""
    corpus = file_hash(passages_file(own.corpus)) if own.corpus else ""
    keys = json.dumps(own.model_dump(mode="json", exclude={"corpus"}), sort_keys=True)
    templates = _templates_key(find_taxonomy(config)[1]) if own.judge else ""
    return content_id(corpus, keys, encoder_key(own), templates, version("trine"))


def _templates_key(prompts: Path) -> str:
    return content_id(*(file_hash(path) for path in sorted((prompts / FOLDER).glob("*.j2"))))
