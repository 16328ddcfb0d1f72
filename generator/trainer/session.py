"""What a run is made of, put together once: model, data, parameters, optimiser."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist

from generator.errors import ConfigError, InputError
from generator.trainer.batch import Batch
from generator.trainer.config import TrainConfig
from generator.trainer.distributed import World
from generator.trainer.engine import Engine, default_budget
from generator.trainer.flops import HOST_GRAPH, activation_bytes
from generator.trainer.gradients import model_of
from generator.trainer.lora import new_adapters
from generator.trainer.order import Plan, plan_epoch
from generator.trainer.parameters import Parameters, Trained
from generator.trainer.store import Store, batch_of, build_store
from generator.trainer.tokens import Tokens, tokens_of
from generator.trainer.validation import Validation, hold_out, of_folder, of_rows
from generator.trainer.weights import Base, load_base

Report = Callable[[str], None]


@dataclass(frozen=True, eq=False, slots=True)
class Data:
    """The rows of a run and their order. `plans` holds the batches of each epoch."""

    store: Store
    tokens: Tokens
    plans: tuple[Plan, ...]
    validation: Validation | None
    max_negatives: int | None
    steps: int

    def batch(self, step: int) -> Batch:
        """The batch of a step."""
        for plan in self.plans:
            if step < len(plan.batches):
                rows = plan.batches[step]
                return batch_of(self.store, rows, plan.positives[rows], self.max_negatives)
            step -= len(plan.batches)
        raise IndexError(step)

    @property
    def tokens_in_all(self) -> float:
        """Tokens that the run will read, estimated from its first batches."""
        sample = [int(self.batch(i).lengths.sum()) for i in range(min(self.steps, 4))]
        return float(np.mean(sample)) * self.steps


def device_of(config: TrainConfig) -> torch.device:
    """The device that a configuration asks for. Raises ConfigError where there is none."""
    if config.device == "cuda" and not torch.cuda.is_available():
        raise ConfigError("device: no CUDA device is found", hint="--set device=cpu")
    use = config.device if config.device != "auto" else None
    name = use or ("cuda" if torch.cuda.is_available() else "cpu")
    return torch.device(name, torch.cuda.current_device()) if name == "cuda" else torch.device(name)


def dtype_of(config: TrainConfig, device: torch.device) -> torch.dtype:
    """The dtype that forwards compute in: bfloat16 on a GPU, float32 on a CPU."""
    if config.dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" else torch.float32
    return torch.bfloat16 if config.dtype == "bfloat16" else torch.float32


def compiles(config: TrainConfig, device: torch.device) -> bool:
    """Whether layers are compiled: by default on a GPU."""
    return config.compile == "on" or (config.compile == "auto" and device.type == "cuda")


def load_data(
    paths: Sequence[Path],
    config: TrainConfig,
    base: Base,
    world: World = World(),  # noqa: B008
) -> Data:
    """The data of a run, tokenised; one process builds the store, the others wait for it."""
    tokens = tokens_of(base.tokenizer, config.tokens)
    folder, rejects = config.output / "cache", config.output / "rejected.jsonl"
    if not world.is_first:
        dist.barrier()
    store = build_store(paths, tokens, config.tokens, folder, rejects)
    if world.is_first and world.size > 1:
        dist.barrier()
    rows, held = hold_out(store, config)
    plans = tuple(plan_epoch(store, config, epoch, rows) for epoch in range(config.epochs))
    steps = sum(len(plan.batches) for plan in plans)
    if not steps:
        raise InputError("no batch can be made", hint="--set batch_size=… (smaller)")
    if config.eval.folder is not None:
        validation: Validation | None = of_folder(config.eval.folder, tokens, config)
    else:
        validation = of_rows(store, held, config.eval.max_queries) if len(held) else None
    steps = min(steps, config.max_steps or steps)
    return Data(store, tokens, plans, validation, config.max_negatives, steps)


def make_engine(
    base: Base, config: TrainConfig, device: torch.device, world: World, report: Report
) -> Engine:
    """The engine with fresh parameters: adapters, or all weights of the base.

    Raises ConfigError where weights are to be divided and there is one process.
    """
    trained: dict[str, torch.Tensor] = base.weights
    if config.lora is not None:
        generator = torch.Generator().manual_seed(config.seed)
        adapters = new_adapters(base.shape, config.lora, generator)
        place = base.weights["embed"].device
        trained = {name: tensor.to(place) for name, tensor in adapters.items()}
    frozen = base.weights if config.lora else {}
    parameters = _parameters(frozen, trained, config, device)
    if config.lora is None:
        base.weights.clear()  # the masters are these now; a second copy would fill the device
    model = model_of(base, config)
    adapters_only = config.lora is not None
    budget = config.token_budget or default_budget(model, device, adapters=adapters_only)
    budget = world.least(budget)  # the same chunks are cut in every process
    return Engine(
        model, parameters, token_budget=budget, compiled=compiles(config, device),
        graph_tokens=config.graph_tokens, world=world, report=report,
        host_bytes=HOST_GRAPH * activation_bytes(
            model.shape, adapters=adapters_only, item=dtype_of(config, device).itemsize
        ),
    )  # fmt: skip


def _parameters(
    frozen: dict[str, torch.Tensor], trained: dict[str, torch.Tensor], config: TrainConfig,
    device: torch.device,
) -> Trained:  # fmt: skip
    if config.parallel == "ddp":
        return Parameters(frozen, trained, dtype_of(config, device))
    if not dist.is_initialized():
        raise ConfigError(
            "parallel: fsdp divides weights among processes, and this is one",
            hint="torchrun --nproc-per-node=2 --no-python trine train …, or --set parallel=ddp",
        )
    from generator.trainer.sharded import Sharded  # noqa: PLC0415 - slow to import

    return Sharded(frozen, trained, dtype_of(config, device), device)


def open_base(config: TrainConfig, device: torch.device) -> Base:
    """The base in the dtype that its copy is kept in: float32 where all of it is trained.

    Weights that are to be divided stay on the host; each layer is moved as it is divided.
    """
    device = torch.device("cpu") if config.parallel == "fsdp" else device
    dtype = dtype_of(config, device) if config.lora else torch.float32
    base = load_base(config.base, dtype, device)
    largest = base.shape.hidden
    if any(dim > largest for dim in config.loss.matryoshka):
        raise ConfigError("loss.matryoshka: larger than the model", hint=f"at most {largest}")
    return base


def sample(data: Data, rows: int) -> Batch:
    """A small batch for checks: the first rows of the first one."""
    plan = data.plans[0]
    chosen: npt.NDArray[np.int64] = plan.batches[0][:rows]
    return batch_of(data.store, chosen, plan.positives[chosen], data.max_negatives)
