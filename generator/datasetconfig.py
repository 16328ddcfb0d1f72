"""How a data set is split, described and measured: `dataset` and `diversity` of a configuration."""

from __future__ import annotations

from pydantic import Field

from generator.families import Frozen


class DatasetConfig(Frozen):
    """How the data set is split and described."""

    test_fraction: float = Field(default=0.05, ge=0, lt=1)
    license: str = "other"


class DiversityConfig(Frozen):
    """How alike queries are: an encoder (null: n-grams alone) and how many are compared."""

    encoder: str | None = None
    base_url: str | None = None
    sample: int = Field(default=1000, gt=1, le=5000)
