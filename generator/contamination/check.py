"""Records → the matches of their texts, as a stream; what a match rejects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Literal, NamedTuple

from generator.contamination.index import CHECKS, EvalIndex, Match
from generator.records import Record, Rejected

Side = Literal["query", "positive", "negative"]
_AT_ONCE = 256  # records, whose texts are looked up together


class Found(NamedTuple):
    """A text of a record that stands in an evaluation set."""

    side: Side
    text: str
    match: Match


def check(records: Iterable[Record], index: EvalIndex) -> Iterator[tuple[Record, list[Found]]]:
    """Every record, in order, with what was found of its texts."""
    source = iter(records)
    while block := list(islice(source, _AT_ONCE)):
        texts = [_texts(record) for record in block]
        found = iter(index.find([text for own in texts for _, text in own]))
        for record, own in zip(block, texts, strict=True):
            yield record, [Found(side, text, m) for side, text in own for m in next(found)]


def _texts(record: Record) -> Sequence[tuple[Side, str]]:
    """What was written: a passage of the user's own documents is no leak of a test."""
    positives = record.positives if record.provenance.passage is None else ()
    return [
        ("query", record.query),
        *(("positive", positive.text) for positive in positives),
        *(("negative", negative.text) for negative in record.negatives),
    ]


def rejected(record: Record, found: Sequence[Found]) -> Rejected:
    """Why a record with matches is dropped: its surest match, and the text that it matches."""
    side, _, match = min(found, key=lambda item: CHECKS.index(item.match.how))
    return Rejected(
        stage="contamination",
        reason=f"{side}_{match.how}_match",
        family=record.family,
        language=record.language,
        detail=f"{match.set}: {match.text}",
        record=record,
        partner=f"{match.set}/{match.id}",
        score=match.score,
    )
