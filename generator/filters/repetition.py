"""Loops, as small models fall into them: query_repeats, positive_repeats, negative_repeats.

Three measures, none of which needs spaces between words: the share of the text's character n-grams
that repeat an earlier one, the same of its last stretch (a good text that ends in a loop), and how
often its most frequent long sentence or line comes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

from generator.filters.base import Reject, prose_sides, quote
from generator.records import Record
from generator.text import Hashes, distinct, ngram_hashes, unspaced_share

# Length of an n-gram that ordinary prose hardly ever repeats: about four words.
_SPACED_CHARS, _UNSPACED_CHARS = 20, 8
_SHORTEST_CHARS = 4
_TAIL_NGRAMS = 300
_LOOP_SHARE = 0.15
# Rules of tables, dotted lines and indentation are not words said twice.
_RULED = re.compile(r"[\W_]{3,}")
_SENTENCE_END = re.compile(r"[.!?。！？]+\s*| {2,}|\n")


def check(
    record: Record,
    _values: Mapping[str, str],
    *,
    max_share: float = 0.35,
    max_tail_share: float = 0.6,
    max_same_sentence: int = 2,
) -> Reject | None:
    """Reject a record with a text that says the same again and again.

    Shares are of n-grams, 0 to 1; `max_same_sentence` counts verbatim copies of one sentence.
    """
    for side, text, _ in prose_sides(record):
        line = _RULED.sub(" ", text.casefold())
        is_unspaced = unspaced_share(line) > 1 / 3
        size = _UNSPACED_CHARS if is_unspaced else _SPACED_CHARS
        # A short text has short n-grams: "how to how to how to" has no long one to repeat.
        hashes = ngram_hashes(line, min(size, max(_SHORTEST_CHARS, len(line) // 5)))
        if (share := _repeated_share(hashes)) > max_share:
            return Reject(f"{side}_repeats", f"{share:.0%} of it repeats: {quote(text)}")
        if (share := _repeated_share(hashes[-_TAIL_NGRAMS:])) > max_tail_share:
            return Reject(f"{side}_repeats", f"{share:.0%} of its end repeats: {quote(text[-80:])}")
        sentence, copies = _most_frequent_sentence(line, size)
        # A line of code or a caption may come back in a long page.
        if copies > max_same_sentence and copies * len(sentence) > _LOOP_SHARE * len(line):
            return Reject(f"{side}_repeats", f"{copies} times {quote(sentence)}")
    return None


def _repeated_share(hashes: Hashes) -> float:
    return 1 - distinct(hashes).size / hashes.size if hashes.size else 0.0


def _most_frequent_sentence(text: str, min_chars: int) -> tuple[str, int]:
    sentences = Counter(s for s in _SENTENCE_END.split(text) if len(s) > min_chars)
    return sentences.most_common(1)[0] if sentences else ("", 0)
