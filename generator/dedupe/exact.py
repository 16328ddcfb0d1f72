"""Exact duplicates: equal in normal form (NFKC, case, punctuation and spaces folded)."""

from __future__ import annotations

from array import array
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from generator.dedupe.similar import NOBODY
from generator.text import normalise

_DIGEST_BYTES = 8  # ten million texts hold two of one digest with a probability of 3e-6
_NO_TEXT = 0

Places = NDArray[np.int64]


class ExactIndex:
    """A digest of each text in its scope: 8 bytes an item."""

    def __init__(self) -> None:
        self._digests = array("Q")

    def add(self, text: str | None, *scope: str) -> None:
        """The next item. Only items of one scope are compared; `None` duplicates nothing."""
        if text is None:
            self._digests.append(_NO_TEXT)
            return
        digest = blake2b(digest_size=_DIGEST_BYTES)
        for part in (*scope, normalise(text)):
            # A byte that UTF-8 never holds keeps the parts apart.
            digest.update(part.encode("utf-8", "surrogatepass") + b"\xff")
        self._digests.append(int.from_bytes(digest.digest(), "little") or 1)

    @property
    def digests(self) -> NDArray[np.uint64]:
        """Of each item; 0 where it has no text."""
        return np.array(self._digests, dtype=np.uint64)


def first_with(indexes: list[ExactIndex], order: Places) -> tuple[NDArray[np.uint8], Places]:
    """In this order, an item goes iff it has a text in common with an earlier one that stayed.

    Of each item: the number of the first index that says so, from 1 (0: it stays), and the partner.
    """
    columns = [index.digests for index in indexes]
    count = len(columns[0]) if columns else len(order)
    kinds = np.zeros(count, dtype=np.uint8)
    partners = np.full(count, NOBODY, dtype=np.int64)
    holders: list[dict[int, int]] = [{} for _ in columns]
    for item in _shared(columns, order):
        digests = [int(column[item]) for column in columns]
        for kind, (digest, held) in enumerate(zip(digests, holders, strict=True), start=1):
            if digest in held:
                kinds[item], partners[item] = kind, held[digest]
                break
        else:
            for digest, held in zip(digests, holders, strict=True):
                if digest != _NO_TEXT:
                    held[digest] = item
    return kinds, partners


def _shared(columns: list[NDArray[np.uint64]], order: Places) -> list[int]:
    """The items that share a digest with another one, in order."""
    is_shared = np.zeros(len(columns[0]) if columns else len(order), dtype=np.bool_)
    for column in columns:
        _, groups, sizes = np.unique(column, return_inverse=True, return_counts=True)
        is_shared |= (sizes[groups] > 1) & (column != _NO_TEXT)
    found: list[int] = order[is_shared[order]].tolist()
    return found
