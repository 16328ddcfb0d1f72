"""`--check-gradients`: whether the fast path gives the loss's gradient, on a user's own batch.

The oracle is what a reader of the paper would write: `transformers`' own model in float32, one
padded batch, the whole loss in one graph, adapters merged into the matrices by autograd. Packing,
chunks, fused projections, adapters and the surrogate backward must give the same gradient.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from generator.trainer.batch import Batch, targets_of
from generator.trainer.config import TrainConfig
from generator.trainer.decoder import Blocks, Model, encode
from generator.trainer.gradcache import accumulate
from generator.trainer.lora import merge, new_adapters
from generator.trainer.loss import batch_loss
from generator.trainer.parameters import Parameters
from generator.trainer.pooling import MEANS
from generator.trainer.room import Room
from generator.trainer.weights import Base, to_hub

EXACT, HALF = 0.9999, 0.999
"""The cosine that a gradient must reach in float32, and in bfloat16."""


@dataclass(frozen=True, slots=True)
class Check:
    """How two gradients compare; `worst` is the tensor whose gradients differ most in direction."""

    cosine: float
    norm_ratio: float
    loss: float
    oracle_loss: float
    worst: str
    worst_cosine: float
    chunks: int
    needed: float

    @property
    def passed(self) -> bool:
        """Whether the run can be trusted."""
        near = abs(self.loss - self.oracle_loss) <= (1 - self.needed) * 100 * abs(self.oracle_loss)
        return self.cosine >= self.needed and abs(self.norm_ratio - 1) < 0.05 and near


def check_gradients(
    base: Base, batch: Batch, config: TrainConfig, *, dtype: torch.dtype, chunks: int = 3,
    blocks: Blocks | None = None,
) -> Check:  # fmt: skip
    """Compare one batch's gradients, cached in at least `chunks` chunks, with the oracle's.

    `blocks` are the halves of a layer as the run has them (compiled ones, perhaps).

    Adapters start from random B's: with the usual zeros every A would have no gradient to compare.
    Dropout is off. Raises InputError for models that the oracle cannot hold.
    """
    model = model_of(base, config, dropout=False)
    trained = _trained(base, config)
    frozen = base.weights if config.lora else {}
    parameters = Parameters({n: w.to(dtype) for n, w in frozen.items()}, trained, dtype)
    tokens = int(batch.lengths.sum())
    outcome = accumulate(
        batch,
        lambda packed: encode(model, parameters.weights, packed, blocks),
        parameters,
        config.loss,
        token_budget=max(-(-tokens // chunks), 1),
        room=Room(fixed=tokens // chunks),  # some chunks keep their graph, some run again
    )
    loss, oracle = oracle_gradients(base, batch, config, parameters.masters())
    return _compare(parameters, float(outcome.loss), oracle, loss, outcome.chunks, dtype)


def model_of(base: Base, config: TrainConfig, *, dropout: bool = True) -> Model:
    """The forward that a configuration asks for."""
    lora = config.lora
    return Model(
        shape=base.shape,
        pooling=config.pooling,
        causal=not config.bidirectional,
        lora_scale=lora.scale if lora else 0.0,
        lora_dropout=lora.dropout if lora and dropout else 0.0,
    )


def oracle_gradients(
    base: Base, batch: Batch, config: TrainConfig, trained: dict[str, torch.Tensor]
) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss and the gradient of each trained tensor, by `transformers` on one padded batch."""
    from transformers import AutoModel  # noqa: PLC0415 - slow to import

    leaves = {n: t.detach().float().clone().requires_grad_() for n, t in trained.items()}
    frozen = {n: w.float() for n, w in base.weights.items()}
    device = base.weights["embed"].device
    scale = config.lora.scale if config.lora else 0.0
    state = to_hub(merge({**frozen, **leaves}, base.shape, scale), base.shape)
    module = AutoModel.from_config(base.config, dtype=torch.float32).to(device).eval()
    # With a padding index, PyTorch drops the gradient of that token wherever it stands: of the
    # EOS, too, in the many models that pad with it.
    module.get_input_embeddings().padding_idx = None
    ids, mask = _padded(batch, device)
    kwargs = {"input_ids": ids, "attention_mask": _seen(mask, config), "use_cache": False}
    hidden = torch.func.functional_call(module, state, kwargs=kwargs).last_hidden_state
    z = _pooled(hidden.float(), mask, batch, config)
    rows = torch.arange(len(batch.query), device=device)
    loss = batch_loss(z, targets_of(batch, device), config.loss, rows) / len(rows)
    names = list(leaves)
    found = torch.autograd.grad(loss, [leaves[n] for n in names], allow_unused=True)
    zero = {n: torch.zeros_like(leaves[n]) for n in names}
    gradients = {n: zero[n] if g is None else g for n, g in zip(names, found, strict=True)}
    return float(loss.detach()), gradients


def _trained(base: Base, config: TrainConfig) -> dict[str, torch.Tensor]:
    if config.lora is None:
        return base.weights
    generator = torch.Generator().manual_seed(config.seed)
    adapters = new_adapters(base.shape, config.lora, generator)
    for name, tensor in adapters.items():
        if name.endswith("lora_b"):
            tensor.normal_(std=0.02, generator=generator)
    device = base.weights["embed"].device
    return {name: tensor.to(device) for name, tensor in adapters.items()}


def _padded(batch: Batch, device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    longest = int(batch.lengths.max())
    ids = np.zeros((len(batch.texts), longest), dtype=np.int64)
    mask = np.zeros_like(ids)
    for i, text in enumerate(batch.texts.ids):
        ids[i, : len(text)], mask[i, : len(text)] = text, 1
    return torch.from_numpy(ids).to(device), torch.from_numpy(mask).to(device)


def _seen(mask: torch.Tensor, config: TrainConfig) -> torch.Tensor:
    """The attention mask: (n, L), or where all tokens see each other an additive (n, 1, L, L)."""
    if not config.bidirectional:
        return mask
    hidden = (1.0 - mask[:, None, None, :].float()) * torch.finfo(torch.float32).min
    return hidden.expand(-1, -1, mask.shape[1], -1)


def _pooled(
    hidden: torch.Tensor, mask: torch.Tensor, batch: Batch, config: TrainConfig
) -> torch.Tensor:
    if config.pooling == "first":
        return hidden[:, 0]
    if config.pooling == "mean_text":
        mask = mask.clone()
        for i, length in enumerate(batch.texts.prompt_lengths.tolist()):
            mask[i, :length] = 0
    if config.pooling in MEANS:
        return (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True).clamp(min=1)
    return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]


def _compare(
    parameters: Parameters,
    loss: float,
    oracle: dict[str, torch.Tensor],
    oracle_loss: float,
    chunks: int,
    dtype: torch.dtype,
) -> Check:
    ours = parameters.gradients()
    flat = torch.cat([ours[n].flatten().double() for n in parameters.names])
    true = torch.cat([oracle[n].flatten().double() for n in parameters.names])
    # Biases of keys move no softmax: their true gradient is zero, and direction means nothing.
    floor = 1e-4 * float(true.norm())
    cosines = {
        n: float(torch.cosine_similarity(ours[n].flatten(), oracle[n].flatten(), dim=0))
        for n in parameters.names
        if float(oracle[n].norm()) > floor
    }
    worst = min(cosines, key=cosines.__getitem__)
    return Check(
        cosine=float(torch.cosine_similarity(flat, true, dim=0)),
        norm_ratio=float(flat.norm() / true.norm()),
        loss=loss,
        oracle_loss=oracle_loss,
        worst=worst,
        worst_cosine=cosines[worst],
        chunks=chunks,
        needed=EXACT if dtype == torch.float32 else HALF,
    )
