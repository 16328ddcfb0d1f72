"""A query whose words its passage does not hold: query_off_passage.

A cheap stand-in for a search: what a small model makes up has words, or numbers, of its own. Of a
query in another language than the passage nothing is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from generator.content import LANGUAGE, content_words, is_same
from generator.filters.base import Reject, quote
from generator.records import Record
from generator.text import HAN, normalise

# Words of Japanese and Chinese without a dictionary: pairs of Han characters, and runs of katakana.
# What asks and what counts days or people makes no word with its neighbours ("何計画", "年月着").
_HAN_RUN = re.compile(f"(?:(?![何誰年月日人])[{HAN}]){{2,}}")
_NUMBER = re.compile(r"(?<!\d)\d{3,}(?![\ds])")
_KATAKANA = re.compile("[\u30a1-\u30fa\u30fc]{2,}")


def check(
    record: Record, _values: Mapping[str, str], *, min_share: float = 0.15, min_words: int = 2
) -> Reject | None:
    """Reject a query of whose content words fewer than `min_share` stand in its positives.

    And one with a number of three digits or more that does not stand there.

    `min_words`: a query with fewer content words is not judged.
    """
    if record.query_language != record.text_language or record.label is not None:
        return None
    text = normalise("\n".join(positive.text for positive in record.positives))
    invented = [number for number in _NUMBER.findall(normalise(record.query)) if number not in text]
    if invented:
        return Reject("query_off_passage", f"{', '.join(invented)}: {quote(record.query)}")
    held = _held(record.query, text, record.query_language)
    if len(held) < min_words or sum(held.values()) >= min_share * len(held):
        return None
    strange = ", ".join(word for word, is_held in held.items() if not is_held)
    return Reject("query_off_passage", f"{strange}: {quote(record.query)}")


def _held(query: str, text: str, language: str) -> dict[str, bool]:
    """The query's content words, and which of them the text holds."""
    if language == LANGUAGE:
        found = set(content_words(text))
        return {word: any(is_same(word, other) for other in found) for word in content_words(query)}
    words, folded = _unspaced_words(normalise(query)), text
    return {word: word in folded for word in words}


def _unspaced_words(text: str) -> list[str]:
    runs = [run[i : i + 2] for run in _HAN_RUN.findall(text) for i in range(len(run) - 1)]
    return [*runs, *_KATAKANA.findall(text)]
