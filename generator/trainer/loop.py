"""A training run: `train` puts it together, `_run` is the loop, everything else is elsewhere.

Nothing on the step path waits for the device: the loss of a step is read while the next one runs.
A step that gives no number stops the run with its batch saved; the checkpoint before it is whole.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch

from generator.errors import ConfigError, RunError
from generator.trainer import checkpoint
from generator.trainer.batch import Batch
from generator.trainer.config import TrainConfig
from generator.trainer.distributed import World, join, leave
from generator.trainer.engine import Engine
from generator.trainer.finished import data_key, finished, mark_finished
from generator.trainer.lora import merge
from generator.trainer.optimizer import Optimizer, learning_rate
from generator.trainer.progress import Meter
from generator.trainer.session import Data, Report, device_of, load_data, make_engine, open_base
from generator.trainer.weights import Base

_MANY_CUT = 0.2  # of the texts, queries among them


@dataclass(frozen=True, slots=True)
class Result:
    """What a run came to. `scores` are (step, nDCG@10) where there was something to score on."""

    output: Path
    steps: int
    loss: float
    seconds: float
    scores: tuple[tuple[int, float], ...]
    model: Path | None = None


@dataclass(eq=False, slots=True)
class _State:
    """Where a run stands; what a checkpoint holds beside tensors."""

    step: int = 0
    loss: float = float("nan")
    best: float = -1.0
    scores: list[tuple[int, float]] = field(default_factory=list)
    data: str = ""


def train(
    paths: Sequence[Path], config: TrainConfig, report: Report = lambda _: None, *,
    export: bool = True,
) -> Result:  # fmt: skip
    """Train, resuming from the last checkpoint in `config.output`; export the best model.

    One that is done, and whose model is there, is not done again. Raises UserError for data, models
    and settings that cannot work, RunError when training diverges or memory does not suffice.
    """
    world = join()
    if not world.is_first:
        report = lambda _: None  # noqa: E731
    try:
        key = data_key(paths)
        done = finished(config, key) if export else None
        if done is not None:
            report(f"finished before; to export it again, delete {config.output / 'model'}")
            report("to train anew, or further with other settings or data: another -o")
            return Result(**done, output=config.output, model=config.output / "model")
        return _train(paths, config, _State(data=key), report, world, export=export)
    finally:
        leave()


def _train(
    paths: Sequence[Path], config: TrainConfig, state: _State, report: Report, world: World, *,
    export: bool,
) -> Result:  # fmt: skip
    started = time.monotonic()
    device = device_of(config)
    base = open_base(config, device)
    data = load_data(paths, config, base, world)
    _tell_cut(data, config, report)
    engine = make_engine(base, config, device, world, report)
    optimizer = Optimizer(engine.parameters, config)
    _resume(config, optimizer, state, report)
    with Meter(engine, config, data.steps, report) as meter:
        _run(config, data, engine, optimizer, state, meter)
    model = None
    weights = final_weights(base, engine, config, state) if export else {}
    if export and world.is_first:
        from generator.trainer.export import export_model  # noqa: PLC0415 - heavy

        model = export_model(base, weights, data, config, asdict(state), report)
    seconds = time.monotonic() - started
    result = Result(config.output, state.step, state.loss, seconds, tuple(state.scores), model)
    if model is not None:
        known = {"steps": result.steps, "loss": result.loss, "scores": result.scores}
        mark_finished(config, state.data, known | {"seconds": seconds})
    return result


def _tell_cut(data: Data, config: TrainConfig, report: Report) -> None:
    """What nobody sees in a loss: that the ends of many texts are not read."""
    most = config.tokens.max_tokens
    share = float((data.store.lengths >= most).mean())
    if share > _MANY_CUT:
        report(
            f"{share:.0%} of the texts are cut at tokens.max_tokens={most}; with more, what lies "
            "beyond is read, and each step takes longer"
        )


def final_weights(
    base: Base, engine: Engine, config: TrainConfig, state: _State
) -> dict[str, torch.Tensor]:
    """The best weights, else the last, in float32 where trained, adapters merged.

    All processes call this; the first gets them.
    """
    best = checkpoint.latest(config.output / "best") if state.scores else None
    if best is not None:
        tensors, _ = checkpoint.load(best, torch.device("cpu"))
        Optimizer(engine.parameters, config).load({"master": tensors["master"]})
    masters = engine.parameters.masters()
    if not engine.world.is_first:
        return {}
    weights = {**base.weights, **masters}
    return merge(weights, base.shape, config.lora.scale if config.lora else 0.0)


def _run(
    config: TrainConfig, data: Data, engine: Engine, optimizer: Optimizer, state: _State,
    meter: Meter,
) -> None:  # fmt: skip
    pending: tuple[Batch, torch.Tensor] | None = None
    pace = checkpoint.Pace(config.save_steps)
    for step, batch in _batches(data, state.step):
        outcome = engine.accumulate(batch, config.loss, seed=config.seed * 1_000_003 + step)
        rate = learning_rate(config, step, data.steps)
        norm = optimizer.step(rate)
        numbers = torch.stack([outcome.loss.float(), norm])
        if pending is not None:
            _read(config, state, *pending, meter)
        pending = (batch, numbers)
        meter.step(step, batch, outcome, rate)
        state.step = step + 1
        last = state.step == data.steps
        due = engine.world.any(pace.due(state.step))
        if last or due or _scores_now(config, state):
            _read(config, state, *pending, meter)
            pending = None
            _score(config, data, engine, state, meter)
            with pace.saving():
                _save(config, engine, optimizer, state)
            meter.went_on()
    if pending is not None:
        _read(config, state, *pending, meter)


def _batches(data: Data, start: int) -> Iterator[tuple[int, Batch]]:
    """Batches from a step on, the next one made while this one is worked on."""
    with ThreadPoolExecutor(1) as worker:
        ahead = worker.submit(data.batch, start) if start < data.steps else None
        for step in range(start, data.steps):
            assert ahead is not None  # noqa: S101
            batch = ahead.result()
            if step + 1 < data.steps:
                ahead = worker.submit(data.batch, step + 1)
            yield step, batch


def _read(
    config: TrainConfig, state: _State, batch: Batch, numbers: torch.Tensor, meter: Meter
) -> None:
    """Read a step's loss and gradient norm. Raises RunError where they are no numbers."""
    loss, norm = numbers.tolist()
    if not (abs(loss) < float("inf") and norm < float("inf")):
        place = config.output / "diverged.json"
        rows = {"rows": batch.rows.tolist(), "texts": [text.tolist() for text in batch.texts.ids]}
        place.write_text(json.dumps({"loss": str(loss), "norm": str(norm), **rows}), "utf-8")
        raise RunError(
            f"training diverged: loss {loss}, gradient norm {norm}",
            hint=f"its batch is in {place}; try a lower learning_rate, or look at these rows",
        )
    state.loss = loss
    meter.read(loss, norm)


def _scores_now(config: TrainConfig, state: _State) -> bool:
    return bool(config.eval.steps and state.step % config.eval.steps == 0)


def _score(config: TrainConfig, data: Data, engine: Engine, state: _State, meter: Meter) -> None:
    """Score where it is due, or at the end; keep the best weights."""
    last = state.step == data.steps
    if data.validation is None or not (last or _scores_now(config, state)):
        return
    first, sharded = engine.world.is_first, engine.parameters.sharded
    if not (first or sharded):
        return
    score = data.validation.score(engine)  # with divided weights, by all processes alike
    state.scores.append((state.step, score))
    if first:
        meter.score(score)
    if score > state.best:
        state.best = score
        master = engine.parameters.collect([piece for piece, _ in engine.parameters.pieces()])
        if first:
            name = f"step-{state.step:08d}"
            checkpoint.save(config.output / "best", name, {"master": master}, {"score": score})


def _save(config: TrainConfig, engine: Engine, optimizer: Optimizer, state: _State) -> None:
    first, sharded = engine.world.is_first, engine.parameters.sharded
    tensors = optimizer.state() if first or sharded else {}
    if first:
        content = {**asdict(state), "settings": config.deciding()}
        name = f"step-{state.step:08d}"
        checkpoint.save(config.output / "checkpoints", name, tensors, content)


def _resume(config: TrainConfig, optimizer: Optimizer, state: _State, report: Report) -> None:
    place = checkpoint.latest(config.output / "checkpoints")
    if place is None:
        return
    tensors, content = checkpoint.load(place, torch.device("cpu"))
    settings = config.deciding()
    changed = [key for key in settings if content["settings"].get(key) != settings[key]]
    if changed:
        raise ConfigError(
            f"{config.output} holds a run with other settings: {', '.join(changed)}",
            hint="the same settings go on with it; another -o starts anew",
        )
    if content.get("data", state.data) != state.data:
        raise ConfigError(
            f"{config.output} holds a run on other data",
            hint="the same data go on with it; another -o starts anew",
        )
    optimizer.load(tensors)
    state.step, state.loss, state.best = content["step"], content["loss"], content["best"]
    state.scores = [(step, score) for step, score in content["scores"]]
    report(f"going on from step {state.step}")
