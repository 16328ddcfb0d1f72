"""Too few or too many words: query_too_short, query_too_long, and so for positive and negative.

Words are counted by `generator.text.word_count`: half a word a Han or kana character. Besides
fixed bounds a family may hold its texts to the length that the draw asked for:

    length:
      query: {max_words: 30}
      positive: {min_words: 20}
      axis: {num_words: {fields: [positive, negative], tolerance: 2.0}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

from pydantic import ConfigDict

from generator.filters.base import Reject, Side, sides
from generator.records import Record
from generator.text import word_count


@dataclass(frozen=True)
class Bounds:
    """The fewest and the most words that a text may have; `None` is no bound."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    min_words: float | None = None
    max_words: float | None = None

    def widened(self, tolerance: float) -> Bounds:
        """The lower bound divided and the upper multiplied by the tolerance (1.0: as asked)."""
        return Bounds(
            None if self.min_words is None else self.min_words / tolerance,
            None if self.max_words is None else self.max_words * tolerance,
        )


@dataclass(frozen=True)
class Axis:
    """Which texts an axis speaks of, and how far from its value they may be (a factor)."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    fields: tuple[Side, ...]
    tolerance: float = 2.0


_AT_LEAST = re.compile(r"(?:at least|more than|over|minimum(?: of)?)\s+(\d+)")
_BELOW = re.compile(r"(?:less|fewer) than\s+(\d+)")
_AT_MOST = re.compile(r"(?:at most|up to|maximum(?: of)?)\s+(\d+)")
_BETWEEN = re.compile(r"(\d+)\s*(?:to|-|–|and)\s*(\d+)")
_BARE = re.compile(r"\s*(\d+)\s*(?:words)?\s*")


def parse_range(value: str) -> Bounds | None:
    """The bounds that an axis value says in words; `None` where it says none.

    "at least 10 words", "5 to 15 words", "less than 5 words", "at most 8"; a bare number is a
    minimum, as in the paper's `num_words`.
    """
    value = value.lower()
    if found := _BETWEEN.search(value):
        return Bounds(float(found[1]), float(found[2]))
    if found := _AT_LEAST.search(value) or _BARE.fullmatch(value):
        return Bounds(min_words=float(found[1]))
    if found := _BELOW.search(value):
        # Half a word below: "less than 10", twice widened, then still excludes 20.
        return Bounds(max_words=float(found[1]) - 0.5)
    if found := _AT_MOST.search(value):
        return Bounds(max_words=float(found[1]))
    return None


def check(
    record: Record,
    values: Mapping[str, str],
    *,
    query: Bounds | None = None,
    positive: Bounds | None = None,
    negative: Bounds | None = None,
    axis: Mapping[str, Axis] | None = None,
) -> Reject | None:
    """Reject a record with a text outside its fixed bounds or those that its draw asked for."""
    bounds: dict[Side, list[Bounds]] = {
        "query": [query] if query else [],
        "positive": [positive] if positive else [],
        "negative": [negative] if negative else [],
    }
    for name, of_axis in (axis or {}).items():
        if asked := _widened(values.get(name, ""), of_axis.tolerance):
            for side in of_axis.fields:
                bounds[side].append(asked)
    for side, text in sides(record):
        for bound in bounds[side]:
            if reject := _outside(side, word_count(text), bound):
                return reject
    return None


@lru_cache(maxsize=1024)
def _widened(value: str, tolerance: float) -> Bounds | None:
    bounds = parse_range(value)
    return None if bounds is None else bounds.widened(tolerance)


def _outside(side: Side, words: float, bounds: Bounds) -> Reject | None:
    if bounds.min_words is not None and words < bounds.min_words:
        return Reject(f"{side}_too_short", f"{words:g} words, fewer than {bounds.min_words:g}")
    if bounds.max_words is not None and words > bounds.max_words:
        return Reject(f"{side}_too_long", f"{words:g} words, more than {bounds.max_words:g}")
    return None
