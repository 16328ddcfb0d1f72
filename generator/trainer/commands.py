"""What `trine train` calls: train, plan, check the gradients."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from generator.trainer.config import TrainConfig
from generator.trainer.distributed import World
from generator.trainer.engine import compiled_blocks
from generator.trainer.gradients import Check, check_gradients
from generator.trainer.loop import Result, train
from generator.trainer.plan import forecast
from generator.trainer.session import (
    compiles,
    device_of,
    dtype_of,
    load_data,
    make_engine,
    open_base,
    sample,
)

__all__ = ["Result", "check", "plan", "train"]

_ROWS = 8  # of the batch that gradients are compared on


def plan(paths: Sequence[Path], config: TrainConfig) -> list[str]:
    """The forecast of a run, as lines."""
    config = config.model_copy(update={"parallel": "ddp"})  # of one process
    device = device_of(config)
    base = open_base(config, device)
    data = load_data(paths, config, base)
    engine = make_engine(base, config, device, World(), lambda _: None)
    return forecast(data, engine, config).lines()


def check(paths: Sequence[Path], config: TrainConfig) -> tuple[list[str], bool]:
    """Gradients of the user's model on the user's rows against a plain batch: words, and verdict.

    In float32, and in the dtype of the run as well; compiled where the run is.
    """
    config = config.model_copy(update={"parallel": "ddp"})  # of one process
    device = device_of(config)
    base = open_base(config, device)
    batch = sample(load_data(paths, config, base), _ROWS)
    dtypes = [torch.float32]
    if dtype_of(config, device) != torch.float32:
        dtypes.append(dtype_of(config, device))
    blocks = compiled_blocks() if compiles(config, device) else None
    lines, passed = [], True
    for dtype in dtypes:
        found = check_gradients(base, batch, config, dtype=dtype, blocks=blocks)
        lines += _words(found, dtype)
        passed &= found.passed
    lines.append("the run can be trusted" if passed else "the run cannot be trusted: report this")
    return lines, passed


def _words(found: Check, dtype: torch.dtype) -> list[str]:
    name = str(dtype).removeprefix("torch.")
    verdict = "ok" if found.passed else "FAILED"
    cosine = f"{name}: gradient cosine {found.cosine:.7f} (needed {found.needed})"
    loss = f"{name}: loss {found.loss:.6f}, of the plain batch {found.oracle_loss:.6f}"
    return [
        f"{cosine}, norm ratio {found.norm_ratio:.6f}, in {found.chunks} chunks: {verdict}",
        f"{loss}; lowest cosine {found.worst_cosine:.6f} in {found.worst}",
    ]
