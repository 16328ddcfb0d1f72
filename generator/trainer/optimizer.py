"""AdamW on the flat float32 masters: warm-up, linear decay, clipping, no waiting for the device."""

from __future__ import annotations

import torch

from generator.trainer.config import TrainConfig
from generator.trainer.parameters import Parameters


class Optimizer:
    """The optimiser's state and step. Matrices take weight decay; norms and biases do not."""

    def __init__(self, parameters: Parameters, config: TrainConfig) -> None:
        self._parameters = parameters
        self._max_norm = config.max_grad_norm
        d = parameters.decayed
        self._pieces = [
            (parameters.master[part], parameters.gradient[part], decay)
            for part, decay in ((slice(0, d), config.weight_decay), (slice(d, None), 0.0))
            if parameters.master[part].numel()
        ]
        groups = [{"params": [piece], "weight_decay": decay} for piece, _, decay in self._pieces]
        betas = (0.9, config.beta2)
        self._adamw = torch.optim.AdamW(groups, lr=0.0, betas=betas, fused=True)

    def step(self, learning_rate: float) -> torch.Tensor:
        """Apply and clear the gradients; returns their norm before clipping (on the device)."""
        gradient = self._parameters.gradient
        norm = gradient.norm()
        if self._max_norm is not None:
            gradient.mul_((self._max_norm / (norm + 1e-6)).clamp(max=1.0))
        for group, (piece, part, _) in zip(self._adamw.param_groups, self._pieces, strict=True):
            group["lr"] = learning_rate
            piece.grad = part
        self._adamw.step()
        self._parameters.refresh()
        self._parameters.zero_gradient()
        return norm

    def state(self) -> dict[str, torch.Tensor]:
        """All that a resumed run needs, as tensors."""
        state = {"master": self._parameters.master}
        for i, (piece, _, _) in enumerate(self._pieces):
            for name, value in self._adamw.state[piece].items():
                state[f"{i}.{name}"] = value
        return state

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from `state`."""
        self._parameters.master.copy_(state["master"])
        self._parameters.refresh()
        for i, (piece, _, _) in enumerate(self._pieces):
            values = {n: t for n, t in state.items() if n.startswith(f"{i}.")}
            self._adamw.state[piece] = {
                name.partition(".")[2]: value.to(piece.device, copy=True)
                for name, value in values.items()
            }


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """The rate of a step (from 0): a linear rise, then a linear fall that ends at zero."""
    warmup = warmup_steps(config, total)
    rise = (step + 1) / warmup if warmup else 1.0
    fall = (total - step) / max(total - warmup, 1)
    return config.learning_rate * min(rise, fall, 1.0)


def warmup_steps(config: TrainConfig, total: int) -> int:
    """Steps of warm-up: as configured, but no more than a tenth of a short run."""
    return min(config.warmup_steps, total // 10)
