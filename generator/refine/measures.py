"""What an encoder says of a record: scores of its texts, ranks in the pool, the background.

Scores are cosines. The background of a query is the mean and the spread of its scores with texts
drawn from the pool; how far a score stands above it (`lift`) means the same for encoders whose
cosines lie between 0.7 and 1 and for those that use the whole range: a linear change of the scale
changes nothing.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

DIGITS = 7  # of scores; float32 has no more between -1 and 1
_LEAST_SPREAD = 1e-6

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one record: p positives, n negatives, and the texts of the pool that come before them.

    `ranks` [p]: texts that score higher, those left out that may answer too; at most the depth of
    the search. `alike` [n]: cosine of each negative with the positive that is nearest to it.
    `best`: the highest score in the pool, the record's own positives included. `rivals` are places
    in the pool, best first, that are no text of the record's.
    """

    positives: Floats
    negatives: Floats
    ranks: NDArray[np.int64]
    alike: Floats
    rivals: NDArray[np.int64]
    rival_scores: Floats
    best: float
    mean: float
    spread: float
    text_mean: float

    def lift(self, scores: Floats) -> Floats:
        """How far scores stand above the query's background."""
        return scores - self.mean

    @property
    def best_lift(self) -> float:
        """The best text's; never quite 0, so that shares of it exist."""
        return max(self.best - self.mean, _LEAST_SPREAD)

    def sigmas(self, scores: Floats) -> Floats:
        """Scores in spreads of the query's background."""
        return (scores - self.mean) / max(self.spread, _LEAST_SPREAD)

    def likeness(self) -> Floats:
        """`alike` from 0, as two texts of the pool are alike on average, to 1, the same text."""
        return (self.alike - self.text_mean) / max(1 - self.text_mean, _LEAST_SPREAD)

    def to_json(self) -> str:
        """One line, without the newline."""
        row: dict[str, object] = {}
        for name in self.__slots__:
            value = getattr(self, name)
            row[name] = np.round(value, DIGITS).tolist()
        return json.dumps(row)

    @classmethod
    def from_json(cls, line: str | bytes) -> Measures:
        """The inverse of `to_json`, scores to seven digits."""
        row = json.loads(line)
        for name, value in row.items():
            if isinstance(value, list):
                dtype = np.int64 if name in {"ranks", "rivals"} else np.float64
                row[name] = np.array(value, dtype=dtype)
        return cls(**row)
