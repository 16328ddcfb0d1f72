"""Weights between Hugging Face's names and ours, read from safetensors or GGUF, never pickles.

`from_hub` and `to_hub` are inverses; both are made of `cat` and `split`, so gradients pass.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from generator.errors import InputError, LLMError
from generator.hub import offline_where_unreachable
from generator.llm.gguf_tokenizer import put_right
from generator.llm.weights import find_weights
from generator.llm.weights import quiet as quiet_loading
from generator.trainer.shape import Shape, read_shape

Tensors = dict[str, torch.Tensor]

_FUSED = {
    "qkv": ("self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj"),
    "o": ("self_attn.o_proj",),
    "gate_up": ("mlp.gate_proj", "mlp.up_proj"),
    "down": ("mlp.down_proj",),
}
_NORMS = {
    "norm_in": "input_layernorm",
    "norm_mlp": "post_attention_layernorm",
    "q_norm": "self_attn.q_norm",
    "k_norm": "self_attn.k_norm",
}
_SANDWICH_NORMS = {
    **_NORMS,
    "norm_after_attention": "post_attention_layernorm",
    "norm_mlp": "pre_feedforward_layernorm",
    "norm_after_mlp": "post_feedforward_layernorm",
}


@dataclass(frozen=True, eq=False, slots=True)
class Base:
    """A model as it was found: `config` and `tokenizer` are those of `transformers`."""

    shape: Shape
    weights: Tensors
    config: Any
    tokenizer: Any
    source: str


def load_base(model: str, dtype: torch.dtype, device: torch.device) -> Base:
    """The decoder that a folder, a .gguf file, a Hub id or the embedded name stands for.

    Raises InputError where there is none, or one of an architecture that we cannot train.
    """
    try:
        found = find_weights(model)
    except LLMError as exc:
        raise InputError(f"base: {exc.message}", hint=exc.hint) from exc
    with quiet():
        from transformers import AutoConfig, AutoTokenizer  # noqa: PLC0415 - slow to import

        try:
            if found.gguf is not None:
                return _from_gguf(found.source, found.gguf, dtype, device)
            folder = _folder(found.source)
            config = AutoConfig.from_pretrained(folder)
            tokenizer = AutoTokenizer.from_pretrained(folder)
        except (OSError, ValueError, ImportError) as exc:
            raise InputError(
                f"{model}: cannot be loaded: {str(exc).strip().splitlines()[0]}",
                hint="give a folder with config.json, safetensors and a tokenizer, or a .gguf file",
            ) from exc
    config = getattr(config, "text_config", None) or config
    shape = read_shape(config)
    weights = from_hub(read_safetensors(Path(folder)), shape)
    return Base(shape, _moved(weights, dtype, device), config, tokenizer, model)


def from_hub(state: Mapping[str, torch.Tensor], shape: Shape) -> Tensors:
    """Hugging Face's tensors under our names, projections fused. Raises InputError for a gap."""
    state = {_bare(name): tensor for name, tensor in state.items()}
    try:
        weights = {"embed": state["embed_tokens.weight"], "norm": state["norm.weight"]}
        for i in range(shape.layers):
            weights |= _layer_from_hub(state, shape, i)
    except KeyError as exc:
        raise InputError(
            f"the weights hold no {exc.args[0]}", hint="is the download whole?"
        ) from exc
    return weights


def to_hub(weights: Mapping[str, torch.Tensor], shape: Shape) -> Tensors:
    """Our tensors (adapters merged) under the names of a bare `…Model` of `transformers`."""
    state = {"embed_tokens.weight": weights["embed"], "norm.weight": weights["norm"]}
    norms = _SANDWICH_NORMS if shape.sandwich else _NORMS
    for i in range(shape.layers):
        ours, theirs = f"layers.{i}.", f"layers.{i}."
        for name, parts in _FUSED.items():
            for suffix, key in (("weight", name), ("bias", f"{name}.bias")):
                if ours + key in weights:
                    pieces = weights[ours + key].split(shape.parts[name])
                    pairs = zip(parts, pieces, strict=True)
                    state |= {f"{theirs}{part}.{suffix}": piece for part, piece in pairs}
        for name, part in norms.items():
            if ours + name in weights:
                state[f"{theirs}{part}.weight"] = weights[ours + name]
    return state


def read_safetensors(folder: Path) -> Tensors:
    """All tensors of a folder's safetensors files. Raises InputError where it has none."""
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        names = sorted(set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values()))
        files = [folder / name for name in names]
    else:
        files = sorted(folder.glob("*.safetensors"))
    if not files:
        raise InputError(
            f"{folder}: no safetensors", hint="convert it first: trine never loads pickles"
        )
    tensors: Tensors = {}
    for file in files:
        with safe_open(file, "pt") as opened:
            tensors |= {name: opened.get_tensor(name) for name in opened.keys()}  # noqa: SIM118
    return tensors


@contextmanager
def quiet() -> Iterator[None]:
    """`transformers` draws no bar, warns of nothing and logs nothing below an error."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with quiet_loading():
            yield
    finally:
        logging.disable(disabled)


def _layer_from_hub(state: Mapping[str, torch.Tensor], shape: Shape, i: int) -> Tensors:
    layer: Tensors = {}
    prefix = f"layers.{i}."
    for name, parts in _FUSED.items():
        layer[prefix + name] = torch.cat([state[f"{prefix}{p}.weight"] for p in parts])
        if f"{prefix}{parts[0]}.bias" in state:
            layer[f"{prefix}{name}.bias"] = torch.cat([state[f"{prefix}{p}.bias"] for p in parts])
    norms = _SANDWICH_NORMS if shape.sandwich else _NORMS
    for name, part in norms.items():
        if shape.qk_norm or name not in {"q_norm", "k_norm"}:
            layer[prefix + name] = state[f"{prefix}{part}.weight"]
    return layer


def _bare(name: str) -> str:
    """The name within the decoder: of a causal model or a multimodal one, prefixes differ."""
    for prefix in ("model.language_model.", "language_model.model.", "model."):
        name = name.removeprefix(prefix)
    return name


def _from_gguf(source: str, file: str, dtype: torch.dtype, device: torch.device) -> Base:
    from transformers import AutoModel, AutoTokenizer  # noqa: PLC0415

    options: dict[str, Any] = {"gguf_file": file, "dtype": dtype}
    try:
        from transformers import GgufConfig  # noqa: PLC0415

        options["quantization_config"] = GgufConfig(dequantize=True)
    except ImportError:  # transformers 4 always dequantizes
        pass
    tokenizer = AutoTokenizer.from_pretrained(source, gguf_file=file)
    put_right(tokenizer, Path(source, file))
    module = AutoModel.from_pretrained(source, **options)
    shape = read_shape(module.config)
    weights = from_hub(module.state_dict(), shape)
    return Base(shape, _moved(weights, dtype, device), module.config, tokenizer, file)


def _folder(source: str) -> str:
    if Path(source).is_dir():
        return source
    from huggingface_hub import snapshot_download  # noqa: PLC0415

    patterns = ["*.json", "*.safetensors", "tokenizer*", "*.model"]
    with offline_where_unreachable(source):
        return str(snapshot_download(source, allow_patterns=patterns))


def _moved(weights: Tensors, dtype: torch.dtype, device: torch.device) -> Tensors:
    return {
        name: tensor.to(device=device, dtype=dtype).contiguous() for name, tensor in weights.items()
    }
