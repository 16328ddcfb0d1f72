"""A score while training: nDCG@10 of held-out rows, or of a BEIR folder, as `trine eval` has it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from generator.errors import InputError, RunError
from generator.evaluation.evaluate import DEPTH, rank, retrieval_measures
from generator.evaluation.tasks import RetrievalTask, limited, load_task
from generator.search.exact import exact_search
from generator.search.passages import Passage
from generator.trainer.config import TrainConfig
from generator.trainer.engine import Engine
from generator.trainer.packing import Texts
from generator.trainer.store import Store
from generator.trainer.tokens import Tokens, prompt_text, query_text


@dataclass(frozen=True, eq=False, slots=True)
class Validation:
    """A task, and its queries and passages as token ids, in the same order."""

    task: RetrievalTask
    queries: Texts
    documents: Texts

    def score(self, engine: Engine) -> float:
        """Mean nDCG@10. Raises RunError where a vector is no number."""
        queries, documents = (
            engine.vectors(texts).float().cpu().numpy() for texts in (self.queries, self.documents)
        )
        if not (np.isfinite(queries).all() and np.isfinite(documents).all()):
            raise RunError(
                "training diverged: a vector holds NaN or infinity",
                hint="try a lower learning_rate: --set learning_rate=…, and another -o",
            )
        found = exact_search(queries, documents, DEPTH + 1, device="auto")
        return retrieval_measures(self.task, rank(self.task, found))["ndcg@10"]


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
    documents = np.unique(np.concatenate([store.side(side, r) for r in rows for side in sides]))
    chosen = rows[:limit].tolist()
    task = RetrievalTask(
        name="held-out rows",
        passages=tuple(Passage(str(text), "") for text in documents.tolist()),
        queries=tuple(Passage(f"row {row}", "") for row in chosen),
        qrels={f"row {r}": {str(p): 1 for p in store.side("positive", r).tolist()} for r in chosen},
        total=len(rows),
    )
    queries = store.texts(store.arrays["query"][rows[:limit]])
    return Validation(task, queries, store.texts(documents))


def of_folder(folder: Path, tokens: Tokens, config: TrainConfig) -> Validation:
    """A retrieval folder in BEIR's layout. Raises InputError."""
    task = load_task(folder)
    if not isinstance(task, RetrievalTask):
        raise InputError(f"eval.folder: {folder}: no questions with passages", hint="a BEIR folder")
    task = limited(task, first=config.eval.max_queries)
    assert isinstance(task, RetrievalTask)  # noqa: S101 - as before
    template, instruction = config.tokens.template, config.eval.task
    asked = [query_text(template, instruction, query.full) for query in task.queries]
    prompts = [prompt_text(template, instruction)] * len(asked)
    documents = Texts.plain(tokens.encode([passage.full for passage in task.passages]))
    return Validation(task, tokens.texts(asked, prompts), documents)
