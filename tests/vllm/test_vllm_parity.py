"""A trained folder in vLLM's pooling runner: the gate of every export finds our vectors there."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent.parent / "trainer"))

import trainer_worlds

from generator.trainer.config import TrainConfig
from generator.trainer.loop import train


def test_vllm_embeds_a_trained_folder_as_we_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(trainer_worlds.SMALL, "hidden_size", 256)  # heads of 64, as vLLM has them
    base = trainer_worlds.make_folder(tmp_path / "base", bos=True)
    pairs = trainer_worlds.write_pairs(tmp_path / "pairs.jsonl")
    config = {
        "base": str(base), "output": str(tmp_path / "out"), "max_steps": 2, "batch_size": 8,
        "lora": None, "tokens": {"max_tokens": 48},
    }  # fmt: skip
    said: list[str] = []
    train([pairs], TrainConfig.model_validate(config), said.append)
    (line,) = [line for line in said if line.startswith("parity  vllm")]
    assert float(line.rpartition(" ")[2]) > 0.9999
