"""Near-duplicates of the test texts: MinHash proposes them (`dedupe/minhash.py`)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from generator.contamination.postings import Numbers, Postings
from generator.dedupe.minhash import PERMUTATIONS, bands_for, fewest_equal, sketch
from generator.text import similarity


class NearTexts:
    """Sketches of test texts, looked up by what they share with another text's.

    At the default threshold 700 bytes a text.
    """

    def __init__(self, threshold: float) -> None:
        self.threshold = threshold
        self._bands = bands_for(threshold)
        self._fewest_equal = fewest_equal(threshold)
        self._postings = Postings()
        self._owners: list[int] = []
        self._sketches = bytearray()

    def add(self, text: str, owner: int) -> None:
        """A text of that number."""
        keys, low_bytes = sketch(text, self._bands)
        self._postings.add(keys, len(self._owners))
        self._owners.append(owner)
        self._sketches += low_bytes.tobytes()

    def find(self, texts: Sequence[str]) -> tuple[Numbers, Numbers]:
        """Places of texts and numbers of test texts whose sketches do not rule a match out."""
        sketches = [sketch(text, self._bands) for text in texts]
        places, rows = self._postings.find_all([keys for keys, _ in sketches])
        if not places.size:
            return places, rows
        likely = self._equal(places, rows, [low for _, low in sketches]) >= self._fewest_equal
        return places[likely], np.array(self._owners, dtype=np.int64)[rows[likely]]

    def score(self, text: str, test: str) -> float:
        """The Jaccard similarity of two texts in normal form, 0 where it is below the threshold."""
        score = similarity(text, test, self.threshold - 1e-9)
        return score if score >= self.threshold else 0.0

    def _equal(
        self, places: Numbers, rows: Numbers, low_bytes: Sequence[NDArray[np.uint8]]
    ) -> Numbers:
        known = np.frombuffer(self._sketches, dtype=np.uint8).reshape(-1, PERMUTATIONS)
        equal: Numbers = (known[rows] == np.stack(low_bytes)[places]).sum(axis=1)
        return equal
