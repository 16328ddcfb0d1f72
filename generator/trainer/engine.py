"""The device's side of a run: forwards, steps, and what happens when memory is short."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F  # noqa: N812

from generator.errors import RunError
from generator.trainer.batch import Batch
from generator.trainer.config import LossConfig
from generator.trainer.decoder import Blocks, Model, after_attention, before_attention, encode
from generator.trainer.distributed import World
from generator.trainer.flops import activation_bytes
from generator.trainer.gradcache import Outcome, Room, accumulate
from generator.trainer.packing import Packed, cut, pack
from generator.trainer.parameters import Parameters

_SMALLEST = 128  # tokens: a budget below this is no cure


class Engine:
    """Runs the model. `token_budget` shrinks when the device runs out of memory."""

    def __init__(
        self, model: Model, parameters: Parameters, *, token_budget: int, compiled: bool = False,
        graph_tokens: int | None = None, world: World = World(),  # noqa: B008 - frozen
        report: Callable[[str], None] = lambda _: None,
    ) -> None:  # fmt: skip
        self.model, self.parameters, self.world = model, parameters, world
        self.token_budget = token_budget
        self.room = Room(fixed=graph_tokens)
        self._blocks = compiled_blocks() if compiled else None
        self._report = report

    def forward(self, packed: Packed) -> torch.Tensor:
        """(n, hidden) float32 of a chunk."""
        return encode(self.model, self.parameters.weights, packed, self._blocks)

    def accumulate(self, batch: Batch, loss: LossConfig, *, seed: int) -> Outcome:
        """Gradients of a batch; halves the token budget and begins again if memory runs out.

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

    def vectors(self, texts: Sequence[npt.NDArray[np.int32]]) -> torch.Tensor:
        """(n, hidden) float32 unit vectors of texts, on the device; no gradients."""
        return encode_texts(self.forward, texts, self.parameters.device, self.token_budget)

    def _shrink(self, exc: torch.OutOfMemoryError) -> None:
        if self.world.size > 1 or self.token_budget // 2 < _SMALLEST:
            raise RunError(
                f"out of memory at {self.token_budget:,} tokens a chunk",
                hint=f"--set token_budget={self.token_budget // 2}, or lora, or a smaller base",
            ) from exc
        self.token_budget //= 2
        if self.room.fixed is not None:
            self.room.fixed //= 2
        self.room.spare = min(self.room.spare + 0.1, 0.5)
        self.parameters.zero_gradient()
        if self.parameters.device.type == "cuda":
            torch.cuda.empty_cache()
        self._report(f"out of memory: going on with {self.token_budget:,} tokens a chunk")


def encode_texts(
    forward: Callable[[Packed], torch.Tensor],
    texts: Sequence[npt.NDArray[np.int32]],
    device: torch.device,
    token_budget: int,
) -> torch.Tensor:
    """(n, hidden) float32 unit vectors in the order of the texts."""
    lengths = np.asarray([len(text) for text in texts], dtype=np.int64)
    chunks = cut(lengths, token_budget)
    with torch.inference_mode():
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
    """Tokens of one chunk: on a GPU what a third of the free memory holds the graph of."""
    if device.type != "cuda":
        return 4096
    free, _ = torch.cuda.mem_get_info(device)
    fits = free / 3 / activation_bytes(model.shape, adapters=adapters)
    return int(min(max(fits, 2048), 65536))
