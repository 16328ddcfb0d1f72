"""What is trained: compute copies that the forward reads, float32 masters that the optimiser owns.

Masters and gradients are views into one flat buffer each: the optimiser runs a kernel or two, the
all-reduce of a step is one call, a checkpoint is a few tensors. Gradients of all chunks are added
in float32; bfloat16 sums would lose small terms.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

Tensors = dict[str, torch.Tensor]


class Parameters:
    """The weights of a model, those that are trained among them.

    `weights` (name → tensor of the compute dtype) is what a forward reads. `master` and `gradient`
    are flat float32; the first `decayed` elements take weight decay (matrices, not norms or
    biases).
    """

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
        self._masters = _views(self.master, shapes)
        self._gradients = _views(self.gradient, shapes)
        # In float32 too the copies are apart: autograd forbids changing a leaf in place.
        self.leaves = [view.to(dtype, copy=True).requires_grad_() for view in self._masters]
        self.weights: Tensors = {**frozen, **dict(zip(ordered, self.leaves, strict=True))}

    @property
    def device(self) -> torch.device:
        """Where they are."""
        return self.master.device

    def backward(self, z: torch.Tensor, gradient: torch.Tensor) -> None:
        """Add the gradients of ⟨z, gradient⟩; frees the graph of z."""
        found = torch.autograd.grad(z, self.leaves, gradient, allow_unused=True)
        for total, part in zip(self._gradients, found, strict=True):
            if part is not None:
                total.add_(part)

    def zero_gradient(self) -> None:
        """Forget the gradients."""
        self.gradient.zero_()

    def refresh(self) -> None:
        """Copy the masters into the compute copies, after an optimiser's step."""
        with torch.no_grad():
            torch._foreach_copy_(self.leaves, self._masters)

    def masters(self) -> Tensors:
        """The trained tensors in float32, by name."""
        return dict(zip(self.names, self._masters, strict=True))

    def gradients(self) -> Tensors:
        """Their gradients, by name."""
        return dict(zip(self.names, self._gradients, strict=True))


def _views(flat: torch.Tensor, shapes: Sequence[torch.Size]) -> list[torch.Tensor]:
    sizes = [shape.numel() for shape in shapes]
    return [part.view(shape) for part, shape in zip(flat.split(sizes), shapes, strict=True)]
