"""A query that nobody could answer who has not read its passage: query_vague.

"What is a summary?", "How does it work?" English; other languages pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.content import LANGUAGE, content_words
from generator.filters.base import Reject, quote
from generator.records import Record

# A pronoun where the subject should be, before anything that it could stand for; "is it possible
# to" is none.
_NAMELESS = re.compile(
    r"^\W*(?:(?:how|what|why|when|where|who|which|does|do|did|is|are|was|were|can|could|will|would"
    r"|should|has|have|had|many|much|often|long|else|exactly|['’]s)\b\W*)+"
    r"(?:it\b(?! (?:[\w-]+ ){0,2}(?:to|that|for|if|when|like)\b)"
    r"|he|she|they|this|these|those|its|his|her|their|him|them)\b",
    re.IGNORECASE,
)


def check(record: Record, _values: Mapping[str, str], *, min_words: int = 2) -> Reject | None:
    """Reject a query without a subject, or with fewer than `min_words` content words."""
    if record.query_language != LANGUAGE:
        return None
    if len(set(content_words(record.query))) < min_words or _NAMELESS.match(record.query):
        return Reject("query_vague", quote(record.query))
    return None
