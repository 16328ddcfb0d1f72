"""`trine train --plan`: what a run will take, before it starts. The model is loaded, not run."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from generator.trainer.config import TrainConfig
from generator.trainer.engine import Engine
from generator.trainer.flops import activation_bytes, peak_flops, step_flops
from generator.trainer.optimizer import warmup_steps
from generator.trainer.session import Data

_SHARE_OF_PEAK = 0.35  # what peers and we reach on a GPU, of the dense bfloat16 peak
_CPU_FLOPS = 1e11  # a few cores in float32


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
        hours = self.steps * self.seconds_per_step / 3600
        return [
            f"rows        {self.rows:,} (rejected: {left_out}; copies: {self.skipped:,})",
            f"steps       {self.steps:,}, {self.warmup:,} of warm-up",
            f"tokens      {self.tokens_per_step:,.0f} a step, in {self.chunks} chunks, no padding",
            f"weights     {self.trained:,} trained",
            f"step        about {self.seconds_per_step:.3g} s",
            f"run         about {hours * 60:.3g} min"
            if hours < 2
            else f"run         {hours:.3g} h",
            f"memory      about {self.memory_gb:.3g} GB",
        ]


def forecast(data: Data, engine: Engine, config: TrainConfig) -> Forecast:
    """The forecast of a run."""
    batches = [data.batch(i).lengths for i in range(min(data.steps, 4))]
    tokens = float(np.mean([lengths.sum() for lengths in batches]))
    parameters, shape = engine.parameters, engine.model.shape
    adapters = parameters.master.numel() if config.lora else 0
    flops = np.mean([
        step_flops(shape, lengths, adapters=adapters, causal=engine.model.causal)[1]
        for lengths in batches
    ])  # fmt: skip
    peak = peak_flops(parameters.device)
    speed = _SHARE_OF_PEAK * peak if peak else _CPU_FLOPS
    held = sum(t.numel() * t.element_size() for t in parameters.weights.values())
    item = 2 if parameters.leaves[0].element_size() == 2 else 4
    kept = min(tokens, float(config.graph_tokens or tokens))
    graph = activation_bytes(shape, adapters=bool(adapters), item=item)
    return Forecast(
        rows=len(data.store),
        rejected=data.store.rejected,
        skipped=sum(plan.skipped for plan in data.plans),
        steps=data.steps,
        warmup=warmup_steps(config, data.steps),
        tokens_per_step=tokens,
        seconds_per_step=float(flops) / speed / engine.world.size,
        trained=parameters.master.numel(),
        memory_gb=(held + 16 * parameters.master.numel() + max(kept, engine.token_budget) * graph)
        / 2**30,
        chunks=-(-int(tokens) // engine.token_budget),
    )
