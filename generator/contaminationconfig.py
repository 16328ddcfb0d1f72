"""What a data set is compared with, and how: the `contamination` part of a run's configuration."""

from __future__ import annotations

from typing import Any

from pydantic import Field, field_validator

from generator.families import Frozen


class ContaminationConfig(Frozen):
    """Evaluation sets, and what counts as a text of theirs.

    `sets` are folders in the layouts that `trine eval` reads, files of text or JSONL, and names of
    mteb tasks. `passages` false compares with their queries and sentences alone. Texts of fewer
    than `min_words` words are not compared. `ngram_words`, `near_threshold` null turn a test off;
    both are explained in docs/contamination.md. `remove` drops what matches, else it is reported.
    """

    sets: tuple[str, ...] = Field(min_length=1)
    remove: bool = False
    passages: bool = True
    min_words: float = Field(default=3, ge=0)
    one_word: bool = True
    ngram_words: int | None = Field(default=13, ge=5)
    near_threshold: float | None = Field(default=0.7, ge=0.5, le=1)

    @field_validator("sets", mode="before")
    @classmethod
    def _one(cls, value: Any) -> Any:
        return (str(value),) if not isinstance(value, list | tuple) else tuple(map(str, value))
