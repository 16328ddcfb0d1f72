"""The contract of encoders, and what they all do: prompts and normalisation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

Kind = Literal["query", "document"]
Vectors = NDArray[np.float32]

# E5-mistral (arXiv 2401.00368, section 3.1); trine trains with it, and most instruction-tuned
# embedders since have kept it.
INSTRUCTION = "Instruct: {task}\nQuery: "


class Encoder(Protocol):
    """Turns texts into vectors whose inner product is their similarity."""

    @property
    def name(self) -> str:
        """What the model is called in tables."""
        ...

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """One vector of length 1 a text, [texts, dim], in the order of the texts.

        `kind` says which side of a search the texts are on. `task` is an instruction for the
        query side; without one the model's own prompt is used, where it has any.
        """
        ...


@dataclass(frozen=True, slots=True)
class Prompts:
    """What stands before a text, where the user sets it; None leaves it to the model."""

    query: str | None = None
    document: str | None = None

    def before(self, kind: Kind, task: str | None) -> str | None:
        """The prefix of a text: set by the user, made from the task ("": none), or None."""
        if kind == "document":
            return self.document
        if task is None:
            return self.query
        return INSTRUCTION.format_map({"task": task}) if task else ""


def normalised(vectors: NDArray[np.floating]) -> Vectors:
    """The vectors [n, dim] in float32 at length 1, whatever precision the model had; 0 stays 0."""
    found = np.asarray(vectors, dtype=np.float32)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit = found / np.where(lengths > 0, lengths, np.float32(1))
    return unit.astype(np.float32, copy=False)
