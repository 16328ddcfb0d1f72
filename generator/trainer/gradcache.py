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
from dataclasses import dataclass, field

import torch

from generator.trainer.batch import Batch, targets_of
from generator.trainer.config import LossConfig
from generator.trainer.distributed import World
from generator.trainer.loss import loss_and_gradient
from generator.trainer.packing import Ints, Packed, cut, pack
from generator.trainer.parameters import Parameters

Encode = Callable[[Packed], torch.Tensor]


@dataclass(slots=True)
class Room:
    """How many tokens may keep their graph.

    `fixed` is the configured number; without one it is measured: the first chunk's graph says how
    many bytes a token takes, and what the device has free, less `spare` of it, is filled.
    """

    fixed: int | None = None
    spare: float = 0.15
    bytes_per_token: float = 0.0
    _before: int = field(default=0, repr=False)

    def tokens(self, device: torch.device, chunk: int) -> int:
        """Tokens whose graphs fit, beside the forward of one chunk; one chunk at least is tried."""
        if self.fixed is not None:
            return self.fixed
        if device.type != "cuda":
            return 1 << 62  # host memory pages; the token budget bounds what is sensible
        if not self.bytes_per_token:
            return chunk
        free, total = torch.cuda.mem_get_info(device)
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        room = free - self.spare * total - self.bytes_per_token * chunk
        return max(int(room / self.bytes_per_token), 0)

    def start(self, device: torch.device) -> None:
        """Before the forward of a chunk with a graph."""
        if device.type == "cuda":
            self._before = torch.cuda.memory_allocated(device)

    def stop(self, device: torch.device, tokens: int) -> None:
        """After it."""
        if device.type == "cuda":
            used = torch.cuda.memory_allocated(device) - self._before
            self.bytes_per_token = max(self.bytes_per_token, used / tokens)


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
    parameters: Parameters,
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
    with _own_random_numbers(seed, device):
        vectors = _forward(packed, encode, room, device, seed)
        z = _in_order(vectors, chunks, mine, device)
        z = world.gather(z, dealt)
        targets = targets_of(batch, device)
        rows = torch.arange(world.rank, len(batch.query), world.size, device=device)
        loss, gradient = loss_and_gradient(z, targets, config, rows)
        world.sum(gradient)
        recomputed = _backward(vectors, packed, encode, parameters, gradient, seed)
    world.sum(parameters.gradient)
    tokens = sum(chunk.tokens for chunk in packed)
    return Outcome(world.sum(loss), tokens, recomputed, len(chunks))


def _forward(
    packed: list[Packed], encode: Encode, room: Room, device: torch.device, seed: int | None
) -> list[torch.Tensor]:
    """The chunks' vectors; those that carry a graph keep it."""
    vectors: list[torch.Tensor] = []
    kept = 0
    limit = room.tokens(device, packed[0].tokens) if packed else 0
    for i, chunk in enumerate(packed):
        _seed_chunk(seed, i)
        if kept + chunk.tokens <= limit:
            room.start(device)
            vectors.append(encode(chunk))
            room.stop(device, chunk.tokens)
            kept += chunk.tokens
            if i == 0:
                limit = kept + room.tokens(device, chunk.tokens)
        else:
            with torch.no_grad():
                vectors.append(encode(chunk))
    return vectors


def _backward(
    vectors: list[torch.Tensor],
    packed: list[Packed],
    encode: Encode,
    parameters: Parameters,
    gradient: torch.Tensor,
    seed: int | None,
) -> int:
    """Send the gradient through every chunk; returns the tokens that were run again."""
    again = 0
    # Kept graphs first: each frees its memory, which those that are run again then have.
    for i in sorted(range(len(packed)), key=lambda i: not vectors[i].requires_grad):
        z, chunk = vectors[i], packed[i]
        if not z.requires_grad:
            _seed_chunk(seed, i)
            z = encode(chunk)
            again += chunk.tokens
        parameters.backward(z, gradient[torch.from_numpy(chunk.text).to(gradient.device)])
        vectors[i] = z = z.detach()
    return again


def _in_order(
    vectors: list[torch.Tensor], chunks: list[Ints], mine: Ints, device: torch.device
) -> torch.Tensor:
    """The vectors of `mine`, in its order (ascending), without their graphs."""
    flat = torch.cat([z.detach() for z in vectors])
    place = {int(text): i for i, text in enumerate(mine)}
    at = [place[int(text)] for chunk in chunks for text in chunk]
    whole = torch.empty_like(flat)
    whole[torch.tensor(at, device=device)] = flat
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
