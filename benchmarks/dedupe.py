"""Near-duplicate removal: documents per second and recall of planted near-duplicates.

    python benchmarks/dedupe.py                                   trine
    venv-with-datasketch/bin/python benchmarks/rivals/datasketch_bench.py     datasketch

9,000 random documents of 150 words and 1,000 copies of them with one word changed, as in the
rival's script; and the same in Japanese-like text without spaces.
"""

from __future__ import annotations

import random
import time

from generator.dedupe import deduplicate
from generator.records import make_record

DOCUMENTS, COPIES, WORDS = 9_000, 1_000, 150


def main() -> None:
    """Run and print."""
    draw = random.Random(1)
    english = [f"w{i}" for i in range(20_000)]
    kana = [chr(code) for code in range(0x3042, 0x3094)]
    japanese = ["".join(draw.choices(kana, k=3)) for _ in range(20_000)]
    for name, words, gap in (("spaced", english, " "), ("unspaced", japanese, "")):
        print(name, *measure(draw, words, gap), sep=" · ")


def measure(draw: random.Random, words: list[str], gap: str) -> tuple[str, ...]:
    """Documents per second and recall."""
    texts = [[draw.choice(words) for _ in range(WORDS)] for _ in range(DOCUMENTS)]
    texts += [[*original[:5], "x", *original[6:]] for original in texts[:COPIES]]
    records = [
        make_record(
            family="f", task="t", language="en", query=f"q{number}", positives=(gap.join(text),)
        )
        for number, text in enumerate(texts)
    ]
    start = time.perf_counter()
    result = deduplicate(records, near_threshold=0.8)
    seconds = time.perf_counter() - start
    found = sum(drop.index >= DOCUMENTS for drop in result.dropped)
    wrong = len(result.dropped) - found
    return (
        f"{len(records) / seconds:,.0f} documents/s",
        f"{found} of {COPIES} planted found",
        f"{wrong} others dropped",
    )


if __name__ == "__main__":
    main()
