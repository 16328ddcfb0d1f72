"""An embeddings API of the OpenAI kind: OpenAI's own, vLLM, TEI, or any server beside them."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import parse_qsl

import numpy as np
import openai

from generator.encoders.base import Kind, Prompts, Vectors, normalised
from generator.errors import LLMError, Unreachable

BATCH_SIZE = 64
CONCURRENCY = 8
MAX_RETRIES = 6


class OpenAIEncoder:
    """Texts go to `{base_url}/embeddings` in batches, several at a time, with retries.

    The key never shows in a repr. Raises LLMError without key and `base_url`.
    """

    def __init__(
        self,
        model: str,
        *,
        api_key: str | None,
        base_url: str | None = None,
        prompts: Prompts | None = None,
        timeout_s: float = 120.0,
        max_retries: int = MAX_RETRIES,
    ) -> None:
        if api_key is None and base_url is None:
            raise LLMError("no API key", hint="export OPENAI_API_KEY=… (or give --base-url)")
        self.name = model
        address, _, query = (base_url or "").partition("?")  # the package would put it into paths
        self._place = address or "https://api.openai.com/v1"
        self._prompts = prompts or Prompts()
        self._client = openai.OpenAI(
            api_key=api_key or "none",
            base_url=address or None,
            default_query=dict(parse_qsl(query)),
            timeout=timeout_s,
            max_retries=max_retries,
        )

    def __repr__(self) -> str:
        return f"OpenAIEncoder({self.name!r}, {self._place!r})"

    def encode(self, texts: Sequence[str], *, kind: Kind, task: str | None = None) -> Vectors:
        """One vector of length 1 a text, [texts, dim]. Raises LLMError, Unreachable."""
        before = self._prompts.before(kind, task) or ""
        asked = [before + text for text in texts]
        batches = [asked[i : i + BATCH_SIZE] for i in range(0, len(asked), BATCH_SIZE)]
        with ThreadPoolExecutor(CONCURRENCY) as pool:
            parts = list(pool.map(self._ask, batches))
        if not parts:
            return np.empty((0, 0), dtype=np.float32)
        return normalised(np.concatenate(parts))

    def _ask(self, batch: list[str]) -> Vectors:
        try:
            # "float" because not every server knows the package's default, base64.
            reply = self._client.embeddings.create(
                model=self.name, input=batch, encoding_format="float"
            )
        except openai.OpenAIError as exc:
            raise _meaning(exc, self._place) from exc
        return _vectors(reply, len(batch), self._place)


def _vectors(reply: Any, count: int, place: str) -> Vectors:
    try:
        items = sorted(reply.data, key=lambda item: int(item.index))
        vectors = np.array([item.embedding for item in items], dtype=np.float32)
    except (AttributeError, TypeError, ValueError) as exc:
        raise LLMError(f"{place}: no embeddings in its answer", hint="check --base-url") from exc
    if vectors.shape[:1] != (count,) or vectors.ndim != 2:
        raise LLMError(
            f"{place}: {len(items)} embeddings for {count} texts", hint="report it to the server"
        )
    return vectors


def _meaning(exc: openai.OpenAIError, place: str) -> LLMError:
    if isinstance(exc, openai.AuthenticationError | openai.PermissionDeniedError):
        return LLMError(f"{place} refused the key", hint="export OPENAI_API_KEY=…")
    if isinstance(exc, openai.APIConnectionError):
        return Unreachable(
            f"{place} cannot be reached: {exc.__cause__ or exc}",
            hint="start the server, or check --base-url",
        )
    said = str(getattr(exc, "message", exc))[:500]
    return LLMError(f"{place}: {said}", hint="check the model's name and the length of the texts")
