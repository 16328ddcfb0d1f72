"""The reference scores of labelled sets, reproduced by `trine eval`'s own code.

    python benchmarks/evaluation.py --data DIR [--minilm DIR]

DIR holds the folders named below in BEIR's and the STS layout; the references were taken with
scripts that share no code with trine (bm25s' own tokeniser, sentence-transformers, scipy). "half"
is the test part of the synthetic-to-real split: the questions on articles at odd positions of the
sorted titles, against all passages.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

from generator import encoders
from generator.evaluation.evaluate import Bm25, evaluate, retrieval_measures
from generator.evaluation.tasks import RetrievalTask, load_task

# (model, folder): reference, of the task's main measure.
REFERENCES: dict[tuple[str, str], float] = {
    ("bm25", "retrieval-en-newwiki"): 0.871,
    ("bm25", "retrieval-ja-jsquad"): 0.917,  # character tf-idf, for want of a BM25
    ("minilm", "retrieval-en-newwiki"): 0.775,
    ("minilm", "sts-en-sts16"): 0.851,
}
HALF_REFERENCES = {"bm25": 0.876, "minilm": 0.782}
HALVED = "retrieval-en-newwiki"


def main() -> None:
    """Print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2")
    arguments = parser.parse_args()
    models: dict[str, encoders.Encoder | Bm25] = {"bm25": "bm25"}
    if arguments.minilm:
        models["minilm"] = encoders.load(arguments.minilm)
    print("| task | model | measure | trine | reference | n | seconds |")
    print("|---|---|---|---|---|---|---|")
    for (name, folder), reference in REFERENCES.items():
        if name in models:
            compare(name, models[name], arguments.data / folder, reference)


def compare(name: str, model: encoders.Encoder | Bm25, folder: Path, reference: float) -> None:
    """Measure one model on one task, and on the task's half where it has one."""
    task = load_task(folder)
    start = time.perf_counter()
    result = evaluate(task, model)
    seconds = time.perf_counter() - start
    main_measure = next(iter(result.measures))
    print(row(task.name, name, main_measure, result.main, reference, result.n, f"{seconds:.1f}"))
    if isinstance(task, RetrievalTask) and folder.name == HALVED:
        asked = half_b(task)
        rankings = [ranking for ranking in result.rankings if ranking.query in asked]
        value = retrieval_measures(task, rankings)[main_measure]
        reference = HALF_REFERENCES[name]
        print(row(f"{task.name}, half", name, main_measure, value, reference, len(rankings), ""))


def half_b(task: RetrievalTask) -> set[str]:
    """Ids of the queries none of whose passages is of an article at an even position."""
    titles = {passage.id: passage.title for passage in task.passages}
    half_a = set(sorted(set(titles.values()))[0::2])
    return {
        query.id
        for query in task.queries
        if not any(titles[passage] in half_a for passage in task.qrels[query.id])
    }


def row(
    task: str, model: str, measure: str, value: float, reference: float, n: int, seconds: str
) -> str:
    """A line of the table."""
    return f"| {task} | {model} | {measure} | {value:.4f} | {reference:.3f} | {n:,} | {seconds} |"


if __name__ == "__main__":
    main()
