"""What an encoder says of a record: scores of its texts, ranks in the pool, the background.

`evidence` of a text for a query is counted in spreads: how far its cosine stands above the query's
background (mean and standard deviation over texts drawn from the pool), and a lexical part, its
share of the best BM25 score in the pool, times a weight. A linear change of an encoder's scale
changes nothing, so thresholds mean the same for encoders whose cosines lie between 0.7 and 1 and
for those that use the whole range.
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
class Background:
    """The scores of a query with texts that have nothing to do with it: mean and spread."""

    mean: float
    spread: float

    @classmethod
    def of(cls, scores: NDArray[np.floating]) -> Background:
        """That of some cosines [texts]."""
        values = scores.astype(np.float64)
        return cls(float(values.mean()), max(float(values.std()), _LEAST_SPREAD))

    def evidence(self, cosines: Floats, lexical: Floats) -> Floats:
        """Cosines in spreads above the background, and the lexical part on top."""
        found: Floats = (cosines - self.mean) / self.spread + lexical
        return found


@dataclass(frozen=True, slots=True)
class Measures:
    """Of one record: p positives, n negatives, and the texts of the pool that come before them.

    `positives` [p] and `negatives` [n] are cosines, `positive_evidence` and `negative_evidence`
    what was made of them. `ranks` [p]: texts with more evidence, those left out that may answer
    too; at most the depth of the search. `best`: the highest evidence in the pool, the record's
    own positives included. `alike` [n]: cosine of each negative with the positive that is nearest
    to it; `text_mean` is what two texts of the pool have on average. `rivals` are places in the
    pool, best first, that are no positive; `rival_scores` their cosines.
    """

    positives: Floats
    negatives: Floats
    positive_evidence: Floats
    negative_evidence: Floats
    ranks: NDArray[np.int64]
    best: float
    mean: float
    spread: float
    alike: Floats
    text_mean: float
    rivals: NDArray[np.int64]
    rival_scores: Floats

    def lift(self, scores: Floats) -> Floats:
        """How far cosines stand above the query's background."""
        return scores - self.mean

    def likeness(self) -> Floats:
        """`alike` from 0, as two texts of the pool are alike on average, to 1, the same text."""
        return (self.alike - self.text_mean) / max(1 - self.text_mean, _LEAST_SPREAD)

    def to_json(self) -> str:
        """One line, without the newline."""
        return json.dumps(
            {name: np.round(getattr(self, name), DIGITS).tolist() for name in self.__slots__}
        )

    @classmethod
    def from_json(cls, line: str | bytes) -> Measures:
        """The inverse of `to_json`, scores to seven digits."""
        row = json.loads(line)
        for name, value in row.items():
            if isinstance(value, list):
                dtype = np.int64 if name in {"ranks", "rivals"} else np.float64
                row[name] = np.array(value, dtype=dtype)
        return cls(**row)
