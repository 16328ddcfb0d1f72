"""Contamination: planted evaluation questions found, clean texts flagged, records a second.

    python benchmarks/contamination.py --data DIR

The evaluation sets are English and Japanese retrieval, STS, bitext and classification folders. A
thousand questions of each language are planted as they are, in another case and spacing, with one
word changed, and inside a longer text; the other texts of those records are chapters of a book.
Clean are texts of sources that the sets have nothing to do with, and of one that comes close.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from generator.contamination import EvalIndex, build_index, check, eval_texts
from generator.records import Record, make_record

SETS = (
    "retrieval-en-newwiki", "retrieval-ja-jsquad", "sts-en-sts16", "sts-ja-jsts",
    "bitext-jpn-eng-tatoeba", "classification-en-banking77",
)  # fmt: skip
PLANTED = 1000
JAPANESE_WORD = re.compile(r"[\u4e00-\u9fff]{2,3}|[\u30a1-\u30fc]{3,5}")
Change = Callable[[str], str]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path, required=True)
    data = parser.parse_args().data
    start = time.process_time()
    index = build_index(eval_texts([str(data / name) for name in SETS]))
    seconds = time.process_time() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"index of {len(index):,} texts: {seconds:.1f} s of CPU, {peak:,.0f} MB at most")
    for language, questions, book in (
        ("en", texts(data / "retrieval-en-newwiki/queries.jsonl"), "corpus-rust-book-en"),
        ("ja", texts(data / "retrieval-ja-jsquad/queries.jsonl"), "corpus-rust-book-ja"),
    ):
        planted(index, language, questions, paragraphs(data / book))
    for name, clean in (
        ("book, English", paragraphs(data / "corpus-rust-book-en")),
        ("book, Japanese", paragraphs(data / "corpus-rust-book-ja")),
        ("XQuAD questions", texts(data / "retrieval-en2de-xquad/queries.jsonl")),
        ("CLINC150 (Banking77 is near)", texts(data / "classification-en-clinc150/test.jsonl")),
    ):
        flagged(index, name, clean)


def planted(index: EvalIndex, language: str, questions: list[str], book: list[str]) -> None:
    """Recall, and precision among planted and as many clean records."""
    draw = random.Random(1)
    chosen = draw.sample(questions, PLANTED)
    changes: dict[str, Change] = {
        "as it is": lambda text: text,
        "case, spaces, punctuation": lambda text: f"  {text.upper().rstrip('?？。')} !",
        "one word changed": changer(draw, questions, language),
        "inside a longer text": lambda text: f"{draw.choice(book)} {text} {draw.choice(book)}",
    }
    for name, change in changes.items():
        pairs = [(text, change(text)) for text in chosen]
        pairs = [(text, other) for text, other in pairs if other != text or name == "as it is"]
        bad = [record(other, draw.choice(book)) for _, other in pairs]
        good = [record(draw.choice(book), draw.choice(book)) for _ in pairs]
        start = time.process_time()
        hits = [bool(found) for _, found in check([*bad, *good], index)]
        seconds = time.process_time() - start
        true, false = sum(hits[: len(bad)]), sum(hits[len(bad) :])
        print(
            f"{language} · {name} · recall {true / len(bad):.3f} · "
            f"precision {true / (true + false):.3f} · {len(hits) / seconds:,.0f} records/s of CPU"
        )


def flagged(index: EvalIndex, name: str, clean: list[str]) -> None:
    """The share of clean texts that match, and the first of them."""
    start = time.process_time()
    found = [(text, own[0]) for text, own in zip(clean, find(index, clean), strict=True) if own]
    seconds = time.process_time() - start
    chars = sum(map(len, clean)) / len(clean)
    print(
        f"clean · {name} · {len(found)} of {len(clean):,} ({len(found) / len(clean):.2%}) · "
        f"{len(clean) / seconds:,.0f} texts of {chars:.0f} characters/s of CPU"
    )
    for text, match in found[:4]:
        print(f"    {match.how} {match.score:.2f}: {text[:70]!r} ~ {match.text[:70]!r}")


def find(index: EvalIndex, clean: list[str]) -> Iterator[list]:
    """In blocks, as a run does."""
    for start in range(0, len(clean), 512):
        yield from index.find(clean[start : start + 512])


def changer(draw: random.Random, questions: list[str], language: str) -> Change:
    """Puts another word of the questions in the place of one of theirs."""
    if language == "ja":
        words = sorted({word for text in questions for word in JAPANESE_WORD.findall(text)})

        def change(text: str) -> str:
            places = list(JAPANESE_WORD.finditer(text))
            if not places:
                return text
            place = draw.choice(places)
            return text[: place.start()] + draw.choice(words) + text[place.end() :]

        return change
    words = sorted({word for text in questions for word in text.split() if word.isalpha()})

    def change_english(text: str) -> str:
        own = text.split()
        own[draw.randrange(len(own))] = draw.choice(words)
        return " ".join(own)

    return change_english


def record(query: str, positive: str) -> Record:
    """A record with that query."""
    return make_record(family="f", task="t", language="en", query=query, positives=(positive,))


def texts(path: Path) -> list[str]:
    """The texts of a JSONL file."""
    with path.open(encoding="utf-8") as file:
        return [json.loads(line)["text"] for line in file]


def paragraphs(folder: Path) -> list[str]:
    """Paragraphs of a book of Markdown."""
    pages = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("ch*.md")))
    return [part for page in pages for part in page.split("\n\n") if len(part) > 60]


if __name__ == "__main__":
    main()
