"""The decoder as a function: weights and a packed stream → one vector a text, before normalising.

Weights are a flat mapping of tensors, projections of one input fused (q, k and v; gate and up), so
a layer is four matrix products. Every layer calls the same functions with its own tensors:
compiled once, they serve all layers. Two savings change no result: the last layer computes queries,
its output projection and its MLP at the pooled positions alone, and the final norm follows pooling.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import torch
from torch.nn import functional as F  # noqa: N812

from generator.trainer.attention import attend
from generator.trainer.config import Pooling
from generator.trainer.lora import project
from generator.trainer.packing import Packed
from generator.trainer.pooling import MEANS, pool, positions_of
from generator.trainer.shape import Rope, Shape

Weights = Mapping[str, torch.Tensor]
Rotation = tuple[torch.Tensor, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Model:
    """What does not change in a forward: shape, pooling, attention, adapters' factor."""

    shape: Shape
    pooling: Pooling = "last"
    causal: bool = True
    lora_scale: float = 0.0
    lora_dropout: float = 0.0


Body = Callable[[Weights, torch.Tensor], torch.Tensor]
RunLayer = Callable[[int, Body, torch.Tensor], torch.Tensor]
"""Runs a layer's body with its weights on x (T, hidden); sharded weights are gathered around it."""


class Blocks(NamedTuple):
    """The two halves of a layer around its attention; `engine.py` makes compiled ones."""

    before: Callable[[Model, Weights, torch.Tensor, Rotation], tuple[torch.Tensor, ...]]
    after: Callable[[Model, Weights, torch.Tensor, torch.Tensor], torch.Tensor]


def encode(
    model: Model, weights: Weights, packed: Packed, blocks: Blocks | None = None,
    run_layer: RunLayer | None = None,
) -> torch.Tensor:  # fmt: skip
    """(n, hidden) float32: the pooled output of the final norm of each text, not normalised.

    With `run_layer`, `weights` need hold those outside of the layers alone.
    """
    shape, blocks = model.shape, blocks or Blocks(before_attention, after_attention)
    x = F.embedding(packed.ids, weights["embed"])
    if shape.embed_scale != 1.0:
        x = x * torch.tensor(shape.embed_scale, dtype=x.dtype, device=x.device)
    rotations = [rotation(rope, packed.positions, shape.head_dim) for rope in shape.ropes]
    run_layer = run_layer or _with_weights(weights)
    for i in range(shape.layers):
        turn = rotations[shape.rope_of[i]]
        if i == shape.layers - 1 and model.pooling not in MEANS:
            body: Body = partial(_last_layer, model, turn, packed)
        else:
            body = partial(_layer, model, turn, packed, blocks, shape.windows[i])
        x = run_layer(i, body, x)
    x = norm(shape, x, weights["norm"])
    return pool(x, packed, model.pooling) if model.pooling in MEANS else x.float()


def _with_weights(weights: Weights) -> RunLayer:
    """Layers whose weights are all at hand."""
    names = [name.removeprefix("layers.0.") for name in weights if name.startswith("layers.0.")]

    def run(i: int, body: Body, x: torch.Tensor) -> torch.Tensor:
        return body({name: weights[f"layers.{i}.{name}"] for name in names}, x)

    return run


def _layer(
    model: Model, turn: Rotation, packed: Packed, blocks: Blocks, window: int,
    w: Weights, x: torch.Tensor,
) -> torch.Tensor:  # fmt: skip
    q, k, v = blocks.before(model, w, x, turn)
    out = attend(q, k, v, packed, causal=model.causal, window=window, scale=model.shape.scale)
    return blocks.after(model, w, x, out)


def before_attention(
    model: Model, w: Weights, x: torch.Tensor, turn: Rotation
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries (T, heads, d), keys and values (T, kv_heads, d)."""
    qkv = project(norm(model.shape, x, w["norm_in"]), w, "qkv", model)
    q, k, v = qkv.split(model.shape.parts["qkv"], dim=-1)
    q, k = _heads(model, w, q, "q", turn), _heads(model, w, k, "k", turn)
    return q, k, v.unflatten(-1, (-1, model.shape.head_dim))


def after_attention(model: Model, w: Weights, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
    """The output projection and the MLP, with their residuals; row by row."""
    shape = model.shape
    update = project(out.flatten(-2), w, "o", model)
    if shape.sandwich:
        update = norm(shape, update, w["norm_after_attention"])
    x = x + update
    gate, up = project(norm(shape, x, w["norm_mlp"]), w, "gate_up", model).chunk(2, dim=-1)
    act = F.silu(gate) if shape.activation == "silu" else F.gelu(gate, approximate="tanh")
    update = project(act * up, w, "down", model)
    if shape.sandwich:
        update = norm(shape, update, w["norm_after_mlp"])
    return x + update


def _last_layer(
    model: Model, turn: Rotation, packed: Packed, w: Weights, x: torch.Tensor
) -> torch.Tensor:
    """The last layer at the pooled positions alone: (n, hidden)."""
    shape, at = model.shape, positions_of(model.pooling, packed)
    window = shape.windows[-1]
    if model.pooling != "last":
        q, k, v = before_attention(model, w, x, turn)
        out = attend(q, k, v, packed, causal=model.causal, window=window, scale=shape.scale)
        return after_attention(model, w, x[at], out[at])
    normed = norm(shape, x, w["norm_in"])
    q = project(normed[at], w, "qkv", model, part=slice(0, 1))
    kv = project(normed, w, "qkv", model, part=slice(1, 3))
    k, v = kv.split(shape.parts["qkv"][1:], dim=-1)
    q = _heads(model, w, q, "q", (turn[0][at], turn[1][at]))
    k = _heads(model, w, k, "k", turn)
    v = v.unflatten(-1, (-1, shape.head_dim))
    out = attend(q, k, v, packed, causal=model.causal, window=window, scale=shape.scale)
    return after_attention(model, w, x[at], out)


def _heads(model: Model, w: Weights, flat: torch.Tensor, name: str, turn: Rotation) -> torch.Tensor:
    x = flat.unflatten(-1, (-1, model.shape.head_dim))
    if model.shape.qk_norm:
        x = norm(model.shape, x, w[f"{name}_norm"])
    cos, sin = turn
    half = x.shape[-1] // 2
    x32 = x.float()
    a, b = x32[..., :half], x32[..., half:]
    cos, sin = cos[:, None], sin[:, None]
    return torch.cat((a * cos - b * sin, b * cos + a * sin), dim=-1).to(x.dtype)


def norm(shape: Shape, x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
    """Root-mean-square norm over the last dimension, computed in float32."""
    scale = weight.float() + shape.norm_offset
    return F.rms_norm(x.float(), (x.shape[-1],), scale, shape.eps).to(x.dtype)


def rotation(rope: Rope, positions: torch.Tensor, head_dim: int) -> Rotation:
    """Cosines and sines (T, head_dim / 2) float32 of the rotary embedding."""
    steps = torch.arange(0, head_dim, 2, device=positions.device, dtype=torch.float32)
    frequencies = scaled_frequencies(rope, rope.theta ** -(steps / head_dim))
    angles = positions[:, None].float() * frequencies
    return angles.cos(), angles.sin()


def scaled_frequencies(rope: Rope, frequencies: torch.Tensor) -> torch.Tensor:
    """Inverse frequencies under the scaling of `rope` (llama3: Meta's piecewise rule)."""
    if rope.kind == "linear":
        return frequencies / rope.factor
    if rope.kind != "llama3":
        return frequencies
    wavelength = 2 * math.pi / frequencies
    ratio = rope.original_length / wavelength
    smooth = (ratio - rope.low_freq_factor) / (rope.high_freq_factor - rope.low_freq_factor)
    smooth = smooth.clamp(0, 1)
    return (1 - smooth) * frequencies / rope.factor + smooth * frequencies
