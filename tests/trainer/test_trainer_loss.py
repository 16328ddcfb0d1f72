"""Each loss against a plain loop over rows, written from its formula."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812
from trainer_worlds import make_batch

from generator.trainer.batch import NONE, SAME_TASK, Batch, targets_of
from generator.trainer.config import LossConfig
from generator.trainer.loss import batch_loss, loss_and_gradient

CPU = torch.device("cpu")


def _vectors(batch: Batch, dim: int = 8) -> torch.Tensor:
    return torch.randn(len(batch.texts), dim, generator=torch.Generator().manual_seed(1))


def _loss(batch: Batch, z: torch.Tensor, **config: Any) -> float:
    targets = targets_of(batch, CPU)
    rows = torch.arange(len(batch.query))
    return float(batch_loss(z, targets, LossConfig(**config), rows) / len(rows))


def _plain(
    batch: Batch, z: torch.Tensor, tau: float, directions: tuple[str, ...] = ("qd",)
) -> float:
    """InfoNCE with all directions in one denominator, a row and a candidate at a time."""
    unit = F.normalize(z, dim=-1).double().numpy()
    total = 0.0
    for i, (q, p) in enumerate(zip(batch.query, batch.positive, strict=True)):
        terms = [math.exp(unit[q] @ unit[p] / tau)]
        target = terms[0]
        for name in directions:
            left = q if name[0] == "q" else p
            others = batch.query if name[1] == "q" else batch.positive
            terms += [math.exp(unit[left] @ unit[o] / tau) for j, o in enumerate(others) if j != i]
            if name == "qd":
                terms += [math.exp(unit[q] @ unit[n] / tau) for n in batch.negative]
        total -= math.log(target / sum(terms))
    return total / len(batch.query)


@pytest.mark.parametrize(
    "directions", [("qd",), ("qd", "dq"), ("qd", "qq"), ("qd", "dd"), ("qd", "dq", "qq", "dd")]
)
def test_info_nce_is_its_formula(directions: tuple[str, ...]) -> None:
    batch = make_batch()
    z = _vectors(batch)
    expected = _plain(batch, z, 0.1, directions)
    assert _loss(batch, z, temperature=0.1, directions=directions) == pytest.approx(
        expected, rel=1e-5
    )


def test_directions_apart_are_averaged() -> None:
    batch = make_batch(negatives=False)
    z = _vectors(batch)
    swapped = make_batch(negatives=False, query=batch.positive, positive=batch.query,
                         known=batch.query[:, None] + 1000)  # fmt: skip
    expected = (_plain(batch, z, 0.1) + _plain(swapped, z, 0.1)) / 2
    found = _loss(batch, z, temperature=0.1, directions=("qd", "dq"), partition="per_direction")
    assert found == pytest.approx(expected, rel=1e-5)


def test_another_rows_copy_of_a_positive_is_no_negative() -> None:
    """By id: with the copy masked the loss is that of a batch in which it never was."""
    batch = make_batch(4, negatives=False)
    identity = batch.identity.copy()
    identity[7] = identity[4]
    copied = make_batch(4, negatives=False, identity=identity, known=identity[4:8, None])
    z = _vectors(batch)
    unit = F.normalize(z, dim=-1)
    logits = unit[:4] @ unit[4:8].T / 0.1
    logits[0, 3] = logits[3, 0] = -torch.inf
    expected = float(F.cross_entropy(logits, torch.arange(4)))
    assert _loss(copied, z, temperature=0.1) == pytest.approx(expected, rel=1e-5)
    assert _loss(copied, z, temperature=0.1, mask_ids=False) != pytest.approx(expected, rel=1e-3)


def test_a_second_positive_of_a_row_is_no_negative() -> None:
    batch = make_batch(3, negatives=False)
    known = np.stack([batch.known[:, 0], batch.known[[1, 1, 2], 0]], axis=1)
    z = _vectors(batch)
    unit = F.normalize(z, dim=-1)
    logits = unit[:3] @ unit[3:6].T / 0.1
    logits[0, 1] = -torch.inf
    expected = float(F.cross_entropy(logits, torch.arange(3)))
    found = make_batch(3, negatives=False, known=known)
    assert _loss(found, z, temperature=0.1) == pytest.approx(expected, rel=1e-5)


def test_the_margin_masks_negatives_that_score_above_the_positive() -> None:
    batch = make_batch(5, negatives=False)
    z = _vectors(batch)
    unit = F.normalize(z, dim=-1)
    cosines = unit[:5] @ unit[5:10].T
    logits = cosines / 0.1
    masked = cosines > cosines.diagonal()[:, None] + 0.05
    assert masked.any()
    expected = float(F.cross_entropy(logits.masked_fill(masked, -torch.inf), torch.arange(5)))
    assert _loss(batch, z, temperature=0.1, margin=0.05) == pytest.approx(expected, rel=1e-5)


def test_in_batch_policies_hold_row_by_row() -> None:
    batch = make_batch(4, policy=np.array([0, SAME_TASK, NONE, SAME_TASK], dtype=np.int8))
    z = _vectors(batch)
    unit = F.normalize(z, dim=-1)
    documents = np.concatenate([batch.positive, batch.negative])
    owner = np.concatenate([np.arange(4), batch.negative_row])
    logits = unit[batch.query] @ unit[documents].T / 0.1
    for i in range(4):
        for j, row in enumerate(owner):
            same = batch.task[i] == batch.task[row]
            if row != i and (i == 2 or (i in {1, 3} and not same)):
                logits[i, j] = -torch.inf
    expected = float(F.cross_entropy(logits, torch.arange(4)))
    assert _loss(batch, z, temperature=0.1) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("where", ["all", "hard", "in_batch"])
def test_hardness_adds_alpha_cos_to_negatives(where: str) -> None:
    batch = make_batch(4)
    z = _vectors(batch)
    unit = F.normalize(z, dim=-1)
    documents = np.concatenate([batch.positive, batch.negative])
    owner = np.concatenate([np.arange(4), batch.negative_row])
    cosines = unit[batch.query] @ unit[documents].T
    own = torch.from_numpy(owner == np.arange(4)[:, None])
    hard = own & (torch.arange(len(documents)) >= 4)
    chosen = {"all": ~own | hard, "hard": hard, "in_batch": ~own}[where]
    expected = float(F.cross_entropy(cosines / 0.1 + 5 * cosines * chosen, torch.arange(4)))
    found = _loss(batch, z, temperature=0.1, hardness=5.0, hardness_on=where)
    assert found == pytest.approx(expected, rel=1e-5)


def test_matryoshka_is_the_weighted_mean_over_leading_dimensions() -> None:
    batch = make_batch()
    z = _vectors(batch)
    expected = (3 * _plain(batch, z[:, :4], 0.1) + _plain(batch, z, 0.1)) / 4
    found = _loss(batch, z, temperature=0.1, matryoshka=(4, 8), matryoshka_weights=(3.0, 1.0))
    assert found == pytest.approx(expected, rel=1e-5)


def test_distillation_is_the_divergence_from_the_teacher_in_each_group() -> None:
    batch = make_batch(5, seed=3)
    rng = np.random.default_rng(0)
    positive = rng.normal(size=5).astype(np.float32)
    negative = rng.normal(size=len(batch.negative)).astype(np.float32)
    positive[1] = np.nan
    batch = make_batch(5, seed=3, teacher_positive=positive, teacher_negative=negative)
    z = _vectors(batch)
    unit = F.normalize(z, dim=-1)
    expected = 0.0
    for i in (0, 2, 3, 4):
        own = batch.negative_row == i
        documents = [batch.positive[i], *batch.negative[own]]
        student = (unit[batch.query[i]] @ unit[documents].T) / 0.1
        teacher = torch.tensor([positive[i], *negative[own]]) / 2.0
        expected += float(F.kl_div(student.log_softmax(0), teacher.softmax(0), reduction="sum"))
    found = _loss(batch, z, temperature=0.1, contrastive_weight=0.0, distill_weight=1.0,
                  teacher_temperature=2.0)  # fmt: skip
    assert found == pytest.approx(expected / 5, rel=1e-4)


def test_triplets_keep_a_margin() -> None:
    batch = make_batch(5, seed=3)
    z = _vectors(batch)
    unit = F.normalize(z, dim=-1)
    expected = 0.0
    for i in range(5):
        q, p = unit[batch.query[i]], unit[batch.positive[i]]
        slacks = [max(0.0, float(0.5 - q @ p + q @ unit[n]))
                  for n in batch.negative[batch.negative_row == i]]  # fmt: skip
        expected += sum(slacks) / max(len(slacks), 1)
    found = _loss(batch, z, kind="triplet", triplet_margin=0.5)
    assert found == pytest.approx(expected / 5, rel=1e-5)


@pytest.mark.parametrize(
    "config",
    [
        {"directions": ("qd", "dq", "qq", "dd"), "margin": 0.1, "hardness": 3.0},
        {"kind": "triplet"},
        {"distill_weight": 1.0, "contrastive_weight": 0.2, "matryoshka": (4, 8)},
    ],
)
def test_rows_divided_give_the_whole(config: dict[str, Any]) -> None:
    """Loss and gradient are sums over rows, so processes and blocks can share them."""
    n = len(make_batch(9).negative)
    scores = np.random.default_rng(2).normal(size=9 + n).astype(np.float32)
    batch = make_batch(9, teacher_positive=scores[:9], teacher_negative=scores[9:])
    z, targets = _vectors(batch), targets_of(batch, CPU)
    loss = LossConfig(**config)
    whole = loss_and_gradient(z, targets, loss)
    parts = [loss_and_gradient(z, targets, loss, torch.arange(r, 9, 3)) for r in range(3)]
    assert torch.allclose(whole[0], sum(part[0] for part in parts), rtol=1e-5)
    assert torch.allclose(whole[1], sum(part[1] for part in parts), atol=1e-6)
    assert torch.isfinite(whole[1]).all()
