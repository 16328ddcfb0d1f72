"""Training speed over several GPUs (or processes on a CPU): tokens/s of one process against n.

    python benchmarks/scaling.py --processes 2 [--only small big] [--steps 4] [--out FILE]

The same global batch of random lengths as `trainer.py`, its shapes (0.5B, all weights, 2,048 x
(1 + 1); 7B with LoRA, 512 x (1 + 1)), dealt out to one process and to n, with whole weights (ddp)
and divided ones (fsdp). First the gradients: of n processes against one process, on a small model.
One warm-up step, then the median of `--steps` timed ones.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import numpy as np
import torch
import torch.distributed as dist
from trainer import BIG, SMALL, TINY, make_batch, make_batches, random_weights, sync

from generator.trainer.config import TrainConfig
from generator.trainer.decoder import Model
from generator.trainer.distributed import World, join, leave
from generator.trainer.engine import Engine, default_budget
from generator.trainer.lora import new_adapters
from generator.trainer.optimizer import Optimizer
from generator.trainer.parameters import Parameters, Trained
from generator.trainer.shape import Shape
from generator.trainer.sharded import Sharded

CUDA = torch.cuda.is_available()
# name: shape, rows of a batch, LoRA
JOBS = {"small": (SMALL, 2048, False), "big": (BIG, 512, True), "tiny": (TINY, 64, False)}


def device_of_rank() -> torch.device:
    return torch.device("cuda", torch.cuda.current_device()) if CUDA else torch.device("cpu")


def parameters_of(
    s: Shape, config: TrainConfig, *, parallel: str, dtype: torch.dtype
) -> tuple[Trained, Model]:
    """The same random weights in every process."""
    device = device_of_rank()
    torch.manual_seed(0)
    weights = random_weights(s, dtype if config.lora else torch.float32, device, biases=False)
    trained = weights
    if config.lora:
        adapters = new_adapters(s, config.lora, torch.Generator().manual_seed(0))
        noise = torch.Generator().manual_seed(1)
        trained = {
            n: (t + 0.02 * torch.randn(t.shape, generator=noise)).to(device)
            for n, t in adapters.items()
        }
    frozen = weights if config.lora else {}
    scale = config.lora.scale if config.lora else 0.0
    if parallel == "fsdp":
        return Sharded(frozen, trained, dtype, device), Model(s, lora_scale=scale)
    return Parameters(frozen, trained, dtype), Model(s, lora_scale=scale)


def settings(*, lora: bool) -> TrainConfig:
    return TrainConfig.model_validate({"base": "x", **({} if lora else {"lora": None})})


def speed(name: str, parallel: str, steps: int, world: World, *, profile: bool) -> None:
    s, rows, lora = JOBS[name]
    config = settings(lora=lora)
    dtype = torch.bfloat16 if CUDA else torch.float32
    parameters, model = parameters_of(s, config, parallel=parallel, dtype=dtype)
    optimizer = Optimizer(parameters, config)
    if CUDA:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    budget = world.least(default_budget(model, device_of_rank(), adapters=lora))
    engine = Engine(model, parameters, compiled=CUDA, report=print, token_budget=budget,
                    world=world)  # fmt: skip
    batches = make_batches(rows, s.vocab, steps + 1)
    seconds, rates, again = [], [], []
    for i, batch in enumerate(batches):
        sync()
        start = time.perf_counter()
        outcome = engine.accumulate(batch, config.loss, seed=i)
        optimizer.step(1e-5)
        sync()
        if i:
            seconds.append(round(time.perf_counter() - start, 3))
            rates.append(int(batch.lengths.sum()) / seconds[-1])
            again.append(outcome.recomputed / outcome.tokens)
    gb = torch.cuda.max_memory_allocated() / 2**30 if CUDA else 0.0
    if CUDA and profile:
        kernels(
            world, f"{name} {parallel}", lambda: engine.accumulate(batches[-1], config.loss, seed=0)
        )
    note(world, f"{name} {parallel}", tokens_per_s=round(median(rates)), peak_gb=round(gb, 1),
         spread=round(max(rates) / min(rates), 3), budget=engine.token_budget,
         run_twice=round(float(np.mean(again)), 3), loss=round(float(outcome.loss), 4),
         seconds=seconds)  # fmt: skip


def kernels(world: World, name: str, step: Callable[[], object]) -> None:
    """Where the device's time of one step goes: busy, communicating, the longest kernels."""
    from torch.profiler import ProfilerActivity, profile

    sync()
    start = time.perf_counter()
    with profile(activities=[ProfilerActivity.CUDA]) as found:
        step()
        sync()
        wall = time.perf_counter() - start
    rows = sorted(found.key_averages(), key=lambda row: -row.self_device_time_total)
    busy = sum(row.self_device_time_total for row in rows) / 1e6
    talk = sum(r.self_device_time_total for r in rows if "nccl" in r.key.lower()) / 1e6
    longest = {row.key[:40]: round(row.self_device_time_total / 1e6, 3) for row in rows[:6]}
    note(world, f"{name} profiled", wall_s=round(wall, 3), busy_s=round(busy, 3),
         nccl_s=round(talk, 3), longest=longest)  # fmt: skip


def exact(world: World) -> None:
    """Gradients of all processes together against one process alone."""
    batch = make_batch(24, TINY.vocab, np.random.default_rng(0))
    for lora in (False, True):
        for dtype in (torch.float32, torch.bfloat16) if CUDA else (torch.float32,):
            for parallel in ("ddp", "fsdp"):
                config, found = settings(lora=lora), []
                for kind, where in (("ddp", World()), (parallel, world)):
                    made, model = parameters_of(TINY, config, parallel=kind, dtype=dtype)
                    engine = Engine(model, made, token_budget=1500, compiled=CUDA,
                                    graph_tokens=2000, world=where)  # fmt: skip
                    engine.accumulate(batch, config.loss, seed=0)
                    found.append(made.collect(made.piece_gradients()).double())
                if not world.is_first:  # it alone gets the whole gradient
                    continue
                cosine = float(torch.cosine_similarity(*found, dim=0))
                name = f"gradients, {parallel}{', LoRA' * lora}, {str(dtype).split('.')[1]}"
                norm = float(found[1].norm() / found[0].norm())
                note(world, name, cosine=round(cosine, 7), norm=round(norm, 5))


def note(world: World, name: str, **figures: object) -> None:
    if world.is_first:
        line = json.dumps({"name": name, "processes": world.size, **figures})
        print(f"RESULT {line}", flush=True)


def worker(name: str, parallel: str, options: argparse.Namespace) -> None:
    world = join()
    if name == "exact":
        exact(world)
    else:
        speed(name, parallel, options.steps, world, profile=options.profile)
    if dist.is_initialized():
        dist.barrier()
    leave()


def launched(processes: int, name: str, parallel: str, options: argparse.Namespace) -> list[dict]:
    """The findings of one job under torchrun."""
    command = [
        sys.executable, "-m", "torch.distributed.run", "--standalone",
        f"--nproc-per-node={processes}", __file__, "--worker", name, parallel,
        "--steps", str(options.steps), *(["--profile"] if options.profile else []),
    ]  # fmt: skip
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    found = [line.removeprefix("RESULT ") for line in done.stdout.splitlines()
             if line.startswith("RESULT ")]  # fmt: skip
    if done.returncode:
        print(f"{name} {parallel}, {processes} processes: exit {done.returncode}", flush=True)
    return [json.loads(line) for line in found]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--only", nargs="+", default=["exact", "small", "big"])
    parser.add_argument("--steps", type=int, default=4)
    parser.add_argument("--parallel", nargs="+", default=["ddp", "fsdp"])
    parser.add_argument("--profile", action="store_true", help="where the device's time goes")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.worker:
        worker(*options.worker, options)
        return
    print("torch", torch.__version__, torch.cuda.get_device_name() if CUDA else "cpu", flush=True)
    many, found = options.processes, []
    for name in options.only:
        plan = (
            [(many, "ddp")]
            if name == "exact"
            else [(1, "ddp"), *((many, how) for how in options.parallel)]
        )
        for processes, parallel in plan:
            for row in launched(processes, name, parallel, options):
                found.append(row)
                print(json.dumps(row), flush=True)
                if options.out:
                    options.out.write_text("\n".join(map(json.dumps, found)) + "\n")
    alone = {r["name"]: r["tokens_per_s"] for r in found if "seconds" in r and r["processes"] == 1}
    for row in found:
        base = alone.get(f"{row['name'].split()[0]} ddp")
        if base and "seconds" in row and row["processes"] > 1:
            print(f"{row['name']}: {row['tokens_per_s'] / base:.2f} times one process", flush=True)


if __name__ == "__main__":
    main()
