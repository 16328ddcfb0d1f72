"""Approximate nearest neighbours through faiss, for corpora beyond exact search.

The index is what faiss calls a factory string: "HNSW32" (4 · dim + 256 bytes a vector in memory,
nothing to train), "IVF4096,Flat", "IVF4096,PQ48" (48 bytes a vector).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from generator.errors import InputError, MissingExtra
from generator.search.exact import Progress, Rows
from generator.search.hits import Hits

ADDED_AT_ONCE = 16_384
TRAINED_ON = 262_144  # vectors at most, spread over the corpus
EF_SEARCH = 256  # candidates that HNSW keeps at hand; below it, the deeper ranks suffer
PROBES = 64


class ApproximateIndex:
    """A faiss index of vectors [documents, dim] by inner product; they are read by blocks.

    Raises MissingExtra without faiss, InputError for a factory string that faiss does not know.
    """

    def __init__(self, documents: Rows, factory: str, *, progress: Progress | None = None) -> None:
        self._total, dim = documents.shape
        self._index = _made(factory, dim)
        if not self._index.is_trained:
            _train(self._index, documents, factory)
        for start in range(0, self._total, ADDED_AT_ONCE):
            self._index.add(_block(documents, start))
            if progress is not None:
                progress(min(start + ADDED_AT_ONCE, self._total), self._total)

    def search(self, queries: Rows, k: int) -> Hits:
        """About the k best documents of each query, best first."""
        asked = np.ascontiguousarray(queries[0 : queries.shape[0]], dtype=np.float32)
        scores, indices = self._index.search(asked, min(k, self._total))
        scores[indices < 0] = -np.inf
        return Hits(indices.astype(np.int64), scores.astype(np.float32))


def _made(factory: str, dim: int) -> Any:
    try:
        import faiss  # noqa: PLC0415 - an extra
    except ImportError as exc:
        raise MissingExtra("faiss-cpu", "ann") from exc
    try:
        index = faiss.index_factory(dim, factory, faiss.METRIC_INNER_PRODUCT)
    except RuntimeError as exc:
        raise InputError(f"no faiss index {factory!r}", hint="--set mine.ann=HNSW32") from exc
    if hasattr(index, "hnsw"):
        index.hnsw.efSearch = EF_SEARCH
    if hasattr(index, "nprobe"):
        index.nprobe = min(PROBES, getattr(index, "nlist", PROBES))
    return index


def _train(index: Any, documents: Rows, factory: str) -> None:
    total = documents.shape[0]
    try:
        index.train(_sample(documents, max(1, total // TRAINED_ON)))
    except RuntimeError as exc:
        raise InputError(
            f"{total:,} texts are too few for the faiss index {factory!r}",
            hint="--set mine.ann=HNSW32, or mine.ann=null for exact search",
        ) from exc


def _block(documents: Rows, start: int) -> Any:
    return np.ascontiguousarray(documents[start : start + ADDED_AT_ONCE], dtype=np.float32)


def _sample(documents: Rows, step: int) -> Any:
    blocks = range(0, documents.shape[0], ADDED_AT_ONCE)
    return np.concatenate([_block(documents, start)[::step] for start in blocks])
