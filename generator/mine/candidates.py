"""What a search found for each record, with the teacher's scores: on disk, a line a record.

The file grows line by line; killed, it is gone on with after its last whole line.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from generator.linefile import LineFile

DIGITS = 7  # of scores; float32 has no more between -1 and 1


@dataclass(frozen=True, slots=True)
class Candidates:
    """The candidates of one record, best first, those that can never be a negative included.

    `indices` and `scores` [k] are places in the pool and what the search gave; `teacher` [k],
    `positives` and `written` (of the record's own texts, in their order) are NaN where unscored.
    """

    indices: NDArray[np.int64]
    scores: NDArray[np.float64]
    teacher: NDArray[np.float64]
    positives: NDArray[np.float64]
    written: NDArray[np.float64]

    def to_json(self) -> str:
        """One line, without the newline."""
        return json.dumps({name: _plain(getattr(self, name)) for name in self.__slots__})

    @classmethod
    def from_json(cls, line: str | bytes) -> Candidates:
        """The inverse of `to_json`, scores to seven digits."""
        row = json.loads(line)
        floats = {name: np.array(row[name], dtype=np.float64) for name in cls.__slots__[1:]}
        return cls(np.array(row["indices"], dtype=np.int64), **floats)


def _plain(values: NDArray[Any]) -> list[Any]:
    if values.dtype.kind == "i":
        return list(values.tolist())
    rounded: list[Any] = values.astype(np.float64).round(DIGITS).tolist()
    if np.isnan(values).any():
        return [None if value != value else value for value in rounded]  # noqa: PLR0124 - NaN
    return rounded


class CandidateFile(LineFile[Candidates]):
    """Candidates in the order of the records. `key` stands for all that they depend on."""

    def __init__(self, folder: Path, key: str) -> None:
        super().__init__(folder, "candidates", key, Candidates.from_json)
