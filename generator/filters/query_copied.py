"""The query is a copy out of the positive: query_in_positive.

Keywords belong in the document that answers them ("Berlin wall"). A copy is a whole sentence of
it, or a query that is the positive but for a few characters. Labels are not looked at.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.filters.base import Reject, quote
from generator.records import Record
from generator.text import contains_phrase, normalise, shared, shingles, word_count

# From here on a query is a sentence rather than keywords; 7.5 words are 15 Han or kana characters.
_SENTENCE_WORDS = 6.0
_UNSPACED_SENTENCE_WORDS = 7.5
# A positive longer than this many queries is no copy of one, however many n-grams they share.
_COMPARABLE = 1.5


def check(record: Record, _values: Mapping[str, str], *, max_overlap: float = 0.8) -> Reject | None:
    """Reject a query that stands in a positive word for word, or is nearly all of it.

    `max_overlap`: share of the query's character 5-grams in a positive of comparable length.
    """
    if record.label is not None:
        return None
    query = normalise(record.query)
    for positive in record.positives:
        text = normalise(positive.text)
        if query and (_stands_in(text, query, max_overlap) or _overlaps(text, query, max_overlap)):
            return Reject("query_in_positive", f"the positive holds {quote(record.query)}")
    return None


def _stands_in(text: str, query: str, max_overlap: float) -> bool:
    if not contains_phrase(text, query):
        return False
    has_spaces = " " in query
    is_sentence = word_count(query) >= (_SENTENCE_WORDS if has_spaces else _UNSPACED_SENTENCE_WORDS)
    return is_sentence or len(query) > max_overlap * len(text)


def _overlaps(text: str, query: str, max_overlap: float) -> bool:
    if word_count(query) < _SENTENCE_WORDS or len(text) > _COMPARABLE * len(query):
        return False
    of_query = shingles(query)
    return shared(of_query, shingles(text)) > max_overlap * of_query.size
