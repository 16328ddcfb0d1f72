"""A text goes round in circles: query_says_little, positive_says_little, negative_says_little.

Too few of its content words are different ones: circular definitions, the same said twice in other
words, a word repeated at once ("injuries and injuries"). Finer than `repetition`, which looks for
loops. English; other languages pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from operator import eq

from generator.content import LANGUAGE, content_words
from generator.filters.base import Reject, prose_sides, quote
from generator.records import Record

_STUTTER = re.compile(r"\b(\w{3,})(?:,? and|,? or|,)? \1\b", re.IGNORECASE)
# What may stutter; looking for equal neighbours first is far faster than the pattern.
_ASCII = [chr(code) for code in range(128)]
_WORDS_ONLY = "".join(c if c.isalnum() or c == "_" else " " for c in _ASCII).encode() + bytes(128)
_BETWEEN = frozenset({b"and", b"or"})
_MIN_WORDS = 5  # below, a share says nothing


def check(
    record: Record,
    values: Mapping[str, str],
    *,
    min_distinct: float = 0.6,
    max_words: int = 40,
    axis: str = "",
) -> Reject | None:
    """Reject a text of whose content words less than the share `min_distinct` are different.

    Texts of more than `max_words` content words are kept: the longer one is, the more it repeats.
    `axis`: records whose draw has not got it are kept.
    """
    if axis and not values.get(axis):
        return None
    for side, text, language in prose_sides(record):
        if language != LANGUAGE:
            continue
        stutter = _stutter(text)
        if stutter:
            return Reject(f"{side}_says_little", f"{stutter.group()!r}")
        words = content_words(text, max_words + 1)
        judged = _MIN_WORDS <= len(words) <= max_words
        if judged and len(set(words)) < min_distinct * len(words):
            return Reject(f"{side}_says_little", quote(text))
    return None


def _stutter(text: str) -> re.Match[str] | None:
    if text.isascii():  # there lower case is what `IGNORECASE` compares
        line = text.lower().encode().translate(_WORDS_ONLY)
        words = line.split()
        has_pair = (b" and " in line or b" or " in line) and _has_pair(words)
        if not has_pair and not any(map(eq, words, words[1:])):
            return None
    return _STUTTER.search(text)


def _has_pair(words: list[bytes]) -> bool:
    """Whether one word stands on both sides of "and" or "or"."""
    apart = zip(words, words[1:], words[2:], strict=False)
    return any(first == third and second in _BETWEEN for first, second, third in apart)
