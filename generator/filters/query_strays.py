"""A query asks for more than its subject, so its positive need not answer it: query_strays.

For queries that are written from a given subject before or beside their positive: a content word
that neither the subject nor the family's list of harmless words has, a word said twice, or a shape
that the family forbids. English; other languages pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from generator.content import LANGUAGE, content_words, is_same
from generator.filters.base import Reject, quote
from generator.filters.off_subject import SEPARATOR
from generator.records import Record


def check(
    record: Record,
    values: Mapping[str, str],
    *,
    axis: str = "",
    part: int = 0,
    harmless: str = "",
    forbidden: Sequence[str] = (),
) -> Reject | None:
    """`harmless`: words in a row; `forbidden`: regular expressions over the query in lower case."""
    subject = values.get(axis, "")
    if not subject or record.query_language != LANGUAGE:
        return None
    known = [*content_words(subject.split(SEPARATOR)[part]), *content_words(harmless)]
    words = content_words(record.query)
    strange = [word for word in words if not any(is_same(word, other) for other in known)]
    if strange:
        return Reject("query_strays", f"{', '.join(strange)}: {quote(record.query)}")
    if len(words) > len(set(words)):
        return Reject("query_strays", f"a word twice: {quote(record.query)}")
    if any(re.search(pattern, record.query.casefold()) for pattern in forbidden):
        return Reject("query_strays", f"its shape: {quote(record.query)}")
    return None
