"""The shingles of many texts at once: runs of five characters, or of five words.

What Jaccard similarity is measured by. Characters work the same with and without spaces between
words; words are for comparison with tools that know no other shingles.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from generator.text import (
    FACTOR,
    SHINGLE_CHARS,
    UNSPACED_CHAR,
    Hashes,
    distinct,
    normalise,
    scramble,
    shingles,
    windows,
)

Unit = Literal["characters", "words"]


def shingle_set(text: str, unit: Unit) -> Hashes:
    """The set of a text's shingles: sorted, distinct keys."""
    if unit == "characters":
        return shingles(text)
    return distinct(shingle_rows([normalise(text)], unit)[0])


def shingle_rows(texts: Sequence[str], unit: Unit = "characters") -> tuple[Hashes, Hashes]:
    """The shingles of many texts in normal form, as they come, and the offsets [texts + 1] of each.

    Of `characters` they are those of `shingles`. Of `words` they are runs of five, where each
    character of a script written without spaces counts as one. A shorter text is one shingle. All
    are hashed at once: texts are short, and numpy's calls are not.
    """
    units, counts = _words(texts) if unit == "words" else _characters(texts)
    units, counts = _padded(units, counts)
    starts = np.ones(units.size, dtype=np.bool_)
    ends = np.cumsum(counts)[counts > 0]
    starts[(ends[:, None] - np.arange(1, SHINGLE_CHARS)).ravel()] = False
    if units.size:
        units = np.concatenate([units, np.zeros(SHINGLE_CHARS - 1, dtype=np.uint64)])
    hashes = windows(units, SHINGLE_CHARS)[starts]
    per_text = np.maximum(counts - (SHINGLE_CHARS - 1), 0)
    return hashes, np.concatenate([[0], np.cumsum(per_text)]).astype(np.uint64)


def _characters(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    counts = np.fromiter(map(len, texts), dtype=np.int64, count=len(texts))
    return _codes("".join(texts)), counts


def _codes(text: str) -> Hashes:
    if text.isascii():
        return np.frombuffer(text.encode(), dtype=np.uint8).astype(np.uint64)
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype="<u4")
    return codes.astype(np.uint64)


def _words(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int64]]:
    """A hash of each word of normalised texts, and how many words each text has."""
    joined = "".join(f"{text} " for text in texts)
    codes = _codes(joined)
    codes[codes == ord(" ")] = 0
    alone = np.zeros(codes.size, dtype=np.bool_)
    if not joined.isascii():
        alone[[match.start() for match in UNSPACED_CHAR.finditer(joined)]] = True
    starts = (codes > 0).copy()
    starts[1:] &= (codes[:-1] == 0) | alone[1:] | alone[:-1]
    places = np.flatnonzero(starts)
    if not places.size:
        return np.empty(0, dtype=np.uint64), np.zeros(len(texts), dtype=np.int64)
    depth = np.arange(codes.size)
    depth -= np.maximum.accumulate(np.where(starts, depth, 0))
    powers = np.cumprod(np.full(int(depth.max()) + 1, FACTOR, dtype=np.uint64))
    ends = np.cumsum([len(text) + 1 for text in texts])
    counts = np.diff(np.searchsorted(places, ends), prepend=0)
    return scramble(np.add.reduceat(codes * powers[depth], places)), counts


def _padded(units: Hashes, counts: NDArray[np.int64]) -> tuple[Hashes, NDArray[np.int64]]:
    """Zeros behind the units of a text that has some, but too few for a shingle."""
    is_short = (counts > 0) & (counts < SHINGLE_CHARS)
    if not is_short.any():
        return units, counts
    ends = np.cumsum(counts)
    behind = np.repeat(ends[is_short], SHINGLE_CHARS - counts[is_short])
    return np.insert(units, behind, 0), np.where(is_short, SHINGLE_CHARS, counts)
