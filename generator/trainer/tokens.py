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
from generator.trainer.packing import Texts


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

    def texts(self, texts: Sequence[str], prompts: Sequence[str]) -> Texts:
        """The ids of each text, which begins with its prompt, and how many are the prompt's.

        These are counted as sentence-transformers does: the tokens of the prompt alone, framed and
        cut like a text, less a special one at its end. Where the prompt ends in a space that the
        first word would take in, that word counts as the prompt's.
        """
        distinct = [prompt for prompt in dict.fromkeys(prompts) if prompt]
        special = {*self.tokenizer.all_special_ids, self.eos}
        counts = {"": 0}
        for prompt, ids in zip(distinct, self.encode(distinct), strict=True):
            counts[prompt] = len(ids) - (int(ids[-1]) in special)
        lengths = np.asarray([counts[prompt] for prompt in prompts], dtype=np.int64)
        return Texts(self.encode(texts), lengths)


def tokens_of(tokenizer: Any, config: TokenConfig) -> Tokens:
    """How texts become ids under a configuration. Raises ConfigError for an unknown token."""
    if not getattr(tokenizer, "is_fast", False):
        raise ConfigError("the base has no fast tokenizer", hint="give one with tokenizer.json")
    ids = tokenizer("a")["input_ids"]
    eos, bos = tokenizer.eos_token_id, tokenizer.bos_token_id
    if config.eos == "written":
        eos = eos if ids[-1:] == [eos] else None
    elif config.eos != "auto":
        eos = _id(tokenizer, config.eos, "eos")
    if config.bos == "auto":
        bos = bos if ids[:1] == [bos] else None
    else:
        bos = _id(tokenizer, config.bos, "bos")
    return Tokens(tokenizer, bos, eos, config.max_tokens)


def query_text(template: str, task: str, query: str) -> str:
    """A query under its instruction; without one, as it is."""
    # No str.format: queries and tasks may hold braces.
    return template.replace("{task}", task).replace("{query}", query) if task else query


def prompt_text(template: str, task: str) -> str:
    """What stands before a query under its instruction; nothing without one."""
    return template.partition("{query}")[0].replace("{task}", task) if task else ""


def _id(tokenizer: Any, token: SpecialToken, name: str) -> int | None:
    if token is None or isinstance(token, int):
        return token
    found: int | None = tokenizer.convert_tokens_to_ids(token)
    if found is None or tokenizer.convert_ids_to_tokens(found) != token:
        raise ConfigError(f"tokens.{name}: the tokenizer has no {token!r}", hint="give an id")
    return found
