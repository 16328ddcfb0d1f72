"""A cross-encoder: query and text read together, one score a pair (sentence-transformers)."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from generator.errors import LLMError, MissingExtra
from generator.hub import offline_where_unreachable

BATCH_SIZE = 32


class CrossEncoder:
    """Scores are raw logits, which distillation wants: a sigmoid would flatten the best.

    Raises MissingExtra without sentence-transformers, LLMError where there is no such model, or it
    has more than one output. Code that comes with a model is never run.
    """

    def __init__(self, model: str, *, batch_size: int = BATCH_SIZE) -> None:
        self.name = model.rstrip("/").rpartition("/")[2]
        self._batch_size = batch_size
        self._model = _load(model)

    def __repr__(self) -> str:
        return f"CrossEncoder({self.name!r})"

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The logit of each (query, text)."""
        import torch  # noqa: PLC0415 - heavy

        if not pairs:
            return []
        scores = self._model.predict(
            list(pairs),
            batch_size=self._batch_size,
            show_progress_bar=False,
            activation_fn=torch.nn.Identity(),
            convert_to_numpy=True,
        )
        found: list[float] = np.asarray(scores, dtype=np.float64).reshape(-1).tolist()
        return found


def _load(model: str) -> Any:
    try:
        from sentence_transformers import CrossEncoder as Model  # noqa: PLC0415 - loads torch
        from transformers.utils.logging import disable_progress_bar  # noqa: PLC0415
    except ImportError as exc:
        raise MissingExtra("sentence-transformers", "eval") from exc
    if not sys.stderr.isatty():
        disable_progress_bar()
    try:
        with offline_where_unreachable(model):
            found = Model(model, trust_remote_code=False)
    except (OSError, ValueError) as exc:
        raise LLMError(
            f"{model}: no cross-encoder: {str(exc).splitlines()[0][:300]}",
            hint="give a folder or a name on the Hub, as cross-encoder:NAME",
        ) from exc
    if found.num_labels != 1:
        raise LLMError(
            f"{model}: {found.num_labels} outputs, not one score", hint="use a reranker's model"
        )
    return found
