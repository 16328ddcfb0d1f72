"""Attention over a packed stream: each text attends to itself alone.

On CUDA in half precision: PyTorch's own FlashAttention kernel with variable lengths (the aten
operator behind `torch.nn.attention.varlen`, called directly: it knows grouped queries and windows
in every release since 2.6, the public function only in the newest). Elsewhere: texts of like
length are padded into groups for `scaled_dot_product_attention`; sorted chunks waste little.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F  # noqa: N812

from generator.trainer.packing import Packed

_WASTE = 0.75  # a group holds texts at least this long, relative to its longest


def attend(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    packed: Packed,
    *,
    causal: bool,
    window: int,
    scale: float,
) -> torch.Tensor:
    """(T, heads, d) from q (T, heads, d), k and v (T, kv_heads, d); `window` 0 is none.

    With one query a text (q: (n, heads, d)), that query is the text's last token: it sees all
    keys, or the last `window`.
    """
    single = q.shape[0] == len(packed.lengths) and q.shape[0] != k.shape[0]
    if q.device.type == "cuda" and q.dtype in {torch.bfloat16, torch.float16}:
        starts = packed.starts
        q_starts, longest = starts, packed.longest
        if single:
            # Two, not one: for one query the kernel swaps heads into its place, and its
            # log-sum-exp then has a shape that the backward kernel does not expect.
            q_starts, longest = torch.arange(len(starts), device=q.device, dtype=torch.int32), 2
        return flash(q, k, v, q_starts, starts, longest, packed.longest, causal, window, scale)
    return _grouped(q, k, v, packed, causal=causal, window=window, scale=scale, single=single)


def kernel_name(device: torch.device, dtype: torch.dtype) -> str:
    """What `attend` runs there, for logs."""
    if device.type == "cuda" and dtype in {torch.bfloat16, torch.float16}:
        return "FlashAttention varlen (aten)"
    return "SDPA, grouped by length"


def flash(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    q_starts: torch.Tensor,
    k_starts: torch.Tensor,
    q_longest: int,
    k_longest: int,
    causal: bool,
    window: int,
    scale: float,
) -> torch.Tensor:
    """The CUDA kernel; every argument that varies is a tensor or an int, so it compiles once."""
    left = window - 1 if window else -1
    return _flash(
        q, k, v, q_starts, k_starts, q_longest, k_longest, causal, left, scale
    )[0]  # fmt: skip


@torch.library.custom_op("trine::flash_varlen", mutates_args=())  # type: ignore[untyped-decorator]
def _flash(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    q_starts: torch.Tensor,
    k_starts: torch.Tensor,
    q_longest: int,
    k_longest: int,
    causal: bool,
    left: int,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor]:
    out, lse, _, _, _ = torch.ops.aten._flash_attention_forward(  # noqa: SLF001
        q, k, v, q_starts, k_starts, q_longest, k_longest, 0.0, causal, False,
        scale=scale, window_size_left=_left(left), window_size_right=_right(left, causal),
    )  # fmt: skip
    return out, lse


@_flash.register_fake  # type: ignore[untyped-decorator]
def _(q: Any, *_: Any) -> tuple[torch.Tensor, torch.Tensor]:
    # Fresh, contiguous: q may be a slice of the fused projection, and the kernel's output is not.
    shape = q.shape
    return q.new_empty(shape), q.new_empty((shape[1], shape[0]), dtype=torch.float32)


@torch.library.custom_op("trine::flash_varlen_backward", mutates_args=())  # type: ignore[untyped-decorator]
def _flash_backward(
    grad: torch.Tensor,
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    out: torch.Tensor,
    lse: torch.Tensor,
    q_starts: torch.Tensor,
    k_starts: torch.Tensor,
    q_longest: int,
    k_longest: int,
    causal: bool,
    left: int,
    scale: float,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    rng = torch.zeros(2, dtype=torch.uint64, device=q.device)  # no dropout: never read
    unused = torch.empty(0, device=q.device)
    dq, dk, dv = torch.ops.aten._flash_attention_backward(  # noqa: SLF001
        grad, q, k, v, out, lse, q_starts, k_starts, q_longest, k_longest, 0.0, causal,
        rng, unused, scale=scale, window_size_left=_left(left),
        window_size_right=_right(left, causal),
    )  # fmt: skip
    return dq.contiguous(), dk.contiguous(), dv.contiguous()


@_flash_backward.register_fake  # type: ignore[untyped-decorator]
def _(_: Any, q: Any, k: Any, v: Any, *_rest: Any) -> tuple[torch.Tensor, ...]:
    return q.new_empty(q.shape), k.new_empty(k.shape), v.new_empty(v.shape)


def _keep(ctx: Any, inputs: tuple[Any, ...], output: tuple[torch.Tensor, torch.Tensor]) -> None:
    q, k, v, q_starts, k_starts, *ctx.options = inputs
    ctx.save_for_backward(q, k, v, *output, q_starts, k_starts)


def _back(ctx: Any, grad: torch.Tensor, _: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
    q, k, v, out, lse, q_starts, k_starts = ctx.saved_tensors
    grads = _flash_backward(
        grad.contiguous(), q, k, v, out, lse, q_starts, k_starts, *ctx.options
    )  # fmt: skip
    return (*grads, *(None,) * 7)


_flash.register_autograd(_back, setup_context=_keep)


def _left(left: int) -> int | None:
    return left if left >= 0 else None


def _right(left: int, causal: bool) -> int | None:
    if left < 0:
        return None
    return 0 if causal else left


def groups(lengths: tuple[int, ...]) -> list[tuple[int, int, int]]:
    """Runs of neighbouring texts of like length: (first text, text after the last, longest)."""
    runs: list[tuple[int, int, int]] = []
    first, low, high = 0, lengths[0], lengths[0]
    for i, length in enumerate(lengths):
        low, high = min(low, length), max(high, length)
        if low < _WASTE * high:
            runs.append((first, i, max(lengths[first:i])))
            first, low, high = i, length, length
    runs.append((first, len(lengths), max(lengths[first:])))
    return runs


def _grouped(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    packed: Packed,
    *,
    causal: bool,
    window: int,
    scale: float,
    single: bool,
) -> torch.Tensor:
    repeats = q.shape[1] // k.shape[1]
    outs = []
    starts = [0]
    for length in packed.lengths:
        starts.append(starts[-1] + length)
    for first, last, longest in groups(packed.lengths):
        lengths = torch.tensor(packed.lengths[first:last], device=q.device)
        begin = torch.tensor(starts[first:last], device=q.device)
        steps = torch.arange(longest, device=q.device)
        real = steps < lengths[:, None]
        at = begin[:, None] + steps.clamp(max=longest) * real
        keys, values = (x[at].repeat_interleave(repeats, dim=2).transpose(1, 2) for x in (k, v))
        queries = (q[first:last, None] if single else q[at]).transpose(1, 2)
        mask = _mask(lengths, longest, causal=causal, window=window, single=single)
        out = F.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask,
            is_causal=causal and mask is None and not single, scale=scale,
        ).transpose(1, 2)  # fmt: skip
        outs.append(out[:, 0] if single else out[real])
    return torch.cat(outs)


def _mask(
    lengths: torch.Tensor, longest: int, *, causal: bool, window: int, single: bool
) -> torch.Tensor | None:
    """(n, 1, queries, keys), True where seen; None where causality alone decides."""
    if causal and not single and not 0 < window < longest:
        return None  # padding stands to the right of everything: no real token sees it
    key = torch.arange(longest, device=lengths.device)[None, None, None]
    query = (lengths - 1)[:, None, None, None] if single else key.transpose(2, 3)
    seen = key < lengths[:, None, None, None]
    if causal:
        seen = seen & (key <= query)
    if window:
        seen = seen & (query - key < window)
        if not causal:
            seen = seen & (key - query < window)
    if not single:
        # A padded query must see something, or its row is not a number and poisons gradients.
        seen = seen | (key == query)
    return seen
