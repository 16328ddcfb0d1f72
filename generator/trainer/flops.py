"""Floating-point operations of a step, and what share of the peak it uses.

Convention (as NeMo's): N are the weights of all linear layers, without embeddings and head; L the
adapters'. Per token 6N for full fine-tuning, 4N + 6L with adapters (frozen matrices have no weight
gradient); causal attention 2·s²·heads·head_dim a layer and text forward, and twice that backward.
MFU counts this once; HFU adds forwards that are run again. Savings in the last layer are not
subtracted from either.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from generator.trainer.packing import Ints
from generator.trainer.shape import Shape

PEAKS: Mapping[str, float] = {"H200": 989e12, "H100": 989e12, "A100": 312e12, "B200": 2250e12}
"""Dense bfloat16 operations/s, by a part of the device's name."""


def step_flops(
    shape: Shape, lengths: Ints, *, adapters: int, causal: bool = True, recomputed: float = 0.0
) -> tuple[float, float]:
    """(useful, executed) operations of a step on texts of these lengths.

    `adapters` is their number of weights (0: full fine-tuning), `recomputed` the share of tokens
    whose forward is run twice.
    """
    tokens, weights = float(lengths.sum()), float(shape.matmul_parameters)
    width = shape.heads * shape.head_dim * shape.layers * (1 if causal else 2)
    attention = 2.0 * width * float(np.square(lengths.astype(np.float64)).sum())
    forward = tokens * 2 * (weights + adapters) + attention
    per_token = 4 * weights + 6 * adapters if adapters else 6 * weights
    useful = tokens * per_token + 3 * attention
    return useful, useful + recomputed * forward


def peak_flops(device: torch.device) -> float | None:
    """The device's dense bfloat16 peak, where known."""
    if device.type != "cuda":
        return None
    name = torch.cuda.get_device_name(device)
    return next((peak for part, peak in PEAKS.items() if part in name), None)


HOST_GRAPH = 2.0
"""How much more than `activation_bytes` a graph keeps on a CPU, where nothing is compiled (1.6 to
2.1 times measured at 135M)."""


def activation_bytes(shape: Shape, *, adapters: bool, item: int = 2) -> int:
    """Bytes that the graph of one token keeps, estimated: what backward reads of each layer.

    Measured on an H200, compiled: 0.99 MB (0.97 estimated) at 0.5B, 4.69 to 4.82 (4.72) at 7B with
    adapters.
    """
    q, kv = shape.heads * shape.head_dim, 2 * shape.kv_heads * shape.head_dim
    layer = 3 * shape.hidden + 2 * q + kv + 3 * shape.intermediate
    return shape.layers * item * (layer + (2 if adapters else 1) * shape.hidden)
