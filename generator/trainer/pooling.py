"""One vector a text from the stream: its last token, its first, or the mean of all.

Sequence positions are picked before the final norm, which works token by token: the result is the
same and a pass over the stream is saved.
"""

from __future__ import annotations

import torch

from generator.trainer.config import Pooling
from generator.trainer.packing import Packed


def positions_of(pooling: Pooling, packed: Packed) -> torch.Tensor:
    """(n,) int64: where in the stream each text's vector stands, for "last" and "first"."""
    return packed.ends if pooling == "last" else packed.starts[:-1].long()


def pool(x: torch.Tensor, packed: Packed) -> torch.Tensor:
    """(n, hidden) float32: the mean of each text's (T, hidden) rows."""
    n = len(packed.lengths)
    counts = packed.starts.diff().float()
    lengths = packed.starts.diff().long()
    text = torch.repeat_interleave(
        torch.arange(n, device=x.device), lengths, output_size=x.shape[0]
    )
    total = x.new_zeros((n, x.shape[-1]), dtype=torch.float32)
    return total.index_add(0, text, x.float()) / counts[:, None]
