"""Records that a run loses because it goes on with another model or another seed than before."""

from __future__ import annotations

from collections import Counter

from generator.config import RunConfig
from generator.progress import Watch
from generator.recordfile import read_lines
from generator.records import Record
from generator.runs import RunFolder


def tell_replaced(config: RunConfig, run: RunFolder, watch: Watch) -> None:
    """Note how many records of another model, or of all where the seed is another, will go.

    Call it before the manifest is written, which tells what there was.
    """
    if not (run.manifest.is_file() and run.records.is_file()):
        return
    before = run.read_manifest().get("config") or {}
    reseeded = before.get("seed") != config.seed
    if not reseeded and before.get("llm") == config.llm.model_dump(mode="json"):
        return
    found = Counter(record.provenance.model for record in read_lines(Record, run.records))
    for model, number in found.items():
        if model is not None and (reseeded or model not in config.llm.models):
            watch.note(_words(model, number, before.get("seed"), reseeded=reseeded))


def _words(model: str, number: int, seed: object, *, reseeded: bool) -> str:
    way = f"--seed {seed}" if reseeded else f"-m {model}"
    records = f"{number:,} record{'s' * (number != 1)} by {model}" + f", seed {seed}" * reseeded
    return (
        f"{records}: out of records.jsonl from now on; the answers stay in the journal, and {way}"
        " brings the records back; another -o keeps both"
    )
