"""Real records to plant faults in: public labelled sets as records of the families they fit.

Questions and passages become `short-long` and `grounded-question`, translations `bitext`, pairs of
sentences `sts`, classified texts `long-short`; records of a run stay what they are. A grounded one
has its passage's title, as trine's own have. Each has what its draw would have asked for, so that
the rules about the draw have something to say. A record's half ("tune" or "report") follows from
the text it comes from (an article, a sentence): no text is on both sides.
"""

from __future__ import annotations

import json
import random
import zlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np

from generator.records import Draw, Provenance, Record, draw_to_json, from_json, make_record
from generator.text import normalise, word_count

RETRIEVAL = {"en": "retrieval-en-newwiki", "ja": "retrieval-ja-jsquad"}
CROSS_LINGUAL = {"en-de": "retrieval-en2de-xquad", "en-zh": "retrieval-en2zh-xquad"}
BITEXT = {"ja-en": "jpn", "de-en": "deu", "zh-en": "cmn"}
STS = {"en": ("sts-en-sts16", 3.5), "ja": ("sts-ja-jsts", 3.4)}  # their scales are 0 to 5
CLASSES = ("classification-en-banking77", "classification-en-clinc150")
LENGTHS = (50, 100, 200, 300, 400, 500)
_VECTOR = 4096
_MOST_LOOKALIKES = 1800
_OPEN_ENDS = ("、", "，", ",", *"はがをにのとでへもや")


class Real(NamedTuple):
    """A real record, its half, and other texts that answer its query (by the set's labels)."""

    record: Record
    half: str
    source: str


def half_of(source: str) -> str:
    """Which half a text belongs to, by its hash."""
    return "report" if blake2b(source.encode(), digest_size=1).digest()[0] % 2 else "tune"


def real_records(data: Path, run: Path | None = None) -> list[Real]:
    """All of them, in a fixed order."""
    found: list[Real] = []
    for language, name in RETRIEVAL.items():
        found += retrieval(data / name, language)
    for pair, name in CROSS_LINGUAL.items():
        found += cross_lingual(data / name, pair)
    for pair, name in BITEXT.items():
        found += bitext(data / f"bitext-{name}-eng-tatoeba", pair)
    for language, (name, least) in STS.items():
        found += sts(data / name, language, least)
    for name in CLASSES:
        found += classes(data / name)
    found += titles(data / RETRIEVAL["ja"])
    found += camel(data / "llm-triples-camel")
    if run is not None:
        found += written(run)
    return found


def lines(path: Path) -> list[dict]:
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def retrieval(folder: Path, language: str) -> Iterator[Real]:
    """Every question once as `short-long` (with a hard negative) or as `grounded-question`."""
    corpus = {row["_id"]: row for row in lines(folder / "corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl")}
    rows = (folder / "qrels/test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    judged = [row.split("\t")[:2] for row in rows]
    answers = defaultdict(set)
    for query, passage in judged:
        answers[query].add(passage)
    by_title = defaultdict(list)
    for key, row in corpus.items():
        by_title[row["title"]].append(key)
    vectors = dict(zip(corpus, _vectors(row["text"] for row in corpus.values()), strict=True))
    for place, (query, passage) in enumerate(judged):
        row, text = corpus[passage], queries[query]
        if place % 2:
            item = _record(
                "grounded-question", text, f"{row['title']}\n{row['text'].strip()}",
                language=language, passage=passage,
                values={"query_length": "", "query_type": "a question for a fact"},
            )  # fmt: skip
            yield Real(item, half_of(row["title"]), folder.name)
            continue
        others = [
            key
            for key in by_title[row["title"]]
            if key not in answers[query] and not _breaks_off(corpus[key]["text"])
        ]
        if not others or _breaks_off(row["text"]):
            continue
        ask = _vectors([text])[0]
        nearest = max(others, key=lambda key: float(vectors[key] @ ask))
        item = _record(
            "short-long", text, row["text"].strip(), corpus[nearest]["text"].strip(),
            language=language, values=_asked(text, row["text"], corpus[nearest]["text"]),
        )  # fmt: skip
        yield Real(item, half_of(row["title"]), folder.name)


def _breaks_off(text: str) -> bool:
    """Whether the text ends in a comma or a particle: the set has lost a formula or a list there.

    As a document it is given, but nobody who writes a text ends it so.
    """
    return text.rstrip().endswith(_OPEN_ENDS)


def cross_lingual(folder: Path, pair: str) -> Iterator[Real]:
    """Questions in English, passages in another language; the negative is the nearest passage."""
    corpus = {row["_id"]: row["text"].strip() for row in lines(folder / "corpus.jsonl")}
    queries = {row["_id"]: row["text"] for row in lines(folder / "queries.jsonl")}
    rows = (folder / "qrels/test.tsv").read_text(encoding="utf-8").splitlines()[1:]
    keys = list(corpus)
    vectors = _vectors(corpus.values())
    nearest = np.argmax(vectors @ vectors.T - 2 * np.eye(len(keys)), axis=1)
    other = {key: corpus[keys[i]] for key, i in zip(keys, nearest, strict=True)}
    for query, passage, _ in (row.split("\t") for row in rows):
        item = _record(
            "cross-lingual", queries[query], corpus[passage], other[passage], language=pair,
            values=_asked(queries[query], corpus[passage], other[passage]),
        )  # fmt: skip
        yield Real(item, half_of(corpus[passage]), folder.name)


def bitext(folder: Path, pair: str) -> Iterator[Real]:
    """Translations; the negative is the sentence of the second language that is most alike."""
    rows = lines(folder / "test.jsonl")
    texts = [row["sentence2"] for row in rows]
    for row, other in zip(rows, _lookalikes(texts), strict=True):
        item = _record("bitext", row["sentence1"], row["sentence2"], other, language=pair)
        yield Real(item, half_of(row["sentence2"]), folder.name)


def sts(folder: Path, language: str, least: float) -> Iterator[Real]:
    """Pairs that readers found alike, and a sentence that is less like the first.

    Where readers compared the first sentence with a third one, too, and found it less like by a
    point or more, it is that one. For the others (source `…-lookalikes`) it is the one that looks
    most alike, which may be a paraphrase as well: of captions, several tell of one picture.
    """
    rows = [row for path in sorted(folder.glob("t*.jsonl")) for row in lines(path)]
    ranked = list(_ranked(rows, least))
    known = {query for query, _, _ in ranked}
    pairs = [row for row in rows if float(row["score"]) >= least and row["sentence1"] not in known]
    pairs = pairs[:_MOST_LOOKALIKES]
    others = _lookalikes([row["sentence2"] for row in pairs])
    alike = [(r["sentence1"], r["sentence2"], o) for r, o in zip(pairs, others, strict=True)]
    for source, triples in ((folder.name, ranked), (f"{folder.name}-lookalikes", alike)):
        for query, positive, negative in triples:
            if normalise(query) not in {normalise(positive), normalise(negative)}:
                item = _record("sts", query, positive, negative, language=language)
                yield Real(item, half_of(query), source)


def _ranked(rows: Sequence[dict], least: float) -> Iterator[tuple[str, str, str]]:
    """A sentence, its nearest by its readers' scores, and the nearest of those a point behind."""
    partners: dict[str, list[tuple[float, str]]] = defaultdict(list)
    for row in rows:
        for one, other in (("sentence1", "sentence2"), ("sentence2", "sentence1")):
            partners[row[one]].append((float(row["score"]), row[other]))
    for sentence, scored in partners.items():
        high, positive = max(scored)
        behind = [item for item in scored if item[0] <= high - 1]
        if high >= least and behind:
            yield sentence, positive, max(behind)[1]


def classes(folder: Path) -> Iterator[Real]:
    """Texts with their class, and a class that is near by name.

    Those that say their label are left out: the family forbids that, so they are no clean records
    (of banking77 one in seven, of clinc150 one in three; real ones have no such rule to keep).
    """
    rows = lines(folder / "test.jsonl")
    names = sorted({row["label"] for row in rows})
    other = dict(zip(names, _lookalikes(names), strict=True))
    for row in rows:
        label, wrong = (name.replace("_", " ") for name in (row["label"], other[row["label"]]))
        if _says(row["text"], label):
            continue
        item = _record("long-short", row["text"], label, wrong, language="en", label=label)
        yield Real(item, half_of(row["text"]), folder.name)


def _says(text: str, label: str) -> bool:
    """Whether the words of the label of more than two letters are all in the text."""
    words = [word for word in label.split() if len(word) > 2] or [label]
    return all(word in normalise(text) for word in words)


def titles(folder: Path) -> Iterator[Real]:
    """Japanese passages with their article as their class, where they do not name it."""
    rows = lines(folder / "corpus.jsonl")
    names = sorted({row["title"] for row in rows})
    for place, row in enumerate(rows):
        title = row["title"]
        if normalise(title) not in normalise(row["text"]):
            wrong = names[(names.index(title) + 1 + place) % len(names)]
            if wrong != title:
                item = _record("long-short", row["text"], title, wrong, language="ja", label=title)
                yield Real(item, half_of(title), folder.name)


def camel(folder: Path) -> Iterator[Real]:
    """Triples that a large model wrote."""
    for row in lines(folder / "triples.jsonl"):
        query, positive, negative = (
            row[key] for key in ("user_query", "positive_document", "hard_negative_document")
        )
        item = _record("short-long", query, positive, negative, language="en")
        yield Real(item, half_of(query), folder.name)


def written(run: Path) -> Iterator[Real]:
    """What a run kept, as it is."""
    for row in (run / "records.jsonl").read_bytes().splitlines():
        record = from_json(Record, row)
        yield Real(record, half_of(record.query), "run")


def _record(
    family: str,
    query: str,
    positive: str,
    negative: str | None = None,
    *,
    language: str,
    label: str | None = None,
    passage: str | None = None,
    values: dict[str, str] | None = None,
) -> Record:
    draw = Draw(family, 1, "single", language, 0, values=values or {})
    return make_record(
        family=family,
        task="",
        language=language,
        query=query,
        positives=(positive,),
        negatives=() if negative is None else (negative,),
        label=label,
        symmetric=family in {"sts", "bitext"},
        provenance=Provenance(draw=draw_to_json(draw), passage=passage),
    )


def _asked(query: str, *documents: str) -> dict[str, str]:
    """Axis values that the texts fulfil: what a draw would have asked for to get them."""
    words, shortest = word_count(query), min(map(word_count, documents))
    length = "less than 5 words" if words < 5 else "5 to 15 words"
    if words > 15:
        length = "at least 10 words"
    asked = max((n for n in LENGTHS if n <= shortest), default=0)
    return {"query_length": length, "num_words": str(asked) if asked else ""}


def _vectors(texts: Iterable[str]) -> np.ndarray:
    """Unit vectors of character 3-grams, hashed: enough to find a text that looks alike."""
    rows = []
    for text in texts:
        row = np.zeros(_VECTOR, dtype=np.float32)
        line = normalise(text)
        for i in range(max(1, len(line) - 2)):
            row[zlib.crc32(line[i : i + 3].encode()) % _VECTOR] += 1
        rows.append(row / (np.linalg.norm(row) or 1.0))
    return np.stack(rows)


def _lookalikes(texts: Sequence[str]) -> list[str]:
    """For each text the one most alike among those that differ from it in normal form."""
    vectors = _vectors(texts)
    scores = vectors @ vectors.T
    for i in range(len(texts)):
        scores[i, scores[i] > 0.97] = -1.0
    return [texts[i] for i in np.argmax(scores, axis=1)]


def sample(items: Sequence[Real], count: int, seed: int) -> list[Real]:
    """At most `count` of them, the same for the same seed, every source with its share."""
    rng = random.Random(seed)
    by_source: dict[str, list[Real]] = defaultdict(list)
    for item in items:
        by_source[f"{item.source} {item.record.family}"].append(item)
    chosen: list[Real] = []
    for members in by_source.values():
        rng.shuffle(members)
    while len(chosen) < count and any(by_source.values()):
        chosen += [members.pop() for members in by_source.values() if members]
    return chosen[:count]


def with_texts(
    record: Record,
    *,
    query: str | None = None,
    positive: str | None = None,
    negative: str | None = None,
) -> Record:
    """The record with one text replaced (the first positive, the first negative), ids and all."""
    positives = tuple(item.text for item in record.positives)
    negatives = tuple(item.text for item in record.negatives)
    made = make_record(
        family=record.family,
        task=record.task,
        language=record.language,
        query=record.query if query is None else query,
        positives=positives if positive is None else (positive, *positives[1:]),
        negatives=negatives if negative is None else (negative, *negatives[1:]),
        symmetric=record.symmetric,
        label=record.label if positive is None or record.label is None else positive,
        in_batch=record.in_batch,
        provenance=record.provenance,
    )
    return replace(made, id=record.id)
