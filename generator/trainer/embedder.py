"""A trained folder as an encoder: texts → unit vectors, by the packed forward.

Reads what `export.py` writes (`trine.json` says how texts are framed and pooled), and, without
that file, any sentence-transformers folder of a decoder with a single pooling mode.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F  # noqa: N812

from generator.errors import InputError
from generator.trainer.config import Pooling, TokenConfig
from generator.trainer.decoder import Blocks, Model, encode
from generator.trainer.engine import compiled_blocks
from generator.trainer.packing import Packed, cut, pack
from generator.trainer.tokens import Tokens, tokens_of
from generator.trainer.weights import load_base

_TEXTS = 8192  # tokenised at once, while the device works on those before
_POOLINGS: dict[str, Pooling] = {"lasttoken": "last", "mean": "mean", "cls": "first"}


class Embedder:
    """An embedding model. `prompts` are those that it was trained with, by name."""

    def __init__(
        self, model: Model, weights: dict[str, torch.Tensor], tokens: Tokens, *,
        prompts: dict[str, str], template: str = "", compiled: bool = False,
    ) -> None:  # fmt: skip
        self.model, self.weights, self.tokens = model, weights, tokens
        self.prompts, self.template = prompts, template
        self._blocks: Blocks | None = compiled_blocks() if compiled else None

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.weights["embed"].device

    @property
    def dimensions(self) -> int:
        """The length of a vector."""
        return self.model.shape.hidden

    def encode(
        self, texts: Sequence[str], *, prompt: str | Sequence[str] = "",
        max_tokens: int | None = None, token_budget: int | None = None,
    ) -> npt.NDArray[np.float32]:  # fmt: skip
        """(n, hidden) float32 unit vectors; `prompt` goes before every text, or each has its own.

        It matters that it is no part of the text where the mean leaves it out (`mean_text`).
        `token_budget` is tokens in one forward. The device works on one block of texts while the
        next is tokenised; nothing waits for it before the end.
        """
        budget = token_budget or (32768 if self.device.type == "cuda" else 4096)
        tokens = self.tokens
        if max_tokens is not None:
            tokens = Tokens(tokens.tokenizer, tokens.bos, tokens.eos, max_tokens)
        prompts = [prompt] * len(texts) if isinstance(prompt, str) else prompt
        pairs = list(zip(prompts, texts, strict=True))
        blocks = [pairs[i : i + _TEXTS] for i in range(0, len(pairs), _TEXTS)]
        with torch.inference_mode():
            found = [self._block(block, tokens, budget) for block in blocks]
            if not found:
                return np.zeros((0, self.dimensions), dtype=np.float32)
            vectors: npt.NDArray[np.float32] = torch.cat(found).cpu().numpy()
            return vectors

    def forward(self, packed: Packed) -> torch.Tensor:
        """(n, hidden) float32, not normalised."""
        return encode(self.model, self.weights, packed, self._blocks)

    def _block(self, block: list[tuple[str, str]], tokens: Tokens, budget: int) -> torch.Tensor:
        texts = tokens.texts([p + text for p, text in block], [p for p, _ in block])
        chunks = cut(texts.lengths, budget)
        parts = [F.normalize(self.forward(pack(texts, c, self.device)), dim=-1) for c in chunks]
        flat = torch.cat(parts)
        whole = torch.empty_like(flat)
        whole[torch.from_numpy(np.concatenate(chunks)).to(flat.device)] = flat
        return whole


def load_embedder(
    folder: Path | str, device: str = "auto", *, dtype: str = "auto", compiled: bool = False
) -> Embedder:
    """The embedder in a folder. bfloat16 on a GPU and float32 on a CPU unless `dtype` says else.

    Raises InputError where the folder holds none that we can run.
    """
    folder = Path(folder)
    name = ("cuda" if torch.cuda.is_available() else "cpu") if device == "auto" else device
    place = torch.device(name)
    if dtype == "auto":
        dtype = "bfloat16" if place.type == "cuda" else "float32"
    base = load_base(str(folder), getattr(torch, dtype), place)
    meta = _meta(folder)
    model = Model(base.shape, pooling=meta["pooling"], causal=not meta["bidirectional"])
    config = TokenConfig(max_tokens=meta["max_tokens"], bos=meta["bos"], eos=meta["eos"])
    tokens = tokens_of(base.tokenizer, config)
    return Embedder(
        model, base.weights, tokens,
        prompts=meta["prompts"], template=meta["template"], compiled=compiled,
    )  # fmt: skip


def _meta(folder: Path) -> dict[str, Any]:
    """How the folder's model is used."""
    own = folder / "trine.json"
    if own.is_file():
        meta: dict[str, Any] = json.loads(own.read_text(encoding="utf-8"))
        return meta
    try:
        pooling = json.loads((folder / "1_Pooling" / "config.json").read_text(encoding="utf-8"))
        sentence = json.loads((folder / "sentence_bert_config.json").read_text(encoding="utf-8"))
        general = json.loads(
            (folder / "config_sentence_transformers.json").read_text(encoding="utf-8")
        )
    except OSError as exc:
        raise InputError(
            f"{folder}: no embedding model", hint="give a folder that trine train wrote"
        ) from exc
    kind = _pooling(pooling)
    if kind is None:
        raise InputError(f"{folder}: pooling is not supported", hint="last token, mean or first")
    return {
        "pooling": kind,
        "bidirectional": False,
        "max_tokens": sentence.get("max_seq_length") or 512,
        "bos": "auto",
        "eos": "auto" if kind == "last" else "written",
        "prompts": general.get("prompts") or {},
        "template": "",
    }


def _pooling(config: dict[str, Any]) -> Pooling | None:
    """What a Pooling of sentence-transformers does, by its new names or its old; None: others."""
    modes = [m for m in _POOLINGS if config.get("pooling_mode", "") == m
             or config.get(f"pooling_mode_{m}") or config.get(f"pooling_mode_{m}_token")
             or config.get(f"pooling_mode_{m}_tokens")]  # fmt: skip
    if len(modes) != 1:
        return None
    # The last token is never the prompt's; a first one that is not the prompt's we do not have.
    without: dict[str, Pooling] = {"last": "last", "mean": "mean_text"}
    kind = _POOLINGS[modes[0]]
    return kind if config.get("include_prompt", True) else without.get(kind)
