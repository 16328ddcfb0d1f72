"""Duplicates in meaning: of each record the most similar one before it, by cosine, exactly.

Only records of one scope are compared, every pair of them: n² / 2 products, as a multiplication of
blocks. Blocks begin at the same places whatever comes later, so a longer input gives the same.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from generator.dedupe.compare import TEXTS, Field
from generator.dedupe.similar import NOBODY, Places, Similar
from generator.records import Record

Scope = Literal["task", "family", "all"]
SMALLEST, LARGEST = 32, 2048  # records of a block
_DIGITS = 4  # what of a cosine does not depend on how texts were batched
_NO_TEXT = -1

Vectors = NDArray[np.float32]

_SCOPES: Mapping[Scope, Callable[[Record], tuple[str, ...]]] = {
    "task": lambda record: (record.family, record.language, record.task),
    "family": lambda record: (record.family, record.language),
    "all": lambda _: (),
}


class VectorRows(Protocol):
    """Vectors of length 1 by item."""

    def rows(self, indices: Places) -> Vectors:
        """Vectors [indices, dim]."""
        ...


class SemanticIndex:
    """Records that are added one after another; their vectors are asked for when compared."""

    def __init__(
        self,
        vectors: Callable[[], VectorRows],
        floor: float,
        *,
        name: Field = "query",
        scope: Scope = "family",
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self._vectors, self._floor, self._progress = vectors, floor, progress
        self._text, self._scope = TEXTS[name], _SCOPES[scope]
        self._codes: dict[tuple[str, ...], int] = {}
        self._scopes = array("q")

    def add(self, record: Record) -> None:
        """The next record."""
        if self._text(record):
            scope = self._scope(record)
            self._scopes.append(self._codes.setdefault(scope, len(self._codes)))
        else:
            self._scopes.append(_NO_TEXT)

    def nearest(self, order: Places, known: Similar | None = None) -> Similar:
        """Of each place in `order`: the most similar before it, where it reaches the floor."""
        found = Similar.none(len(order))
        start = found.take(known) if known else 0
        if start == len(order):
            return found
        vectors, done = self._vectors(), 0
        scopes = np.array(self._scopes, dtype=np.int64)[order]
        for code in range(len(self._codes)):
            places = np.flatnonzero(scopes == code)
            edges = _edges(len(places))
            for block in range(len(edges) - 1):
                own = places[edges[block] : edges[block + 1]]
                if own[-1] >= start:
                    partners, scores = _nearest(vectors, order, places, edges[: block + 2])
                    chosen = (own >= start) & (scores >= self._floor)
                    found.partners[own[chosen]] = partners[chosen]
                    found.scores[own[chosen]] = scores[chosen]
                done += len(own)
                if self._progress is not None:
                    self._progress(done, len(order))
        return found


def _edges(count: int) -> list[int]:
    """Where blocks begin and end: small ones first, as many scopes hold few records."""
    edges = [0]
    while edges[-1] < count:
        edges.append(edges[-1] + min(max(edges[-1], SMALLEST), LARGEST))
    return edges


def _nearest(
    vectors: VectorRows, order: Places, places: Places, edges: Sequence[int]
) -> tuple[Places, NDArray[np.float64]]:
    """Of the places of the last block: the most similar place before, and the cosine."""
    *_, start, end = edges
    own, size = places[start:end], end - start
    queries = _padded(vectors.rows(order[own]), size)
    best, partners = np.full(size, -1, dtype=np.float32), np.full(size, NOBODY)
    for low, high in pairwise(edges):
        others = places[low:high]
        documents = queries if low == start else vectors.rows(order[others])
        cosines = queries @ documents.T
        if low == start:
            cosines[np.triu_indices(size)] = -1  # itself, and those behind it
        nearest = cosines.argmax(axis=1)
        top = cosines[np.arange(size), nearest]
        better = top > best
        best[better], partners[better] = top[better], others[nearest[better]]
    return partners[: len(own)], np.round(best[: len(own)].astype(np.float64), _DIGITS).clip(0, 1)


def _padded(vectors: Vectors, size: int) -> Vectors:
    """With zeros to a whole block: the same shape multiplies in the same way."""
    whole = np.zeros((size, vectors.shape[1]), dtype=np.float32)
    whole[: len(vectors)] = vectors
    return whole
