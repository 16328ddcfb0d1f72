"""How hard negatives are mined: the `mine` part of a run's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from generator.families import Frozen

LLM_TEACHER = "llm"  # the teacher that is the run's language model
SourceName = Literal["random", "bm25", "dense", "hybrid"]


class MineConfig(Frozen):
    """Where candidates come from, which of them may be negatives, and how many are taken.

    `corpus` null mines among the records' own texts. `source` "auto" is dense where there is an
    `encoder`, else bm25; "hybrid" fuses both. `teacher` scores query and text: an encoder's name,
    `cross-encoder:NAME` or `llm`; null is the encoder, where there is one. Ranks count from 0,
    texts that may never be negatives left out.

    A candidate is a false negative where its score reaches `percent` of the positive's, comes
    within `margin` of it, or reaches `max_score` (null: not looked at); with several positives the
    lowest counts (NV-Retriever, arXiv 2407.15831). Those at or above `promote` of the positive's
    score become positives. `temperature` null takes the hardest; T samples by softmax(score / T).
    `use_task` null encodes a query under its record's instruction for models that trine trained.
    """

    corpus: Path | None = None
    source: Literal["auto", "random", "bm25", "dense", "hybrid"] = "auto"
    encoder: str | None = None
    teacher: str | None = None
    base_url: str | None = None
    query_prompt: str | None = None
    document_prompt: str | None = None
    use_task: bool | None = None
    language: str | None = None
    rank_min: int = Field(default=0, ge=0)
    rank_max: int = Field(default=100, gt=0)
    percent: float | None = Field(default=0.95, gt=0)
    margin: float | None = Field(default=None, ge=0)
    max_score: float | None = None
    min_score: float | None = None
    promote: float | None = Field(default=None, gt=0)
    negatives: int = Field(default=4, gt=0)
    temperature: float | None = Field(default=None, gt=0)
    near_threshold: float | None = Field(default=0.8, gt=0, le=1)
    keep_written: bool = True
    precision: Literal["float16", "float32"] = "float32"
    device: Literal["auto", "cpu", "cuda"] = "auto"
    ann: str | None = None
    seed: int = Field(default=42, ge=0)

    @model_validator(mode="after")
    def _consistent(self) -> MineConfig:
        if self.rank_min >= self.rank_max:
            message = f"rank_min {self.rank_min} must be below rank_max {self.rank_max}"
            raise ValueError(message)
        if self.source in {"dense", "hybrid"} and self.encoder is None:
            message = f"source {self.source} needs an encoder: --encoder, or mine.encoder"
            raise ValueError(message)
        return self

    @property
    def source_name(self) -> SourceName:
        """The source, "auto" resolved."""
        if self.source == "auto":
            return "bm25" if self.encoder is None else "dense"
        return self.source

    @property
    def teacher_name(self) -> str | None:
        """Who scores: the teacher, the encoder, or nobody."""
        return self.teacher or self.encoder

    @property
    def deciding(self) -> frozenset[str]:
        """The keys that only decide among candidates that are known: no search, no scores."""
        return frozenset(
            {"rank_min", "percent", "margin", "max_score", "min_score", "promote", "negatives"}
            | {"temperature", "near_threshold"}
        )
