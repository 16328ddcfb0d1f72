"""How far two raters agree beyond chance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Agreement:
    """Pairs of grades that two raters gave to the same texts, on a scale from 0 to `top`.

    `table` [top + 1, top + 1] counts them: rows are the first rater's, columns the second's.
    """

    top: int
    table: list[list[int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.table = self.table or [[0] * (self.top + 1) for _ in range(self.top + 1)]

    def add(self, first: int, second: int) -> None:
        """One text that both have graded."""
        self.table[first][second] += 1

    @property
    def count(self) -> int:
        """How many texts both have graded."""
        return sum(map(sum, self.table))

    @property
    def exact(self) -> float | None:
        """The share of equal grades."""
        equal = sum(row[place] for place, row in enumerate(self.table))
        return equal / self.count if self.count else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa with quadratic weights (Cohen 1968); None where chance leaves no room."""
        return weighted_kappa(self.table)

    def to_dict(self) -> dict[str, float | int | None]:
        """Count, share of equal grades and kappa, rounded."""
        exact, kappa = self.exact, self.kappa
        return {
            "texts": self.count,
            "equal": None if exact is None else round(exact, 4),
            "kappa": None if kappa is None else round(kappa, 4),
        }


def weighted_kappa(table: Sequence[Sequence[int]]) -> float | None:
    """1 − (observed disagreement) / (disagreement by chance), disagreements squared.

    None without texts, or where both raters gave every text one and the same grade.
    """
    counts = np.array(table, dtype=np.float64)
    if not counts.sum():
        return None
    grades = np.arange(len(counts))
    weights = (grades[:, None] - grades[None, :]) ** 2
    expected = counts.sum(axis=1)[:, None] * counts.sum(axis=0)[None, :] / counts.sum()
    chance = float((weights * expected).sum())
    return 1 - float((weights * counts).sum()) / chance if chance else None
