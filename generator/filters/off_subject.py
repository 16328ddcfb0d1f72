"""A text strays from what the draw gave it to write about: query_off_subject, and so on.

A draw's axis may hold what each text is about, in parts: "gardening | growing tomatoes | pruning
roses". A text must hold most of the content words of its part. English; other languages pass.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.content import LANGUAGE, coverage
from generator.filters.base import Reject, Side, prose_sides, quote
from generator.records import Record

SEPARATOR = " | "


def check(
    record: Record,
    values: Mapping[str, str],
    *,
    axis: str = "",
    parts: Mapping[Side, int] | None = None,
    min_share: float = 0.6,
) -> Reject | None:
    """Reject a text without `min_share` of the content words of its part of the axis value."""
    pieces = values.get(axis, "").split(SEPARATOR)
    if pieces == [""]:
        return None
    for side, text, language in prose_sides(record):
        part = (parts or {}).get(side)
        if part is None or language != LANGUAGE:
            continue
        if coverage(pieces[part], text) < min_share:
            return Reject(f"{side}_off_subject", f"not about {pieces[part]!r}: {quote(text)}")
    return None
