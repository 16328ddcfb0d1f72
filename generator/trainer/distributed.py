"""Several processes, one batch: texts are dealt out, vectors gathered, gradients summed once.

Every process reads the same batch and encodes its share of the texts (not of the rows: lengths
decide, so all have equal work). All vectors meet in one all-gather; each process takes the loss of
its share of the rows against all of them; the gradients of the vectors are summed, so that those
of other processes' negatives are exact; and one flat all-reduce sums the gradients of the weights.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
import torch.distributed as dist

from generator.trainer.packing import Ints

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class World:
    """One process among all."""

    rank: int = 0
    size: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this one writes files and prints."""
        return self.rank == 0

    def deal(self, lengths: Ints) -> list[Ints]:
        """Each process's texts: by length, in turns that reverse, so token counts are level."""
        order = np.argsort(-lengths, kind="stable")
        turn = np.arange(len(order)) % (2 * self.size)
        owner = np.where(turn < self.size, turn, 2 * self.size - 1 - turn)
        return [np.sort(order[owner == rank]) for rank in range(self.size)]

    def gather(self, mine: torch.Tensor, dealt: list[Ints]) -> torch.Tensor:
        """(n, hidden): all texts' vectors in the batch's order, from those of `dealt[rank]`."""
        if self.size == 1:
            return mine
        most = max(len(part) for part in dealt)
        padded = mine.new_zeros((most, mine.shape[1]))
        padded[: len(mine)] = mine
        parts = mine.new_empty((self.size, most, mine.shape[1]))
        dist.all_gather(list(parts.unbind()), padded)
        at = np.argsort(np.concatenate(dealt))
        rows = np.concatenate([most * i + np.arange(len(part)) for i, part in enumerate(dealt)])
        return parts.flatten(0, 1)[torch.from_numpy(rows[at]).to(mine.device)]

    def sum(self, tensor: torch.Tensor) -> torch.Tensor:
        """The sum over all processes, in place."""
        if self.size > 1:
            dist.all_reduce(tensor)
        return tensor

    def least(self, value: int) -> int:
        """The smallest of all processes' values."""
        if self.size == 1:
            return value
        found = torch.tensor([value])  # on the host: nothing waits for the device
        dist.all_reduce(found, dist.ReduceOp.MIN)
        return int(found)

    def any(self, value: bool) -> bool:
        """Whether it holds in any process."""
        return not self.least(not value)

    def together(self, work: Callable[[], T]) -> T:
        """The result of `work`, which talks to no other process; all fail where one has no memory.

        Raises OutOfMemoryError in every process, so that none waits for one that gave up.
        """
        failure: torch.OutOfMemoryError | None = None
        try:
            result = work()
        except torch.OutOfMemoryError as exc:
            failure = exc
        if not self.least(failure is None):
            raise failure or torch.OutOfMemoryError("out of memory in another process")
        return result


def join() -> World:
    """Under `torchrun` the world that it set up; else a world of one."""
    if not dist.is_available() or not dist.is_torchelastic_launched():
        return World()
    if not dist.is_initialized():
        cuda = torch.cuda.is_available()
        if cuda:
            torch.cuda.set_device(dist.get_node_local_rank())
        dist.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo")
    return World(dist.get_rank(), dist.get_world_size())


def leave() -> None:
    """Take leave of the others."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()
