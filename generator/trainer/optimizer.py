"""AdamW on the float32 masters: warm-up, decay, clipping, no waiting for the device."""

from __future__ import annotations

import math

import torch

from generator.trainer.config import TrainConfig
from generator.trainer.parameters import Trained

_MOMENTS = ("exp_avg", "exp_avg_sq")


class Optimizer:
    """The optimiser's state and step. Matrices take weight decay; norms and biases do not."""

    def __init__(self, parameters: Trained, config: TrainConfig) -> None:
        self._parameters = parameters
        self._max_norm = config.max_grad_norm
        pieces = parameters.pieces()
        self._pieces = [piece for piece, _ in pieces]
        groups = [
            {"params": [p for p, decays in pieces if decays], "weight_decay": config.weight_decay},
            {"params": [p for p, decays in pieces if not decays], "weight_decay": 0.0},
        ]
        groups = [group for group in groups if group["params"]]
        betas = (0.9, config.beta2)
        self._adamw = torch.optim.AdamW(groups, lr=0.0, betas=betas, fused=True)

    def step(self, learning_rate: float) -> torch.Tensor:
        """Apply and clear the gradients; returns their norm before clipping (on the device)."""
        gradients = self._parameters.piece_gradients()
        norm = self._parameters.norm()
        if self._max_norm is not None:
            torch._foreach_mul_(gradients, (self._max_norm / (norm + 1e-6)).clamp(max=1.0))
        for group in self._adamw.param_groups:
            group["lr"] = learning_rate
        for piece, gradient in zip(self._pieces, gradients, strict=True):
            piece.grad = gradient
        self._adamw.step()
        self._parameters.refresh()
        self._parameters.zero_gradient()
        return norm

    def state(self) -> dict[str, torch.Tensor]:
        """All that a resumed run needs, as flat tensors on the host; all processes call this."""
        collect, of = self._parameters.collect, self._adamw.state
        state = {"master": collect(self._pieces)}
        if all(of.get(piece) for piece in self._pieces):
            state |= {name: collect([of[p][name] for p in self._pieces]) for name in _MOMENTS}
            state["step"] = of[self._pieces[0]]["step"].cpu()
        return state

    def load(self, state: dict[str, torch.Tensor]) -> None:
        """Go on from `state`, whatever number of processes it is from."""
        spread = self._parameters.spread
        with torch.no_grad():
            torch._foreach_copy_(self._pieces, spread(state["master"]))
        self._parameters.refresh()
        if "step" not in state:
            return
        moments = {name: spread(state[name]) for name in _MOMENTS}
        for i, piece in enumerate(self._pieces):
            step = state["step"].to(piece.device, copy=True)
            self._adamw.state[piece] = {"step": step, **{n: m[i] for n, m in moments.items()}}


def learning_rate(config: TrainConfig, step: int, total: int) -> float:
    """The rate of a step (from 0): a linear rise, then what `schedule` says."""
    warmup = warmup_steps(config, total)
    rise = (step + 1) / warmup if warmup else 1.0
    left = min((total - step) / max(total - warmup, 1), 1.0)
    falls = {"linear": left, "cosine": (1 - math.cos(math.pi * left)) / 2, "constant": 1.0}
    return config.learning_rate * min(rise, falls[config.schedule])


def warmup_steps(config: TrainConfig, total: int) -> int:
    """Steps of warm-up: as configured, but no more than a tenth of a short run."""
    return min(config.warmup_steps, total // 10)
