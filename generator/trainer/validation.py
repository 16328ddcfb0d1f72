"""A score while training: nDCG@10 of held-out rows, or of a BEIR folder.

Scores are float32 on exact vectors; a tie counts against us (the relevant document is ranked last
among equals), so a collapsed model scores near zero, not by luck.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from generator.errors import InputError
from generator.trainer.config import TrainConfig
from generator.trainer.engine import Engine
from generator.trainer.store import Store
from generator.trainer.tokens import Tokens, query_text

Text = npt.NDArray[np.int32]
_DEPTH = 10


@dataclass(frozen=True, eq=False, slots=True)
class Validation:
    """Queries, documents, and of each query the grades of its relevant documents, by index."""

    queries: list[Text]
    documents: list[Text]
    grades: list[dict[int, int]]

    def score(self, engine: Engine) -> float:
        """Mean nDCG@10."""
        queries, documents = engine.vectors(self.queries), engine.vectors(self.documents)
        total = 0.0
        for start in range(0, len(self.queries), 256):
            scores = (queries[start : start + 256] @ documents.T).cpu().numpy()
            grades = self.grades[start : start + 256]
            total += sum(_ndcg(row, one) for row, one in zip(scores, grades, strict=True))
        return total / len(self.queries)


def _ndcg(scores: npt.NDArray[np.float32], grades: dict[int, int]) -> float:
    """nDCG@10 with linear gains, as trec_eval; log2(rank + 1) discounts."""
    ranks = {doc: int((scores >= scores[doc]).sum()) for doc in grades}
    gain = sum(g / math.log2(ranks[d] + 1) for d, g in grades.items() if ranks[d] <= _DEPTH)
    best = sorted(grades.values(), reverse=True)[:_DEPTH]
    return gain / sum(g / math.log2(i + 2) for i, g in enumerate(best))


def hold_out(
    store: Store, config: TrainConfig
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(rows to train on, rows held out), by the configured fraction; both in order."""
    rows = np.arange(len(store))
    count = round(len(rows) * config.eval.fraction)
    shuffled = np.random.default_rng([config.seed, 3]).permutation(rows)
    return np.sort(shuffled[count:]), np.sort(shuffled[:count])


def of_rows(store: Store, rows: npt.NDArray[np.int64], limit: int) -> Validation:
    """Held-out rows: each query against the documents of all of them."""
    sides = ("positive", "negative")
    found = np.concatenate([store.side(side, r) for r in rows for side in sides])
    documents = np.unique(found)
    place = {int(text): i for i, text in enumerate(documents)}
    chosen = rows[:limit]
    return Validation(
        queries=[store.text(store.arrays["query"][r]) for r in chosen],
        documents=[store.text(i) for i in documents],
        grades=[{place[int(p)]: 1 for p in store.side("positive", r)} for r in chosen],
    )


def of_folder(folder: Path, tokens: Tokens, config: TrainConfig) -> Validation:
    """A BEIR folder: corpus.jsonl, queries.jsonl, qrels/test.tsv. Raises InputError."""
    try:
        corpus = _lines(folder / "corpus.jsonl")
        queries = {item["_id"]: item["text"] for item in _lines(folder / "queries.jsonl")}
        judged = (folder / "qrels" / "test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    except (OSError, KeyError, ValueError) as exc:
        raise InputError(
            f"eval.folder: {folder}: {exc}", hint="corpus.jsonl, queries.jsonl, qrels/test.tsv"
        ) from exc
    place = {item["_id"]: i for i, item in enumerate(corpus)}
    grades: dict[str, dict[int, int]] = {}
    for line in judged:
        query, document, grade = line.split("\t")
        if int(grade) > 0 and document in place and query in queries:
            grades.setdefault(query, {})[place[document]] = int(grade)
    names = list(grades)[: config.eval.max_queries]
    template, task = config.tokens.template, config.eval.task
    return Validation(
        queries=tokens.encode([query_text(template, task, queries[name]) for name in names]),
        documents=tokens.encode([_document(item) for item in corpus]),
        grades=[grades[name] for name in names],
    )


def _document(item: dict[str, str]) -> str:
    title = item.get("title", "")
    return f"{title} {item['text']}" if title else item["text"]


def _lines(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]
