"""Exact nearest neighbours by inner product, block by block, in bounded memory.

One block of scores is in memory at a time, whatever the size of the corpus (some 100 MB with its
keys). Vectors may be a memory-mapped file; only the block at work is read.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from generator.search.hits import MAX_DOCUMENTS, Hits, Keys, hits, merged

QUERY_BLOCK = 1024
DOCUMENT_BLOCK = 4096

Vectors = NDArray[np.floating]


def exact_search(
    queries: Vectors,
    documents: Vectors,
    k: int,
    *,
    query_block: int = QUERY_BLOCK,
    document_block: int = DOCUMENT_BLOCK,
) -> Hits:
    """The k documents [documents, dim] with the highest inner product, for each query [., dim].

    Products are float32. For normalised vectors they are cosines. k above the number of documents
    is that number. Raises ValueError on NaN or infinity, or on shapes that do not fit.
    """
    if queries.ndim != 2 or documents.ndim != 2 or queries.shape[1] != documents.shape[1]:
        raise ValueError(f"shapes do not fit: {queries.shape} and {documents.shape}")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if len(documents) > MAX_DOCUMENTS:
        raise ValueError(f"at most {MAX_DOCUMENTS:,} documents")
    rows = [
        _best(queries[start : start + query_block], documents, k, document_block)
        for start in range(0, len(queries), query_block)
    ]
    width = min(k, len(documents))
    return hits(np.concatenate(rows) if rows else np.empty((0, width), dtype=np.uint64))


def _best(queries: Vectors, documents: Vectors, k: int, block: int) -> Keys:
    """Keys [queries, k] of the best documents: the best so far against block after block."""
    asked = _floats(queries)
    best = np.empty((len(asked), 0), dtype=np.uint64)
    for start in range(0, len(documents), block):
        part = _floats(documents[start : start + block])
        best = merged(best, asked @ part.T, start, k)
    return best


def _floats(vectors: Vectors) -> NDArray[np.float32]:
    found = np.asarray(vectors, dtype=np.float32)
    if not np.isfinite(found).all():
        raise ValueError("a vector holds NaN or infinity")
    return found
