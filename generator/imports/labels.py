"""Two texts and whether they belong together, 0 or 1: PAWS, QQP, MRPC, WikiQA; rows → examples."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from generator.imports.example import (
    NEGATIVE,
    POSITIVE,
    QUERY,
    Columns,
    Example,
    Item,
    column,
    followers,
    texts,
)
from generator.imports.tables import Placed, unreadable
from generator.records import Rejected

_LABEL = (
    "label", "is_duplicate", "is_paraphrase", "is_relevant", "relevant", "duplicate", "paraphrase",
    "quality", "ラベル",
)  # fmt: skip
# Read beside texts of one kind alone: elsewhere what a search or a teacher gave to positives.
_SCORE = ("score", "similarity", "similarity_score", "relatedness_score")
_WORDS = {
    "true": True, "yes": True, "duplicate": True, "equivalent": True, "paraphrase": True,
    "false": False, "no": False, "not_duplicate": False, "not_equivalent": False,
    "not_paraphrase": False,
}  # fmt: skip
# More other numbers than slips of the pen: half of few, a tenth of many.
_MANY, _SHARE_OF_MANY, _SHARE = 10, 0.1, 0.5
_UNLABELLED = -1  # in the test sets of GLUE


@dataclass(slots=True)
class _Told:
    """The second texts of one first text, each with the place of its row."""

    alike: dict[str, str] = field(default_factory=dict)
    unlike: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class _Numbers:
    """How many labels are 0 or 1, and how many are other numbers."""

    known: int = 0
    other: int = 0
    are_scores: bool = False  # by the name of their column

    def add(self, label: bool | float | None, name: str | None) -> None:
        """Count a label, as `label_of` reads it, of the column of that name."""
        self.are_scores |= str(name).strip().lower() in _SCORE
        self.known += isinstance(label, bool)
        self.other += isinstance(label, float) and label != _UNLABELLED

    @property
    def are_grades(self) -> bool:
        """Whether they are scores or grades: a 1 among them may mean unlike."""
        share = _SHARE_OF_MANY if self.other >= _MANY else _SHARE
        share = 0 if self.are_scores else share
        return self.other > 0 and self.other >= share * (self.known + self.other)


def label_of(value: Any) -> bool | float | None:
    """True or False by its word or number (1, 1.0), another number, or None for anything else."""
    text = str(value).strip().lower()
    if text in _WORDS:
        return _WORDS[text]
    try:
        number = float(text)
    except ValueError:
        return None
    return bool(number) if number in {0, 1} else number if math.isfinite(number) else None


def are_labelled(rows: list[Placed], columns: Columns) -> bool:
    """Whether a table's first rows hold two texts and a label that is to be read as 0 or 1.

    A column of negatives says that the others are positives. Of texts that are no two of a kind a
    column of grades may be anything: the number of a topic.
    """
    first = next((row for _, row in rows if not isinstance(row, Rejected)), {})
    query, text, label = read_columns(first, columns)
    if None in {query, text, label} or followers(first, NEGATIVE, columns.negative):
        return False
    numbers = _Numbers()
    for _, row in rows:
        if not isinstance(row, Rejected):
            numbers.add(label_of(row.get(label or "")), label)
    if columns.label or are_alike(first, columns):
        return numbers.known + numbers.other > 0
    return numbers.known > 0 and not numbers.are_grades


def read_columns(row: Mapping[str, Any], columns: Columns) -> tuple[str | None, ...]:
    """The columns of the first text, the second one and the label."""
    query = column(row, columns.query, QUERY)
    text = column(row, columns.positive, (name for name in POSITIVE if name != query))
    names = (*_LABEL, *_SCORE) if _is_pair(query, text) else _LABEL
    return query, text, column(row, columns.label, names)


def are_alike(row: Mapping[str, Any], columns: Columns) -> bool:
    """Whether both texts are of one kind, as sentence1 and sentence2: either may be the query."""
    query, text, _ = read_columns(row, columns)
    return _is_pair(query, text)


def _is_pair(query: str | None, text: str | None) -> bool:
    return bool(query and text and "1" in query and query.replace("1", "2") == text)


def labelled(rows: Iterator[Placed], columns: Columns, _: int) -> Iterator[Item]:
    """What is labelled 1 is a positive of the first text; what is labelled 0 its hard negative.

    Holds all texts until the last row, which may give the first one its positive, or show that
    the labels are grades: then none is taken.
    """
    found: dict[str, _Told] = {}
    numbers = _Numbers()
    for place, row in rows:
        if isinstance(row, Rejected):
            yield row
            continue
        names = read_columns(row, columns)
        query, text, label = (row.get(name or "") for name in names)
        told = label_of(label)
        numbers.add(told, names[2])
        asked, second = texts(query), texts(text)
        if not asked or not second:
            yield unreadable("empty_text", place, "")
        elif not isinstance(told, bool):
            yield unreadable("unknown_label", place, str(label)[:100], asked[0])
        else:
            _add(found.setdefault(asked[0], _Told()), place, second, is_alike=told)
    for asked_text, own in found.items():
        yield from _graded(asked_text, own) if numbers.are_grades else _settled(asked_text, own)


def _add(own: _Told, place: str, second: tuple[str, ...], *, is_alike: bool) -> None:
    for text in second:
        if is_alike:
            own.alike.setdefault(text, place)
        else:
            own.unlike.append((text, place))


def _graded(query: str, own: _Told) -> Iterator[Item]:
    for place in (*own.alike.values(), *(place for _, place in own.unlike)):
        yield unreadable("graded", place, "", query)


def _settled(query: str, own: _Told) -> Iterator[Item]:
    """The example of one first text, and why rows of it are none."""
    negatives = []
    if query in own.alike:
        yield unreadable("positive_equals_query", own.alike.pop(query), "", query)
    for text, place in own.unlike:
        if text == query:
            yield unreadable("negative_equals_query", place, "", query)
        elif text in own.alike:
            yield unreadable("both_labels", place, "", text)
        elif not own.alike:
            yield unreadable("lone_negative", place, "", text)
        else:
            negatives.append(text)
    if own.alike:
        place = next(iter(own.alike.values()))
        yield Example(place, query, tuple(own.alike), tuple(dict.fromkeys(negatives)))
