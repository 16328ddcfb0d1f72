"""Hard negatives for a file of records: pool, search, teacher, decisions; every step resumable.

    records ─┬─ pool ─ vectors ─┬─ search ─ teacher ─ candidates ─ decide ─ records, negatives.jsonl
    corpus ──┘                  └─ (BM25, random: no vectors)

Work lies in `mine/` beside the result. Encoding, searching and scoring are gone on with after a
kill; under other cuts alone, nothing of them is done again.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass, field
from itertools import islice, zip_longest
from pathlib import Path
from typing import Any

import numpy as np

from generator.errors import BudgetReached, InputError
from generator.llm.budget import Budget
from generator.mine.apply import applied, decisions_line, written
from generator.mine.candidates import CandidateFile, Candidates
from generator.mine.decide import NEGATIVE, decide
from generator.mine.exclude import Exclusions, answers
from generator.mine.sources import Asked
from generator.mineconfig import MineConfig
from generator.miners import Miner, make_miner
from generator.modelconfig import ModelConfig
from generator.recordfile import RecordFile, write_whole
from generator.recordpool import record_pool
from generator.records import to_json
from generator.runs import file_hash
from generator.search.pool import Pool

SEARCHED_AT_ONCE = 4096  # records; a kill costs one such search at most
SCORED_AT_ONCE = 64  # records, whose candidates a teacher scores before they go to disk

Progress = Callable[[str, int, int], None]


@dataclass
class Mined:
    """What mining did: decisions by name, and how many records got how many negatives.

    `stopped` says why not all were mined for (the budget), if so: the others are as they were.
    """

    records: int = 0
    texts: int = 0
    wanted: int = 0
    stopped: str = ""
    source: str = ""
    teacher: str = ""
    decisions: Counter[str] = field(default_factory=Counter)
    negatives: Counter[int] = field(default_factory=Counter)

    @property
    def short(self) -> int:
        """Records that got fewer negatives than were asked for."""
        return sum(n for got, n in self.negatives.items() if got < self.wanted)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Mined:
        """The inverse of `to_dict`."""
        negatives = Counter({int(got): n for got, n in values["negatives"].items()})
        return cls(**{**values, "decisions": Counter(values["decisions"]), "negatives": negatives})

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries: what `mining.json` holds."""
        found = asdict(self)
        found["decisions"] = dict(self.decisions.most_common())
        found["negatives"] = {str(got): n for got, n in sorted(self.negatives.items())}
        return found


def mine_file(
    source: Path,
    output: Path,
    config: MineConfig,
    *,
    llm: ModelConfig | None = None,
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> Mined:
    """Mine for the records of a JSONL file: `records.jsonl`, `negatives.jsonl`, `mining.json`.

    Raises UserError: no candidates, a broken line, a model that cannot be used.
    """
    return mine(
        source, output / "records.jsonl", output / "negatives.jsonl", output / "mine", config,
        llm=llm, progress=progress, budget=budget,
    )  # fmt: skip


def mine(
    source: Path,
    kept: Path,
    negatives: Path,
    work: Path,
    config: MineConfig,
    *,
    llm: ModelConfig | None = None,
    progress: Progress | None = None,
    vectors: Path | None = None,
    budget: Budget | None = None,
) -> Mined:
    """The same with every path given; `mining.json` lies beside `negatives`.

    `vectors`: a folder that remembers what is encoded of the records, by text. `budget` counts what
    an LLM is asked as teacher.
    """
    tell = progress or _nothing
    records = RecordFile(source)
    try:
        if not len(records):
            raise InputError(f"{source}: no records to mine for", hint="trine generate, or import")
        pool, corpus_key = record_pool(records, source, config.corpus, work / "pool")
        with closing(pool):
            keys = (corpus_key, file_hash(source))
            miner = make_miner(config, pool, keys, work, llm, tell, vectors, budget)
            answered = answers(records)
            found = CandidateFile(work, miner.key())
            stopped = ""
            try:
                _search(records, found, miner, pool, answered, config, tell)
            except BudgetReached as exc:
                stopped = str(exc)
            summary = Mined(
                len(records), pool.searchable, config.negatives, stopped, config.source_name,
                miner.teacher_name,
            )  # fmt: skip
            _decide(records, found, pool, answered, config, summary, kept, negatives)
    finally:
        records.close()
    with write_whole(negatives.with_name("mining.json")) as file:
        json.dump(summary.to_dict(), file, indent=1)
    return summary


def _search(
    records: RecordFile, found: CandidateFile, miner: Miner, pool: Pool,
    answered: dict[int, set[int]], config: MineConfig, tell: Progress,
) -> None:  # fmt: skip
    """Candidates and scores of every record that `found` does not hold yet."""
    while found.count < len(records):
        first = found.count
        block = records[first : first + SEARCHED_AT_ONCE]
        forbidden = (Exclusions.of(r, answered, keep_written=config.keep_written) for r in block)
        extra = max(len(exclusions.reasons) for exclusions in forbidden)
        asked = miner.ask(block)
        hits = miner.source.search(asked, min(config.rank_max + extra, pool.searchable))
        for start in range(0, len(block), SCORED_AT_ONCE):
            part = slice(start, start + SCORED_AT_ONCE)
            vectors = None if asked.vectors is None else asked.vectors[part]
            own = Asked(block[part], vectors)
            places = [hits.row(row) for row in range(len(block))[part]]
            found.append(_scored(own, places, miner, pool, config))
            tell("records", found.count, len(records))


def _scored(
    asked: Asked, hits: list[Any], miner: Miner, pool: Pool, config: MineConfig
) -> list[Candidates]:
    """The hits of some records with the teacher's scores of them and of the records' own texts."""
    positives = [pool.find(p.text for p in record.positives) for record in asked.records]
    kept = [pool.find(n.text for n in written(record, config)) for record in asked.records]
    # What the search scored as the teacher would is not scored again.
    searched = [indices[:0] if miner.search_is_teacher else indices for indices, _ in hits]
    places = [np.concatenate(parts) for parts in zip(searched, positives, kept, strict=True)]
    scores = miner.score(asked, places)
    found = []
    for row, (indices, given) in enumerate(hits):
        ends = np.cumsum([len(searched[row]), len(positives[row])])
        teacher, own, other = np.split(scores[row], ends)
        by_search = given.astype(np.float64)
        by_teacher = by_search if miner.search_is_teacher else teacher
        found.append(Candidates(indices, by_search, by_teacher, own, other))
    return found


def _decide(
    records: RecordFile, found: CandidateFile, pool: Pool, answered: dict[int, set[int]],
    config: MineConfig, summary: Mined, kept: Path, negatives: Path,
) -> None:  # fmt: skip
    """Write the records with their negatives, and every decision; always from the file's scores."""
    with write_whole(kept) as out, write_whole(negatives) as log:
        for record, candidates in zip_longest(records, islice(found, len(records))):
            if candidates is None:
                out.write(to_json(record) + "\n")
                summary.negatives[0] += 1
                continue
            decided = decide(record, candidates, pool, answered, config)
            teacher = summary.teacher
            out.write(to_json(applied(record, candidates, decided, pool, config, teacher)) + "\n")
            line = decisions_line(record, candidates, decided, pool, config.source_name, teacher)
            log.write(line + "\n")
            summary.decisions.update(decided.decisions)
            summary.negatives[decided.decisions.count(NEGATIVE)] += 1


def _nothing(_: str, __: int, ___: int) -> None:
    pass
