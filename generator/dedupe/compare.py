"""Records compared: for each the exact duplicate, and by each measure the most similar before it.

No threshold decides here. So thresholds can change afterwards, and nothing is compared anew.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from generator.dedupe.exact import ExactIndex, first_with
from generator.dedupe.near import NearIndex
from generator.dedupe.similar import Places, Similar
from generator.records import Record
from generator.shingles import Unit

Field = Literal["query", "positive", "record"]
Measure = Literal["record_near", "query_near", "semantic"]
MEASURES: tuple[Measure, ...] = get_args(Measure)
# In the order in which they are looked for; a kind is a place in this list, from 1.
REASONS = (
    *(f"{name}_duplicate" for name in get_args(Field)),
    *(f"{name}_duplicate" for name in MEASURES),
)


class Index(Protocol):
    """Compares items that were added one after another."""

    def add(self, record: Record) -> None:
        """The next item."""
        ...

    def nearest(self, order: Places, known: Similar | None = None) -> Similar:
        """Of each place in `order`: the place of the most similar item before it."""
        ...


@dataclass(frozen=True, slots=True)
class Measures:
    """What is compared, and from which similarity on it is told (`floors`).

    `rank` orders the records, the highest first; without it they are in the order of the input.
    """

    fields: Collection[Field] = ("query", "record")
    floors: Mapping[Measure, float] = field(default_factory=dict)
    unit: Unit = "characters"
    rank: Callable[[Record], float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """Of each item: the kind of its exact duplicate (0: none) and its partner; what is similar.

    Items with an exact duplicate are compared no further, and nothing is compared with them.
    """

    kinds: NDArray[np.uint8]
    partners: Places
    similar: Mapping[Measure, Similar]

    def __len__(self) -> int:
        return len(self.kinds)


def compare(
    records: Sequence[Record],
    measures: Measures,
    *,
    semantic: Index | None = None,
    known: Compared | None = None,
    progress: Callable[[int], None] | None = None,
) -> Compared:
    """Compare all records, which may be backed by a file: read once, then by position to verify.

    `known` tells of the first ones (without a `rank`). `progress` is told how many are read.
    """
    exact = {name: ExactIndex() for name in get_args(Field) if name in measures.fields}
    similar = _indexes(records, measures, semantic)
    ranks: list[float] = []
    for number, record in enumerate(records, start=1):
        _add(record, exact, similar)
        if measures.rank is not None:
            ranks.append(-measures.rank(record))
        if progress is not None and number % _TOLD_EVERY == 0:
            progress(number)
    order = np.argsort(ranks, kind="stable") if ranks else np.arange(len(records))
    found, partners = first_with(list(exact.values()), order)
    numbers = [0, *(REASONS.index(f"{name}_duplicate") + 1 for name in exact)]
    stay = order[found[order] == 0]
    return Compared(
        np.array(numbers, dtype=np.uint8)[found],
        partners,
        {name: _nearest(name, index, stay, len(records), known) for name, index in similar.items()},
    )


_TOLD_EVERY = 10_000


def _add(
    record: Record, exact: Mapping[Field, ExactIndex], similar: Mapping[Measure, Index]
) -> None:
    for name, index in exact.items():
        scope = () if name == "record" else (record.family, record.language)
        index.add(TEXTS[name](record), *scope)
    for measure in similar.values():
        measure.add(record)


def _nearest(
    name: Measure, index: Index, stay: Places, count: int, known: Compared | None
) -> Similar:
    before = known.similar[name].of_places(stay) if known else None
    return index.nearest(stay, before).of_items(stay, count)


def _indexes(
    records: Sequence[Record], measures: Measures, semantic: Index | None
) -> dict[Measure, Index]:
    fields: dict[Measure, Field] = {"record_near": "record", "query_near": "query"}
    found: dict[Measure, Index] = {
        name: _NearRecords(records, field_name, measures.floors[name], measures.unit)
        for name, field_name in fields.items()
        if name in measures.floors
    }
    if semantic is not None:
        found["semantic"] = semantic
    return found


class _NearRecords:
    """A `NearIndex` over a field of records."""

    def __init__(self, records: Sequence[Record], name: Field, floor: float, unit: Unit) -> None:
        self._text = TEXTS[name]
        self._index = NearIndex(lambda item: self._text(records[item]), floor, unit)
        self.nearest = self._index.nearest

    def add(self, record: Record) -> None:
        self._index.add(self._text(record))


def _query(record: Record) -> str | None:
    return record.query


def _positive(record: Record) -> str | None:
    return record.positives[0].text if record.positives and record.label is None else None


def _record(record: Record) -> str | None:
    is_given = record.provenance.passage is not None
    positive = None if is_given else _positive(record)
    return record.query if positive is None else f"{record.query}\n{positive}"


TEXTS: Mapping[Field, Callable[[Record], str | None]] = {
    "query": _query,
    "positive": _positive,
    "record": _record,
}
