"""Which passages held-out questions are put to, and which of them are right for each.

A record that was written from a passage of the user's documents asks for that passage as it is
searched, title and text, not for the form that the record trains on: without its title where its
heading is the query, without the sentence that was taken out of it. So each passage is there once.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from generator.grounding import JOIN
from generator.records import Record
from generator.search.passages import Passage, stream_passages
from generator.text import normalise, word_count

_SENTENCE_WORDS = 6  # from here on, who holds a query whole holds it for more than a common word


def first_asking(records: Iterable[Record], most: int) -> list[Record]:
    """The first of the records, up to the one with which they ask for `most` passages."""
    found, asked_for = [], set[str]()
    for record in records:
        if len(asked_for) >= most:
            break
        asked_for.update(_names(record) or [passage.id for passage in _own_texts(record)])
        found.append(record)
    return found


def documents_of(records: Iterable[Record], corpus: Path) -> Mapping[str, Passage]:
    """The passages that the records were written from, by id; none where there is no corpus."""
    if not corpus.is_file():
        return {}
    wanted = {name for record in records for name in _names(record)}
    return {passage.id: passage for passage in stream_passages(corpus) if passage.id in wanted}


def passages_of(records: Iterable[Record], documents: Mapping[str, Passage]) -> tuple[Passage, ...]:
    """What these records ask for, each once: passages of documents, else the records' own texts."""
    found: dict[str, Passage] = {}
    for record in records:
        for passage in _written_from(record, documents) or _own_texts(record):
            found.setdefault(passage.id, passage)
    return tuple(found.values())


def right_passages(
    records: Iterable[Record], passages: Iterable[Passage], documents: Mapping[str, Passage]
) -> dict[str, dict[str, int]]:
    """For each record's id the passages that are right, with grade 1: at least its own.

    So are, of the documents, those that hold a sentence whole that is the query (neighbours
    overlap), and those whose titles are the query (the parts of a section).
    """
    known = [passage for passage in passages if passage.id in documents]
    texts = [(passage.id, _letters(passage.title), _letters(passage.text)) for passage in known]
    found = {}
    for record in records:
        own = _written_from(record, documents)
        right = [passage.id for passage in own] or [text.id for text in record.positives]
        query, long = _letters(record.query), word_count(record.query) >= _SENTENCE_WORDS
        if own and query:
            right += [n for n, title, text in texts if title == query or (long and query in text)]
        found[record.id] = dict.fromkeys(right, 1)
    return found


def _names(record: Record) -> list[str]:
    return record.provenance.passage.split(JOIN) if record.provenance.passage else []


def _own_texts(record: Record) -> list[Passage]:
    positives = [Passage(text.id, text.text) for text in record.positives]
    return positives + [Passage(text.id, text.text) for text in record.negatives]


def _written_from(record: Record, documents: Mapping[str, Passage]) -> list[Passage]:
    found = [documents.get(name) for name in _names(record)]
    return [passage for passage in found if passage] if None not in found else []


def _letters(text: str) -> str:
    """Letters and digits alone: titles are joined in several ways, lines break anywhere."""
    return "".join(filter(str.isalnum, normalise(text)))
