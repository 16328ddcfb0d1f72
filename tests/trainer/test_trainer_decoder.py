"""The decoder against `transformers`, and what it refuses; folders that others load."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from trainer_worlds import SMALL, configs, make_base, make_folder, write_pairs

from generator.cli import main
from generator.errors import InputError
from generator.trainer.decoder import Model, encode
from generator.trainer.flops import step_flops
from generator.trainer.packing import Texts, cut, pack
from generator.trainer.shape import read_shape
from generator.trainer.weights import read_safetensors, to_hub

CPU = torch.device("cpu")


@pytest.mark.parametrize("name", list(configs()))
def test_every_architecture_gives_the_vectors_of_transformers(name: str) -> None:
    base, module = make_base(name)
    rng = np.random.default_rng(0)
    texts = [rng.integers(3, 99, n).astype(np.int32) for n in (3, 20, 1, 11, 19, 2, 33)]
    (order,) = cut(np.asarray([len(t) for t in texts]), 1000)
    packed = pack(Texts(texts, np.array([1, 0, 1, 4, 0, 2, 30])), order, CPU)  # two are all prompt
    found = {
        p: encode(Model(base.shape, p), base.weights, packed)  # type: ignore[arg-type]
        for p in ("last", "first", "mean", "mean_text")
    }
    for i, text in enumerate(order):
        hidden = module(torch.from_numpy(texts[text][None].astype(np.int64))).last_hidden_state[0]
        expected = {"last": hidden[-1], "first": hidden[0], "mean": hidden.mean(0)}
        own = hidden[int(packed.prompt_lengths[i]) :]
        expected["mean_text"] = own.mean(0) if len(own) else torch.zeros(len(hidden[0]))
        for pooling, vector in expected.items():
            assert torch.allclose(found[pooling][i], vector, atol=2e-5)


@pytest.mark.parametrize("name", list(configs()))
def test_weights_go_there_and_back(name: str) -> None:
    base, module = make_base(name)
    back, state = to_hub(base.weights, base.shape), module.state_dict()
    assert set(back) == set(state)
    assert all(torch.equal(back[key], state[key]) for key in state)


def test_another_architecture_is_refused_by_name() -> None:
    from transformers import BertConfig, LlamaConfig  # noqa: PLC0415

    with pytest.raises(InputError, match="bert"):
        read_shape(BertConfig())
    yarn = {"rope_type": "yarn", "factor": 2.0}
    with pytest.raises(InputError, match="yarn"):
        read_shape(LlamaConfig(**SMALL, rope_scaling=yarn))


def test_pickles_are_not_read(tmp_path: Path) -> None:
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="no safetensors"):
        read_safetensors(tmp_path)


def test_operations_follow_the_convention() -> None:
    """Mistral-7B with LoRA r16 at 512 tokens: 28.6 GFLOP a token (trainers.md b.8)."""
    from transformers import MistralConfig  # noqa: PLC0415

    shape = read_shape(MistralConfig())
    assert shape.matmul_parameters == pytest.approx(6.979e9, rel=1e-3)
    useful, executed = step_flops(shape, np.full(4, 512), adapters=41_943_040, recomputed=1.0)
    assert useful / 2048 == pytest.approx(28.6e9, rel=5e-3)
    assert executed / 2048 == pytest.approx(42.7e9, rel=5e-3)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Qwen 3 and pairs."""
    folder = tmp_path_factory.mktemp("cli")
    make_folder(folder / "base", "qwen3")
    write_pairs(folder / "pairs.jsonl", 40)
    return folder


def _run(*arguments: Any) -> int:
    with pytest.raises(SystemExit) as caught:
        main([str(argument) for argument in arguments])
    return int(caught.value.code or 0)


def test_the_command_plans_checks_trains_and_goes_on(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", world / "pairs.jsonl", "--base", world / "base", "-o", tmp_path,
               "--set", "batch_size=8", "--set", "tokens.max_tokens=32"]  # fmt: skip
    assert _run(*command, "--plan") == 0
    assert "steps       5" in capsys.readouterr().out
    assert _run(*command, "--check-gradients") == 0
    assert "can be trusted" in capsys.readouterr().out
    assert _run(*command) == 0
    out = capsys.readouterr()
    assert out.out.strip() == str(tmp_path / "model")
    assert "step 5/5" in out.err
    assert json.loads((tmp_path / "model" / "trine.json").read_text())["pooling"] == "last"
    assert _run(*command, "-q") == 0
    assert "loss" in capsys.readouterr().err
    assert _run("train", world / "pairs.jsonl", "--base", world / "nowhere", "-o", tmp_path) == 2
