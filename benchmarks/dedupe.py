"""Near-duplicate removal: documents per second, recall and precision at a known Jaccard, and scale.

    python benchmarks/dedupe.py                     150-word texts: English, by words too, Japanese
    python benchmarks/dedupe.py --records 1000000   a file of records, as `trine dedupe` reads it
    python benchmarks/dedupe.py --templated 50000   records from one template
    python benchmarks/dedupe.py --rules 2000        what stays of such by this rule and by others
    python benchmarks/dedupe.py --data DIR --encoder MINILM     duplicates in meaning
    venv/bin/python benchmarks/rivals/datasketch_bench.py, rensa_bench.py, semhash_bench.py

The texts are random words, of which every tenth is a copy with some words changed, so each planted
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import resource
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from generator.alike import jaccard
from generator.config import load_config
from generator.dedupe import Deduped, deduplicate
from generator.pipeline import dedupe_file
from generator.records import Record, make_record, to_json
from generator.shingles import Unit, shingle_set
from generator.unionfind import Groups

WORDS, DOCUMENTS, COPIES, MARGIN = 150, 9_000, 1_000, 0.03
KANA = [chr(code) for code in range(0x3042, 0x3094)]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--records", type=int, help="records of a file, deduplicated as a whole")
    parser.add_argument("--source", type=Path, help="that file; written where it is missing")
    parser.add_argument("--templated", type=int, help="records from one template")
    parser.add_argument("--data", type=Path, help="a folder with sts-en-sts16, for --encoder")
    parser.add_argument("--encoder", type=Path, help="a model's folder: duplicates in meaning")
    parser.add_argument("--rules", type=int, help="such records, by this rule and others")
    args = parser.parse_args()
    if args.records:
        with tempfile.TemporaryDirectory(dir="outputs") as folder:
            file_of(args.records, args.source or Path(folder, "records.jsonl"), Path(folder, "out"))
    elif args.templated:
        templated(args.templated)
    elif args.encoder:
        semantic(args.data, args.encoder)
    elif args.rules:
        rules(args.rules)
    else:
        planted()


def planted() -> None:
    """Speed, recall and precision on planted copies."""
    draw = random.Random(1)
    english = [f"w{number}" for number in range(20_000)]
    japanese = ["".join(draw.choices(KANA, k=3)) for _ in range(20_000)]
    for name, words, gap, unit, threshold in (
        ("English, 5 words", english, " ", "words", 0.9),
        ("English, 5 characters", english, " ", "characters", 0.8),
        ("English, 5 characters", english, " ", "characters", 0.9),
        ("Japanese, 5 characters", japanese, "", "characters", 0.8),
        ("Japanese, 5 characters", japanese, "", "characters", 0.9),
    ):
        print(
            f"{name}, threshold {threshold}", *measure(draw, words, gap, unit, threshold), sep=" · "
        )


def measure(
    draw: random.Random, words: list[str], gap: str, unit: Unit, threshold: float
) -> tuple[str, ...]:
    """Documents per second of CPU; recall above the threshold; precision of what was dropped."""
    texts = [draw.choices(words, k=WORDS) for _ in range(DOCUMENTS)]
    for original in texts[:COPIES]:
        share = draw.choice((0.003, 0.007, 0.015, 0.03, 0.05))
        texts.append([draw.choice(words) if draw.random() < share else word for word in original])
    records = [record(number, gap.join(text)) for number, text in enumerate(texts)]
    start = time.process_time()
    result = deduplicate(records, near_threshold=threshold, unit=unit)
    seconds = time.process_time() - start
    return (
        f"{len(records) / seconds:,.0f} documents/s",
        *quality(records, result, unit, threshold),
    )


def quality(
    records: list[Record], result: Deduped, unit: Unit, threshold: float
) -> tuple[str, str]:
    """Planted pairs found of those similar enough; dropped ones that are."""

    def similarity(one: int, other: int) -> float:
        texts = (f"{records[at].query}\n{records[at].positives[0].text}" for at in (one, other))
        return jaccard(*(shingle_set(text, unit) for text in texts))

    dropped = {drop.index: drop for drop in result.dropped}
    scores = [similarity(number, DOCUMENTS + number) for number in range(COPIES)]
    wanted = [n for n, score in enumerate(scores) if score >= threshold + MARGIN]
    found = sum(DOCUMENTS + number in dropped for number in wanted)
    right = sum(similarity(drop.index, drop.partner) >= threshold for drop in result.dropped)
    return (
        f"recall {found / len(wanted):.4f} of {len(wanted)} at {threshold + MARGIN:.2f} or more",
        f"precision {right / len(dropped):.4f} of {len(dropped)}",
    )


def record(number: int, text: str) -> Record:
    """A record of 150 words in its positive."""
    query = f"q{number % DOCUMENTS if number >= DOCUMENTS else number}"
    return make_record(
        family="f" if number < DOCUMENTS else "g",
        task="t",
        language="en",
        query=query,
        positives=(text,),
    )


def file_of(count: int, source: Path, output: Path) -> None:
    """A whole file, a tenth of it near-duplicates: seconds, records/s and peak memory."""
    if not source.is_file():
        write(source, texts_of(count))
    before, start, cpu = peak_mb(), time.perf_counter(), time.process_time()
    counts = dedupe_file(source, output, load_config(environ={}))
    wall, cpu = time.perf_counter() - start, time.process_time() - cpu
    print(
        f"{count:,} records ({source.stat().st_size / 1e9:.2f} GB)",
        f"{wall:,.0f} s, {cpu:,.0f} s of CPU, {cpu / count * 1e6:.0f} µs of it a record",
        f"{counts.rejected.total():,} dropped",
        f"peak {peak_mb():,.0f} MB ({before:,.0f} MB at the start)",
        sep=" · ",
    )


def texts_of(count: int) -> Iterator[str]:
    """150 words each; every tenth is one of the last thousand with two words changed."""
    draw = random.Random(2)
    words = [f"w{number}" for number in range(20_000)]
    recent: list[list[str]] = []
    for number in range(count):
        if number % 10 == 9:
            text = list(draw.choice(recent))
            for _ in range(2):
                text[draw.randrange(WORDS)] = draw.choice(words)
        else:
            text = draw.choices(words, k=WORDS)
        recent.append(text)
        del recent[:-1000]
        yield " ".join(text)


def write(path: Path, texts: Iterator[str]) -> None:
    """A file of records."""
    with path.open("w", encoding="utf-8") as file:
        for number, text in enumerate(texts):
            one = make_record(
                family="f", task="t", language="en", query=f"question {number}", positives=(text,)
            )
            file.write(to_json(one) + "\n")


def from_template(draw: random.Random, count: int, slots: int, values: int) -> list[Record]:
    """Records whose texts are one template, each slot filled with one of so many values."""
    frame = [" ".join(word(draw) for _ in range(5)) for _ in range(slots + 1)]
    fill = [[f"{word(draw)} {word(draw)}" for _ in range(values)] for _ in range(slots)]
    texts = [
        " ".join(itertools.chain(*zip(frame, map(draw.choice, fill), strict=False), frame[-1:]))
        for _ in range(count)
    ]
    return [
        make_record(family="f", task="t", language="en", query=f"{n}", positives=(text,))
        for n, text in enumerate(texts)
    ]


def templated(count: int) -> None:
    """Records from one template: time, what stays, and what a second pass drops."""
    draw = random.Random(3)
    for slots, values in ((4, 12), (4, 200), (2, 100_000)):
        records = from_template(draw, count, slots, values)
        start = time.process_time()
        result = deduplicate(records)
        seconds = time.process_time() - start
        again = deduplicate([records[at] for at in result.kept])
        print(
            f"{count:,} records, {slots} slots of {values:,} values",
            f"{seconds:.0f} s of CPU, {seconds / count * 1e6:.0f} µs a record",
            f"{len(result.kept):,} stay",
            f"a second pass drops {len(again.dropped)}",
            sep=" · ",
            flush=True,
        )


def rules(count: int) -> None:
    """What stays of templated records by this rule and by two others, from all similarities."""
    draw = random.Random(3)
    for slots, values in ((4, 12), (4, 200)):
        similar = similarities(from_template(draw, count, slots, values))
        for threshold in (0.7, 0.8, 0.9):
            groups, spared = Groups(count), list[int]()
            for later, earlier in zip(*np.nonzero(similar >= threshold), strict=True):
                groups.join(int(earlier), int(later))
            for item in range(count):
                if not (similar[item, spared] >= threshold).any():
                    spared.append(item)
            print(
                f"{slots} slots of {values}, threshold {threshold}",
                f"stay: {(similar.max(axis=1) < threshold).sum()} unlike any earlier",
                f"{len(spared)} unlike any earlier that stayed",
                f"{sum(groups.root(item) == item for item in range(count))} components",
                sep=" · ",
            )


def similarities(records: list[Record]) -> NDArray[np.float32]:
    """Jaccard similarity of each record [later, earlier]; 0 elsewhere."""
    sets = [shingle_set(f"{one.query}\n{one.positives[0].text}", "characters") for one in records]
    vocabulary, places = np.unique(np.concatenate(sets), return_inverse=True)
    held = np.zeros((len(records), len(vocabulary)), dtype=np.float32)
    held[np.repeat(np.arange(len(sets)), [len(own) for own in sets]), places] = 1
    shared, sizes = held @ held.T, held.sum(axis=1)
    return np.tril(shared / (sizes[:, None] + sizes - shared), -1)


def semantic(data: Path, encoder: Path) -> None:
    """Questions of STS 2016, whose pairs people have graded 0 to 5: which go at a cosine."""
    lines = (data / "sts-en-sts16" / "test.jsonl").read_text(encoding="utf-8").splitlines()
    pairs = [row for row in map(json.loads, lines) if row["part"] == "question-question"]
    with tempfile.TemporaryDirectory(dir="outputs") as folder:
        source, output = Path(folder, "pairs.jsonl"), Path(folder, "out")
        with source.open("w", encoding="utf-8") as file:
            for number, side in itertools.product(range(len(pairs)), ("sentence1", "sentence2")):
                query = pairs[number][side]
                file.write(to_json(question(f"pair{number}", query, f"{number}{side}")) + "\n")
        for threshold in (0.95, 0.9, 0.85, 0.8):
            keys = {"encoder": str(encoder), "threshold": threshold, "saved_threshold": 0.8}
            alone = ["dedupe.near_threshold=null"]
            config = load_config(None, alone, environ={}, **{"dedupe.semantic": keys})
            dedupe_file(source, output, config)
            gone = (output / "rejected.jsonl").read_text(encoding="utf-8").splitlines()
            rows = [json.loads(line) for line in gone]
            grades = [pairs[int(row["family"].removeprefix("pair"))]["score"] for row in rows]
            print(
                f"{encoder.name}, cosine {threshold}: {len(grades)} of {len(pairs)} pairs",
                f"{sum(grade >= 4 for grade in grades)} graded 4 or more (of "
                f"{sum(row['score'] >= 4 for row in pairs)})",
                f"lowest grade {min(grades, default=None)}",
                sep=" · ",
            )


def question(family: str, query: str, text: str) -> Record:
    """A record that is compared with those of its family."""
    return make_record(family=family, task="t", language="en", query=query, positives=(text,))


def word(draw: random.Random) -> str:
    """A made-up word."""
    return "".join(draw.choices("abcdefghijklmnop", k=6))


def peak_mb() -> float:
    """Peak memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
