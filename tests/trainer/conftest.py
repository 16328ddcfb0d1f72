"""Fixtures of the trainer's tests."""

from __future__ import annotations

import pytest
import torch
from trainer_worlds import make_base

from generator.trainer.weights import Base


@pytest.fixture(autouse=True, scope="session")
def _one_thread() -> None:
    """Tiny matrices: a second thread only waits, and on a busy machine for long."""
    torch.set_num_threads(1)


@pytest.fixture
def base() -> Base:
    """A tiny Llama."""
    return make_base()[0]
