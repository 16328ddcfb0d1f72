"""`trine train --plan`: what a run will take, before it starts. The model is loaded, not run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from generator.trainer.config import TrainConfig
from generator.trainer.engine import Engine
from generator.trainer.flops import HOST_GRAPH, activation_bytes, peak_flops, step_flops
from generator.trainer.optimizer import warmup_steps
from generator.trainer.packing import Ints, cut
from generator.trainer.parameters import Parameters
from generator.trainer.room import WORKING
from generator.trainer.session import Data
from generator.trainer.shape import Shape

_CPU_SHARE = 0.65  # of what its matrix products alone would do (0.6 in bfloat16, 0.8 in float32)
_BEST, _HALF_WIDTH = 0.53, 200  # the share of a GPU's peak of wide models; the width at half
_LAUNCH_S = 2.1e-3  # the host's time for a layer of a chunk, forwards and backwards


@dataclass(frozen=True, slots=True)
class Prediction:
    """A step: its time, the most memory it takes, the share of tokens that are run twice."""

    seconds: float
    memory_gb: float
    chunks: int
    recomputed: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Predicted figures of a run. Times are estimates, within a factor of two."""

    rows: int
    rejected: dict[str, int]
    skipped: int
    steps: int
    warmup: int
    tokens_per_step: float
    seconds_per_step: float
    trained: int
    memory_gb: float
    chunks: int

    def lines(self) -> list[str]:
        """As text."""
        left_out = ", ".join(f"{n:,} {reason}" for reason, n in self.rejected.items()) or "none"
        minutes = self.steps * self.seconds_per_step / 60
        length = f"{minutes:.3g} min" if minutes < 120 else f"{minutes / 60:.3g} h"
        return [
            f"rows        {self.rows:,} (rejected: {left_out}; copies: {self.skipped:,})",
            f"steps       {self.steps:,}, {self.warmup:,} of warm-up",
            f"tokens      {self.tokens_per_step:,.0f} a step, in {self.chunks} chunks, no padding",
            f"weights     {self.trained:,} trained",
            f"step        about {self.seconds_per_step:.3g} s",
            f"run         about {length}, without loading, scoring and export",
            f"memory      about {self.memory_gb:.3g} GB",
        ]


def forecast(data: Data, engine: Engine, config: TrainConfig) -> Forecast:
    """The forecast of a run."""
    batches = [data.batch(i).lengths for i in range(min(data.steps, 4))]
    predictions = [predict(engine, lengths, lora=config.lora is not None) for lengths in batches]
    return Forecast(
        rows=len(data.store),
        rejected=data.store.rejected,
        skipped=sum(plan.skipped for plan in data.plans),
        steps=data.steps,
        warmup=warmup_steps(config, data.steps),
        tokens_per_step=float(np.mean([lengths.sum() for lengths in batches])),
        seconds_per_step=float(np.mean([p.seconds for p in predictions])),
        trained=engine.parameters.count,
        memory_gb=max(p.memory_gb for p in predictions),
        chunks=max(p.chunks for p in predictions),
    )


def predict(engine: Engine, lengths: Ints, *, lora: bool) -> Prediction:
    """What a step on texts of these lengths takes in one process.

    Time is what the device computes or what the host needs to launch it, whichever is longer; a
    GPU's share of its peak grows with the model's width (fitted to two models on one H200). A CPU
    is asked how fast it multiplies now.
    """
    shape, parameters = engine.model.shape, engine.parameters
    assert isinstance(parameters, Parameters)  # noqa: S101 - of one process: whole
    item = parameters.leaves[0].element_size()
    on_host = parameters.device.type != "cuda"
    graph = activation_bytes(shape, adapters=lora, item=item) * (HOST_GRAPH if on_host else 1)
    sizes = sorted(int(lengths[chunk].sum()) for chunk in cut(lengths, engine.token_budget))
    passing = graph * sizes[-1] * min(WORKING / shape.layers, 1.0)
    static = _static_bytes(parameters, item)
    kept = _kept(engine, sizes, graph, static + passing)
    tokens = sum(sizes)
    recomputed = 1 - sum(sizes[:kept]) / tokens
    executed = step_flops(
        shape, lengths, adapters=parameters.count if lora else 0,
        causal=engine.model.causal, recomputed=recomputed,
    )[1]  # fmt: skip
    peak = peak_flops(parameters.device)
    share = _BEST * shape.hidden / (shape.hidden + _HALF_WIDTH)
    launches = _LAUNCH_S * shape.layers * len(sizes) * (1 + recomputed / 2) if peak else 0.0
    rate = peak * share if peak else _CPU_SHARE * _matmul_flops(shape, parameters.leaves[0])
    seconds = max(executed / rate, launches)
    memory = static + passing + graph * max(sum(sizes[:kept]), sizes[-1])
    return Prediction(seconds, memory / 2**30, len(sizes), recomputed)


def _matmul_flops(shape: Shape, like: torch.Tensor) -> float:
    """Operations/s of matrix products of the model's width: the median of a few."""
    texts = like.new_ones((256, shape.hidden))
    weights = like.new_ones((shape.intermediate, shape.hidden))
    times = []
    for _ in range(6):
        started = time.perf_counter()
        torch.nn.functional.linear(texts, weights)
        if like.is_cuda:  # of a kind whose peak is not known
            torch.cuda.synchronize(like.device)
        times.append(time.perf_counter() - started)
    return 2.0 * 256 * shape.hidden * shape.intermediate / float(np.median(times))


def _static_bytes(parameters: Parameters, item: int) -> float:
    """Weights, masters, gradients (a step's and a chunk's) and AdamW's two moments."""
    weights = sum(t.numel() * t.element_size() for t in parameters.weights.values())
    return float(weights + (4 + 4 + 8 + item) * parameters.count)


def _kept(engine: Engine, sizes: Sequence[int], graph: float, taken: float) -> int:
    """How many of the chunks (by size) may keep their graphs: the rule of `room.py`."""
    device, room = engine.parameters.device, engine.room
    if device.type != "cuda":
        return room.count(sizes, device)
    limit = float(room.fixed or 0)
    if room.fixed is None:
        _, total = torch.cuda.mem_get_info(device)
        limit = ((1 - room.spare) * total - taken) / graph
    return int(np.searchsorted(np.cumsum(sizes), limit, side="right"))
