"""The fast path's gradient is the loss's gradient: against `transformers` on one padded batch."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
import torch
from trainer_worlds import configs, make_base, make_batch

from generator.trainer.config import TrainConfig
from generator.trainer.decoder import encode
from generator.trainer.gradcache import accumulate
from generator.trainer.gradients import check_gradients, model_of
from generator.trainer.lora import new_adapters
from generator.trainer.parameters import Parameters
from generator.trainer.room import Room
from generator.trainer.weights import Base


def _config(**changes: Any) -> TrainConfig:
    return TrainConfig.model_validate({"base": "x", **changes})


@pytest.mark.parametrize("name", list(configs()))
@pytest.mark.parametrize("lora", [None, {"rank": 4, "alpha": 8}])
def test_gradients_are_exact_for_every_architecture(name: str, lora: Any) -> None:
    base, _ = make_base(name)
    check = check_gradients(base, make_batch(), _config(lora=lora), dtype=torch.float32)
    assert check.passed
    assert check.cosine >= 0.99999
    assert check.worst_cosine >= 0.9999
    assert check.chunks > 1


@pytest.mark.parametrize("pooling", ["last", "mean", "mean_text", "first"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_gradients_are_exact_for_every_pooling(pooling: str, bidirectional: bool) -> None:
    config = _config(lora=None, pooling=pooling, bidirectional=bidirectional)
    check = check_gradients(make_base()[0], make_batch(), config, dtype=torch.float32)
    assert check.cosine >= 0.99999


@pytest.mark.parametrize("chunks", [1, 2, 7])
def test_the_number_of_chunks_does_not_change_gradients(base: Base, chunks: int) -> None:
    config = _config(lora=None, loss={"directions": ["qd", "qq", "dd"], "matryoshka": [8, 32]})
    check = check_gradients(base, make_batch(), config, dtype=torch.float32, chunks=chunks)
    assert check.cosine >= 0.99999


def test_bfloat16_gradients_keep_their_direction(base: Base) -> None:
    config = _config(lora=None, loss={"temperature": 0.1})
    check = check_gradients(base, make_batch(), config, dtype=torch.bfloat16)
    assert check.cosine >= 0.999


def test_another_loss_is_found(base: Base) -> None:
    """The comparison itself: gradients of temperature 1 (tevatron's silent one) do not pass."""
    config = _config(lora=None)
    check = check_gradients(base, make_batch(), config, dtype=torch.float32)
    assert check.passed
    assert not dataclasses.replace(check, cosine=0.99).passed
    assert not dataclasses.replace(check, norm_ratio=0.02).passed


def _gradient(base: Base, *, kept: int, seed: int) -> torch.Tensor:
    config = _config(lora={"rank": 4, "dropout": 0.3})
    assert config.lora is not None
    adapters = new_adapters(base.shape, config.lora, torch.Generator().manual_seed(1))
    for tensor in adapters.values():
        tensor.add_(0.1)
    parameters = Parameters(base.weights, adapters, torch.float32)
    model = model_of(base, config)
    accumulate(
        make_batch(), lambda packed: encode(model, parameters.weights, packed), parameters,
        config.loss, token_budget=60, room=Room(fixed=kept), seed=seed,
    )  # fmt: skip
    return parameters.gradient


def test_dropout_is_the_same_in_both_forwards(base: Base) -> None:
    """Cached or not, on the same chunks and random state, the gradient is the same."""
    kept, again = _gradient(base, kept=10**6, seed=3), _gradient(base, kept=0, seed=3)
    assert torch.allclose(kept, again, rtol=1e-5, atol=1e-7)
    assert not torch.allclose(kept, _gradient(base, kept=0, seed=4), rtol=1e-2)


def test_a_step_leaves_the_random_numbers_of_others_alone(base: Base) -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    torch.manual_seed(7)
    _gradient(base, kept=0, seed=3)
    assert torch.equal(torch.rand(3), expected)


def test_a_repeated_text_is_encoded_once_and_gets_both_gradients(base: Base) -> None:
    batch = make_batch(4, negatives=False)
    shared = np.array([4, 5, 4, 7])
    config = _config(lora=None, loss={"mask_ids": False})
    twice = make_batch(4, negatives=False, positive=shared)
    assert batch.lengths.sum() == twice.lengths.sum()
    assert check_gradients(base, twice, config, dtype=torch.float32).cosine >= 0.99999
