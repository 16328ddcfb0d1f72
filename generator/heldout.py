"""A run's held-out questions against its passages: how good an embedder is, and what it finds.

Questions carry their own instructions; passages stand as they are, as `trine search` has them
(`relevance.py`: which ones, and which are right).
Texts whose positive is a label ask for no passage: training sets them against their own negatives
alone (`in_batch: none`), and where labels lie among all passages says nothing of it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from generator.evaluation.evaluate import DEPTH, rank
from generator.evaluation.metrics import judge, ndcg
from generator.evaluation.tasks import RetrievalTask
from generator.recordfile import read_lines
from generator.records import Record
from generator.relevance import documents_of, first_asking, passages_of, right_passages
from generator.search.exact import exact_search
from generator.search.hits import Hits
from generator.search.passages import Passage
from generator.trainer.embedder import Embedder
from generator.trainer.tokens import prompt_text, query_text

MOST_QUESTIONS, MOST_PASSAGES = 200, 2_000  # what minutes on a CPU can encode, twice
SHOWN_HITS, SCORED_HITS = 3, 10


@dataclass(frozen=True, slots=True)
class Hit:
    """A passage that was found; `right` where it is one that the question asks for."""

    score: float
    text: str
    right: bool


@dataclass(frozen=True, slots=True)
class Example:
    """A search and its first hits. `rank` is that of the first right one, None where unknown."""

    query: str
    hits: tuple[Hit, ...]
    rank: int | None = None


@dataclass(frozen=True, eq=False, slots=True)
class HeldOut:
    """Questions, the record of each, and the passages to find; no question, no scores."""

    task: RetrievalTask
    records: tuple[Record, ...]
    shown: tuple[int, ...]

    def searched(self, embedder: Embedder, queries: Sequence[str] = ()) -> Searched:
        """The passages and questions through an embedder; `queries` are searches beside them."""
        template, prompt = embedder.template, embedder.prompts.get("query", "")
        asked = [query_text(template, record.task, record.query) for record in self.records]
        prompts = [prompt_text(template, record.task) for record in self.records]
        own = [text.removeprefix(p) for text, p in zip(asked, prompts, strict=True)]
        prompts += [prompt] * len(queries)
        vectors = embedder.encode([*own, *queries], prompt=prompts)
        documents = embedder.encode([passage.full for passage in self.task.passages])
        return Searched(self, tuple(queries), exact_search(vectors, documents, DEPTH + 1))


@dataclass(frozen=True, eq=False, slots=True)
class Searched:
    """What an embedder found: for the questions, then for the searches beside them."""

    held: HeldOut
    queries: tuple[str, ...]
    found: Hits

    def ndcg(self) -> tuple[float, ...]:
        """nDCG@10 of each held-out question."""
        task = self.held.task
        rankings = rank(task, self.found)
        return tuple(ndcg(judge(one.ids, task.qrels[one.query]), SCORED_HITS) for one in rankings)

    def examples(self) -> tuple[Example, ...]:
        """The searches that were asked for, else some of the questions."""
        asked = self.held.task.queries
        if self.queries:
            rows = enumerate(self.queries, start=len(asked))
            return tuple(self._example(row, query, ()) for row, query in rows)
        qrels = self.held.task.qrels
        return tuple(self._example(i, asked[i].text, qrels[asked[i].id]) for i in self.held.shown)

    def _example(self, row: int, query: str, right: Collection[str]) -> Example:
        passages = self.held.task.passages
        indices, scores = (one.tolist() for one in self.found.row(row))
        ranks = [n for n, i in enumerate(indices, start=1) if passages[i].id in right]
        hits = [
            Hit(round(score, 4), passages[i].full, passages[i].id in right)
            for i, score in zip(indices[:SHOWN_HITS], scores[:SHOWN_HITS], strict=True)
        ]
        return Example(query, tuple(hits), ranks[0] if ranks else None)


def held_out(test: Path, records: Path, corpus: Path, *, shown: int = 3) -> HeldOut:
    """The first questions of a test split; the passages of a file's records to find.

    `corpus` has the documents' passages, where there are any. `shown` of the questions, of each
    family in turn, are examples.
    """
    held = read_lines(Record, test) if test.is_file() else ()
    asked = tuple(islice((r for r in held if r.in_batch != "none"), MOST_QUESTIONS))
    asking = first_asking((*asked, *read_lines(Record, records)), MOST_PASSAGES)
    documents = documents_of(asking, corpus)
    passages = passages_of(asking, documents)
    task = RetrievalTask(
        name=records.parent.name,
        passages=passages,
        queries=tuple(Passage(record.id, record.query) for record in asked),
        qrels=right_passages(asked, passages, documents),
        total=len(asked),
    )
    return HeldOut(task, asked, tuple(_in_turn([record.family for record in asked])[:shown]))


def _in_turn(names: Sequence[str]) -> list[int]:
    """The places of these names, the first of each name first, then the second of each."""
    places: dict[str, int] = {}
    turns = []
    for index, name in enumerate(names):
        places[name] = places.get(name, -1) + 1
        turns.append((places[name], index))
    return [index for _, index in sorted(turns)]
