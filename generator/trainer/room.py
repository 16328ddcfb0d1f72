"""How many chunks of a batch may keep their graphs, so that they are not run again."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import psutil
import torch

_HOST_SHARE = 0.5  # of what a host has available: the optimiser's moments may not be there yet

WORKING = 4
"""Layers' worth of a chunk's graph: what a forward or backward needs in passing."""


@dataclass(slots=True)
class Room:
    """The memory for graphs.

    `fixed` is the configured number of tokens; without one it is measured: the first graph says
    how many bytes a token takes, and what the device has free is filled, less `spare` of it all,
    less the `held` bytes of a backward's weight gradients, less what a chunk needs in passing. On
    a CPU half of the memory available at first is filled, with an estimate, `host_bytes` a token.
    """

    fixed: int | None = None
    layers: int = 1
    held: int = 0
    spare: float = 0.05
    bytes_per_token: float = 0.0
    host_bytes: float = 0.0
    kept: int = 0
    """Chunks that were to keep their graphs in the last forward."""
    _before: int = field(default=0, repr=False)
    _host_tokens: float = field(default=0.0, repr=False)

    def count(self, sizes: Sequence[int], device: torch.device, *, have: int = 0) -> int:
        """How many chunks of `sizes` tokens (ascending) may, `have` tokens of them do already."""
        if self.fixed is not None:
            limit = float(self.fixed)
        elif device.type != "cuda":
            limit = self._on_host()
        elif not self.bytes_per_token:
            return 1
        else:
            limit = have + self._tokens(device, sizes[-1])
        return int(np.searchsorted(np.cumsum(sizes), limit, side="right"))

    def _on_host(self) -> float:
        """Asked for once: later, memory that this process has freed may not be seen as free."""
        if not self.host_bytes:
            return math.inf
        if not self._host_tokens:
            self._host_tokens = _HOST_SHARE * psutil.virtual_memory().available / self.host_bytes
        return self._host_tokens

    def start(self, device: torch.device) -> None:
        """Before the forward of a chunk with a graph."""
        if device.type == "cuda":
            self._before = torch.cuda.memory_allocated(device)

    def stop(self, device: torch.device, tokens: int) -> None:
        """After it."""
        if device.type == "cuda":
            used = torch.cuda.memory_allocated(device) - self._before
            self.bytes_per_token = max(self.bytes_per_token, used / tokens)

    def _tokens(self, device: torch.device, chunk: int) -> float:
        free, total = torch.cuda.mem_get_info(device)
        free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        passing = self.bytes_per_token * chunk * min(WORKING / self.layers, 1.0)
        room = free - self.spare * total - self.held - passing
        return float(max(room, 0.0) / self.bytes_per_token)
