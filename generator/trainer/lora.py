"""Low-rank adapters beside frozen matrices: y = x Wᵀ + s · dropout(x) Aᵀ Bᵀ.

A fused matrix keeps one A and B for each matrix that it joins (as PEFT does on the separate ones):
the A's are stacked, the B's stand on the diagonal of one sparse matrix, so that both stay single
products. The input is never cast up.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812

from generator.trainer.config import LoraConfig
from generator.trainer.shape import Shape

if TYPE_CHECKING:
    from generator.trainer.decoder import Model

Weights = Mapping[str, torch.Tensor]


def project(
    x: torch.Tensor, w: Weights, name: str, model: Model, part: slice | None = None
) -> torch.Tensor:
    """(rows, out) of the linear layer `name`; `part` picks some of the matrices that it joins."""
    sizes = model.shape.parts[name]
    weight, bias = w[name], w.get(f"{name}.bias")
    chosen = part or slice(0, len(sizes))
    begin, end = sum(sizes[: chosen.start]), sum(sizes[: chosen.stop])
    if part is not None:
        weight = weight[begin:end]
        bias = None if bias is None else bias[begin:end]
    y = F.linear(x, weight, bias)
    if f"{name}.lora_a" not in w:
        return y
    rank = w[f"{name}.lora_b"].shape[1]
    a = w[f"{name}.lora_a"][chosen.start * rank : chosen.stop * rank]
    b = w[f"{name}.lora_b"][begin:end]
    inner = F.linear(F.dropout(x, model.lora_dropout) if model.lora_dropout else x, a)
    return torch.addmm(y, inner, diagonal(b, sizes[chosen]).t(), alpha=model.lora_scale)


def diagonal(b: torch.Tensor, sizes: tuple[int, ...]) -> torch.Tensor:
    """(out, parts · rank): each matrix's B in its own columns, zero elsewhere."""
    return b if len(sizes) == 1 else torch.block_diag(*b.split(sizes))


def new_adapters(
    shape: Shape, lora: LoraConfig, generator: torch.Generator
) -> dict[str, torch.Tensor]:
    """Fresh float32 adapters of every linear layer: A uniform in ±1/√in (as PEFT), B zero."""
    adapters: dict[str, torch.Tensor] = {}
    for layer in range(shape.layers):
        for name, sizes in shape.parts.items():
            width = shape.inputs[name]
            a = torch.rand((len(sizes) * lora.rank, width), generator=generator) * 2 - 1
            adapters[f"layers.{layer}.{name}.lora_a"] = a * width**-0.5
            adapters[f"layers.{layer}.{name}.lora_b"] = torch.zeros(sum(sizes), lora.rank)
    return adapters


def merge(weights: Weights, shape: Shape, scale: float) -> dict[str, torch.Tensor]:
    """The weights with adapters added to the matrices (in float32) and gone as such."""
    merged = {}
    for name, weight in weights.items():
        if name.endswith((".lora_a", ".lora_b")):
            continue
        a = weights.get(f"{name}.lora_a")
        if a is None:
            merged[name] = weight
            continue
        b = diagonal(weights[f"{name}.lora_b"].float(), shape.parts[name.rsplit(".", 1)[1]])
        merged[name] = (weight.float() + scale * (b @ a.float())).to(weight.dtype)
    return merged
