"""Texts as one stream of tokens without padding, cut into chunks by a token budget.

The order of texts is free, since the loss works on their vectors: they are sorted by length over
the whole batch, so a chunk holds texts of like length and kernels meet few shapes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Texts:
    """n texts as token ids; `prompt_lengths` (n,) counts those of each that are its prompt's."""

    ids: Sequence[npt.NDArray[np.int32]]
    prompt_lengths: Ints

    @classmethod
    def plain(cls, ids: Sequence[npt.NDArray[np.int32]]) -> Texts:
        """Texts without prompts."""
        return cls(ids, np.zeros(len(ids), dtype=np.int64))

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def lengths(self) -> Ints:
        """(n,) tokens of each text, its prompt's among them."""
        return np.asarray([len(one) for one in self.ids], dtype=np.int64)


@dataclass(frozen=True, slots=True)
class Packed:
    """A chunk: n texts of T tokens in all.

    `ids` (T,) int64; `positions` (T,) int64, from 0 in each text; `starts` (n + 1,) int32, the
    cumulative lengths; `lengths` the same on the host; `prompt_lengths` (n,) int64, tokens of each
    that are its prompt's; `text` (n,) which texts of the batch.
    """

    ids: torch.Tensor
    positions: torch.Tensor
    starts: torch.Tensor
    lengths: tuple[int, ...]
    prompt_lengths: torch.Tensor
    text: Ints

    @property
    def tokens(self) -> int:
        """T."""
        return sum(self.lengths)

    @property
    def longest(self) -> int:
        """The longest text, rounded up so that few values occur."""
        return max(16, 1 << (max(self.lengths) - 1).bit_length())

    @property
    def ends(self) -> torch.Tensor:
        """(n,) int64: where each text's last token stands."""
        return self.starts[1:].long() - 1


def cut(lengths: Ints, budget: int) -> list[Ints]:
    """Indices of texts, sorted by length, longest first, in chunks of about equal token counts.

    No chunk exceeds `budget` tokens unless it holds a single text. Chunks are levelled: ten tokens
    over the budget make two halves, not a full chunk and a sliver.
    """
    if not len(lengths):
        return []
    order = np.argsort(-lengths, kind="stable")
    total = int(lengths.sum())
    target = total / -(-total // budget)
    chunks: list[list[int]] = [[]]
    size = done = 0
    for text in order.tolist():
        length = int(lengths[text])
        full = done + size + length / 2 > target * len(chunks) or size + length > budget
        if chunks[-1] and full:
            chunks.append([])
            done, size = done + size, 0
        chunks[-1].append(text)
        size += length
    return [np.asarray(chunk, dtype=np.int64) for chunk in chunks]


def pack(texts: Texts, which: Ints, device: torch.device) -> Packed:
    """The texts that `which` names as one stream on `device`; the copies do not block."""
    chosen = [texts.ids[i] for i in which.tolist()]
    lengths = np.asarray([len(text) for text in chosen], dtype=np.int64)
    starts = np.zeros(len(chosen) + 1, dtype=np.int32)
    np.cumsum(lengths, out=starts[1:])
    ids = np.concatenate(chosen).astype(np.int64)
    positions = np.arange(len(ids), dtype=np.int64) - np.repeat(starts[:-1], lengths)
    return Packed(
        ids=to_device(ids, device),
        positions=to_device(positions, device),
        starts=to_device(starts, device),
        lengths=tuple(lengths.tolist()),
        prompt_lengths=to_device(texts.prompt_lengths[which], device),
        text=which,
    )


def to_device(array: npt.NDArray[np.generic], device: torch.device) -> torch.Tensor:
    """A copy of an array on a device, through pinned memory where that makes it asynchronous."""
    tensor = torch.from_numpy(np.ascontiguousarray(array))
    if device.type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.clone()
