"""Loops, as small models fall into them: query_repeats, positive_repeats, negative_repeats.

Three measures, none of which needs spaces between words: the share of the text's character n-grams
that repeat an earlier one, the same of its last stretch (a good text that ends in a loop), and how
often its most frequent long sentence or line comes.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping

import numpy as np

from generator.filters.base import Reject, prose_sides, quote
from generator.records import Record
from generator.text import Hashes, buckets, count_distinct, ngram_keys, unspaced_share

# Length of an n-gram that ordinary prose hardly ever repeats: about four words.
_SPACED_CHARS, _UNSPACED_CHARS = 20, 8
_SHORTEST_CHARS = 4
_TAIL_NGRAMS = 300
_SHORT_CHARS = 120  # below, a set of n-grams is cheaper than arrays of them
_LOOP_SHARE = 0.15
# Rules of tables, dotted lines and indentation are not words said twice.
_RULED = re.compile(r"[\W_]{3,}")
_WORDS_AS_X = bytes(b"_x"[chr(code).isalnum()] for code in range(128)) + bytes(128)
_OTHER_STOPS = "!?。．！？"
_SENTENCE_END = re.compile(r"[.!?。．！？]+\s*| {2,}|\n")


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
        line = _without_rules(text.lower() if text.isascii() else text.casefold())
        is_unspaced = unspaced_share(line) > 1 / 3
        size = _UNSPACED_CHARS if is_unspaced else _SPACED_CHARS
        # A short text has short n-grams: "how to how to how to" has no long one to repeat.
        gram_chars = min(size, max(_SHORTEST_CHARS, len(line) // 5))
        is_short = len(line) < _SHORT_CHARS and max_same_sentence > 0
        if is_short and not _repeats(line, gram_chars):
            continue
        keys = ngram_keys(line, gram_chars)
        repeated = keys.size - int(np.count_nonzero(buckets(keys)))  # at most
        if repeated > max_share * keys.size and (share := _repeated_share(keys)) > max_share:
            return Reject(f"{side}_repeats", f"{share:.0%} of it repeats: {quote(text)}")
        tail = keys[-_TAIL_NGRAMS:]
        # Whatever repeats within the end repeats within the whole.
        if repeated > max_tail_share * tail.size and (
            (share := _repeated_share(tail)) > max_tail_share
        ):
            return Reject(f"{side}_repeats", f"{share:.0%} of its end repeats: {quote(text[-80:])}")
        if repeated < _fewest_repeated(len(line), size, max_same_sentence):
            continue
        sentence, copies = _most_frequent_sentence(line, size)
        # A line of code or a caption may come back in a long page.
        if copies > max_same_sentence and copies * len(sentence) > _LOOP_SHARE * len(line):
            return Reject(f"{side}_repeats", f"{copies} times {quote(sentence)}")
    return None


def _repeats(line: str, chars: int) -> bool:
    """Whether any n-gram comes twice: where none does, no measure finds anything."""
    ngrams = [line[start : start + chars] for start in range(len(line) - chars + 1)]
    return len(set(ngrams)) < len(ngrams)


def _without_rules(line: str) -> str:
    if line.isascii() and b"___" not in line.encode().translate(_WORDS_AS_X):
        return line
    return _RULED.sub(" ", line)


def _fewest_repeated(chars: int, size: int, max_same: int) -> float:
    """How many n-grams repeat, at least, where a sentence is said more than `max_same` times.

    It has more than `size` characters and takes `_LOOP_SHARE` of the text. All its copies but the
    first repeat every n-gram that it has, and those are two at least.
    """
    of_text = max_same / (max_same + 1) * _LOOP_SHARE * chars * 2 / (size + 1)
    return max(2.0 * max_same, of_text)


def _repeated_share(keys: Hashes) -> float:
    return 1 - count_distinct(keys) / keys.size if keys.size else 0.0


def _sentences(line: str) -> list[str]:
    if "\n" in line or "  " in line:
        return _SENTENCE_END.split(line)
    for stop in _OTHER_STOPS:
        line = line.replace(stop, ".")
    first, *others = line.split(".")
    return [first, *(other.lstrip() for other in others)]


def _most_frequent_sentence(text: str, min_chars: int) -> tuple[str, int]:
    sentences = [s for s in _sentences(text) if len(s) > min_chars]
    if len(set(sentences)) == len(sentences):  # nearly always, and counting takes longer
        return (sentences[0], 1) if sentences else ("", 0)
    return Counter(sentences).most_common(1)[0]
