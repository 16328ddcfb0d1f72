"""Where a run's documents lie and how they are cut: the `corpus` part of its configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, field_validator, model_validator

from generator.families import Frozen


class CorpusConfig(Frozen):
    """The user's own documents.

    `paths`: files, folders of files, or `hf:NAME[/CONFIG][:SPLIT]`; a text alone is one of them.
    `tokens` is the budget of a passage, counted without a model (`corpus/tokens.py`); `overlap` how
    many of them are repeated from the passage before, in whole sentences; a passage below
    `min_tokens` joins a neighbour. `per_passage` is how many examples a family writes for each.

    `languages` (null: all) are those of the passages that are used. `titles` puts the title path
    before the passage in the record. `examples` is a JSONL file of {"query", "passage"}, about
    eight of one's own (Promptagator, arXiv 2209.11755). `near_threshold` null keeps near ones.
    """

    paths: tuple[str, ...] = Field(min_length=1)
    tokens: int = Field(default=256, ge=16)
    overlap: int = Field(default=32, ge=0)
    min_tokens: int = Field(default=24, ge=0)
    per_passage: int = Field(default=1, gt=0)
    languages: tuple[str, ...] | None = None
    titles: bool = True
    near_threshold: float | None = Field(default=0.8, gt=0, le=1)
    text_field: str | None = None
    title_field: str | None = None
    examples: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _paths_alone(cls, data: Any) -> Any:
        return {"paths": data} if isinstance(data, str | list) else data

    @field_validator("paths", "languages", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _consistent(self) -> CorpusConfig:
        if self.overlap * 2 > self.tokens:
            message = f"overlap {self.overlap} must be at most half of tokens {self.tokens}"
            raise ValueError(message)
        return self
