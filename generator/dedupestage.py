"""The stage that drops duplicates: `stages/filter.jsonl` → `stages/dedupe.jsonl`, `clusters.jsonl`.

What takes time, comparing, has a file of its own, `stages/similar.rows`: other thresholds read that
and no text. Where the source has only grown, what is known of its first records stays.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

from generator.counts import Counts
from generator.dedupe import Compared, Measures, Verdicts, compare, decide, saved
from generator.dedupe.rank import RANKS
from generator.dedupeconfig import DedupeConfig
from generator.dedupevectors import claim, semantic_index, shorten_vectors, vectors_key
from generator.progress import Watch
from generator.recordfile import RecordFile, write_whole
from generator.records import Record, Rejected, content_id
from generator.runs import RunFolder, file_hash
from generator.stagefile import Output, verdicts

STAGE, SIMILAR = "dedupe", "similar"


def dedupe_key(config: DedupeConfig) -> str:
    """A hash of all that decides."""
    return content_id(config.model_dump_json(), version("trine"))


def similar_key(config: DedupeConfig) -> str:
    """A hash of what comparing depends on: no threshold above those that are saved from."""
    compared = config.model_dump_json(include={"shingles", "keep"})
    best_by = config.best_by if config.keep == "best" else ""
    semantic = config.semantic
    meaning = (vectors_key(semantic), semantic.scope) if semantic else ()
    return content_id(compared, best_by, repr(config.floors), *meaning, version("trine"))


def dedupe_records(run: RunFolder, config: DedupeConfig, watch: Watch) -> Counts:
    """Drop what resembles earlier records: `stages/dedupe.jsonl`, the partner beside each drop."""
    key, source = dedupe_key(config), run.stage("filter")
    begun = run.begun(STAGE, key, source)
    if begun and begun.is_all:
        return Counts.from_dict(begun.counts)
    watch.begin(STAGE, None)
    counts, done = Counts(), 0
    if begun and config.keep == "first":
        counts, done = Counts.from_dict(begun.counts), len(verdicts(run, STAGE))
    with closing(RecordFile(source)) as records:
        found = decide(_compared(run, config, records, watch), config.thresholds)
        run.unfinish(STAGE)
        with Output(run, STAGE, extend=done > 0) as output:
            for item in judged(records, found, done):
                output.add(item)
                counts.add(item)
        write_clusters(records, found, run.clusters)
    run.finish(STAGE, key, counts.to_dict(), source)
    return counts


def dedupe_records_of(
    source: Path, config: DedupeConfig, output: Path, watch: Watch
) -> Iterator[Record | Rejected]:
    """The records of a file in order, each kept or rejected; `clusters.jsonl` in `output`."""
    with closing(RecordFile(source)) as records:
        semantic = None
        if config.semantic:
            folder, key = output / "dedupe", file_hash(source)
            semantic = semantic_index(config.semantic, records, folder, watch, key)
        compared = compare(
            records, measures(config), semantic=semantic, progress=_telling(watch, len(records))
        )
        found = decide(compared, config.thresholds)
        write_clusters(records, found, output / "clusters.jsonl")
        yield from judged(records, found)


def measures(config: DedupeConfig) -> Measures:
    """What a configuration compares."""
    rank = RANKS[config.best_by] if config.keep == "best" else None
    return Measures(floors=config.floors, unit=config.shingles, rank=rank)


def _compared(
    run: RunFolder, config: DedupeConfig, records: Sequence[Record], watch: Watch
) -> Compared:
    """From the run's folder, as far as it is known there."""
    key, source, path = similar_key(config), run.stage("filter"), run.similar
    begun = run.begun(SIMILAR, key, source) if path.is_file() else None
    known = saved.load(path, config.floors) if begun else None
    if known and begun and begun.is_all and len(known) == len(records):
        return known
    if known and (config.keep == "best" or (begun and len(known) != begun.counts["records"])):
        known = None
    run.unfinish(SIMILAR)
    semantic = None
    if config.semantic:
        folder = claim(config.semantic, run, source)
        semantic = semantic_index(config.semantic, records, folder, watch)
    found = compare(
        records, measures(config), semantic=semantic, known=known,
        progress=_telling(watch, len(records)),
    )  # fmt: skip
    saved.save(found, path)
    run.finish(SIMILAR, key, {"records": len(found)}, source)
    return found


def _telling(watch: Watch, total: int) -> Callable[[int], None]:
    return lambda read: watch.status(f"{read:,}/{total:,} records read")


def can_shorten(run: RunFolder, config: DedupeConfig) -> bool:
    """Whether the files can be cut to a prefix: what was compared is known, and in order."""
    begun = run.begun(SIMILAR, similar_key(config), run.stage("filter"))
    return config.keep == "first" and begun is not None and begun.is_all and run.similar.is_file()


def shorten(run: RunFolder, config: DedupeConfig, items: int) -> None:
    """Leave what is known of the first records alone; their file must have been cut already."""
    source = run.stage("filter")
    run.unfinish(SIMILAR)
    saved.cut(run.similar, items)
    if config.semantic:
        shorten_vectors(config.semantic, run, source, items)
    found = decide(saved.load(run.similar, config.floors), config.thresholds)
    with closing(RecordFile(source)) as records:
        write_clusters(records, found, run.clusters)
    run.finish(SIMILAR, similar_key(config), {"records": items}, source)


def judged(
    records: Sequence[Record], found: Verdicts, start: int = 0
) -> Iterator[Record | Rejected]:
    """The records from `start` on in order, each kept or rejected for its partner."""
    for index in range(start, len(records)):
        record, drop = records[index], found.drop(index)
        if drop is None:
            yield record
            continue
        is_chain = drop.stays != drop.partner
        yield Rejected(
            stage=STAGE,
            reason=drop.reason,
            family=record.family,
            language=record.language,
            detail=f"stays: {records[drop.stays].id}" if is_chain else "",
            record=record,
            partner=records[drop.partner].id,
            score=round(drop.score, 4),
        )


def write_clusters(records: Sequence[Record], found: Verdicts, path: Path) -> None:
    """A line for each record that stays while others go: their ids, for whom, why, how similar."""
    with write_whole(path) as file:
        for stays, members in found.clusters():
            drops = [drop for member in members if (drop := found.drop(member))]
            line = {
                "kept": records[stays].id,
                "dropped": [
                    {
                        "id": records[drop.index].id,
                        "for": records[drop.partner].id,
                        "reason": drop.reason,
                        "score": round(drop.score, 4),
                    }
                    for drop in drops
                ],
            }
            file.write(json.dumps(line) + "\n")
