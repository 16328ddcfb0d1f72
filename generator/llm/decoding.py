"""Continuous batching for a decoder of `transformers`: rows come and go at every token.

A finished row's slot goes to the last row that runs, a new row takes the next slot. Sampling is
top-k, then top-p; each row has its own random stream.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

import torch
import xgrammar

from generator.llm.attention import Head, Slots, View
from generator.llm.loops import EVERY, LOOPS, loops

TOP_K = 64
"""Tokens that sampling chooses among; sorting a whole vocabulary would halve the speed."""


@dataclass(eq=False, slots=True)
class Row:
    """A request being answered. `tokens` is what follows the head; `out` what was sampled.

    `matcher` (xgrammar) constrains the sampling; None for free text. `lead` is the beginning that
    the grammar forced; it is the end of `tokens` already.
    """

    head: Head
    tokens: list[int]
    temperature: float
    top_p: float
    max_tokens: int
    random: Random
    matcher: Any = None
    lead: str = ""
    out: list[int] = field(default_factory=list)
    used: int = 0  # tokens of its slot that are filled
    finish_reason: str = ""


class Decoder:
    """A model, its slots and the rows that run. Not thread-safe: one thread owns it."""

    def __init__(self, model: Any, *, stop: frozenset[int], batch_size: int) -> None:
        self.model, self.stop, self.batch_size = model, stop, batch_size
        self.device: torch.device = model.device
        self.slots = Slots(model.config.num_hidden_layers)
        self.rows: list[Row] = []

    def head(self, tokens: Sequence[int]) -> Head:
        """The keys and values of a shared beginning."""
        slots = Slots(len(self.slots.keys))
        slots.reserve(1, len(tokens))
        row = Row(Head(), list(tokens), 0.0, 1.0, 0, Random())  # noqa: S311
        with torch.inference_mode():
            self._forward(slots, 0, [row], [row.tokens])
            keys = [t[0, :, : len(tokens)].contiguous() for t in slots.keys if t is not None]
            values = [t[0, :, : len(tokens)].contiguous() for t in slots.values if t is not None]
        return Head(len(tokens), keys, values)

    def add(self, rows: list[Row]) -> None:
        """Take in new rows (at most the free ones) and sample their first token."""
        first = len(self.rows)
        with torch.inference_mode():
            logits = self._forward(self.slots, first, rows, [row.tokens for row in rows])
            self._sample(rows, logits)
        self.rows += rows

    def step(self) -> None:
        """One more token for every row."""
        with torch.inference_mode():
            logits = self._forward(self.slots, 0, self.rows, [row.out[-1:] for row in self.rows])
            self._sample(self.rows, logits)

    def drop(self, gone: Sequence[Row]) -> None:
        """Free the slots of these rows, finished or not."""
        for row in gone:
            at, last = self.rows.index(row), len(self.rows) - 1
            if at != last:
                with torch.inference_mode():
                    self.slots.move(last, at, self.rows[last].used)
                self.rows[at] = self.rows[last]
            self.rows.pop()

    def _forward(
        self, slots: Slots, first: int, rows: list[Row], new: list[list[int]]
    ) -> torch.Tensor:
        """Logits (rows, vocabulary) after the new tokens of each row, which are left-padded."""
        width = max(map(len, new))
        length = max(row.used + len(tokens) for row, tokens in zip(rows, new, strict=True))
        slots.reserve(max(self.batch_size if slots is self.slots else 1, first + len(rows)), length)
        ids, at = [], []
        for row, tokens in zip(rows, new, strict=True):
            pad = width - len(tokens)
            ids.append([0] * pad + tokens)
            at.append([slots.capacity] * pad + [*range(row.used, row.used + len(tokens))])
            row.used += len(tokens)
        where = torch.tensor(at, device=self.device)
        seen = where.masked_fill(where == slots.capacity, 0)
        starts = torch.tensor([[row.head.length] for row in rows], device=self.device)
        bias = torch.zeros(len(rows), width, length, device=self.device, dtype=self.model.dtype)
        bias.masked_fill_(torch.arange(length, device=self.device) > seen[..., None], -torch.inf)
        numbers = torch.arange(first, first + len(rows), device=self.device)[:, None]
        view = View(slots, first, numbers, where, bias, self._by_head(rows))
        result = self.model(
            input_ids=torch.tensor(ids, device=self.device),
            position_ids=starts + seen,
            use_cache=False,
            logits_to_keep=1,
            view=view,
        )
        logits: torch.Tensor = result.logits[:, -1].float()
        return logits

    def _by_head(self, rows: list[Row]) -> list[tuple[Head, torch.Tensor | None]]:
        where: dict[Head, list[int]] = {}
        for number, row in enumerate(rows):
            where.setdefault(row.head, []).append(number)
        if len(where) == 1:
            return [(head, None) for head in where]
        return [(h, torch.tensor(which, device=self.device)) for h, which in where.items()]

    def _sample(self, rows: list[Row], logits: torch.Tensor) -> None:
        _constrain(rows, logits)
        temperatures = torch.tensor([row.temperature or 1.0 for row in rows], device=self.device)
        values, tokens = logits.topk(min(TOP_K, logits.shape[-1]))
        shares = (values / temperatures[:, None]).softmax(-1)
        sums = shares.cumsum(-1)
        top_p = torch.tensor([row.top_p for row in rows], device=self.device)
        shares[sums - shares >= top_p[:, None]] = 0
        sums = shares.cumsum(-1)
        points = [row.random.random() if row.temperature else 0.0 for row in rows]
        targets = torch.tensor(points, device=self.device)[:, None] * sums[:, -1:]
        picks = (sums <= targets).sum(-1, keepdim=True).clamp_(max=tokens.shape[-1] - 1)
        greedy = torch.tensor([not row.temperature for row in rows], device=self.device)
        picks[greedy] = 0
        for row, token in zip(rows, tokens.gather(1, picks)[:, 0].tolist(), strict=True):
            self._take(row, token)

    def _take(self, row: Row, token: int) -> None:
        if row.matcher is None and token in self.stop:
            row.finish_reason = "stop"
            return
        row.out.append(token)
        if row.matcher is not None:
            row.matcher.accept_token(token)
            if row.matcher.is_terminated():
                row.finish_reason = "stop"
                return
        if len(row.out) >= row.max_tokens:
            row.finish_reason = "length"
        elif not len(row.out) % EVERY and loops(row.out):
            row.finish_reason = LOOPS


def _constrain(rows: list[Row], logits: torch.Tensor) -> None:
    """Set the logits of tokens that a row's grammar does not allow to -inf."""
    if all(row.matcher is None for row in rows):
        return
    mask = xgrammar.allocate_token_bitmask(len(rows), logits.shape[-1])
    for number, row in enumerate(rows):
        if row.matcher is not None:
            row.matcher.fill_next_token_bitmask(mask, number)
    xgrammar.apply_token_bitmask_inplace(logits, mask.to(logits.device))
