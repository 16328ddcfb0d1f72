"""The gradient of a whole batch through a forward of a few texts at a time, exactly.

GradCache (Gao et al. 2021, arXiv 2101.06983): vectors of all chunks first, then the loss and its
gradient with respect to the vectors, then each chunk again with a graph, through which its part of
that gradient goes back. Here the second forward is run only for chunks whose graph did not fit in
memory in the first: a batch that fits costs what a plain step costs. It is never combined with
gradient checkpointing, which would pay for the same forward twice.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch

from generator.trainer.batch import Batch, targets_of
from generator.trainer.config import LossConfig
from generator.trainer.distributed import World
from generator.trainer.loss import loss_and_gradient
from generator.trainer.packing import Ints, Packed, cut, pack
from generator.trainer.parameters import Trained
from generator.trainer.room import Room

Encode = Callable[[Packed], torch.Tensor]
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step did: its loss (on the device), tokens run forward in all, and those twice."""

    loss: torch.Tensor
    tokens: int
    recomputed: int
    chunks: int


def accumulate(
    batch: Batch,
    encode: Encode,
    parameters: Trained,
    config: LossConfig,
    *,
    token_budget: int,
    room: Room,
    world: World = World(),  # noqa: B008 - frozen
    seed: int | None = None,
) -> Outcome:
    """Add the gradient of the batch's mean loss to `parameters`, summed over all processes.

    `seed` starts the random numbers of each chunk, so that dropout is the same in both forwards
    (null: there is no dropout).
    """
    device = parameters.device
    dealt = world.deal(batch.lengths)
    mine = dealt[world.rank]
    chunks = [mine[c] for c in cut(batch.lengths[mine], token_budget)]
    packed = [pack(batch.texts, chunk, device) for chunk in chunks]
    wanted = _most(batch, dealt, token_budget) if parameters.sharded else 1
    shortest = np.argmin(batch.lengths, keepdims=True)
    packed += [pack(batch.texts, shortest, device) for _ in range(wanted - len(packed))]
    # Divided weights talk within a forward: there no process can wait for one that gave up.
    alone = _at_once if parameters.sharded else world.together
    with _own_random_numbers(seed, device):
        vectors = alone(lambda: _forward(packed, encode, room, parameters, world, seed))
        z = world.gather(_in_order(vectors, chunks, mine, device), dealt)
        targets = targets_of(batch, device)
        rows = torch.arange(world.rank, len(batch.query), world.size, device=device)
        loss, gradient = alone(lambda: loss_and_gradient(z, targets, config, rows))
        world.sum(gradient)
        real = len(chunks)
        recomputed = alone(
            lambda: _backward(vectors, packed, real, encode, parameters, gradient, seed)
        )
    parameters.reduce(world)
    tokens = sum(chunk.tokens for chunk in packed)
    return Outcome(world.sum(loss), tokens, recomputed, len(packed))


def _most(batch: Batch, dealt: list[Ints], budget: int) -> int:
    """The chunks of the process that has most: divided weights want as many of each.

    Missing ones are made up by one text, whose gradient is zero.
    """
    return max(len(cut(batch.lengths[part], budget)) for part in dealt)


def _at_once(work: Callable[[], T]) -> T:
    return work()


def _forward(
    packed: list[Packed], encode: Encode, room: Room, parameters: Trained, world: World,
    seed: int | None,
) -> list[torch.Tensor]:  # fmt: skip
    """The chunks' vectors; those that carry a graph keep it: as many as fit, the smallest first."""
    device, order = parameters.device, sorted(range(len(packed)), key=lambda i: packed[i].tokens)
    sizes = [packed[i].tokens for i in order]
    vectors: dict[int, torch.Tensor] = {}
    room.kept = _agreed(room.count(sizes, device), parameters, world)
    for place, i in enumerate(order):
        _seed_chunk(seed, i)
        if place < room.kept:
            room.start(device)
            vectors[i] = encode(packed[i])
            room.stop(device, sizes[place])
        else:
            with torch.no_grad():
                vectors[i] = encode(packed[i])
        if place == 0 and room.kept:
            room.kept = _agreed(room.count(sizes, device, have=sizes[0]), parameters, world)
    return [vectors[i] for i in range(len(packed))]


def _agreed(count: int, parameters: Trained, world: World) -> int:
    """Divided weights are gathered again in every process, or in none."""
    return world.least(count) if parameters.sharded else count


def _backward(
    vectors: list[torch.Tensor], packed: list[Packed], real: int, encode: Encode,
    parameters: Trained, gradient: torch.Tensor, seed: int | None,
) -> int:  # fmt: skip
    """Send the gradient through every chunk; returns the tokens that were run again.

    Chunks from `real` on are there for company: their gradient is zero.
    """
    again = 0
    # Kept graphs first: each frees its memory, which those that are run again then have.
    order = sorted(range(len(packed)), key=lambda i: not vectors[i].requires_grad)
    for i in order:
        z, chunk = vectors[i], packed[i]
        if not z.requires_grad:
            _seed_chunk(seed, i)
            z = encode(chunk)
            again += chunk.tokens
        part = gradient[torch.from_numpy(chunk.text).to(gradient.device)]
        part = part if i < real else torch.zeros_like(part)
        parameters.backward(z, part, last=i == order[-1])
        vectors[i] = z = z.detach()
    return again


def _in_order(
    vectors: list[torch.Tensor], chunks: list[Ints], mine: Ints, device: torch.device
) -> torch.Tensor:
    """The vectors of `mine`, in its order (ascending), without their graphs."""
    flat = torch.cat([z.detach() for z in vectors])  # those of made-up chunks come last
    place = {int(text): i for i, text in enumerate(mine)}
    at = [place[int(text)] for chunk in chunks for text in chunk]
    whole = flat.new_empty((len(at), flat.shape[1]))
    whole[torch.tensor(at, device=device, dtype=torch.int64)] = flat[: len(at)]
    return whole


def _seed_chunk(seed: int | None, index: int) -> None:
    if seed is not None:
        torch.manual_seed((seed * 1_000_003 + index) & 0x7FFF_FFFF_FFFF_FFFF)


def _own_random_numbers(seed: int | None, device: torch.device) -> AbstractContextManager[None]:
    if seed is None:
        return nullcontext()
    forked: AbstractContextManager[None] = torch.random.fork_rng(
        devices=[device] if device.type == "cuda" else []
    )
    return forked
