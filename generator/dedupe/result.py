"""What deduplication found: which items stay, which go, and because of which."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Dropped:
    """An item that duplicates `partner`, the most similar of the items before it.

    `score` is their similarity: Jaccard's, a cosine, 1.0 for an exact duplicate. The partner may
    have gone itself, for one before it; `stays` is the item at the end of that chain.
    """

    index: int
    partner: int
    reason: str
    score: float
    stays: int


@dataclass(frozen=True, slots=True)
class Deduped:
    """Positions of the items, in their order: each is kept or dropped."""

    kept: tuple[int, ...]
    dropped: tuple[Dropped, ...]

    @property
    def duplicate_ratio(self) -> float:
        """Share of the items that were dropped, 0 to 1."""
        total = len(self.kept) + len(self.dropped)
        return len(self.dropped) / total if total else 0.0

    @property
    def reasons(self) -> Mapping[str, int]:
        """How many items were dropped for each reason."""
        return Counter(drop.reason for drop in self.dropped)

    def ratio(self, reason: str) -> float:
        """Share of the items that were dropped for this reason, 0 to 1."""
        total = len(self.kept) + len(self.dropped)
        return self.reasons.get(reason, 0) / total if total else 0.0

    def least_similar(self, count: int = 10) -> list[Dropped]:
        """The closest calls: what a higher threshold would have kept first."""
        return sorted(self.dropped, key=lambda drop: drop.score)[:count]

    def __repr__(self) -> str:
        reasons = ", ".join(f"{count} {reason}" for reason, count in sorted(self.reasons.items()))
        return f"Deduped({len(self.kept)} kept, {len(self.dropped)} dropped: {reasons or 'none'})"
