"""A sentence-transformers model: a folder, or a name on the Hugging Face Hub."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from generator.encoders.base import Kind, Prompts, Vectors, normalised
from generator.errors import LLMError, MissingExtra
from generator.hub import offline_where_unreachable

BATCH_SIZE = 64


class SentenceTransformersEncoder:
    """Uses the model's own query and document prompts, unless the user sets others.

    Raises MissingExtra without sentence-transformers, LLMError where there is no such model. Code
    that comes with a model is never run.
    """

    def __init__(
        self, model: str, *, prompts: Prompts | None = None, batch_size: int = BATCH_SIZE
    ) -> None:
        self.name = Path(model).resolve().name if Path(model).is_dir() else model
        self._prompts = prompts or Prompts()
        self._batch_size = batch_size
        self._model = _load(model)

    def __repr__(self) -> str:
        return f"SentenceTransformersEncoder({self.name!r})"

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """One vector of length 1 a text, [texts, dim]. See `Encoder.encode`."""
        # These two know the model's prompts ("query", "document", "passage", "corpus"), and which
        # half of a two-tower model to ask.
        encode = self._model.encode_query if kind == "query" else self._model.encode_document
        vectors = encode(
            list(texts),
            prompt=self._before(kind, task),
            batch_size=self._batch_size,
            show_progress_bar=False,
            convert_to_numpy=True,
        )
        return normalised(vectors)

    def _before(self, kind: Kind, task: str | None) -> str | None:
        """The prefix; a task goes into the model's own form of an instruction, where it has one.

        Qwen3-Embedding, for one, has no space after "Query:".
        """
        own = str((self._model.prompts or {}).get("query") or "")
        if kind == "query" and task and own.startswith("Instruct: "):
            _, mark, rest = own.partition("\nQuery:")
            if mark:
                return f"Instruct: {task}{mark}{rest}"
        return self._prompts.before(kind, task)


def _load(model: str) -> Any:
    try:
        from sentence_transformers import SentenceTransformer  # noqa: PLC0415 - loads torch
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415
    except ImportError as exc:
        raise MissingExtra("sentence-transformers", "eval") from exc
    if not sys.stderr.isatty():
        disable_progress_bar()  # "Loading weights" is drawn into files too
    try:
        with offline_where_unreachable(model):
            return SentenceTransformer(model, trust_remote_code=False)
    except (OSError, ValueError) as exc:
        place = "this folder" if os.path.isdir(model) else "a folder or on the Hub"  # noqa: PTH112
        raise LLMError(
            f"{model}: no embedding model: {str(exc).splitlines()[0][:300]}",
            hint=f"check that the model is in {place}; offline, give the path of its folder",
        ) from exc
