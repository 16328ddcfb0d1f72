"""Losses on vectors: InfoNCE and its relatives, masks, Matryoshka, distillation, triplets.

All work on z (n, hidden) float32, the vectors of a batch's texts before normalising, and give the
sum over some rows, so that rows can be divided among chunks and processes. Formulas and sources:
docs/training.md.
"""

from __future__ import annotations

import torch
from torch.nn import functional as F  # noqa: N812

from generator.trainer.batch import NONE, SAME_TASK, Targets
from generator.trainer.config import LossConfig

_ROWS = 1024  # rows of the similarity matrix held at once


def loss_and_gradient(
    z: torch.Tensor, targets: Targets, config: LossConfig, rows: torch.Tensor | None = None
) -> tuple[torch.Tensor, torch.Tensor]:
    """The mean loss (the share of `rows` in it) and its gradient with respect to z (n, hidden).

    The similarity matrix is built a block of rows at a time.
    """
    total = targets.query.shape[0]
    rows = torch.arange(total, device=z.device) if rows is None else rows
    leaf = z.detach().requires_grad_()
    loss = torch.zeros((), device=z.device)
    gradient = torch.zeros_like(leaf)
    for block in rows.split(_ROWS):
        part = batch_loss(leaf, targets, config, block) / total
        gradient += torch.autograd.grad(part, leaf)[0]
        loss += part.detach()
    return loss, gradient


def batch_loss(
    z: torch.Tensor, targets: Targets, config: LossConfig, rows: torch.Tensor
) -> torch.Tensor:
    """The sum of the losses of `rows`, over all Matryoshka dimensions (weights sum to 1)."""
    dims = config.matryoshka or (z.shape[1],)
    weights = config.matryoshka_weights or (1.0,) * len(dims)
    loss = torch.zeros((), device=z.device)
    for dim, weight in zip(dims, weights, strict=True):
        unit = F.normalize(z[:, :dim], dim=-1)
        loss = loss + weight / sum(weights) * _at_dimension(unit, targets, config, rows)
    return loss


def _at_dimension(
    z: torch.Tensor, targets: Targets, config: LossConfig, rows: torch.Tensor
) -> torch.Tensor:
    if config.kind == "triplet":
        return triplet(z, targets, config, rows)
    loss = config.contrastive_weight * info_nce(z, targets, config, rows)
    if config.distill_weight:
        loss = loss + config.distill_weight * distillation(z, targets, config, rows)
    return loss


def info_nce(
    z: torch.Tensor, targets: Targets, config: LossConfig, rows: torch.Tensor
) -> torch.Tensor:
    """−Σ log softmax of each row's positive among the negatives that its masks leave."""
    target = (z[targets.query[rows]] * z[targets.positive[rows]]).sum(-1)
    blocks = [_direction(z, targets, config, rows, name, target) for name in config.directions]
    target = target / config.temperature
    if config.partition == "joint":
        logits = torch.cat([target[:, None], *blocks], dim=1)
        return (logits.logsumexp(1) - target).sum()
    losses = [
        (torch.cat([target[:, None], block], dim=1).logsumexp(1) - target).sum() for block in blocks
    ]
    return torch.stack(losses).mean()


def _direction(
    z: torch.Tensor,
    targets: Targets,
    config: LossConfig,
    rows: torch.Tensor,
    name: str,
    target: torch.Tensor,
) -> torch.Tensor:
    """(rows, candidates) logits of the negatives of one direction; −∞ where masked."""
    left = targets.query[rows] if name[0] == "q" else targets.positive[rows]
    every_row = torch.arange(len(targets.query), device=z.device)
    if name == "qd":
        right = torch.cat([targets.positive, targets.negative])
        owner = torch.cat([every_row, targets.negative_row])
    else:
        right = targets.query if name[1] == "q" else targets.positive
        owner = every_row
    similarity = z[left] @ z[right].T
    hard = torch.arange(len(right), device=z.device) >= len(every_row)
    own = owner == rows[:, None]
    allowed = _policy(targets, rows, owner) | own
    allowed &= hard | ~own  # a row's own positive is the target, never a negative
    if config.mask_ids:
        allowed &= ~_known(targets, rows, right, owner, query_side=name[1] == "q")
    if config.margin is not None:
        allowed &= similarity.detach() <= target.detach()[:, None] + config.margin
    logits = similarity / config.temperature + _hardness(similarity, hard, own, config)
    return logits.masked_fill(~allowed, -torch.inf)


def _policy(targets: Targets, rows: torch.Tensor, owner: torch.Tensor) -> torch.Tensor:
    """(rows, candidates): whether another row's text may be a negative at all."""
    policy = targets.policy[rows][:, None]
    same = targets.task[rows][:, None] == targets.task[owner]
    return (policy != NONE) & ((policy != SAME_TASK) | same)


def _known(
    targets: Targets, rows: torch.Tensor, right: torch.Tensor, owner: torch.Tensor, query_side: bool
) -> torch.Tensor:
    """(rows, candidates): copies of a row's positives, or texts that go with the same query."""
    identity = targets.identity
    same_query = identity[targets.query[rows]][:, None] == identity[targets.query[owner]]
    if query_side:
        # A query whose positive is this row's: another wording of the same question.
        texts = identity[targets.positive[owner]]
        found = same_query
    else:
        texts = identity[right]
        found = same_query & (texts == identity[targets.positive[owner]])
        found &= owner != rows[:, None]
    for i in range(targets.known.shape[1]):
        found = found | (targets.known[rows, i][:, None] == texts)
    return found


def _hardness(
    similarity: torch.Tensor, hard: torch.Tensor, own: torch.Tensor, config: LossConfig
) -> torch.Tensor:
    """α · cos, no gradient, on the chosen negatives: "hard" are a row's own."""
    if not config.hardness:
        return similarity.new_zeros(())
    where = {"all": torch.ones_like(own), "hard": hard & own, "in_batch": ~(hard & own)}
    return config.hardness * similarity.detach() * where[config.hardness_on]


def triplet(
    z: torch.Tensor, targets: Targets, config: LossConfig, rows: torch.Tensor
) -> torch.Tensor:
    """Σ over rows of the mean over own negatives of max(0, margin − cos(q, p) + cos(q, n))."""
    total = len(targets.query)
    chosen = torch.zeros(total, device=z.device, dtype=z.dtype)
    chosen[rows] = 1.0
    counts = torch.zeros_like(chosen).index_add_(
        0, targets.negative_row, torch.ones_like(targets.negative_row, dtype=z.dtype)
    )
    q = z[targets.query]
    positive = (q * z[targets.positive]).sum(-1)
    negative = (q[targets.negative_row] * z[targets.negative]).sum(-1)
    slack = (config.triplet_margin - positive[targets.negative_row] + negative).clamp(min=0)
    return (slack * (chosen / counts.clamp(min=1))[targets.negative_row]).sum()


def distillation(
    z: torch.Tensor, targets: Targets, config: LossConfig, rows: torch.Tensor
) -> torch.Tensor:
    """Σ KL(softmax(t / T) ‖ softmax(cos / τ)) over each row's positive and scored negatives.

    SimLM (Wang et al. 2022). Rows without a score of their positive, or of any negative, give 0.
    """
    total = len(targets.query)
    group = torch.cat([torch.arange(total, device=z.device), targets.negative_row])
    documents = torch.cat([targets.positive, targets.negative])
    teacher = torch.cat([targets.teacher_positive, targets.teacher_negative])
    scored = ~teacher.isnan() & ~targets.teacher_positive.isnan()[group]
    teacher = teacher.nan_to_num(0.0) / config.teacher_temperature
    student = (z[targets.query[group]] * z[documents]).sum(-1) / config.temperature
    log_t = _group_log_softmax(teacher, group, scored, total)
    log_s = _group_log_softmax(student, group, scored, total)
    chosen = torch.zeros(total, dtype=torch.bool, device=z.device)
    chosen[rows] = True
    terms = torch.where(scored & chosen[group], log_t.exp() * (log_t - log_s), 0.0)
    return terms.sum()


def _group_log_softmax(
    values: torch.Tensor, group: torch.Tensor, real: torch.Tensor, total: int
) -> torch.Tensor:
    """Log-softmax within each group; entries that are not `real` count for nothing."""
    masked = torch.where(real, values.detach(), -torch.inf)
    top = torch.full((total,), -torch.inf, device=values.device, dtype=values.dtype)
    top = top.scatter_reduce(0, group, masked, "amax").nan_to_num(neginf=0.0)
    shifted = torch.where(real, values - top[group], -torch.inf)
    mass = torch.zeros_like(top).index_add(0, group, torch.where(real, shifted.exp(), 0.0))
    # `where` before `log`: a group without real entries would give NaN gradients.
    return torch.where(real, values - top[group], 0.0) - mass.clamp(min=1e-30).log()[group]
