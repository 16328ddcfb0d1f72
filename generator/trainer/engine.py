"""The device's side of a run: forwards, steps, and what happens when memory is short."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F  # noqa: N812

from generator.errors import RunError
from generator.trainer.batch import Batch
from generator.trainer.config import LossConfig
from generator.trainer.decoder import (
    Blocks,
    Model,
    RunLayer,
    Weights,
    after_attention,
    before_attention,
    encode,
)
from generator.trainer.distributed import World
from generator.trainer.flops import activation_bytes
from generator.trainer.gradcache import Outcome, accumulate
from generator.trainer.packing import Packed, Texts, cut, pack
from generator.trainer.parameters import Trained
from generator.trainer.room import Room

_SMALLEST = 128  # tokens: a budget below this is no cure


class Engine:
    """Runs the model. `token_budget` shrinks when the device runs out of memory."""

    def __init__(
        self, model: Model, parameters: Trained, *, token_budget: int, compiled: bool = False,
        graph_tokens: int | None = None, host_bytes: float = 0.0,
        world: World = World(),  # noqa: B008 - frozen
        report: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.model, self.parameters, self.world = model, parameters, world
        self.token_budget = token_budget
        held = 0 if parameters.sharded else 2 * parameters.count
        self.room = Room(fixed=graph_tokens, layers=model.shape.layers, held=held,
                         host_bytes=host_bytes)  # fmt: skip
        self._blocks = compiled_blocks() if compiled else None
        self._report = report

    def forward(self, packed: Packed) -> torch.Tensor:
        """(n, hidden) float32 of a chunk."""

        def body(weights: Weights, run_layer: RunLayer | None = None) -> torch.Tensor:
            return encode(self.model, weights, packed, self._blocks, run_layer)

        return self.parameters.forward(body)

    def accumulate(self, batch: Batch, loss: LossConfig, *, seed: int) -> Outcome:
        """Gradients of a batch; with less at once, begins again if memory runs out.

        Raises RunError when even a small budget does not fit.
        """
        dropout = self.model.lora_dropout > 0
        while True:
            try:
                return accumulate(
                    batch, self.forward, self.parameters, loss,
                    token_budget=self.token_budget, room=self.room, world=self.world,
                    seed=seed * self.world.size + self.world.rank if dropout else None,
                )  # fmt: skip
            except torch.OutOfMemoryError as exc:
                self._shrink(exc)

    def vectors(self, texts: Texts) -> torch.Tensor:
        """(n, hidden) float32 unit vectors of texts, on the device; no gradients."""
        return encode_texts(self.forward, texts, self.parameters.device, self.token_budget)

    def _shrink(self, exc: torch.OutOfMemoryError) -> None:
        """Keep fewer graphs, or take smaller chunks; all processes come here together."""
        cuda = self.parameters.device.type == "cuda"
        if self.parameters.sharded or self.token_budget // 2 < _SMALLEST:
            raise RunError(
                f"out of memory at {self.token_budget:,} tokens a chunk",
                hint=f"--set token_budget={self.token_budget // 2}, or lora, or a smaller base",
            ) from exc
        fewer = cuda and self.room.fixed is None and self.world.least(self.room.kept) > 1
        if fewer:
            self.room.spare += 0.1
        else:
            self.token_budget //= 2
            self.room.fixed = self.room.fixed and self.room.fixed // 2
        self.parameters.zero_gradient()
        if cuda:
            torch.cuda.empty_cache()
        how = "fewer graphs kept" if fewer else f"{self.token_budget:,} tokens a chunk"
        self._report(f"out of memory: going on with {how}")


def encode_texts(
    forward: Callable[[Packed], torch.Tensor],
    texts: Texts,
    device: torch.device,
    token_budget: int,
) -> torch.Tensor:
    """(n, hidden) float32 unit vectors in the order of the texts."""
    chunks = cut(texts.lengths, token_budget)
    with torch.no_grad():  # not inference_mode: divided weights are gathered into what trains next
        parts = [F.normalize(forward(pack(texts, chunk, device)), dim=-1) for chunk in chunks]
        flat = torch.cat(parts)
        whole = torch.empty_like(flat)
        whole[torch.from_numpy(np.concatenate(chunks)).to(device)] = flat
    return whole


def compiled_blocks() -> Blocks:
    """The halves of a layer, compiled for any number of tokens; one graph serves all layers."""
    before, after = torch.compile(before_attention), torch.compile(after_attention)

    def run_before(model: Model, w: Any, x: torch.Tensor, turn: Any) -> tuple[torch.Tensor, ...]:
        for tensor in (x, *turn):
            torch._dynamo.maybe_mark_dynamic(tensor, 0)  # noqa: SLF001
        result: tuple[torch.Tensor, ...] = before(model, w, x, turn)
        return result

    def run_after(model: Model, w: Any, x: torch.Tensor, out: torch.Tensor) -> torch.Tensor:
        for tensor in (x, out):
            torch._dynamo.maybe_mark_dynamic(tensor, 0)  # noqa: SLF001
        result: torch.Tensor = after(model, w, x, out)
        return result

    return Blocks(run_before, run_after)


def default_budget(model: Model, device: torch.device, *, adapters: bool) -> int:
    """Tokens of one chunk: on a GPU what a fifth of the free memory holds the graph of.

    Large enough for full kernels; small enough that memory can be filled with kept graphs.
    """
    if device.type != "cuda":
        return 1024  # a chunk whose graph is not kept needs that much room for a while
    free, _ = torch.cuda.mem_get_info(device)
    fits = free / 5 / activation_bytes(model.shape, adapters=adapters)
    return int(min(max(fits, 2048), 65536))
