"""Near-duplicates of the test texts: MinHash proposes them (`dedupe/minhash.py`)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from generator.alike import similarity
from generator.contamination.postings import Numbers, Postings
from generator.dedupe.minhash import Bands, Keys, Sketches, bands_for, fewest_equal
from generator.text import Hashes

_MIX = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)


class NearTexts:
    """Sketches of test texts, looked up by what they share with another text's.

    At the default threshold 700 bytes a text. Every text is added before the first look-up.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._bands = bands_for(threshold)
        self._fewest_equal = fewest_equal(threshold)
        self._added = Sketches(self._bands)
        self._owners: list[int] = []
        self._known: tuple[Postings, NDArray[np.uint8]] | None = None

    def add(self, text: str, owner: int) -> None:
        """A text of that number."""
        self._added.add(text)
        self._owners.append(owner)

    def find(self, texts: Sequence[str]) -> tuple[Numbers, Numbers]:
        """Places of texts and numbers of test texts whose sketches do not rule a match out."""
        postings, known = self._ordered()
        keys, low_bytes = _sketched(texts, self._bands)
        places, rows = postings.find_all(keys)
        if not places.size:
            return places, rows
        likely = (known[rows] == low_bytes[places]).sum(axis=1) >= self._fewest_equal
        return places[likely], np.array(self._owners, dtype=np.int64)[rows[likely]]

    def score(self, text: str, test: str) -> float:
        """The Jaccard similarity of two texts in normal form, 0 where it is below the threshold."""
        score = similarity(text, test, self.threshold - 1e-9)
        return score if score >= self.threshold else 0.0

    def _ordered(self) -> tuple[Postings, NDArray[np.uint8]]:
        if self._known is None:
            keys, low_bytes, empty = self._added.finished()
            postings = Postings()
            for row, own in enumerate(_wide(keys, empty)):
                postings.add(own, row)
            self._known = postings, low_bytes
        return self._known


def _sketched(texts: Iterable[str], bands: Bands) -> tuple[list[Hashes], NDArray[np.uint8]]:
    """The keys of each text, and the low bytes of all."""
    sketches = Sketches(bands)
    for text in texts:
        sketches.add(text)
    keys, low_bytes, empty = sketches.finished()
    return _wide(keys, empty), low_bytes


def _wide(keys: Keys, empty: NDArray[np.bool_]) -> list[Hashes]:
    """Keys of 64 bits, in which the band is mixed: a text without letters has none."""
    bands = np.arange(1, keys.shape[1] + 1, dtype=np.uint64) << _HALF
    wide = (keys | bands) * _MIX
    return [row[:0] if is_empty else row for row, is_empty in zip(wide, empty, strict=True)]
