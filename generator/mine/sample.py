"""The order in which candidates are taken: the hardest first, or drawn by softmax(score / T).

Drawing without replacement by softmax is sorting by score / T plus Gumbel noise (Kool et al. 2019);
the noise is a hash of record and candidate, so a draw depends on nothing else, not even on the
other candidates.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray


def taking_order(
    scores: NDArray[np.float64],
    names: Callable[[], list[bytes]],
    *,
    record: str,
    temperature: float | None,
    seed: int,
) -> NDArray[np.int64]:
    """The places of the candidates, first to last; equal ones stand as they came.

    `names` tells them apart, and is only asked where a draw is wanted.
    """
    if temperature is None:
        return np.argsort(-scores, kind="stable")
    noise = np.array([_uniform(seed, record, name) for name in names()])
    gumbel = -np.log(-np.log(noise))
    return np.argsort(-(scores / temperature + gumbel), kind="stable")


def _uniform(seed: int, record: str, name: bytes) -> float:
    """A number in (0, 1)."""
    digest = blake2b(f"{seed}\0{record}\0".encode() + name, digest_size=8).digest()
    return (int.from_bytes(digest, "little") + 1) / (2**64 + 2)
