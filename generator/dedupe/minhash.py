"""MinHash signatures cut into LSH bands (Broder 1997; Leskovec et al., MMDS, chapter 3).

Two texts of Jaccard similarity s agree in one hash with probability s, so they share at least one
of b bands of r hashes with probability 1 - (1 - s**r)**b. Only the bands' keys are kept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.text import SHINGLE_CHARS, Hashes, ngram_hashes, normalise

PERMUTATIONS = 96
# Pairs exactly at the threshold become candidates this often; more similar ones more often.
RECALL_AT_THRESHOLD = 0.992


@dataclass(frozen=True, slots=True)
class Bands:
    """How a signature is cut: `count` bands of `rows` hashes."""

    count: int
    rows: int

    def recall(self, similarity: float) -> float:
        """The probability that a pair of this Jaccard similarity shares a band."""
        return float(1 - (1 - similarity**self.rows) ** self.count)


def bands_for(threshold: float) -> Bands:
    """The widest bands (fewest false candidates) that still find pairs at the threshold."""
    for rows in range(PERMUTATIONS, 1, -1):
        bands = Bands(PERMUTATIONS // rows, rows)
        if bands.recall(threshold) >= RECALL_AT_THRESHOLD:
            return bands
    return Bands(PERMUTATIONS, 1)


# Fixed, so that a signature is the same in every run. An odd factor permutes the 32-bit integers;
# no offset is added: the hashes are random already, and it would double the time.
_GENERATOR = np.random.Generator(np.random.PCG64(20240131))
_FACTORS = (_GENERATOR.integers(0, 2**31, (PERMUTATIONS, 1)) * 2 + 1).astype(np.uint32)
_MIX = np.uint64(0x9E3779B97F4A7C15)
# Texts go through in blocks that stay in the processor's cache (100 kB each).
_BLOCK = 256

NO_KEY = np.uint64(0)


def sketch(text: str, bands: Bands) -> tuple[Hashes, NDArray[np.uint8]]:
    """One 64-bit key a band, and the low byte of each hash of the signature (see `fewest_equal`).

    The keys are all `NO_KEY` for a text without letters, which resembles nothing.
    """
    hashes = ngram_hashes(normalise(text), SHINGLE_CHARS)
    if hashes.size == 0:
        return np.full(bands.count, NO_KEY), np.zeros(PERMUTATIONS, dtype=np.uint8)
    signature = _signature(hashes)
    return _band_keys(signature, bands), signature.astype(np.uint8)


def fewest_equal(threshold: float) -> int:
    """How many bytes of two sketches are equal at least, when the texts reach the threshold.

    Three standard deviations below the mean: a pair at the threshold has fewer once in 700.
    """
    mean = PERMUTATIONS * threshold
    return max(0, int(mean - 3 * (mean * (1 - threshold)) ** 0.5))


def _band_keys(signature: NDArray[np.uint32], bands: Bands) -> Hashes:
    rows = signature[: bands.count * bands.rows].reshape(bands.count, bands.rows)
    keys = np.arange(1, bands.count + 1, dtype=np.uint64)
    for column in rows.T:
        keys = (keys ^ column) * _MIX
        keys ^= keys >> np.uint64(29)
    return keys


def _signature(hashes: Hashes) -> NDArray[np.uint32]:
    """The smallest value of each permutation over the set (copies in it change nothing)."""
    values = hashes.astype(np.uint32)
    smallest = np.full(PERMUTATIONS, 2**32 - 1, dtype=np.uint32)
    for start in range(0, values.size, _BLOCK):
        permuted = values[start : start + _BLOCK] * _FACTORS
        np.minimum(smallest, permuted.min(axis=1), out=smallest)
    return smallest
