"""Who scores query and text: an encoder, a cross-encoder, or an LLM that grades.

A teacher gets queries, each with places in the pool, and answers with as many scores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from generator.mine.sources import Asked
from generator.search.pool import Pool

Scores = NDArray[np.float64]
Places = NDArray[np.int64]
ScorePairs = Callable[[Sequence[tuple[str, str]]], Sequence[float]]


class Teacher(Protocol):
    """Scores texts for queries; higher is more relevant, on any scale."""

    @property
    def name(self) -> str:
        """What its scores are signed with."""
        ...

    def score(self, asked: Asked, places: Sequence[Places]) -> list[Scores]:
        """Scores of the texts at `places` [records][texts] for each record's query."""
        ...


class VectorRows(Protocol):
    """Vectors by place in the pool."""

    def rows(self, indices: Places) -> NDArray[np.float32]:
        """Vectors [indices, dim]."""
        ...


class EncoderTeacher:
    """Inner products of vectors: cosines, as encoders give vectors of length 1."""

    def __init__(
        self, name: str, vectors: VectorRows, embed: Callable[[Asked], NDArray[np.float32]]
    ) -> None:
        self.name = name
        self._vectors, self._embed = vectors, embed

    def score(self, asked: Asked, places: Sequence[Places]) -> list[Scores]:
        """See `Teacher.score`. The texts of a block are read once each."""
        distinct, where = np.unique(np.concatenate(places), return_inverse=True)
        vectors = self._vectors.rows(distinct)
        queries = self._embed(asked)
        ends = np.cumsum([len(p) for p in places])[:-1]
        return [
            (vectors[own] @ query).astype(np.float64)
            for own, query in zip(np.split(where, ends), queries, strict=True)
        ]


class PairTeacher:
    """A model that reads query and text together: `score_pairs` is given all pairs of a block."""

    def __init__(self, name: str, pool: Pool, score_pairs: ScorePairs) -> None:
        self.name = name
        self._pool, self._score_pairs = pool, score_pairs

    def score(self, asked: Asked, places: Sequence[Places]) -> list[Scores]:
        """See `Teacher.score`."""
        pairs = [
            (record.query, self._pool.text(place))
            for record, own in zip(asked.records, places, strict=True)
            for place in own.tolist()
        ]
        scores = np.array(self._score_pairs(pairs), dtype=np.float64)
        return np.split(scores, np.cumsum([len(p) for p in places])[:-1])
