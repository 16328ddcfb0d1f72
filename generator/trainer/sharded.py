"""Weights divided among processes (FSDP2): each holds a share of every tensor.

`torch.distributed.fsdp.fully_shard` gathers a layer's weights around its forward and backward. The
gradients of a step's chunks are added in float32 where they arise and reduced once, with the last
chunk; frozen weights are gathered but have no gradient. The optimiser works on each process's
share of the float32 masters; checkpoints hold them whole, so they fit any number of processes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, MixedPrecisionPolicy, fully_shard

from generator.trainer.parameters import Forward, Tensors, views

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor

    from generator.trainer.decoder import Body
    from generator.trainer.distributed import World

Weights = Mapping[str, torch.Tensor]


class _Layer(nn.Module):  # type: ignore[misc]
    """Some weights that are gathered together, and whatever is computed with them."""

    def __init__(self, weights: Weights, trained: Weights) -> None:
        super().__init__()
        self.names = [*weights]
        for name, weight in weights.items():
            # A name of PyTorch's may hold no dot.
            grad = name in trained
            self.register_parameter(_attribute(name), nn.Parameter(weight, requires_grad=grad))

    def own(self) -> Tensors:
        """Its weights, as they are now: gathered within `forward`, else shares."""
        return {name: getattr(self, _attribute(name)) for name in self.names}

    def forward(self, body: Body, x: torch.Tensor) -> torch.Tensor:
        return body(self.own(), x)


class _Root(_Layer):
    """The weights outside of layers, and the layers."""

    def __init__(self, top: Weights, layers: list[_Layer], trained: Weights) -> None:
        super().__init__(top, trained)
        self.layers = nn.ModuleList(layers)

    def run_layer(self, i: int, body: Body, x: torch.Tensor) -> torch.Tensor:
        found: torch.Tensor = self.layers[i](body, x)
        return found

    def forward(self, body: Forward) -> torch.Tensor:  # type: ignore[override]
        return body(self.own(), run_layer=self.run_layer)


class Sharded:
    """The interface of `Parameters` (see `Trained`) over divided weights.

    Every method but `device`, `count`, `pieces` and `piece_gradients` must be called by all
    processes alike: they wait for each other.
    """

    sharded = True

    def __init__(
        self, frozen: Weights, trained: Weights, dtype: torch.dtype, device: torch.device
    ) -> None:
        whole = {**{n: w.to(dtype) for n, w in frozen.items()},
                 **{n: t.float() for n, t in trained.items()}}  # fmt: skip
        count = 1 + max(int(n.split(".")[1]) for n in whole if n.startswith("layers."))
        heads = [f"layers.{i}." for i in range(count)]
        layers = [_Layer(_under(whole, head), _under(trained, head)) for head in heads]
        top = {name: w for name, w in whole.items() if not name.startswith("layers.")}
        self._root = _Root(top, layers, trained)
        self._shard(dtype, device)
        self.names = sorted(trained, key=lambda name: (trained[name].dim() < 2, name))
        self._shapes = [trained[name].shape for name in self.names]
        self._decays = [len(shape) > 1 for shape in self._shapes]
        self.device = device

    @property
    def count(self) -> int:
        """How many weights are trained, in all processes together."""
        return sum(shape.numel() for shape in self._shapes)

    def forward(self, body: Forward) -> torch.Tensor:
        """What `body` makes of the weights, a layer at a time."""
        found: torch.Tensor = self._root(body)
        return found

    def backward(self, z: torch.Tensor, gradient: torch.Tensor, *, last: bool) -> None:
        """Add the gradients of ⟨z, gradient⟩; with the last chunk, sum them over processes."""
        self._root.set_requires_gradient_sync(last)
        self._root.set_is_last_backward(last)
        # The reduction averages, on every back end; scaled before it, the mean is the sum.
        torch.autograd.backward(z, gradient * dist.get_world_size())

    def reduce(self, world: World) -> None:
        """Nothing: the last backward did."""

    def zero_gradient(self) -> None:
        """Forget the gradients."""
        for parameter in self._root.parameters():
            parameter.grad = None

    def refresh(self) -> None:
        """Nothing: compute copies are made of the masters whenever they are gathered."""

    def pieces(self) -> list[tuple[torch.Tensor, bool]]:
        """The share that this process has of each trained tensor."""
        return [(t.detach().to_local(), d) for t, d in zip(self._now(), self._decays, strict=True)]

    def piece_gradients(self) -> list[torch.Tensor]:
        """The gradients of the pieces."""
        found = [tensor.grad for tensor in self._now()]
        return [
            torch.zeros_like(piece) if grad is None else grad.to_local()
            for (piece, _), grad in zip(self.pieces(), found, strict=True)
        ]

    def norm(self) -> torch.Tensor:
        """The norm of the whole gradient."""
        squares = torch.stack([part.square().sum() for part in self.piece_gradients()]).sum()
        dist.all_reduce(squares)
        return squares.sqrt()

    def collect(self, values: Sequence[torch.Tensor]) -> torch.Tensor:
        """One flat tensor on the host, in the first process (nothing in others)."""
        flat = []
        for value, like in zip(values, self._now(), strict=True):
            whole = self._whole(value, like).flatten()
            if dist.get_rank() == 0:
                flat.append(whole.cpu())
        return torch.cat(flat) if flat else torch.empty(0)

    def spread(self, flat: torch.Tensor) -> list[torch.Tensor]:
        """The share that this process has of each trained tensor in a flat one."""
        rank, size = dist.get_rank(), dist.get_world_size()
        shares = []
        for whole in views(flat, self._shapes):
            chunks = whole.chunk(size)
            mine = chunks[rank] if rank < len(chunks) else whole[:0]
            shares.append(mine.to(self.device, copy=True))
        return shares

    def masters(self) -> Tensors:
        """The trained tensors, whole, on the host of the first process (none in others)."""
        flat = self.collect([piece for piece, _ in self.pieces()])
        return dict(zip(self.names, views(flat, self._shapes), strict=True)) if len(flat) else {}

    def _shard(self, dtype: torch.dtype, device: torch.device) -> None:
        mesh = init_device_mesh(device.type, (dist.get_world_size(),))
        policy = MixedPrecisionPolicy(
            param_dtype=dtype, reduce_dtype=torch.float32, cast_forward_inputs=False
        )
        for layer in self._root.layers:
            fully_shard(layer, mesh=mesh, mp_policy=policy)
        fully_shard(self._root, mesh=mesh, mp_policy=policy)
        assert isinstance(self._root, FSDPModule)  # noqa: S101 - its class is changed in place

    def _now(self) -> list[DTensor]:
        """The trained tensors, divided."""
        self._root.reshard()  # after a forward for scores it is gathered
        found: dict[str, Any] = self._root.own()
        for i, layer in enumerate(self._root.layers):
            assert isinstance(layer, _Layer)  # noqa: S101
            found |= {f"layers.{i}.{name}": weight for name, weight in layer.own().items()}
        return [found[name] for name in self.names]

    @staticmethod
    def _whole(local: torch.Tensor, like: DTensor) -> torch.Tensor:
        from torch.distributed.tensor import DTensor  # noqa: PLC0415

        divided = DTensor.from_local(
            local, like.device_mesh, like.placements, shape=like.shape, stride=like.stride()
        )
        return divided.full_tensor()


def _attribute(name: str) -> str:
    return name.replace(".", "__")


def _under(weights: Weights, head: str) -> Tensors:
    return {n.removeprefix(head): w for n, w in weights.items() if n.startswith(head)}
