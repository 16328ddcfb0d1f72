"""What BM25 scores on the held-out questions of finished runs, by family.

    trine run -c my-documents --set corpus=FOLDER --set train=null -n 5000 -o RUN
    python benchmarks/heldout.py RUN…

A sentence finds the passage that holds it by its words alone: where BM25 stays far below 1 on
`sentence-passage`, the questions are judged wrongly.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from generator.evaluation.evaluate import DEPTH
from generator.heldout import Searched, held_out
from generator.scores import FamilyScore, family_scores, mean_scores
from generator.search.bm25 import BM25


def scores_of(run: Path) -> tuple[int, tuple[FamilyScore, ...]]:
    """How many passages are searched, and nDCG@10 by family."""
    held = held_out(run / "dataset" / "test.jsonl", run / "records.jsonl", run / "passages.jsonl")
    index = BM25([passage.full for passage in held.task.passages])
    found = index.search([record.query for record in held.records], DEPTH + 1)
    scores = Searched(held, (), found).ndcg()
    return len(held.task.passages), family_scores(held.records, scores, scores)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN")
    for run in parser.parse_args().runs:
        passages, families = scores_of(run)
        mean = mean_scores(families)
        print(f"{run}: {mean['after']:.4f} ({mean['questions']:,} of {passages:,} passages)")
        for family in families:
            print(f"  {family.family}: {family.after:.4f} ({family.questions:,})")


if __name__ == "__main__":
    main()
