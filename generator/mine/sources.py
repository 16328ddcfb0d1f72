"""Where candidates come from: chance, BM25, vectors, or the last two fused.

A source answers a block of records with `Hits` in the pool.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from generator.records import Record
from generator.search.ann import ApproximateIndex
from generator.search.bm25 import BM25
from generator.search.exact import Device, Progress, Rows, exact_search
from generator.search.fusion import reciprocal_rank_fusion
from generator.search.hits import Hits
from generator.search.pool import Pool

TOLD_EVERY = 4096

Vectors = NDArray[np.float32]


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """A block of records with their queries' vectors [records, dim], where an encoder is used."""

    records: Sequence[Record]
    vectors: Vectors | None


class Source(Protocol):
    """Finds candidates."""

    def search(self, asked: Asked, k: int) -> Hits:
        """The k best candidates of each record."""
        ...


class RandomSource:
    """Texts drawn by chance, evenly; which ones depends on the record's id and the seed alone."""

    def __init__(self, texts: int, seed: int) -> None:
        self._texts, self._seed = texts, seed

    def search(self, asked: Asked, k: int) -> Hits:
        """As many texts of each record, all different; scores fall with the order of drawing."""
        k = min(k, self._texts)
        rows = [self._draw(record.id, k) for record in asked.records]
        scores = np.tile(-np.arange(k, dtype=np.float32), (len(rows), 1))
        return Hits(np.array(rows, dtype=np.int64).reshape(-1, k), scores)

    def _draw(self, name: str, k: int) -> NDArray[np.int64]:
        digest = blake2b(f"{self._seed}\0{name}".encode(), digest_size=16).digest()
        generator = np.random.Generator(np.random.PCG64(int.from_bytes(digest, "little")))
        found: NDArray[np.int64] = generator.choice(self._texts, k, replace=False)
        return found


class BM25Source:
    """Texts that share rare words with the query."""

    def __init__(
        self, pool: Pool, language: str | None, *, progress: Progress | None = None
    ) -> None:
        self._index = BM25(_told(pool, progress), language=language)

    def search(self, asked: Asked, k: int) -> Hits:
        """The best texts of each query; fewer than k where no more share a word."""
        return self._index.search([record.query for record in asked.records], k)


def _told(pool: Pool, progress: Progress | None) -> Iterator[str]:
    """The texts to search in; `progress` is told after every 4,096."""
    total = pool.searchable
    for index in range(total):
        yield pool.text(index)
        if progress is not None and ((index + 1) % TOLD_EVERY == 0 or index + 1 == total):
            progress(index + 1, total)


class DenseSource:
    """Texts whose vectors are near the query's: exact, or through an index of faiss."""

    def __init__(
        self, documents: Rows, *, device: Device, ann: str | None, progress: Progress | None = None
    ) -> None:
        self._documents, self._device, self._progress = documents, device, progress
        self._index = ApproximateIndex(documents, ann, progress=progress) if ann else None

    def search(self, asked: Asked, k: int) -> Hits:
        """The k texts of the highest inner product with each query."""
        assert asked.vectors is not None  # noqa: S101 - whoever makes this source encodes queries
        if self._index is not None:
            return self._index.search(asked.vectors, k)
        return exact_search(
            asked.vectors, self._documents, k, device=self._device, progress=self._progress
        )


class HybridSource:
    """Several sources, fused by reciprocal rank."""

    def __init__(self, *sources: Source) -> None:
        self._sources = sources

    def search(self, asked: Asked, k: int) -> Hits:
        """The k best by the sum over the sources of 1 / (60 + rank)."""
        return reciprocal_rank_fusion([source.search(asked, k) for source in self._sources], k)
