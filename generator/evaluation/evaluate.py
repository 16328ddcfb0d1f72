"""A model's scores on a task: encode or index, search, measure.

Retrieval: the instruction goes on the queries alone. STS and bitext are symmetric: both sides are
encoded as queries, with the instruction, as E5-mistral does (arXiv 2401.00368, section 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from generator.encoders import Encoder, Progress, Vectors, embed
from generator.errors import InputError
from generator.evaluation import metrics
from generator.evaluation.tasks import BitextTask, EvalTask, RetrievalTask, StsTask
from generator.search.bm25 import BM25
from generator.search.exact import exact_search
from generator.search.hits import Hits

DEPTH = 100  # results a query that are looked at: map@100 and recall@100, as BEIR reports them

Bm25 = Literal["bm25"]


@dataclass(frozen=True, slots=True)
class Ranking:
    """The results of one query, best first, in trec_eval's order."""

    query: str
    ids: tuple[str, ...]
    scores: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Result:
    """A model's measures on a task; the first is the task's main one.

    `n` queries or pairs were measured of `total`. `rankings` is empty but for retrieval.
    """

    task: str
    kind: str
    model: str
    measures: Mapping[str, float]
    n: int
    total: int
    rankings: tuple[Ranking, ...] = field(default=(), repr=False)

    @property
    def main(self) -> float:
        """The measure that the task is known by: nDCG@k, Spearman, or accuracy."""
        return next(iter(self.measures.values()))


def evaluate(
    task: EvalTask,
    model: Encoder | Bm25,
    *,
    k: int = 10,
    instruction: str | None = None,
    language: str | None = None,
    progress: Progress | None = None,
) -> Result:
    """The model's scores on the task. `k` is the cut-off of nDCG, recall, MRR and hit rate.

    `language` is BM25's (`search.tokenise`). Raises InputError for BM25 on pairs of sentences,
    LLMError where the model's vectors are not numbers.
    """
    if isinstance(task, RetrievalTask):
        return _retrieval(task, model, k, instruction, language, progress)
    if model == "bm25":
        raise InputError(
            f"{task.name}: bm25 ranks passages; it has no score for a pair of sentences",
            hint="leave this task out, or name an embedding model",
        )
    first = embed(model, task.first, "query", instruction, progress)
    second = embed(model, task.second, "query", instruction, progress)
    if isinstance(task, StsTask):
        measures = _sts(task, first, second)
        return Result(task.name, "sts", model.name, measures, len(first), task.total)
    measures = _bitext(task, first, second)
    return Result(task.name, "bitext", model.name, measures, task.asked, task.total)


def _retrieval(
    task: RetrievalTask,
    model: Encoder | Bm25,
    k: int,
    instruction: str | None,
    language: str | None,
    progress: Progress | None,
) -> Result:
    texts = [passage.full for passage in task.passages]
    queries = [query.full for query in task.queries]
    depth = max(DEPTH, k) + 1  # one more than is measured: the query itself may be among them
    if model == "bm25":
        name, found = "bm25", BM25(texts, language=language).search(queries, depth)
    else:
        name = model.name
        documents = embed(model, texts, "document", None, progress)
        asked = embed(model, queries, "query", instruction, progress)
        found = exact_search(asked, documents, depth)
    rankings = rank(task, found, depth - 1)
    measures = retrieval_measures(task, rankings, k)
    return Result(
        task.name, "retrieval", name, measures, len(rankings), task.total, rankings=rankings
    )


def rank(task: RetrievalTask, found: Hits, depth: int = DEPTH) -> tuple[Ranking, ...]:
    """What a search found for each query of the task, in trec_eval's order, the query left out.

    Row i of `found` belongs to query i, and its indices are of the task's passages.
    """
    rankings = []
    for row, query in enumerate(task.queries):
        indices, scores = found.row(row)
        pairs = [
            (task.passages[index].id, score)
            for index, score in zip(indices.tolist(), scores.tolist(), strict=True)
            # In ArguAna and Quora the query is a passage of the corpus; finding itself is no feat.
            if (task.passages[index].id, task.passages[index].text) != (query.id, query.text)
        ][:depth]
        by_id = dict(pairs)
        ids = metrics.ranked([name for name, _ in pairs], [score for _, score in pairs])
        rankings.append(Ranking(query.id, tuple(ids), tuple(by_id[name] for name in ids)))
    return tuple(rankings)


def retrieval_measures(
    task: RetrievalTask, rankings: Sequence[Ranking], k: int = 10
) -> dict[str, float]:
    """The task's measures by name, each the mean over these rankings; nDCG@k first."""
    names = [f"ndcg@{k}", f"recall@{k}", f"recall@{DEPTH}", f"mrr@{k}", f"map@{DEPTH}"]
    names += ["hit@1", f"hit@{k}"]
    judged = [metrics.judge(ranking.ids, task.qrels[ranking.query]) for ranking in rankings]
    return {
        name: float(np.mean([metrics.measure(item, name) for item in judged]))
        for name in dict.fromkeys(names)
    }


def _sts(task: StsTask, first: Vectors, second: Vectors) -> dict[str, float]:
    cosines = (first.astype(np.float64) * second).sum(axis=1)
    return {
        "spearman": metrics.spearman(cosines, task.scores),
        "pearson": metrics.pearson(cosines, task.scores),
    }


def _bitext(task: BitextTask, first: Vectors, second: Vectors) -> dict[str, float]:
    forth = exact_search(first[: task.asked], second, 1).indices[:, 0]
    back = exact_search(second[: task.asked], first, 1).indices[:, 0]
    own = np.arange(task.asked)
    return {
        "accuracy": float(np.mean(forth == own)),
        "f1": bitext_f1(forth),
        "accuracy_back": float(np.mean(back == own)),
    }


def bitext_f1(nearest: NDArray[np.int64]) -> float:
    """Mean F1 over sentences of "i's translation is i" (mteb's measure; scikit-learn: weighted).

    `nearest` [n] is the index of each sentence's nearest translation. A translation that is
    nearest to many sentences counts less, even where it is right for one of them.
    """
    named = np.bincount(nearest, minlength=len(nearest))
    right = nearest == np.arange(len(nearest))
    return float(np.mean(2.0 * right / (named[: len(nearest)] + 1)))
