"""Collections with judgements: a BEIR folder, or MS MARCO's collection, queries, qrels or triples.

Judgements come first, then only the texts that they name are held.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from generator.errors import InputError
from generator.imports.example import Example, Item
from generator.imports.tables import Placed, unreadable
from generator.records import Rejected
from generator.search.passages import stream_passages

_PLAIN = ("queries", "collection", "corpus", "qrels")
_QRELS = ("qrels*.tsv", "*qrels*.tsv", "qrels*.txt", "qrels/*.tsv")


@dataclass(slots=True)
class _Judged:
    place: str
    relevant: list[str] = field(default_factory=list)
    other: list[str] = field(default_factory=list)


def beir(folder: Path, split: str) -> Iterator[Item]:
    """corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv; texts are title and text.

    Grades above 0 are positives, 0 and below human negatives. Raises InputError.
    """
    path = folder / "qrels" / f"{split}.tsv"
    if not path.is_file():
        known = ", ".join(sorted(p.stem for p in (folder / "qrels").glob("*.tsv"))) or "none"
        hint = f"--split {known.split(', ')[-1] if known != 'none' else 'NAME'}"
        raise InputError(f"{path}: no such split (known: {known})", hint=hint)
    judged, problems = _judgements(path)
    yield from problems

    def corpus() -> Iterator[tuple[str, str]]:
        return ((p.id, p.full) for p in stream_passages(folder / "corpus.jsonl"))

    queries = ((p.id, p.full) for p in stream_passages(folder / "queries.jsonl"))
    yield from _examples(judged, queries, corpus)


def msmarco(folder: Path, split: str) -> Iterator[Item]:
    """queries*.tsv, collection.tsv and qrels*.tsv as MS MARCO has them, of one split.

    Raises InputError.
    """
    judgements = _one(folder, _QRELS, split)
    collection = _one(folder, ("collection*.tsv", "corpus*.tsv"), split)
    queries = _one(folder, ("queries*.tsv",), split)
    judged, problems = _judgements(judgements)
    yield from problems
    yield from _examples(judged, _two(queries), lambda: _two(collection))


def triples(rows: Iterable[Placed]) -> Iterator[Item]:
    """triples.*.tsv: query, positive and negative as texts; rows of one pair are put together."""
    last: Example | None = None
    for place, row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        if len(row) != 3:
            yield unreadable("wrong_fields", place, f"{len(row)} fields, not 3")
            continue
        query, positive, negative = (str(value).strip() for value in row.values())
        if last and (last.query, last.positives) == (query, (positive,)):
            last = Example(last.place, query, last.positives, (*last.negatives, negative))
            continue
        if last:
            yield last
        last = Example(place, query, (positive,), (negative,))
    if last:
        yield last


def _judgements(path: Path) -> tuple[dict[str, _Judged], list[Rejected]]:
    """Query id → passage ids; three columns (BEIR) or four (TREC)."""
    found: dict[str, _Judged] = {}
    problems = []
    for number, cells in _lines(path):
        place = f"{path.name}:{number}"
        fields = cells if len(cells) > 1 else cells[0].split()  # TREC's have spaces
        grade = fields[-1].lstrip("-")
        if number == 1 and not grade.isdigit():
            continue
        if len(fields) not in {3, 4} or not grade.isdigit():
            problems.append(unreadable("wrong_fields", place, "", "\t".join(fields)[:200]))
            continue
        judged = found.setdefault(fields[0], _Judged(place))
        (judged.relevant if int(fields[-1]) > 0 else judged.other).append(fields[-2])
    return found, problems


def _examples(
    judged: dict[str, _Judged],
    queries: Iterable[tuple[str, str]],
    corpus: Callable[[], Iterable[tuple[str, str]]],
) -> Iterator[Item]:
    asked = {name: text for name, text in queries if name in judged}
    wanted = {name for own in judged.values() for name in (*own.relevant, *own.other)}
    held = {name: text for name, text in corpus() if name in wanted}
    for name, own in judged.items():
        known = [i for i in own.relevant if i in held]
        if name not in asked:
            yield unreadable("no_query", own.place, f"no query {name}")
            continue
        for missing in (*own.relevant, *own.other):
            if missing not in held:
                detail = f"no passage {missing} of query {name}"
                yield unreadable("no_passage", own.place, detail, asked[name])
        if known:
            positives = tuple(held[i] for i in known)
            others = tuple(held[i] for i in own.other if i in held)
            yield Example(own.place, asked[name], positives, others, known[0])
        elif not own.relevant:
            yield unreadable("no_relevant", own.place, f"of query {name}", asked[name])


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    with path.open(encoding="utf-8-sig", errors="replace", newline="") as file:
        reader = csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE)
        yield from ((reader.line_num, fields) for fields in reader if fields)


def _two(path: Path) -> Iterator[tuple[str, str]]:
    for _, fields in _lines(path):
        if len(fields) > 1:  # an id and a text; of documents URL and title besides
            yield fields[0], " ".join(fields[1:]).strip()


def _one(folder: Path, patterns: tuple[str, ...], split: str) -> Path:
    """The file of these patterns; of several, the split's: qrels.dev.small.tsv is of dev."""
    for pattern in patterns:
        found = sorted(folder.glob(pattern))
        if len(found) > 1:
            named = [path for path in found if split in re.split(r"[._-]", path.stem)]
            # One that names no split is of them all: queries.tsv beside queries.dev.tsv.
            plain = [path for path in found if path.stem in _PLAIN]
            if not (named or plain):
                known = ", ".join(path.name for path in found)
                raise InputError(
                    f"{folder}: none of {known} is of {split}",
                    hint="--split NAME, as in one of these",
                )
            found = named or plain
        if found:
            return found[0]
    raise InputError(
        f"{folder}: no {patterns[0]}",
        hint="a folder of MS MARCO holds collection.tsv, queries.tsv and qrels.tsv",
    )
