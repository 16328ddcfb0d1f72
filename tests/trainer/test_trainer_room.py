"""The memory for graphs: how much of it is filled, and what happens when that was too much."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import psutil
import pytest
import torch
from trainer_worlds import make_base, make_batch

from generator.trainer.config import LossConfig
from generator.trainer.decoder import Model
from generator.trainer.engine import Engine
from generator.trainer.packing import Packed
from generator.trainer.parameters import Parameters
from generator.trainer.plan import predict
from generator.trainer.room import Room

GB = 2**30
CUDA = torch.device("cuda")


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """A card's memory in bytes, as PyTorch would report it."""
    memory = {"free": 60 * GB, "total": 100 * GB, "reserved": 30 * GB, "allocated": 20 * GB}
    for name in ("reserved", "allocated"):
        monkeypatch.setattr(torch.cuda, f"memory_{name}", lambda _, name=name: memory[name])
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda _: (memory["free"], memory["total"]))
    return memory


def test_an_unmeasured_card_keeps_one_graph_and_is_filled_after_it(card: dict[str, int]) -> None:
    room = Room(layers=40, held=GB, spare=0.05)
    sizes = [1000] * 100
    assert room.count(sizes, CUDA) == 1
    room.start(CUDA)
    card["allocated"] += GB
    room.stop(CUDA, 1000)
    assert room.bytes_per_token == pytest.approx(GB / 1000)
    # 69 free, less 5 spare, 1 of gradients, a tenth of a chunk in passing: 62 more beside the first
    assert room.count(sizes, CUDA, have=1000) == 1 + 62


def test_a_full_card_keeps_no_graph(card: dict[str, int]) -> None:
    card |= {"free": 0, "reserved": 20 * GB}
    assert Room(bytes_per_token=1e6).count([1000] * 3, CUDA) == 0


def test_a_fixed_number_of_tokens_keeps_the_smallest_chunks() -> None:
    cpu = torch.device("cpu")
    assert Room(fixed=250).count([100, 100, 120], cpu) == 2
    assert Room(fixed=0).count([1, 2], cpu) == 0
    assert Room().count([1, 2], cpu) == 2


def test_a_host_keeps_graphs_in_half_of_what_was_available_at_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    memory = SimpleNamespace(available=8 * GB)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: memory)
    room = Room(host_bytes=GB / 1000)
    assert room.count([1000] * 9, torch.device("cpu")) == 4
    memory.available = 0  # what the step has freed is not seen as free
    assert room.count([1000] * 9, torch.device("cpu")) == 4


def test_graphs_are_given_up_before_chunks_are_halved(
    card: dict[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As many graphs as fill a card, until its memory runs out in the backward."""
    del card
    base, said = make_base()[0], []
    parameters = Parameters({}, base.weights, torch.float32)
    engine = Engine(Model(base.shape), parameters, token_budget=300, report=said.append)
    room = Room(bytes_per_token=0.3 * GB)
    monkeypatch.setattr(Parameters, "device", property(lambda _: CUDA))
    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: None)
    engine.room = room
    room.kept, spare = 4, room.spare
    engine._shrink(torch.OutOfMemoryError())
    assert (engine.token_budget, room.spare) == (300, pytest.approx(spare + 0.1))
    room.kept = 1
    engine._shrink(torch.OutOfMemoryError())
    assert engine.token_budget == 150
    assert "fewer graphs" in said[0]


def test_the_prediction_counts_what_the_engine_does() -> None:
    """Chunks and the share that is run again are those of a real step."""
    base = make_base()[0]
    batch = make_batch(12)
    engine = Engine(
        Model(base.shape), Parameters({}, base.weights, torch.float32), token_budget=60,
        graph_tokens=150,
    )  # fmt: skip
    planned = predict(engine, batch.lengths, lora=False)
    seen: list[Packed] = []
    forward = engine.forward
    engine.forward = lambda packed: (seen.append(packed), forward(packed))[1]  # type: ignore[method-assign]
    outcome = engine.accumulate(batch, LossConfig(), seed=0)
    assert planned.chunks == outcome.chunks
    assert planned.recomputed == pytest.approx(outcome.recomputed / outcome.tokens)
    assert sum(chunk.tokens for chunk in seen) == outcome.tokens + outcome.recomputed
    assert np.isfinite(planned.seconds)
