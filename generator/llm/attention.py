"""Attention of many rows to a head that they share and to what each has of its own.

Each row has a slot of a key-value cache; the rows that run are the slots 0 … n - 1. A head that
many prompts share (the few-shot turns before the last one) is stored once: a step of attention is
one matrix product of all rows with it, beside one of each row with its own slot, under one softmax
(as in "Hydragen", Juravsky et al. 2024, arXiv 2402.05099).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import AttentionInterface

ATTENTION = "trine_shared_head"
_ROOM = 128  # a cache grows by this many tokens


@dataclass(eq=False, slots=True)
class Head:
    """Keys and values of a shared beginning: one (kv_heads, length, dim) tensor a layer."""

    length: int = 0
    keys: list[torch.Tensor] = field(default_factory=list)
    values: list[torch.Tensor] = field(default_factory=list)


class Slots:
    """The key-value cache: a (slots, kv_heads, capacity + 1, dim) tensor a layer, twice.

    The last position swallows the padding, which is never read.
    """

    def __init__(self, layers: int) -> None:
        self.keys: list[torch.Tensor | None] = [None] * layers
        self.values: list[torch.Tensor | None] = [None] * layers
        self.count, self.capacity = 0, 0

    def reserve(self, count: int, capacity: int) -> None:
        """Room for `count` slots of `capacity` tokens; what is stored stays."""
        if count <= self.count and capacity <= self.capacity:
            return
        capacity = max(-(-capacity // _ROOM) * _ROOM, self.capacity)
        count = max(count, self.count)
        for tensors in (self.keys, self.values):
            for layer, old in enumerate(tensors):
                if old is not None:
                    new = old.new_zeros(count, old.shape[1], capacity + 1, old.shape[3])
                    new[: self.count, :, : self.capacity] = old[:, :, : self.capacity]
                    tensors[layer] = new
        self.count, self.capacity = count, capacity

    def store(
        self,
        layer: int,
        key: torch.Tensor,
        value: torch.Tensor,
        slots: torch.Tensor,
        at: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (rows, kv_heads, new, dim) at positions `at` (rows, new) of `slots` (rows, 1)."""
        for tensors, new in ((self.keys, key), (self.values, value)):
            tensor = tensors[layer]
            if tensor is None:
                shape = (self.count, new.shape[1], self.capacity + 1, new.shape[3])
                tensor = tensors[layer] = new.new_zeros(shape)
            tensor[slots, :, at] = new.transpose(1, 2)
        keys, values = self.keys[layer], self.values[layer]
        assert keys is not None  # noqa: S101
        assert values is not None  # noqa: S101
        return keys, values

    def move(self, source: int, target: int, length: int) -> None:
        """Copy the first `length` tokens of a slot to another."""
        for tensor in (*self.keys, *self.values):
            if tensor is not None:
                tensor[target, :, :length] = tensor[source, :, :length]


@dataclass(eq=False, slots=True)
class View:
    """What one forward pass sees: rows in the slots first … first + n - 1, and their heads.

    `at` is where the new tokens go; `bias` (rows, new, length) is 0 for a token of the slot that a
    new token may attend to, else -inf; `heads` names the rows of each head (None: all of them).
    """

    slots: Slots
    first: int
    numbers: torch.Tensor
    at: torch.Tensor
    bias: torch.Tensor
    heads: list[tuple[Head, torch.Tensor | None]]

    def attend(
        self, layer: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, scale: float
    ) -> torch.Tensor:
        """Attention of `query` (rows, heads, new, dim), in the shape (rows, new, heads, dim)."""
        rows, _, new, dim = query.shape
        kv = key.shape[1]
        keys, values = self.slots.store(layer, key, value, self.numbers, self.at)
        length = self.bias.shape[-1]
        span = slice(self.first, self.first + rows)
        keys, values = keys[span, :, :length], values[span, :, :length]
        query = query.reshape(rows, kv, -1, dim) * scale  # (rows, kv_heads, group * new, dim)
        own = (query @ keys.transpose(2, 3)).view(rows, kv, -1, new, length)
        own = (own + self.bias[:, None, None]).view(rows, kv, -1, length)
        widest = max((head.length for head, _ in self.heads), default=0)
        if not widest:
            result = own.softmax(-1, torch.float32).to(query.dtype) @ values
        else:
            shared = self._shared_scores(layer, query, widest)
            weights = torch.cat((shared, own), -1).softmax(-1, torch.float32).to(query.dtype)
            result = weights[..., widest:] @ values
            self._add_shared(layer, weights, result)
        return result.view(rows, -1, new, dim).transpose(1, 2)

    def _shared_scores(self, layer: int, query: torch.Tensor, widest: int) -> torch.Tensor:
        """(rows, kv_heads, group * new, widest), -inf beyond a row's head."""
        rows, kv, size, dim = query.shape
        scores = query.new_full((rows, kv, size, widest), -torch.inf)
        for head, which in self.heads:
            if head.length:
                mine = query if which is None else query[which]
                flat = mine.transpose(0, 1).reshape(kv, -1, dim) @ head.keys[layer].transpose(1, 2)
                part = flat.view(kv, -1, size, head.length).transpose(0, 1)
                if which is None:
                    return part
                scores[which, :, :, : head.length] = part
        return scores

    def _add_shared(self, layer: int, weights: torch.Tensor, result: torch.Tensor) -> None:
        _, kv, size, dim = result.shape
        for head, which in self.heads:
            if head.length:
                mine = (weights if which is None else weights[which])[..., : head.length]
                flat = mine.transpose(0, 1).reshape(kv, -1, head.length) @ head.values[layer]
                part = flat.view(kv, -1, size, dim).transpose(0, 1)
                if which is None:
                    result += part
                else:
                    result[which] += part


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    _mask: None,
    *,
    view: View,
    scaling: float,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    return view.attend(module.layer_idx, query, key, value, scaling), None


AttentionInterface.register(ATTENTION, _attention)
