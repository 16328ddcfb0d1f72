"""Keys of texts that share a run of words, or that differ in one word.

Words are units between spaces; in scripts written without, a run is as many characters as make that
many words (`text.word_count`: a character of Han or kana is half a word, of Thai, Lao, Khmer or
Burmese a quarter). Texts are in normal form throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from generator.text import (
    CHARS_PER_CJK_WORD,
    CHARS_PER_SOUTH_EAST_WORD,
    CJK,
    SOUTH_EAST,
    Hashes,
    scramble,
    units,
    windows,
)

# GPT-3 (Brown et al. 2020, arXiv 2005.14165, appendix C) compares 13-grams, and shorter ones for
# sets of short texts. Here a shorter test text has the largest of these sizes that fits.
SMALLER = (10, 8, 6, 5)
# A test text of so many words may differ in one of them; in a longer one the Jaccard similarity
# is high enough.
FEWEST_CHANGED, MOST_CHANGED = 6, 20
_LONGEST_WORD = {1: 1, CHARS_PER_CJK_WORD: 5, CHARS_PER_SOUTH_EAST_WORD: 10}  # in units
_SCRIPTS = {
    CHARS_PER_CJK_WORD: re.compile(f"[{CJK}]"),
    CHARS_PER_SOUTH_EAST_WORD: re.compile(f"[{SOUTH_EAST}]"),
}
_FACTOR = 0x9E3779B97F4A7C15
_INVERSE = pow(_FACTOR, -1, 2**64)
_AFTER = np.uint64(0xA24BAED4963EE407)  # so that what stands before a gap is not what stands behind


def units_a_word(text: str, count: int) -> int:
    """How many units make a word, in the script that most of the text's `count` units are of."""
    if text.isascii():
        return 1
    shares = {factor: len(script.findall(text)) for factor, script in _SCRIPTS.items()}
    factor = max(shares, key=shares.__getitem__)
    return factor if 2 * shares[factor] > count else 1


def size_of(text: str, found: Sequence[str], most_words: int) -> int | None:
    """In runs of how many units a test text is compared; None where it is too short for any."""
    factor = units_a_word(text, len(found))
    fitting = (n * factor for n in (most_words, *SMALLER) if n * factor <= len(found))
    return next(fitting, None)


def unit_hashes(found: Sequence[str]) -> Hashes:
    """A number for each unit, the same within this process."""
    return np.fromiter(map(hash, found), dtype=np.int64, count=len(found)).view(np.uint64)


def gram_hashes(hashed: Hashes, size: int) -> Hashes:
    """The runs of that size, in order; those of different sizes differ."""
    if hashed.size < size:
        return hashed[:0]
    return scramble(windows(scramble(hashed), size)) + np.uint64(size)


def all_grams(hashed: Sequence[Hashes], wanted: Iterable[int]) -> tuple[Hashes, NDArray[np.int64]]:
    """The runs of those sizes in many texts, and of which text each is."""
    lengths = [len(own) for own in hashed]
    whole = np.concatenate([np.empty(0, dtype=np.uint64), *hashed])
    of = np.repeat(np.arange(len(hashed)), lengths)
    ends = np.repeat(np.cumsum(lengths), lengths)
    keys, texts = [np.empty(0, dtype=np.uint64)], [of[:0]]
    for size in wanted:
        runs = gram_hashes(whole, size)
        within = np.flatnonzero(np.arange(runs.size) + size <= ends[: runs.size])
        keys.append(runs[within])
        texts.append(of[within])
    return np.concatenate(keys), np.concatenate(texts)


def shared_grams(test: str, text: str, most_words: int) -> float:
    """The share of a test text's runs that a text holds; 0 for no match.

    Any run of `most_words` is a match. Of a shorter test text all runs must be there: "what was the
    name of the" is no sign of it.
    """
    found = units(test)
    size = size_of(test, found, most_words)
    if size is None:
        return 0.0
    grams = gram_hashes(unit_hashes(found), size)
    share = float(np.isin(grams, gram_hashes(unit_hashes(units(text)), size)).mean())
    is_whole = size == most_words * units_a_word(test, len(found))
    return share if is_whole or share == 1 else 0.0


def keys_but_one(text: str, found: Sequence[str], hashed: Hashes, spare: int = 0) -> Hashes:
    """The text without each one of its words: two texts that differ in one word share a key.

    Where no spaces part words, without each run of one to five characters (ten where a word
    has four). None for a text that is too short or, by more than `spare` words, too long.
    """
    factor = units_a_word(text, len(found))
    if not FEWEST_CHANGED * factor <= len(found) <= (MOST_CHANGED + spare) * factor:
        return np.empty(0, dtype=np.uint64)
    count = len(found)
    powers = _powers(_FACTOR, count + 1)
    before = np.concatenate([[np.uint64(0)], np.cumsum(scramble(hashed) * powers[:count])])
    behind = (before[-1] - before) * _powers(_INVERSE, count + 1)
    gaps = range(_LONGEST_WORD[factor] + 1)  # none: the other text has a word more
    before, behind = scramble(before), scramble(behind ^ _AFTER)
    return np.unique(np.concatenate([before[: count + 1 - n] + behind[n:] for n in gaps]))


def _powers(factor: int, count: int) -> Hashes:
    powers = np.full(count, factor, dtype=np.uint64)
    powers[:1] = 1
    return np.cumprod(powers, dtype=np.uint64)
