"""One vector a text from the stream: its last token, its first, or a mean.

The mean is of all tokens, or of the text's own, without its prompt's: many different instructions
drown short texts in the first, and leave no mark but through attention in the second.
Sequence positions are picked before the final norm, which works token by token: the result is the
same and a pass over the stream is saved.
"""

from __future__ import annotations

import torch

from generator.trainer.config import Pooling
from generator.trainer.packing import Packed

MEANS: frozenset[Pooling] = frozenset({"mean", "mean_text"})
"""Those that need the last layer at every token."""


def positions_of(pooling: Pooling, packed: Packed) -> torch.Tensor:
    """(n,) int64: where in the stream each text's vector stands, for "last" and "first"."""
    return packed.ends if pooling == "last" else packed.starts[:-1].long()


def pool(x: torch.Tensor, packed: Packed, pooling: Pooling) -> torch.Tensor:
    """(n, hidden) float32: the mean of each text's (T, hidden) rows.

    Of a text that is nothing but its prompt "mean_text" is zero, as in sentence-transformers.
    """
    n = len(packed.lengths)
    counts = packed.starts.diff().long()
    text = torch.repeat_interleave(torch.arange(n, device=x.device), counts, output_size=x.shape[0])
    rows = x.float()
    if pooling == "mean_text":
        own = packed.positions >= packed.prompt_lengths[text]
        rows = rows.masked_fill(~own[:, None], 0.0)
        counts = (counts - packed.prompt_lengths).clamp(min=1)
    total = x.new_zeros((n, x.shape[-1]), dtype=torch.float32)
    return total.index_add(0, text, rows) / counts.float()[:, None]
