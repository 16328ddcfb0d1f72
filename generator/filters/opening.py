"""A query does not begin with the words that the draw gave it: query_ignores_opening."""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, quote
from generator.records import Record

_SHORT_AM = re.compile(r"['’]m\b")


def check(record: Record, values: Mapping[str, str], *, axis: str = "") -> Reject | None:
    """`axis` names the axis that holds the first words; case and punctuation do not matter."""
    wanted = _words(values.get(axis, ""))
    if wanted and _words(record.query)[: len(wanted)] != wanted:
        return Reject("query_ignores_opening", quote(record.query))
    return None


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", _SHORT_AM.sub(" am", text.casefold()))
