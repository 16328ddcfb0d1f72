"""What is trained: compute copies that the forward reads, float32 masters that the optimiser owns.

Masters and gradients are views into one flat buffer each: the optimiser runs a kernel or two, the
all-reduce of a step is one call, a checkpoint is a few tensors. Gradients of all chunks are added
in float32; bfloat16 sums would lose small terms. `sharded.py` has the same for weights that are
divided among processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import torch

from generator.trainer.distributed import World

Tensors = dict[str, torch.Tensor]
Forward = Callable[..., torch.Tensor]


class Trained(Protocol):
    """What the loop needs of trained weights, whole (`Parameters`) or divided (`Sharded`)."""

    sharded: bool

    @property
    def device(self) -> torch.device:
        """Where they are."""
        ...

    @property
    def count(self) -> int:
        """How many weights are trained."""
        ...

    def forward(self, body: Forward) -> torch.Tensor:
        """What `body` makes of the weights."""
        ...

    def backward(self, z: torch.Tensor, gradient: torch.Tensor, *, last: bool) -> None:
        """Add the gradients of ⟨z, gradient⟩; `last`: no more come in this step."""
        ...

    def reduce(self, world: World) -> None:
        """Sum the gradients over all processes, where the last backward has not."""
        ...

    def zero_gradient(self) -> None:
        """Forget the gradients."""
        ...

    def refresh(self) -> None:
        """After an optimiser's step: let the forward see it."""
        ...

    def pieces(self) -> list[tuple[torch.Tensor, bool]]:
        """The masters as the optimiser steps them, and whether they take weight decay."""
        ...

    def piece_gradients(self) -> list[torch.Tensor]:
        """The gradients of the pieces."""
        ...

    def norm(self) -> torch.Tensor:
        """The norm of the whole gradient."""
        ...

    def collect(self, values: Sequence[torch.Tensor]) -> torch.Tensor:
        """From one tensor for each piece a flat one on the host, matrices first, by name.

        Checkpoints hold these: they fit any number of processes.
        """
        ...

    def spread(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """The inverse of `collect`."""
        ...

    def masters(self) -> Tensors:
        """The trained tensors in float32, by name."""
        ...


class Parameters:
    """The weights of a model, those that are trained among them.

    `weights` (name → tensor of the compute dtype) is what a forward reads. `master` and `gradient`
    are flat float32; the first `decayed` elements take weight decay (matrices, not norms or
    biases).
    """

    sharded = False

    def __init__(
        self, frozen: Mapping[str, torch.Tensor], trained: Mapping[str, torch.Tensor],
        dtype: torch.dtype,
    ) -> None:  # fmt: skip
        ordered = sorted(trained, key=lambda name: (trained[name].dim() < 2, name))
        self.names = ordered
        self.decayed = sum(trained[n].numel() for n in ordered if trained[n].dim() > 1)
        self.master = torch.cat([trained[name].flatten().float() for name in ordered])
        self.gradient = torch.zeros_like(self.master)
        shapes = [trained[name].shape for name in ordered]
        self._masters = views(self.master, shapes)
        self._gradients = views(self.gradient, shapes)
        # In float32 too the copies are apart: autograd forbids changing a leaf in place.
        self.leaves = [view.to(dtype, copy=True).requires_grad_() for view in self._masters]
        self.weights: Tensors = {**frozen, **dict(zip(ordered, self.leaves, strict=True))}

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.master.device

    @property
    def count(self) -> int:
        """How many weights are trained."""
        return int(self.master.numel())

    def forward(self, body: Forward) -> torch.Tensor:
        """What `body` makes of the weights."""
        return body(self.weights)

    def backward(self, z: torch.Tensor, gradient: torch.Tensor, *, last: bool = True) -> None:
        """Add the gradients of ⟨z, gradient⟩; frees the graph of z."""
        del last
        found = torch.autograd.grad(z, self.leaves, gradient, allow_unused=True)
        for total, part in zip(self._gradients, found, strict=True):
            if part is not None:
                total.add_(part)

    def reduce(self, world: World) -> None:
        """Sum the gradients over all processes."""
        world.sum(self.gradient)

    def zero_gradient(self) -> None:
        """Forget the gradients."""
        self.gradient.zero_()

    def refresh(self) -> None:
        """Copy the masters into the compute copies, after an optimiser's step."""
        with torch.no_grad():
            torch._foreach_copy_(self.leaves, self._masters)

    def pieces(self) -> list[tuple[torch.Tensor, bool]]:
        """Two flat masters: what takes weight decay, and what does not."""
        parts = zip(self._split(self.master), (True, False), strict=True)
        return [(piece, decay) for piece, decay in parts if piece.numel()]

    def piece_gradients(self) -> list[torch.Tensor]:
        """The gradients of the pieces."""
        return [part for part in self._split(self.gradient) if part.numel()]

    def norm(self) -> torch.Tensor:
        """The norm of the whole gradient."""
        return self.gradient.norm()

    def collect(self, values: Sequence[torch.Tensor]) -> torch.Tensor:
        """One flat tensor on the host from one for each piece."""
        return torch.cat([value.detach().cpu() for value in values])

    def spread(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """One tensor for each piece, on the device."""
        return [part.to(self.device, copy=True) for part in self._split(flat) if part.numel()]

    def masters(self) -> Tensors:
        """The trained tensors in float32, by name."""
        return dict(zip(self.names, self._masters, strict=True))

    def gradients(self) -> Tensors:
        """Their gradients, by name."""
        return dict(zip(self.names, self._gradients, strict=True))

    def _split(self, flat: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        return flat[: self.decayed], flat[self.decayed :]


def views(flat: torch.Tensor, shapes: Sequence[torch.Size]) -> list[torch.Tensor]:
    """Tensors of these shapes that share the memory of a flat one."""
    sizes = [shape.numel() for shape in shapes]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
