"""Texts → MinHash signatures, cut into LSH bands (Broder 1997; Leskovec et al., MMDS, chapter 3).

Two texts of Jaccard similarity s agree in one hash with probability s, so they share at least one
of b bands of r hashes with probability 1 - (1 - s**r)**b. Kept are a key a band, and the low byte
of each hash, by whose agreement a similarity is estimated.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from generator.shingles import Unit, shingle_rows
from generator.text import Hashes, normalise

PERMUTATIONS = 128
# Pairs exactly at the floor become candidates this often; more similar ones more often.
RECALL_AT_FLOOR = 0.92
_SEED = 20240131
_BLOCK_CHARS = 1 << 16  # hashed at once: what stays in the processor's cache
_MIX = np.uint64(0x9E3779B97F4A7C15)

Keys = NDArray[np.uint32]
LowBytes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Bands:
    """How a signature is cut: `count` bands of `rows` hashes."""

    count: int
    rows: int

    def recall(self, similarity: float) -> float:
        """The probability that a pair of this Jaccard similarity shares a band."""
        return float(1 - (1 - similarity**self.rows) ** self.count)


def bands_for(floor: float) -> Bands:
    """The widest bands (fewest false candidates) that still find pairs at the floor."""
    for rows in range(PERMUTATIONS, 1, -1):
        bands = Bands(PERMUTATIONS // rows, rows)
        if bands.recall(floor) >= RECALL_AT_FLOOR:
            return bands
    return Bands(PERMUTATIONS, 1)


def fewest_equal(floor: float) -> int:
    """How many bytes of two signatures are equal at least, when the texts reach the floor.

    Three standard deviations below the mean: a pair at the floor has fewer once in 700.
    """
    mean = PERMUTATIONS * floor
    return max(0, int(mean - 3 * (mean * (1 - floor)) ** 0.5))


@dataclass(slots=True)
class Sketches:
    """Keys [texts, bands] and low bytes [texts, 128] of texts that are added one after another.

    A text without letters is `empty`, and resembles nothing.
    """

    bands: Bands
    unit: Unit = "characters"
    _keys: list[Keys] = field(default_factory=list)
    _low_bytes: list[LowBytes] = field(default_factory=list)
    _empty: list[NDArray[np.bool_]] = field(default_factory=list)
    _waiting: list[str] = field(default_factory=list)
    _chars: int = 0

    def __len__(self) -> int:
        return sum(map(len, self._empty)) + len(self._waiting)

    def add(self, text: str | None) -> None:
        """The next text; `None` resembles nothing."""
        normal = normalise(text or "")
        self._waiting.append(normal)
        self._chars += len(normal)
        if self._chars >= _BLOCK_CHARS or len(self._waiting) >= _BLOCK_CHARS >> 4:
            self._hash_waiting()

    def finished(self) -> tuple[Keys, LowBytes, NDArray[np.bool_]]:
        """Keys, low bytes, and which texts are empty."""
        self._hash_waiting()
        if not self._empty:
            none = np.empty((0, 0))
            return none.astype(np.uint32), none.astype(np.uint8), np.empty(0, dtype=np.bool_)
        self._keys = [np.concatenate(self._keys)]
        self._low_bytes = [np.concatenate(self._low_bytes)]
        self._empty = [np.concatenate(self._empty)]
        return self._keys[0], self._low_bytes[0], self._empty[0]

    def _hash_waiting(self) -> None:
        if self._waiting:
            hashes, offsets = shingle_rows(self._waiting, self.unit)
            values = signatures(hashes, offsets)
            self._keys.append(_band_keys(values, self.bands))
            self._low_bytes.append(values.astype(np.uint8))
            self._empty.append(offsets[1:] == offsets[:-1])
            self._waiting, self._chars = [], 0


def signatures(hashes: Hashes, offsets: Hashes) -> NDArray[np.uint32]:
    """MinHash signatures [texts, 128] by Fast Similarity Sketching (arXiv 1704.04370).

    The shingles of text i are `hashes[offsets[i]:offsets[i + 1]]`; copies of one change nothing.
    """
    mixed = hashes * _MIX
    mixed ^= mixed >> np.uint64(32)
    found = RMinHash.digest_matrix_from_flat_token_hashes(mixed, offsets, PERMUTATIONS, _SEED)
    return np.array(found.to_rows(), dtype=np.uint32).reshape(-1, PERMUTATIONS)


def _band_keys(values: NDArray[np.uint32], bands: Bands) -> Keys:
    rows = values[:, : bands.count * bands.rows].reshape(-1, bands.count, bands.rows)
    keys = np.zeros(rows.shape[:2], dtype=np.uint64)
    for row in range(bands.rows):
        keys = (keys ^ rows[:, :, row]) * _MIX
        keys ^= keys >> np.uint64(29)
    return (keys >> np.uint64(32)).astype(np.uint32)
