"""A positive that says the query before it answers it: positive_repeats_query.

"Question: … Answer: …", the query as a title, "you asked: …": a real document does not know what it
is searched with, and a model that is trained on such ones learns to match the copy.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.filters.base import Reject, quote
from generator.records import Record
from generator.text import normalise, unspaced_share, word_count

# A page may well begin with the keywords that find it; a question or a sentence it would not.
_QUESTION = re.compile(
    r"[?？؟]|か[。．]?$|[吗呢]\W*$|^\W*(?:what|who|when|where|why|how|which|whom|whose|is|are"
    "|was|were|do|does|did|can"
    r"|could|should|wer|was|wann|wo|warum|wie|welche\w*|qui|que|quand|où|pourquoi|comment"
    r"|quel\w*|qué|quién|cuándo"
    r"|dónde|cómo|cuál\w*)\b",
    re.IGNORECASE,
)
_HEAD_CHARS = 120
_FEWEST_WORDS = 3


def check(
    record: Record, _values: Mapping[str, str], *, min_words: float = 4, sentence_words: float = 8
) -> Reject | None:
    """Reject a positive that begins with the whole query, or nearly so.

    `min_words`: shorter questions are not looked for. `sentence_words`: queries that ask nothing
    must have so many.
    """
    if record.label is not None or record.symmetric or record.provenance.passage is not None:
        return None
    if _asks_aloud(record):
        return Reject("positive_repeats_query", quote(record.positives[0].text))
    words = word_count(record.query)
    if unspaced_share(record.query) > 1 / 2:
        words /= 2  # "X とは？" is eight characters, and begins many a page
    asks = _QUESTION.search(record.query.strip())
    if words < (min_words if asks else sentence_words):
        return None
    query = normalise(record.query)
    for positive in record.positives:
        head = normalise(positive.text[: _HEAD_CHARS + 2 * len(record.query)])
        place = head.find(query)
        # The copy is at the beginning, and the text goes on after it.
        if 0 <= place <= _HEAD_CHARS and len(normalise(positive.text)) > place + 1.5 * len(query):
            return Reject("positive_repeats_query", quote(positive.text))
    return None


def _asks_aloud(record: Record) -> bool:
    """Whether a positive begins with the question, its mark and all."""
    asked = record.query.strip()
    if word_count(asked) < _FEWEST_WORDS or asked[-1:] not in "?？؟":
        return False
    return any(asked in p.text[: _HEAD_CHARS + len(asked)] for p in record.positives)
