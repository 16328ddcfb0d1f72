"""What two processes on gloo do; torchrun runs it, test_trainer_processes.py reads its findings."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.fsdp._fully_shard import _fsdp_param_group
from trainer_worlds import make_base, make_batch

from generator.trainer import loop
from generator.trainer.config import LossConfig, TrainConfig
from generator.trainer.distributed import World, join, leave
from generator.trainer.engine import Engine
from generator.trainer.gradients import model_of
from generator.trainer.lora import new_adapters
from generator.trainer.packing import Packed
from generator.trainer.parameters import Parameters, Trained
from generator.trainer.sharded import Sharded
from generator.trainer.weights import Base

LOSS = LossConfig(temperature=0.1)


def tensors(base: Base, config: TrainConfig) -> tuple[dict[str, Any], dict[str, Any]]:
    """(frozen, trained) of a fresh base; B's of adapters are random, so that A's have gradients."""
    if config.lora is None:
        return {}, base.weights
    adapters = new_adapters(base.shape, config.lora, torch.Generator().manual_seed(0))
    for tensor in adapters.values():
        tensor.normal_(std=0.1, generator=torch.Generator().manual_seed(1))
    return base.weights, adapters


def gradient(parameters: Trained) -> torch.Tensor:
    return parameters.collect(parameters.piece_gradients())


def compare(
    lora: dict[str, Any] | None, name: str, *, graph_tokens: int, rows: int, budget: int
) -> dict[str, Any]:
    """Divided weights in two processes against whole ones in one."""
    config = TrainConfig.model_validate({"base": "x", "lora": lora})
    batch, base = make_batch(rows), make_base(name)[0]
    model = model_of(base, config)

    def engine(parameters: Trained, world: World) -> Engine:
        return Engine(
            model, parameters, token_budget=budget, graph_tokens=graph_tokens, world=world
        )  # fmt: skip

    alone = engine(Parameters(*tensors(base, config), torch.float32), World())
    wanted = alone.accumulate(batch, LOSS, seed=0)
    frozen, trained = tensors(make_base(name)[0], config)
    divided = Sharded(frozen, trained, torch.float32, torch.device("cpu"))
    together = engine(divided, World(dist.get_rank(), 2))
    calls, inner = [], _fsdp_param_group.foreach_reduce

    def counted(*args: Any, **kwargs: Any) -> Any:
        calls.append(1)
        return inner(*args, **kwargs)

    _fsdp_param_group.foreach_reduce = counted
    found = together.accumulate(batch, LOSS, seed=0)
    _fsdp_param_group.foreach_reduce = inner
    ours, theirs = gradient(divided), gradient(alone.parameters)
    norm = float(divided.norm())
    if dist.get_rank():
        return {}
    return {
        "cosine": float(torch.cosine_similarity(ours.double(), theirs.double(), dim=0)),
        "norm_ratio": float(ours.norm() / theirs.norm()),
        "norm": norm / float(theirs.norm()),
        "loss": [float(found.loss), float(wanted.loss)],
        "chunks": [found.chunks, wanted.chunks],
        "recomputed": found.recomputed,
        "reductions": len(calls),
    }


def memory_runs_out() -> dict[str, Any]:
    """The second process has no room for long chunks, forwards and backwards."""
    config = TrainConfig.model_validate({"base": "x", "lora": None})
    batch, base = make_batch(40), make_base()[0]
    alone = Engine(model_of(base, config), Parameters({}, base.weights, torch.float32),
                   token_budget=4096)  # fmt: skip
    alone.accumulate(batch, LOSS, seed=0)
    world = World(dist.get_rank(), 2)
    said: list[str] = []
    engine = Engine(
        model_of(base, config), Parameters({}, make_base()[0].weights, torch.float32),
        token_budget=4096, graph_tokens=0, world=world, report=said.append,
    )  # fmt: skip
    forward: Callable[[Packed], torch.Tensor] = engine.forward

    def small(packed: Packed) -> torch.Tensor:
        limit = 300 if torch.is_grad_enabled() else 600
        if world.rank == 1 and packed.tokens > limit:
            raise torch.OutOfMemoryError
        return forward(packed)

    engine.forward = small  # type: ignore[method-assign]
    engine.accumulate(batch, LOSS, seed=0)
    ours, theirs = gradient(engine.parameters), gradient(alone.parameters)
    budgets: list[int | None] = [None, None]
    dist.all_gather_object(budgets, engine.token_budget)
    return {
        "difference": float((ours - theirs).abs().max() / theirs.abs().max()),
        "budgets": budgets,
        "said": said,
    }


def runs(given: dict[str, Any]) -> dict[str, Any]:
    """Whole training runs, each in its folder."""
    results = {}
    for name, raw in given["runs"]:
        config = TrainConfig.model_validate(raw)
        setattr(loop, "leave", lambda: None)  # noqa: B010 - the group is used again
        result = loop.train([Path(given["data"])], config, export="exported" in name)
        results[name] = [result.steps, str(result.model), result.scores]
    return results


def main() -> None:
    given = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    torch.set_num_threads(1)
    join()
    lora = {"rank": 4}
    found = {
        "full": compare(None, "llama", graph_tokens=0, rows=9, budget=40),
        "full, graphs kept": compare(None, "gemma3", graph_tokens=80, rows=9, budget=40),
        "lora": compare(lora, "qwen3", graph_tokens=40, rows=9, budget=40),
        "one has a chunk more": compare(lora, "qwen2", graph_tokens=0, rows=4, budget=1),
        "memory": memory_runs_out(),
        **runs(given),
    }
    if dist.get_rank() == 0:
        Path(given["findings"]).write_text(json.dumps(found), encoding="utf-8")
    leave()


if __name__ == "__main__":
    main()
