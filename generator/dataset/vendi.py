"""How alike the texts of a sample are: the Vendi score and the mean cosine of all pairs.

The Vendi score (Friedman & Dieng 2022, arXiv 2210.02410, definition 3.1) is the exponential of the
entropy of the eigenvalues of K / n, K the n by n matrix of similarities: an effective number of
different texts, from 1 (all the same) to n (nothing in common). It grows with n, so two sets
compare at equal size only. The paper's kernels for text are n-grams and sentence embeddings.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from generator.encoders.base import Vectors, normalised
from generator.text import shingles

_DIMENSIONS = 8_192  # hashed: two different 5-grams fall together once in as many times


def ngram_vectors(texts: Sequence[str]) -> Vectors:
    """Which character 5-grams each text has, as vectors of length 1 [texts, 8192]."""
    vectors = np.zeros((len(texts), _DIMENSIONS), dtype=np.float32)
    for row, text in enumerate(texts):
        keys = shingles(text) * np.uint64(0x9E3779B97F4A7C15) >> np.uint64(51)
        vectors[row, keys.astype(np.int64)] = 1
    return normalised(vectors)


def vendi_score(vectors: Vectors) -> float:
    """The Vendi score of vectors of length 1 [n, dim] under their cosine; 0 for none."""
    wide = vectors.shape[0] <= vectors.shape[1]
    # X X' and X' X have the same eigenvalues but for noughts: the smaller one is enough.
    kernel = (vectors @ vectors.T if wide else vectors.T @ vectors).astype(np.float64)
    values = np.linalg.eigvalsh(kernel / max(len(vectors), 1))
    values = values[values > 1e-12]
    return float(np.exp(-np.sum(values * np.log(values)))) if values.size else 0.0


def mean_cosine(vectors: Vectors) -> float:
    """The mean cosine of all pairs of different vectors of length 1 [n, dim], n at least 2."""
    count = len(vectors)
    whole = vectors.astype(np.float64).sum(axis=0)
    own = float(np.sum(vectors.astype(np.float64) ** 2))
    return (float(whole @ whole) - own) / (count * (count - 1))
