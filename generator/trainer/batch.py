"""One batch: its distinct texts, and which of them are whose query, positive and negatives."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
import numpy.typing as npt
import torch

from generator.trainer.packing import Texts, to_device

ALL, SAME_TASK, NONE = 0, 1, 2
"""The `in_batch` policy of a row as a number."""


@dataclass(frozen=True, eq=False, slots=True)
class Batch:
    """B rows over n texts; a text that stands several times is encoded once.

    `query`, `positive` (B,) and `negative` (K,) index them;
    `negative_row` (K,) says whose a negative is. `identity` (n,) is equal where texts are equal
    whatever their prompts; `known` (B, w) the identities of all positives of a row (padded by
    repetition). `policy` and `task` (B,); `teacher_positive` (B,) and `teacher_negative` (K,) are
    scores, NaN where there is none. `rows` (B,) numbers in the data set.
    """

    texts: Texts
    query: npt.NDArray[np.int64]
    positive: npt.NDArray[np.int64]
    negative: npt.NDArray[np.int64]
    negative_row: npt.NDArray[np.int64]
    identity: npt.NDArray[np.int64]
    known: npt.NDArray[np.int64]
    policy: npt.NDArray[np.int8]
    task: npt.NDArray[np.int64]
    teacher_positive: npt.NDArray[np.float32]
    teacher_negative: npt.NDArray[np.float32]
    rows: npt.NDArray[np.int64]

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text."""
        return self.texts.lengths


@dataclass(frozen=True, eq=False, slots=True)
class Targets:
    """The arrays of a batch that the loss reads, on the device; fields as in `Batch`."""

    query: torch.Tensor
    positive: torch.Tensor
    negative: torch.Tensor
    negative_row: torch.Tensor
    identity: torch.Tensor
    known: torch.Tensor
    policy: torch.Tensor
    task: torch.Tensor
    teacher_positive: torch.Tensor
    teacher_negative: torch.Tensor


def targets_of(batch: Batch, device: torch.device) -> Targets:
    """The batch's arrays on the device."""
    names = [field.name for field in fields(Targets)]
    return Targets(**{name: to_device(getattr(batch, name), device) for name in names})
