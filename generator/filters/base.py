"""The contract of a filter rule.

A rule is one function in a module of its own, named in the literal registry `RULES`:

    def check(record: Record, values: Mapping[str, str], *, threshold: float = 0.9) -> Reject | None

`values` are the axis values of the record's draw (empty for imported pairs). Keyword arguments are
the rule's thresholds; `tasks.yaml` sets them per family. `None` keeps the record. A reason is a
stable snake_case key that says what is wrong; the detail is for a reader.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Literal, NamedTuple, Protocol

from generator.records import Record

Side = Literal["query", "positive", "negative"]

_QUOTED_CHARS = 80


class Reject(NamedTuple):
    """Why a record is dropped."""

    reason: str
    detail: str


class Rule(Protocol):
    """A filter rule; thresholds are keyword arguments of the function itself."""

    def __call__(self, record: Record, values: Mapping[str, str], /) -> Reject | None:
        """Why to drop the record, or `None` to keep it."""
        ...


def sides(record: Record) -> Iterator[tuple[Side, str]]:
    """Every written text of the record with its side: the query first, then the positives.

    A passage of the user's own documents is no such text: the rules look for what models do wrong,
    and would drop a document for its code or its tables.
    """
    yield "query", record.query
    for positive in record.positives if record.provenance.passage is None else ():
        yield "positive", positive.text
    for negative in record.negatives:
        yield "negative", negative.text


def prose_sides(record: Record) -> Iterator[tuple[Side, str, str]]:
    """Side, text and language code of every text that is prose.

    Of a record with a label the query alone: its positives and negatives are names of classes,
    too short to judge and often the same in every language.
    """
    for side, text in sides(record):
        if side == "query":
            yield side, text, record.query_language
        elif record.label is None:
            yield side, text, record.text_language


@lru_cache(maxsize=16)  # several rules look for phrases in the same texts
def lowered(text: str) -> str:
    """The text in lower case, for patterns that match without case (several times as fast)."""
    return text.lower()


def quote(text: str) -> str:
    """The beginning of a text on one line, for a detail."""
    line = " ".join(text.split())
    return repr(line if len(line) <= _QUOTED_CHARS else line[: _QUOTED_CHARS - 1] + "…")
