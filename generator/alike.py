"""How much two texts have in common: the shingles (runs of five characters) that both hold.

Most pairs have little, and a few of their buckets show it; only the others are counted.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from generator.text import SHINGLE_CHARS, Hashes, buckets, count_distinct, ngram_keys, shingles


def shared(first: Hashes, second: Hashes) -> int:
    """How many hashes two sorted, distinct arrays have in common."""
    if first.size == 0 or second.size == 0:
        return 0
    both = np.sort(np.concatenate([first, second]))
    return int(np.count_nonzero(both[1:] == both[:-1]))


def similarity(first: str, second: str, above: float) -> float:
    """Jaccard similarity of the shingles of two texts in normal form, or 0 if not `above` that.

    The same as `jaccard` of their `shingles`, for less.
    """
    if not _are_long_ascii(first, second):
        return jaccard(shingles(first), shingles(second))
    (one, of_one), (other, of_other) = _shingle_buckets(first), _shingle_buckets(second)
    most = min(one.size, other.size)
    fewest_apart = int(np.count_nonzero(of_one != of_other))
    if most <= above * (most + fewest_apart):
        return 0.0
    either = count_distinct(np.concatenate([one, other]))
    return (count_distinct(one) + count_distinct(other) - either) / either


def contained(part: str, text: str, above: float) -> float:
    """The share of the shingles of `part` that stand in `text`, or 0 if not `above` that.

    Both in normal form. The same as counting their `shingles`, for less.
    """
    if not _are_long_ascii(part, text):
        wanted = shingles(part)
        return shared(wanted, shingles(text)) / wanted.size if wanted.size else 0.0
    (one, of_one), (other, of_other) = _shingle_buckets(part), _shingle_buckets(text)
    fewest_missing = int(np.count_nonzero(of_one & ~of_other))
    if one.size - fewest_missing < above * one.size:
        return 0.0
    size = count_distinct(one)
    if size - fewest_missing < above * size:
        return 0.0
    missing = count_distinct(np.concatenate([one, other])) - count_distinct(other)
    return (size - missing) / size


def _are_long_ascii(first: str, second: str) -> bool:
    return first.isascii() and second.isascii() and min(len(first), len(second)) >= SHINGLE_CHARS


@lru_cache(maxsize=8)
def _shingle_buckets(text: str) -> tuple[Hashes, NDArray[np.bool_]]:
    """The keys of an ASCII text's 5-grams, and the buckets that hold one of them."""
    keys = ngram_keys(text, SHINGLE_CHARS)
    return keys, buckets(keys)


def jaccard(first: Hashes, second: Hashes) -> float:
    """Jaccard similarity of two sorted, distinct arrays, 0 to 1; 0 where either is empty."""
    common = shared(first, second)
    return common / (first.size + second.size - common) if common else 0.0
