"""Texts without a visible character: query_empty, positive_empty, negative_empty.

A record with no positive is positive_empty; one with no negatives is fine (mining adds them).
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.filters.base import Reject, sides
from generator.records import Record

# Zero-width space, joiners, word joiner and byte order mark: `str.strip` leaves them.
_INVISIBLE = "\u200b\u200c\u200d\u2060\ufeff"


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record with a text that holds nothing to see."""
    if not record.positives:
        return Reject("positive_empty", "the record has no positive")
    for side, text in sides(record):
        if not text.strip().strip(_INVISIBLE).strip():
            return Reject(f"{side}_empty", f"the {side} has no visible character")
    return None
