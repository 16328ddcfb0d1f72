"""A run: it learns, resumes bit-equal after SIGKILL, stops on NaN, survives a full memory."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainer_worlds import make_base, make_batch, make_folder, write_pairs

from generator.errors import ConfigError, InputError, RunError
from generator.trainer import checkpoint
from generator.trainer.config import LossConfig, TrainConfig, load_train_config
from generator.trainer.decoder import Model
from generator.trainer.embedder import load_embedder
from generator.trainer.engine import Engine
from generator.trainer.gradcache import Outcome
from generator.trainer.loop import train
from generator.trainer.optimizer import learning_rate
from generator.trainer.packing import Packed
from generator.trainer.parameters import Parameters

FAST = {
    "batch_size": 8,
    "epochs": 4,
    "learning_rate": 3e-3,
    "lora": None,
    "tokens": {"max_tokens": 32},
    "save_steps": 5,
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny base and pairs to train it on."""
    folder = tmp_path_factory.mktemp("world")
    make_folder(folder / "base")
    write_pairs(folder / "pairs.jsonl", 40, bad=True)
    return folder


def _config(world: Path, output: Path, **changes: Any) -> TrainConfig:
    raw = {**FAST, "base": str(world / "base"), "output": output, **changes}
    return TrainConfig.model_validate(raw)


def _losses(output: Path) -> list[float]:
    lines = (output / "log.jsonl").read_text().splitlines()
    return [line["loss"] for line in map(json.loads, lines) if "loss" in line]


@pytest.mark.parametrize(("most", "told"), [(4, True), (32, False)])
def test_texts_whose_ends_are_not_read_are_told(
    world: Path, tmp_path: Path, most: int, told: bool
) -> None:
    config = _config(world, tmp_path, tokens={"max_tokens": most}, max_steps=1)
    said: list[str] = []
    train([world / "pairs.jsonl"], config, said.append, export=False)
    assert any("are cut at tokens.max_tokens=4" in line for line in said) is told


def test_a_run_learns_and_exports_a_model_that_others_load(world: Path, tmp_path: Path) -> None:
    config = _config(world, tmp_path, eval={"fraction": 0.2, "steps": 8})
    said: list[str] = []
    result = train([world / "pairs.jsonl"], config, said.append)
    losses = _losses(tmp_path)
    assert losses[-1] < losses[0]
    assert result.model is not None
    assert sum("parity" in line for line in said) >= 1
    embedder = load_embedder(result.model, "cpu")
    vectors = embedder.encode(["w1 w2", "", "w3"], prompt="find ")
    assert vectors.shape == (3, 32)
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.tokens.eos == 2
    assert "w1" not in (result.model / "README.md").read_text()
    reasons = [
        json.loads(line)["reason"]
        for line in (tmp_path / "rejected.jsonl").read_text().splitlines()
    ]
    assert reasons == [
        "not_json", "empty_query", "empty_positive", "positive_equals_query",
        "negative_equals_positive",
    ]  # fmt: skip


def test_what_saving_takes_is_no_steps_time(
    world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A save of 1,000 s between two steps leaves the tokens/s of both as they were."""
    late, save, clock = [0.0], checkpoint.save, time.monotonic

    def slow(*given: Any) -> Path:
        late[0] += 1000
        return save(*given)

    monkeypatch.setattr(checkpoint, "save", slow)
    monkeypatch.setattr(time, "monotonic", lambda: clock() + late[0])
    train([world / "pairs.jsonl"], _config(world, tmp_path, save_steps=1), export=False)
    lines = map(json.loads, (tmp_path / "log.jsonl").read_text().splitlines())
    assert late[0] >= 4000
    assert all(line["tokens"] / line["tokens_per_s"] < 500 for line in lines if "tokens" in line)


def test_a_stopped_run_goes_on_bit_equal(world: Path, tmp_path: Path) -> None:
    """With adapters and dropout: order, random numbers and optimiser are where they were."""
    lora = {"rank": 4, "dropout": 0.2}
    whole = _config(world, tmp_path / "whole", lora=lora, save_steps=7)
    train([world / "pairs.jsonl"], whole, export=False)
    script = (
        "import sys, os, signal\n"
        "from pathlib import Path\n"
        "from generator.trainer.config import TrainConfig\n"
        "from generator.trainer import checkpoint\n"
        "from generator.trainer.loop import train\n"
        "save = checkpoint.save\n"
        "def kill(folder, name, *rest):\n"
        "    if name == 'step-00000014': os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return save(folder, name, *rest)\n"
        "checkpoint.save = kill\n"
        "config = TrainConfig.model_validate_json(sys.argv[1])\n"
        "train([Path(sys.argv[2])], config, export=False)\n"
    )
    stopped = whole.model_copy(update={"output": tmp_path / "stopped"})
    command = [sys.executable, "-c", script, stopped.model_dump_json(), world / "pairs.jsonl"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([*map(str, command)], check=False, env=environment)
    assert done.returncode == -signal.SIGKILL
    train([world / "pairs.jsonl"], stopped, export=False)
    expected = _losses(tmp_path / "whole")
    # The log holds steps 1 to 13, then again from 8 on.
    found = _losses(tmp_path / "stopped")
    assert found[-(len(expected) - 7) :] == expected[7:]
    one, two = (checkpoint.latest(tmp_path / n / "checkpoints") for n in ("whole", "stopped"))
    assert one is not None
    assert two is not None
    left, right = (checkpoint.load(place, torch.device("cpu"))[0] for place in (one, two))
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_other_settings_do_not_go_on_with_a_run(world: Path, tmp_path: Path) -> None:
    train([world / "pairs.jsonl"], _config(world, tmp_path, max_steps=2), export=False)
    with pytest.raises(ConfigError, match="batch_size"):
        train([world / "pairs.jsonl"], _config(world, tmp_path, max_steps=2, batch_size=4))


def test_other_data_do_not_go_on_with_a_run(world: Path, tmp_path: Path) -> None:
    """Rows added to a finished training would not be seen: its model would be called theirs."""
    pairs = tmp_path / "pairs.jsonl"
    pairs.write_bytes((world / "pairs.jsonl").read_bytes())
    config = _config(world, tmp_path / "out", max_steps=2)
    train([pairs], config, export=False)
    write_pairs(pairs, 60)
    with pytest.raises(ConfigError, match="on other data"):
        train([pairs], config)


def test_a_finished_training_says_so_and_does_nothing(world: Path, tmp_path: Path) -> None:
    """Until its model is gone: then that is exported again, and nothing trained."""
    config = _config(world, tmp_path, max_steps=2, eval={"fraction": 0.2, "steps": 1})
    first = train([world / "pairs.jsonl"], config)
    assert first.model is not None
    weights = (first.model / "model.safetensors").stat()
    said: list[str] = []
    assert train([world / "pairs.jsonl"], config, said.append) == first
    assert (first.model / "model.safetensors").stat() == weights
    assert "finished before" in said[0]
    assert not any("parity" in line for line in said)
    (first.model / "model.safetensors").unlink()
    again = train([world / "pairs.jsonl"], config, said.append)
    assert (again.steps, again.scores, again.model) == (first.steps, first.scores, first.model)
    assert "going on from step 2" in said
    assert (first.model / "model.safetensors").is_file()


def test_a_run_that_gives_no_number_stops_with_its_batch(world: Path, tmp_path: Path) -> None:
    config = _config(world, tmp_path, learning_rate=1e30, max_grad_norm=None)
    with pytest.raises(RunError, match="diverged"):
        train([world / "pairs.jsonl"], config, export=False)
    saved = json.loads((tmp_path / "diverged.json").read_text())
    assert len(saved["rows"]) == 8


def test_a_full_memory_halves_the_budget_and_changes_nothing() -> None:
    base, _ = make_base()
    batch, said = make_batch(12), []

    def run(limit: int) -> tuple[Outcome, torch.Tensor, Engine]:
        parameters = Parameters({}, base.weights, torch.float32)
        engine = Engine(Model(base.shape), parameters, token_budget=4096, report=said.append)
        forward = engine.forward

        def small(packed: Packed) -> torch.Tensor:
            if packed.tokens > limit:
                raise torch.OutOfMemoryError
            return forward(packed)

        engine.forward = small  # type: ignore[method-assign]
        return engine.accumulate(batch, LossConfig(), seed=0), parameters.gradient, engine

    _, whole, _ = run(10**9)
    outcome, gradient, engine = run(200)
    assert engine.token_budget < 4096
    assert outcome.chunks > 1
    assert torch.allclose(gradient, whole, rtol=1e-4, atol=1e-4)
    assert "out of memory" in said[0]
    with pytest.raises(RunError, match="out of memory"):
        run(1)


def test_the_rate_rises_and_falls() -> None:
    config = TrainConfig(base="x", warmup_steps=10, learning_rate=1.0)
    rates = [learning_rate(config, step, 100) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert max(rates) == rates[10] == 1.0
    assert rates[-1] == pytest.approx(1 / 90)
    cosine = config.model_copy(update={"schedule": "cosine"})
    assert learning_rate(cosine, 55, 100) == pytest.approx(0.5)
    constant = config.model_copy(update={"schedule": "constant"})
    assert learning_rate(constant, 99, 100) == 1.0


def test_unknown_and_wrong_keys_are_refused_together() -> None:
    with pytest.raises(ConfigError) as caught:
        load_train_config(None, ["batchsize=3", "loss.temperature=0"], base="x")
    assert len(caught.value.problems) == 2


def test_no_rows_is_an_error(world: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.jsonl").write_text('{"query": ""}\n')
    with pytest.raises(InputError, match="no row"):
        train([tmp_path / "bad.jsonl"], _config(world, tmp_path / "out"))
