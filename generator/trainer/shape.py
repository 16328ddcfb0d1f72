"""What a decoder looks like: a Hugging Face configuration → one frozen `Shape`.

The literal `ARCHITECTURES` says what we can run; anything else is refused with its name, since a
silently ignored option of a configuration would train a different model.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from generator.errors import InputError


@dataclass(frozen=True, slots=True)
class Rope:
    """Rotary position embedding: base and scaling (`default`, `linear` or `llama3`)."""

    theta: float
    kind: str = "default"
    factor: float = 1.0
    low_freq_factor: float = 1.0
    high_freq_factor: float = 4.0
    original_length: int = 8192


@dataclass(frozen=True, slots=True)
class Shape:
    """The dimensions and options of a decoder.

    `windows[l]` is the sliding window of layer l in tokens (0: all); `rope_of[l]` indexes `ropes`.
    `norm_offset` is added to norm weights (Gemma: 1); `sandwich` norms after each block, too.
    """

    model_type: str
    hidden: int
    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    intermediate: int
    vocab: int
    eps: float
    scale: float
    windows: tuple[int, ...]
    ropes: tuple[Rope, ...]
    rope_of: tuple[int, ...]
    activation: Literal["silu", "gelu_tanh"] = "silu"
    qk_norm: bool = False
    sandwich: bool = False
    norm_offset: float = 0.0
    embed_scale: float = 1.0

    @property
    def parts(self) -> Mapping[str, tuple[int, ...]]:
        """The rows of each fused matrix, by the matrices that Hugging Face keeps apart."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "qkv": (q, kv, kv),
            "o": (self.hidden,),
            "gate_up": (self.intermediate, self.intermediate),
            "down": (self.hidden,),
        }

    @property
    def inputs(self) -> Mapping[str, int]:
        """The columns of each fused matrix."""
        q = self.heads * self.head_dim
        return {"qkv": self.hidden, "o": q, "gate_up": self.hidden, "down": self.intermediate}

    @property
    def matmul_parameters(self) -> int:
        """Weights of all linear layers: neither embeddings nor norms."""
        return self.layers * sum(sum(self.parts[n]) * self.inputs[n] for n in self.parts)


def read_shape(config: Any) -> Shape:
    """The shape that a `transformers` configuration describes. Raises InputError."""
    kind = config.model_type
    if kind not in ARCHITECTURES:
        known = ", ".join(ARCHITECTURES)
        raise InputError(f"cannot train a {kind} model", hint=f"decoders that can: {known}")
    return ARCHITECTURES[kind](_common(config), config)


def _common(config: Any) -> Shape:
    activation = str(
        getattr(config, "hidden_act", None) or getattr(config, "hidden_activation", "")
    )
    activations: Mapping[str, Literal["silu", "gelu_tanh"]] = {
        "silu": "silu",
        "gelu_pytorch_tanh": "gelu_tanh",
    }
    if activation not in activations:
        raise InputError(f"activation {activation!r} is not supported", hint="silu, gelu_tanh")
    layers = config.num_hidden_layers
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    return Shape(
        model_type=config.model_type,
        hidden=config.hidden_size,
        layers=layers,
        heads=config.num_attention_heads,
        kv_heads=config.num_key_value_heads,
        head_dim=head_dim,
        intermediate=config.intermediate_size,
        vocab=config.vocab_size,
        eps=config.rms_norm_eps,
        scale=head_dim**-0.5,
        windows=(0,) * layers,
        ropes=(_rope(_rope_values(config)),),
        rope_of=(0,) * layers,
        activation=activations[activation],
    )


def _mistral(shape: Shape, config: Any) -> Shape:
    return replace(shape, windows=(config.sliding_window or 0,) * shape.layers)


def _llama(shape: Shape, _: Any) -> Shape:
    return shape


def _qwen2(shape: Shape, config: Any) -> Shape:
    return replace(shape, windows=_windows(config)) if _slides(config) else shape


def _qwen3(shape: Shape, config: Any) -> Shape:
    return replace(_qwen2(shape, config), qk_norm=True)


def _gemma3(shape: Shape, config: Any) -> Shape:
    if getattr(config, "use_bidirectional_attention", False):
        raise InputError("a bidirectional Gemma 3 cannot be trained", hint="use a causal one")
    if getattr(config, "attn_logit_softcapping", None):
        raise InputError("attention with soft-capped logits is not supported", hint="use Gemma 3")
    windows = _windows(config)
    return replace(
        shape,
        qk_norm=True,
        sandwich=True,
        norm_offset=1.0,
        embed_scale=math.sqrt(shape.hidden),
        scale=config.query_pre_attn_scalar**-0.5,
        windows=windows,
        ropes=_gemma_ropes(config),
        rope_of=tuple(int(window > 0) for window in windows),
    )


ARCHITECTURES: dict[str, Callable[[Shape, Any], Shape]] = {
    "mistral": _mistral,
    "llama": _llama,
    "qwen2": _qwen2,
    "qwen3": _qwen3,
    "gemma3_text": _gemma3,
}


def _slides(config: Any) -> bool:
    return bool(getattr(config, "use_sliding_window", False) and config.sliding_window)


def _windows(config: Any) -> tuple[int, ...]:
    kinds = config.layer_types
    return tuple(config.sliding_window if kind == "sliding_attention" else 0 for kind in kinds)


def _rope_values(config: Any) -> dict[str, Any]:
    """`transformers` 5 has `rope_parameters`, 4 has `rope_theta` and `rope_scaling`."""
    new = getattr(config, "rope_parameters", None)
    if isinstance(new, dict) and "full_attention" in new:
        return dict(new["full_attention"])
    if isinstance(new, dict):
        return dict(new)
    scaling = getattr(config, "rope_scaling", None) or {}
    return {"rope_theta": config.rope_theta, **scaling}


def _gemma_ropes(config: Any) -> tuple[Rope, Rope]:
    new = getattr(config, "rope_parameters", None)
    if isinstance(new, dict) and "sliding_attention" in new:
        return _rope(new["full_attention"]), _rope(new["sliding_attention"])
    return _rope(_rope_values(config)), Rope(theta=config.rope_local_base_freq)


def _rope(values: Mapping[str, Any]) -> Rope:
    kind = values.get("rope_type") or values.get("type") or "default"
    if kind not in {"default", "linear", "llama3"}:
        raise InputError(f"rope scaling {kind!r} is not supported", hint="default, linear, llama3")
    if values.get("partial_rotary_factor", 1.0) != 1.0:
        raise InputError("partial rotary embeddings are not supported", hint="use another base")
    return Rope(
        theta=float(values["rope_theta"]),
        kind=kind,
        factor=float(values.get("factor") or 1.0),
        low_freq_factor=float(values.get("low_freq_factor") or 1.0),
        high_freq_factor=float(values.get("high_freq_factor") or 4.0),
        original_length=int(values.get("original_max_position_embeddings") or 8192),
    )
