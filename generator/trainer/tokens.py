"""Texts → ids, with beginning and end set by us.

Tokenizer flags that promise an EOS are not to be trusted (transformers ≥ 5 drops that of
e5-mistral): ids are made without special tokens, cut, and framed with explicit ids. `export.py`
writes the same rule into the tokenizer that it saves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from generator.errors import ConfigError
from generator.trainer.config import SpecialToken, TokenConfig


@dataclass(frozen=True, eq=False, slots=True)
class Tokens:
    """A tokenizer and the ids that frame each text (null: none)."""

    tokenizer: Any
    bos: int | None
    eos: int | None
    max_tokens: int

    def encode(self, texts: Sequence[str]) -> list[npt.NDArray[np.int32]]:
        """The ids of each text: at most `max_tokens`, BOS and EOS among them."""
        if not texts:
            return []
        room = self.max_tokens - (self.bos is not None) - (self.eos is not None)
        backend = self.tokenizer.backend_tokenizer
        backend.no_padding()
        backend.enable_truncation(room)
        head = [] if self.bos is None else [self.bos]
        tail = [] if self.eos is None else [self.eos]
        found = backend.encode_batch_fast(list(texts), add_special_tokens=False)
        # Without BOS and EOS an empty text has no token; it gets one, so as to have a vector.
        return [np.asarray([*head, *one.ids, *tail] or [0], dtype=np.int32) for one in found]


def tokens_of(tokenizer: Any, config: TokenConfig) -> Tokens:
    """How texts become ids under a configuration. Raises ConfigError for an unknown token."""
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError("the base has no fast tokenizer", hint="give one with tokenizer.json")
    eos = tokenizer.eos_token_id if config.eos == "auto" else _id(tokenizer, config.eos, "eos")
    if config.bos == "auto":
        bos = tokenizer.bos_token_id if _writes_bos(tokenizer) else None
    else:
        bos = _id(tokenizer, config.bos, "bos")
    return Tokens(tokenizer, bos, eos, config.max_tokens)


def query_text(template: str, task: str, query: str) -> str:
    """A query under its instruction; without one, as it is."""
    # No str.format: queries and tasks may hold braces.
    return template.replace("{task}", task).replace("{query}", query) if task else query


def _writes_bos(tokenizer: Any) -> bool:
    ids = tokenizer("a")["input_ids"]
    return tokenizer.bos_token_id is not None and ids[:1] == [tokenizer.bos_token_id]


def _id(tokenizer: Any, token: SpecialToken, name: str) -> int | None:
    if token is None or isinstance(token, int):
        return token
    found: int | None = tokenizer.convert_tokens_to_ids(token)
    if found is None or tokenizer.convert_ids_to_tokens(found) != token:
        raise ConfigError(f"tokens.{name}: the tokenizer has no {token!r}", hint="give an id")
    return found
