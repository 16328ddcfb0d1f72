"""The input of a classification gives its label away: label_in_query.

Either the label stands in it as a phrase, or all of the label's content words do, side by side in
any order: "transfer declined" for "declined transfer".
Scripts without spaces have no words to look for apart: there the phrase alone counts.
"""

from __future__ import annotations

from collections.abc import Mapping

from generator.filters.base import Reject, quote
from generator.records import Record
from generator.text import contains_phrase, normalise, word_count

# Words that say nothing alone; a label of several languages, so the commonest of a few.
_STOP_WORDS = frozenset(
    {"a", "an", "and", "at", "by", "for", "from", "in", "into", "is", "it", "no", "not", "of", "on"}
    | {
        "or",
        "other",
        "the",
        "to",
        "with",
        "my",
        "your",
        "our",
        "his",
        "her",
        "their",
        "this",
        "that",
    }
    | {"de", "des", "du", "et", "la", "le", "les", "un", "une"}
    | {"der", "die", "das", "und", "von", "el", "los", "las", "y", "en", "del"}
)
# "A", "5" or "no" stands in every text.
_MIN_LABEL_CHARS = 3


def check(record: Record, _values: Mapping[str, str]) -> Reject | None:
    """Reject a record whose query holds the words of its label."""
    label = normalise(record.label or "")
    if not label or (len(label) < _MIN_LABEL_CHARS and word_count(label) >= 1 and label.isascii()):
        return None
    query = normalise(record.query)
    words = [word for word in label.split() if word not in _STOP_WORDS]
    if contains_phrase(query, label) or (len(words) > 1 and _side_by_side(query, words)):
        return Reject("label_in_query", f"the query holds the label {quote(record.label or '')}")
    return None


def _side_by_side(query: str, words: list[str]) -> bool:
    """Whether as many words of the query in a row, stop words left out, are those of the label."""
    if not all(word in query for word in words):
        return False
    wanted, size = sorted(words), len(words)
    said = [word for word in query.split() if word not in _STOP_WORDS]
    return any(sorted(said[at : at + size]) == wanted for at in range(len(said) - size + 1))
