"""A file, a folder or a data set → records; every row that is none comes as a `Rejected`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from itertools import chain, islice
from pathlib import Path
from typing import Literal

from generator.errors import InputError
from generator.imports.collections import beir, msmarco, triples
from generator.imports.example import LABEL, Columns, Example, Item, column
from generator.imports.formats import LABELS, clicks, nli, pairs, read_as, squad
from generator.imports.labels import are_alike, are_labelled, labelled, read_columns
from generator.imports.tables import Placed, Row, rows_of, unreadable
from generator.langid import detect
from generator.records import InBatch, Provenance, Record, Rejected, make_record

FormatName = Literal[
    "auto", "pairs", "squad", "nli", "labels", "clicks", "beir", "msmarco", "triples"
]  # fmt: skip

_ROWS: dict[str, Callable[[Iterator[Placed], Columns, int], Iterator[Item]]] = {
    "pairs": pairs,
    "squad": squad,
    "nli": nli,
    "labels": labelled,
    "clicks": clicks,
    "triples": lambda rows, _, __: triples(rows),
}
_FOLDERS: dict[str, Callable[[Path, str], Iterator[Item]]] = {"beir": beir, "msmarco": msmarco}
FORMATS = ("auto", *_ROWS, *_FOLDERS)

# What the records ask for, where the user does not say.
_TASKS = {
    "nli": "Given a premise, retrieve a hypothesis that is entailed by the premise",
    "alike": "Retrieve semantically similar text",
    "clicks": "Given a web search query, retrieve relevant passages that answer the query",
    "msmarco": "Given a web search query, retrieve relevant passages that answer the query",
    "triples": "Given a web search query, retrieve relevant passages that answer the query",
}
_SYMMETRIC = {"nli", "alike"}
_TASK = "Given a question, retrieve passages that answer the question"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """How rows become records. `language` "auto" detects each query's and first positive's."""

    format: str = "auto"
    columns: Columns = field(default_factory=Columns)
    split: str = "train"
    family: str = "imported"
    task: str | None = None
    language: str = "auto"
    symmetric: bool | None = None
    in_batch: InBatch = "all"
    min_clicks: int = 1
    limit: int | None = None


def import_records(
    source: str, options: ImportOptions, note: Callable[[str], None] = lambda _: None
) -> Iterator[Record | Rejected]:
    """The records of a source, in its order. Raises InputError where it cannot be read.

    `note` is told once which columns of a table of pairs are read as what, and which are not.
    """
    kind, items = _items(source, options, note)
    kept = 0
    for item in items:
        result = item if isinstance(item, Rejected) else _record(item, kind, source, options)
        if isinstance(result, Rejected):
            yield replace(result, family=options.family)
            continue
        yield result
        kept += 1
        if kept == options.limit:
            return


def _items(
    source: str, options: ImportOptions, note: Callable[[str], None]
) -> tuple[str, Iterator[Item]]:
    path, kind = Path(source), options.format
    if path.is_dir():
        if kind == "auto":
            kind = "beir" if (path / "corpus.jsonl").is_file() else "msmarco"
        if kind not in _FOLDERS:
            raise InputError(f"{source}: a folder", hint="--format beir or msmarco, or a file")
        return kind, _FOLDERS[kind](path, options.split)
    if kind in _FOLDERS:
        raise InputError(f"{source}: no folder", hint=f"a folder as {kind} has it")
    rows = rows_of(source, split=options.split, named=options.columns.named)
    begin = list(islice(rows, _LOOKED_AT if kind == "auto" else 1))
    rows = chain(begin, rows)
    kind = _guessed(begin, options.columns) if kind == "auto" else kind
    first = _first(begin)
    if kind in {"pairs", "labels"}:
        label = read_columns(first, options.columns)[2] if kind == "labels" else None
        told = read_as(first, options.columns, label)
        if told:
            note(told)
    items = _ROWS[kind](rows, options.columns, options.min_clicks)
    return "alike" if kind == "labels" and are_alike(first, options.columns) else kind, items


def _first(rows: list[Placed]) -> Row:
    return next((row for _, row in rows if not isinstance(row, Rejected)), {})


def _guessed(rows: list[Placed], columns: Columns) -> str:
    """The format that the named columns or the first rows tell of."""
    row = _first(rows)
    own = {str(name).strip().lower() for name in row}
    if "paragraphs" in row:
        return "squad"
    if columns.clicks or own & {"clicks", "click_count"}:
        return "clicks"
    label = column(row, columns.label, LABEL)
    is_named = label is not None and str(row[label]).strip().lower() in LABELS
    if own & {"premise", "gold_label"} or is_named:
        return "nli"
    if are_labelled(rows, columns):
        return "labels"
    return "nli" if columns.label else "pairs"


def _record(example: Example, kind: str, source: str, options: ImportOptions) -> Record | Rejected:
    reason = _problem(example)
    if reason:
        return unreadable(reason, example.place, "", example.query)
    negatives = tuple(
        text for text in dict.fromkeys(example.negatives)
        if text not in example.positives and text != example.query
    )  # fmt: skip
    return make_record(
        family=options.family,
        task=options.task or _TASKS.get(kind, _TASK),
        language=_language(example) if options.language == "auto" else options.language,
        query=example.query,
        positives=tuple(dict.fromkeys(example.positives)),
        negatives=negatives,
        symmetric=kind in _SYMMETRIC if options.symmetric is None else options.symmetric,
        in_batch=options.in_batch,
        negative_source="human",
        provenance=Provenance(
            passage=example.passage, source=f"{Path(source).name} {example.place}".strip()
        ),
    )


def _problem(example: Example) -> str:
    if not example.query.strip():
        return "empty_query"
    if not example.positives or not all(text.strip() for text in example.positives):
        return "empty_positive"
    if example.query in example.positives:
        return "positive_equals_query"
    return ""


def _language(example: Example) -> str:
    """A code, or "src-tgt": the texts' language, and the query's where it is long and sure."""
    text = detect(example.positives[0]).language
    guess = detect(example.query)
    sure = guess.confidence >= _SURE and len(example.query) >= _LONG_CHARS
    return f"{guess.language}-{text}" if sure and guess.language != text else text


_SURE, _LONG_CHARS = 0.8, 20  # a keyword query looks like any language
_LOOKED_AT = 1000  # rows: the first ones may be unlabelled
