"""The folder of a data set: its configurations, its splits, and the front matter that names them.

JSONL lies beside the Parquet files, so `load_dataset` must not guess: the README's front matter
lists the files of every configuration.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from generator.records import content_id

SplitName = Literal["train", "test"]
SPLITS: tuple[SplitName, ...] = ("train", "test")
DEFAULT = "default"
DATA = "data"


@dataclass(frozen=True, slots=True)
class Configuration:
    """What `load_dataset(folder, name)` gives. `rows`: records by split, no empty ones."""

    name: str
    families: tuple[str, ...]
    rows: Mapping[SplitName, int]

    @property
    def data_files(self) -> list[dict[str, str]]:
        """The front matter's `data_files`: one pattern a split."""
        folder = "*" if self.name == DEFAULT else self.name
        return [
            {"split": split, "path": f"{DATA}/{folder}/{split}-*.parquet"} for split in self.rows
        ]


@dataclass(frozen=True, slots=True)
class Layout:
    """What a folder holds: `default` (all records) first, then a configuration a family."""

    configurations: tuple[Configuration, ...]

    @classmethod
    def of(cls, rows: Mapping[str, Mapping[SplitName, int]]) -> Layout:
        """From the rows of each family and split."""
        families = sorted(rows)
        total = {split: sum(rows[family].get(split, 0) for family in families) for split in SPLITS}
        each = (Configuration(config_name(f), (f,), _filled(rows[f])) for f in families)
        return cls((Configuration(DEFAULT, tuple(families), _filled(total)), *each))

    @property
    def rows(self) -> Mapping[SplitName, int]:
        """The number of records by split."""
        return self.configurations[0].rows

    def front_matter(self) -> list[dict[str, Any]]:
        """The value of `configs` in the README's front matter."""
        return list(self._configs())

    def _configs(self) -> Iterator[dict[str, Any]]:
        for configuration in self.configurations:
            if not configuration.rows:
                continue
            entry: dict[str, Any] = {"config_name": configuration.name}
            if configuration.name == DEFAULT:
                entry["default"] = True
            yield entry | {"data_files": configuration.data_files}


def config_name(family: str) -> str:
    """The family's name as a configuration and a folder; changed only where it cannot be one."""
    plain = re.sub(r"[^\w.-]", "_", family)
    if plain == family and plain.strip(".") and plain != DEFAULT:
        return family
    return f"{plain.strip('.')}-{content_id(family)[:8]}"


def _filled(rows: Mapping[SplitName, int]) -> dict[SplitName, int]:
    return {split: rows[split] for split in SPLITS if rows.get(split)}
