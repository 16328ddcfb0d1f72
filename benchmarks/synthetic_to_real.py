"""How well a student does on real questions, trained on real or on generated pairs.

    python benchmarks/synthetic_to_real.py --data DIR [--pairs 300] [--questions 500] [--base MODEL]

DIR is a BEIR folder with a title for every passage. Sorted titles are dealt in turn to two halves:
pairs of the first train the student; questions of the second test it, against all passages.
`--train FILE` trains on other rows for the first half's passages (generated ones, say) instead.
"""

from __future__ import annotations

import argparse
import json
import shutil
import time
from pathlib import Path

import numpy as np

from generator.trainer.config import load_train_config
from generator.trainer.distributed import World
from generator.trainer.loop import train
from generator.trainer.session import device_of, make_engine, open_base
from generator.trainer.tokens import tokens_of
from generator.trainer.validation import of_folder

TASK = "Given a question, retrieve passages that answer it"


def lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.open(encoding="utf-8") if line.strip()]


def split(
    data: Path, out: Path, pairs: int | None, questions: int | None, task: str, titles: bool
) -> None:
    """Write the first half's pairs to out/real.jsonl and the test to out/test as a BEIR folder."""
    corpus = lines(data / "corpus.jsonl")
    queries = {q["_id"]: q["text"] for q in lines(data / "queries.jsonl")}
    half_a = set(sorted({p["title"] for p in corpus})[0::2])
    passages = {p["_id"]: p for p in corpus}
    for p in corpus:  # title + text, as the reference scores of this split have it
        p["text"] = f"{p['title']} {p['text']}" if titles else p["text"]
    judged = [line.split("\t") for line in (data / "qrels/test.tsv").read_text().splitlines()[1:]]
    train_rows, test = [], []
    for query, document, _ in judged:
        (train_rows if passages[document]["title"] in half_a else test).append((query, document))
    print(f"{len(train_rows):,} pairs to train on, {len(test):,} judged questions to test")
    rng = np.random.default_rng(0)
    pick = lambda rows, n: [rows[i] for i in sorted(rng.permutation(len(rows))[:n])]  # noqa: E731
    train_rows, test = pick(train_rows, pairs), pick(test, questions)
    (out / "test" / "qrels").mkdir(parents=True, exist_ok=True)
    with (out / "real.jsonl").open("w", encoding="utf-8") as file:
        for query, document in train_rows:
            row = {"task": task, "query": queries[query], "positive": passages[document]["text"]}
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    with (out / "test" / "corpus.jsonl").open("w", encoding="utf-8") as file:
        for p in corpus:
            file.write(json.dumps({"_id": p["_id"], "text": p["text"]}, ensure_ascii=False) + "\n")
    with (out / "test" / "queries.jsonl").open("w", encoding="utf-8") as file:
        for query, _ in test:
            file.write(
                json.dumps({"_id": query, "text": queries[query]}, ensure_ascii=False) + "\n"
            )
    body = "".join(f"{query}\t{document}\t1\n" for query, document in test)
    (out / "test" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\n" + body)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--base", default="smollm2-135m-instruct")
    parser.add_argument("--pairs", type=int, default=300)
    parser.add_argument("--questions", type=int, default=500)
    parser.add_argument("--train", type=Path)
    parser.add_argument("--out", type=Path, default=Path("outputs/synthetic-to-real"))
    parser.add_argument("--no-instruction", action="store_true")
    parser.add_argument("--no-titles", action="store_true", help="passages without their titles")
    parser.add_argument("--export", action="store_true")
    parser.add_argument("--untrained", action="store_true", help="score the base first")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    args = parser.parse_args()
    shutil.rmtree(args.out, ignore_errors=True)
    task = "" if args.no_instruction else TASK
    titles = not args.no_titles
    split(args.data, args.out, args.pairs or None, args.questions or None, task, titles)
    settings = [
        "lora=null", "batch_size=32", "epochs=3", "learning_rate=1e-4", "weight_decay=0.01",
        "tokens.max_tokens=256", "warmup_steps=10", "save_steps=100000",
        f"eval.folder={args.out / 'test'}", "eval.max_queries=100000", f"eval.task='{task}'",
    ]  # fmt: skip
    config = load_train_config(
        None, [*settings, *args.overrides], base=args.base, output=str(args.out / "run")
    )
    if args.untrained:
        device = device_of(config)
        base = open_base(config, device)
        test = of_folder(args.out / "test", tokens_of(base.tokenizer, config.tokens), config)
        engine = make_engine(base, config, device, World(), print)
        print(f"untrained: nDCG@10 {test.score(engine):.4f}", flush=True)
    started = time.time()
    result = train([args.train or args.out / "real.jsonl"], config, print, export=args.export)
    print(f"trained: nDCG@10 {result.scores[-1][1]:.4f}, {result.steps} steps,"
          f" {(time.time() - started) / 60:.2f} minutes")  # fmt: skip


if __name__ == "__main__":
    main()
