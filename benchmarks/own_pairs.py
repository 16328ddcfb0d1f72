"""Pairs of one's own through the whole chain; what mining again with the trained model is worth.

    python benchmarks/own_pairs.py chain  --data DIR --out DIR
    python benchmarks/own_pairs.py rounds --data DIR --out DIR --pairs 300 --questions 500

DIR is a BEIR folder with a title for every passage; sorted titles are dealt in turn to two halves.
`chain` writes the pairs of the first half as SQuAD's JSON and as MS MARCO's files and sends both
through `trine import`, `mine`, `filter`, `dedupe`, `train` and `export`, each a process of its own.
`rounds` runs `trine iterate` on them: questions of the second half, against all passages, score the
model of each round. With `continues: false` every round trains from the base for as many steps, so
the first one (BM25's negatives) is the control of the others. Figures: docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

COMMAND = [sys.executable, "-c", "from generator.cli import main; main()"]
TASK = "Given a question, retrieve passages that answer the question"
SMALL = ("lora=null", "batch_size=16", "epochs=1", "learning_rate=3e-4", "warmup_steps=4",
         "tokens.max_tokens=64", "max_negatives=1", "save_steps=100000")  # fmt: skip


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.open(encoding="utf-8") if line.strip()]


def flat(text: str) -> str:
    return " ".join(text.split())


class Halves:
    """The two halves of a set; `pairs` and `test` are (question, passage) of each."""

    def __init__(self, data: Path) -> None:
        self.corpus = lines(data / "corpus.jsonl")
        self.queries = {row["_id"]: row["text"] for row in lines(data / "queries.jsonl")}
        self.passages = {row["_id"]: row for row in self.corpus}
        first = set(sorted({row["title"] for row in self.corpus})[0::2])
        judged = [line.split("\t") for line in (data / "qrels/test.tsv").read_text().splitlines()]
        rows = [(query, document) for query, document, *_ in judged[1:]]
        mine = [self.passages[document]["title"] in first for _, document in rows]
        self.pairs = [row for row, own in zip(rows, mine, strict=True) if own]
        self.test = [row for row, own in zip(rows, mine, strict=True) if not own]

    def text(self, document: str) -> str:
        row = self.passages[document]
        return flat(f"{row['title']} {row['text']}")


def some(rows: list, count: int) -> list:
    chosen = np.random.default_rng(0).permutation(len(rows))[:count]
    return [rows[i] for i in sorted(chosen)]


def write_squad(halves: Halves, pairs: list, path: Path) -> None:
    articles: dict[str, dict[str, dict]] = {}
    for query, document in pairs:
        row = halves.passages[document]
        paragraphs = articles.setdefault(row["title"], {})
        own = paragraphs.setdefault(document, {"context": row["text"], "qas": []})
        answer = {"text": row["text"][:10], "answer_start": 0}
        own["qas"].append({"id": query, "question": halves.queries[query], "answers": [answer]})
    data = [{"title": t, "paragraphs": list(p.values())} for t, p in articles.items()]
    path.write_text(json.dumps({"version": "1.1", "data": data}, ensure_ascii=False))


def write_msmarco(halves: Halves, pairs: list, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    documents = dict.fromkeys(document for _, document in pairs)
    files = {
        "collection.tsv": [f"{d}\t{halves.text(d)}" for d in documents],
        "queries.train.tsv": [f"{q}\t{flat(halves.queries[q])}" for q, _ in pairs],
        "qrels.train.tsv": [f"{q}\t0\t{d}\t1" for q, d in pairs],
    }
    for name, rows in files.items():
        (folder / name).write_text("".join(f"{row}\n" for row in rows), encoding="utf-8")


def write_corpus(halves: Halves, folder: Path, test: list, wanted: set[str] | None) -> None:
    """All passages, or those wanted, title and text, as a BEIR folder with the questions."""
    (folder / "qrels").mkdir(parents=True, exist_ok=True)
    with (folder / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for row in halves.corpus:
            if wanted is not None and row["_id"] not in wanted:
                continue
            file.write(json.dumps({"_id": row["_id"], "text": halves.text(row["_id"])}) + "\n")
    with (folder / "queries.jsonl").open("w", encoding="utf-8") as file:
        for query, _ in test:
            file.write(json.dumps({"_id": query, "text": halves.queries[query]}) + "\n")
    body = "".join(f"{query}\t{document}\t1\n" for query, document in test)
    (folder / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + body)


def verb(*arguments: object) -> None:
    """Run a verb of the command, and tell what it cost."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([*COMMAND, *map(str, arguments)], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    print(f"   {arguments[0]}: {time.perf_counter() - started:.1f} s, {cpu:.1f} s of CPU time",
          flush=True)  # fmt: skip


def chain(halves: Halves, out: Path, pairs: int, base: str, encoder: str | None) -> None:
    rows = some(halves.pairs, pairs)
    out.mkdir(parents=True, exist_ok=True)
    write_squad(halves, rows, out / "squad.json")
    write_msmarco(halves, rows, out / "msmarco")
    for name, source in (("squad", out / "squad.json"), ("msmarco", out / "msmarco")):
        print(f"{name}:", flush=True)
        at = out / name
        verb("import", source, "-o", at / "pairs")
        dense = ("--encoder", encoder) if encoder else ("--set", "mine.rank_min=5")
        verb("mine", at / "pairs", *dense, "--set", "mine.rank_max=50", "-o", at / "mined")
        verb("filter", at / "mined", "-o", at / "filtered")
        verb("dedupe", at / "filtered", "-o", at / "deduped")
        settings = [part for setting in SMALL for part in ("--set", setting)]
        verb("train", at / "deduped", "--base", base, "-o", at / "training", *settings)
        for shape in ("sentence-transformers", "beir", "flagembedding", "tevatron"):
            verb("export", at / "deduped", "--format", shape, "-o", at / shape)


def rounds(
    halves: Halves, out: Path, pairs: int, questions: int, base: str, overrides: list[str],
    *, judged: bool,
) -> None:  # fmt: skip
    rows, test = some(halves.pairs, pairs), some(halves.test, questions)
    wanted = {document for _, document in (*rows, *test)} if judged else None
    out.mkdir(parents=True, exist_ok=True)
    write_msmarco(halves, rows, out / "msmarco")
    write_corpus(halves, out / "test", test, wanted)
    verb("import", out / "msmarco", "--task", TASK, "-o", out / "pairs")
    settings = ["train.recipe=null", *(f"train.{setting}" for setting in SMALL),
                "train.epochs=2", f"train.eval.folder={out / 'test'}", f"train.eval.task='{TASK}'",
                "train.eval.max_queries=100000", *overrides]  # fmt: skip
    flags = [part for setting in settings for part in ("--set", setting)]
    verb("iterate", out / "pairs", "--corpus", out / "test", "--base", base,
         "-o", out / "rounds", *flags)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("chain", "rounds"))
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--out", type=Path, default=Path("outputs/own-pairs"))
    parser.add_argument("--base", default="smollm2-135m-instruct")
    parser.add_argument("--encoder", help="of `chain`: mines and judges; BM25 without one")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument(
        "--judged",
        action="store_true",
        help="of `rounds`: only the passages that a question of them is about",
    )
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    given = parser.parse_args()
    halves = Halves(given.data)
    if given.what == "chain":
        chain(halves, given.out, given.pairs, given.base, given.encoder)
    else:
        rounds(halves, given.out, given.pairs, given.questions, given.base, given.overrides,
               judged=given.judged)  # fmt: skip


if __name__ == "__main__":
    main()
