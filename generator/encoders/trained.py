"""A model that trine trained, through its own packed forward.

The trainer stands above the encoders, so its embedder comes by argument (`cli/models.py` loads it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from generator.encoders.base import Kind, Prompts, Vectors, normalised


class PackedEmbedder(Protocol):
    """What `generator.trainer.embedder.Embedder` offers: prompts, and texts → unit vectors."""

    @property
    def prompts(self) -> Mapping[str, str]:
        """Prefixes by kind."""
        ...

    @property
    def template(self) -> str:
        """With {task} and {query}; empty where the model takes no instruction."""
        ...

    def encode(self, texts: Sequence[str], *, prompt: str = "") -> Any:
        """Float32 [texts, dim]; `prompt` goes before every text."""
        ...


class TrainedEncoder:
    """Frames queries as in training: with the given task, or the one that was trained with."""

    def __init__(
        self, embedder: PackedEmbedder, name: str, *, prompts: Prompts | None = None
    ) -> None:
        self.name = name
        self._embedder = embedder
        self._prompts = prompts or Prompts()

    def __repr__(self) -> str:
        return f"TrainedEncoder({self.name!r})"

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """One vector of length 1 a text, [texts, dim]. See `Encoder.encode`."""
        return normalised(self._embedder.encode(texts, prompt=self._before(kind, task)))

    def _before(self, kind: Kind, task: str | None) -> str:
        template = self._embedder.template
        if kind == "query" and task and "{task}" in template:
            return template.partition("{query}")[0].replace("{task}", task)
        before = self._prompts.before(kind, task)
        return self._embedder.prompts.get(kind, "") if before is None else before
