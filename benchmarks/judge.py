"""How good an LLM is as a judge: its grades of real positives, hard negatives and strangers.

    python benchmarks/judge.py --data DIR --model qwen.gguf [--set backend=openai] [--records 17]

Each record of `realrecords.py` (half "report") gives three pairs: its query with its positive, with
the hard negative of the same article, and with a passage of another article. `trine refine` asks
for every grade, some of them twice. Printed: grades by kind, how often a positive is graded above a
negative (ties count half), what the thresholds of `refine.judge` would do, agreement and tokens.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

from realrecords import RETRIEVAL, retrieval, sample

from generator.config import load_config
from generator.records import Negative, Record, content_id, to_json
from generator.refining import refine_file

KINDS = ("positive", "hard negative", "stranger")


def records(data: Path, language: str, count: int) -> list[Record]:
    """Records with two negatives: the hard one, then a stranger."""
    reals = list(retrieval(data / RETRIEVAL[language], language))
    reals = [real for real in reals if real.half == "report" and real.record.negatives]
    rng, found = random.Random("strangers"), []
    for real in sample(reals, count, seed=0):
        own = {real.record.positives[0].text, real.record.negatives[0].text}
        texts = [other.record.positives[0].text for other in reals]
        text = rng.choice([text for text in texts if text not in own])
        stranger = Negative(content_id(text), text, "random")
        negatives = (real.record.negatives[0], stranger)
        found.append(replace(real.record, negatives=negatives))
    return found


def above(high: Counter[int], low: Counter[int]) -> float:
    """The share of pairs of grades in which the first is higher; ties count half (AUC)."""
    pairs = [(a, b, n * m) for a, n in high.items() for b, m in low.items()]
    total = sum(n for *_, n in pairs)
    return sum(n * ((a > b) + (a == b) / 2) for a, b, n in pairs) / total if total else float("nan")


def main() -> None:
    """Print the grades of one judge in each language."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--model", required=True)
    parser.add_argument("--languages", nargs="*", default=["en"], choices=RETRIEVAL)
    parser.add_argument("--records", type=int, default=17)
    parser.add_argument("--again", type=float, default=0.3)
    parser.add_argument("--set", action="append", default=[], help="KEY=VALUE of refine.judge")
    options = parser.parse_args()
    for language in options.languages:
        keys = {"model": options.model, "on": "all", "again": options.again}
        given = [f"refine.judge.{key}={value}" for key, value in keys.items()]
        given += [f"refine.judge.{text}" for text in options.set]
        given += ["refine.encoder=null", "refine.positives=keep", "refine.negatives=keep"]
        config = load_config(None, given)
        with tempfile.TemporaryDirectory() as name:
            source = Path(name) / "in.jsonl"
            made = records(options.data, language, options.records)
            source.write_text("".join(to_json(r) + "\n" for r in made), encoding="utf-8")
            started = time.perf_counter(), time.process_time()
            refined = refine_file(source, Path(name) / "out", config)
            seconds = time.perf_counter() - started[0], time.process_time() - started[1]
            rows = (Path(name) / "out" / "refined.jsonl").read_text(encoding="utf-8").splitlines()
        report(language, [json.loads(row) for row in rows])
        print(f"  {refined.agreement}\n  {refined.spent}")
        print(f"  {seconds[0]:.0f} s, {seconds[1]:.0f} s of CPU time", flush=True)


def report(language: str, rows: list[dict]) -> None:
    """The grades by kind, and what they are worth."""
    grades: dict[str, Counter[int]] = defaultdict(Counter)
    asked = 0
    for row in rows:
        for kind, item in zip(KINDS, (*row["positives"], *row["negatives"]), strict=True):
            asked += 1
            if "grade" in item:
                grades[kind][item["grade"]] += 1
    print(f"{language}: {asked} pairs, {sum(map(Counter.total, grades.values()))} with a grade")
    for kind in KINDS:
        counts = [grades[kind][grade] for grade in range(4)]
        mean = sum(g * n for g, n in enumerate(counts)) / max(1, sum(counts))
        print(f"  {kind:<14} grades 0 to 3: {counts}, mean {mean:.2f}")
    for kind in KINDS[1:]:
        print(f"  the positive above the {kind}: {above(grades['positive'], grades[kind]):.3f}")
    positive, hard = grades["positive"], grades["hard negative"]
    kept = (positive[2] + positive[3]) / max(1, positive.total())
    false = (hard[2] + hard[3]) / max(1, hard.total())
    print(f"  positives kept (2 or more) {kept:.2f}, hard negatives called false {false:.2f}")


if __name__ == "__main__":
    main()
