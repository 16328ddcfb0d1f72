"""How duplicates are found: the `dedupe` part of a run's configuration."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from generator.families import Frozen

Measure = Literal["record_near", "query_near", "semantic"]


class SemanticConfig(Frozen):
    """Duplicates in meaning: cosine similarity under an encoder, by name or folder.

    `field` is what is compared, `scope` with what: records of the same task (instruction), family
    (both within a language), or all. Similarities from `saved_threshold` on are kept for later.
    """

    encoder: str
    threshold: float = Field(default=0.95, gt=0, le=1)
    saved_threshold: float = Field(default=0.85, gt=0, le=1)
    field: Literal["query", "positive", "record"] = "query"
    scope: Literal["task", "family", "all"] = "family"
    base_url: str | None = None
    prompt: str | None = None

    @property
    def floor(self) -> float:
        """From where on similarities are told."""
        return min(self.threshold, self.saved_threshold)


class DedupeConfig(Frozen):
    """Thresholds of Jaccard similarity; null turns a check off.

    `shingles` are runs of five characters or words. Similarities from `saved_threshold` on are kept
    in the run's folder, so that a threshold above it needs no texts. `keep` is the first of those
    that duplicate each other, or the best by `best_by`: the score of the first positive (its first
    teacher's), or the number of characters.
    """

    near_threshold: float | None = Field(default=0.8, gt=0, le=1)
    query_near_threshold: float | None = Field(default=None, gt=0, le=1)
    saved_threshold: float = Field(default=0.7, gt=0, le=1)
    shingles: Literal["characters", "words"] = "characters"
    keep: Literal["first", "best"] = "first"
    best_by: Literal["teacher", "longest"] = "teacher"
    semantic: SemanticConfig | None = None

    @property
    def thresholds(self) -> dict[Measure, float]:
        """The threshold of each measure that is on."""
        found: dict[Measure, float | None] = {
            "record_near": self.near_threshold,
            "query_near": self.query_near_threshold,
            "semantic": self.semantic.threshold if self.semantic else None,
        }
        return {name: value for name, value in found.items() if value is not None}

    @property
    def floors(self) -> dict[Measure, float]:
        """From where on similarities are told, by measure."""
        found = {name: min(value, self.saved_threshold) for name, value in self.thresholds.items()}
        if self.semantic:
            found["semantic"] = self.semantic.floor
        return found
