"""Two processes on gloo do what one does: whole weights or divided ones, memory or none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trainer_worlds import make_folder, write_pairs

from generator.errors import ConfigError
from generator.trainer import checkpoint
from generator.trainer.config import TrainConfig
from generator.trainer.loop import train

HERE = Path(__file__).parent
RUN = {
    "batch_size": 8,
    "epochs": 4,
    "max_steps": 8,
    "learning_rate": 3e-3,
    "tokens": {"max_tokens": 32},
    "token_budget": 100,
    "save_steps": 4,
    "eval": {"fraction": 0.2},
}
KINDS: dict[str, Any] = {"full": None, "lora": {"rank": 4}}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Runs of one process in `one-*`; then all that two do, in one call of torchrun."""
    folder = tmp_path_factory.mktemp("processes")
    make_folder(folder / "base")
    write_pairs(folder / "pairs.jsonl", 40)
    runs = []
    for kind, lora in KINDS.items():
        raw = {**RUN, "base": str(folder / "base"), "lora": lora}
        _one_process(folder, kind, raw)
        for parallel, name in (("ddp", f"ddp-{kind}"), ("fsdp", f"fsdp-exported-{kind}")):
            runs.append([name, {**raw, "parallel": parallel, "output": str(folder / name)}])
    given = {"runs": runs, "data": str(folder / "pairs.jsonl"), "findings": str(folder / "found")}
    (folder / "given.json").write_text(json.dumps(given), encoding="utf-8")
    command = [
        sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone",
        str(HERE / "two_processes.py"), str(folder / "given.json"),
    ]  # fmt: skip
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "HF_HUB_OFFLINE": "1", "PYTHONPATH": str(HERE)
    }  # fmt: skip
    done = subprocess.run(
        command, check=False, env=environment, capture_output=True, text=True, timeout=300
    )
    assert not done.returncode, done.stderr[-9000:]
    return folder


def _one_process(folder: Path, kind: str, raw: dict[str, Any]) -> None:
    """A run of one process; its checkpoint in the middle is where the divided run begins."""
    with pytest.MonkeyPatch.context() as patch:
        save = checkpoint.save

        def copied(place: Path, name: str, *rest: Any) -> Path:
            saved = save(place, name, *rest)
            if place.name == "checkpoints" and name.endswith("4"):
                shutil.copytree(saved, folder / f"fsdp-exported-{kind}" / "checkpoints" / name)
            return saved

        patch.setattr(checkpoint, "save", copied)
        config = TrainConfig.model_validate({**raw, "output": folder / f"one-{kind}"})
        train([folder / "pairs.jsonl"], config, export=True)


def _found(world: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((world / "found").read_text())
    return found


def _losses(output: Path) -> dict[int, float]:
    lines = map(json.loads, (output / "log.jsonl").read_text().splitlines())
    return {line["step"]: line["loss"] for line in lines if "loss" in line}


@pytest.mark.parametrize(
    "what", ["full", "full, graphs kept", "lora", "one has a chunk more"]
)  # fmt: skip
def test_gradients_of_divided_weights_are_exact(world: Path, what: str) -> None:
    found = _found(world)[what]
    assert found["cosine"] > 0.999999
    assert found["norm_ratio"] == pytest.approx(1, abs=1e-5)
    assert found["norm"] == pytest.approx(1, abs=1e-5)
    assert found["loss"][0] == pytest.approx(found["loss"][1], rel=1e-5)
    assert found["chunks"][0] > 1


def test_a_step_reduces_each_gradient_once(world: Path) -> None:
    """Two layers and what is outside of them: three groups, however many chunks."""
    found = _found(world)
    assert found["full"]["chunks"][0] > 3
    assert found["full"]["reductions"] == 3
    assert found["lora"]["reductions"] == 2  # outside of layers all is frozen


def test_memory_that_one_process_lacks_is_lacked_by_all(world: Path) -> None:
    found = _found(world)["memory"]
    assert found["difference"] < 1e-5
    assert found["budgets"][0] == found["budgets"][1] < 4096
    assert all(line.startswith("out of memory: going on") for line in found["said"])


@pytest.mark.parametrize("kind", KINDS)
def test_two_processes_take_the_steps_of_one(world: Path, kind: str) -> None:
    one, two = _losses(world / f"one-{kind}"), _losses(world / f"ddp-{kind}")
    assert len(one) == 8
    assert two == pytest.approx(one, rel=1e-3)


@pytest.mark.parametrize("kind", KINDS)
def test_divided_weights_go_on_from_a_checkpoint_of_one_process(world: Path, kind: str) -> None:
    one, two = world / f"one-{kind}", world / f"fsdp-exported-{kind}"
    wanted = {step: loss for step, loss in _losses(one).items() if step > 4}
    assert _losses(two) == pytest.approx(wanted, rel=1e-3)
    states = [checkpoint.load(place / "checkpoints" / "step-00000008", torch.device("cpu"))[0]
              for place in (one, two)]  # fmt: skip
    assert states[0].keys() == states[1].keys()
    for name, tensor in states[0].items():
        assert torch.allclose(tensor, states[1][name], rtol=1e-2, atol=1e-3), name


@pytest.mark.parametrize("kind", KINDS)
def test_divided_weights_are_exported_whole(world: Path, kind: str) -> None:
    places = (f"one-{kind}", f"fsdp-exported-{kind}")
    one, two = (load_file(world / place / "model" / "model.safetensors") for place in places)
    assert one.keys() == two.keys()
    for name, tensor in one.items():
        assert torch.allclose(tensor.float(), two[name].float(), rtol=2e-2, atol=2e-3), name


def test_dividing_weights_takes_several_processes(world: Path, tmp_path: Path) -> None:
    raw = {**RUN, "base": str(world / "base"), "parallel": "fsdp", "output": tmp_path}
    with pytest.raises(ConfigError, match="one") as caught:
        train([world / "pairs.jsonl"], TrainConfig.model_validate(raw))
    assert "torchrun" in (caught.value.hint or "")
