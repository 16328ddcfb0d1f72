"""How varied the kept records are: the axes they were drawn from, and what was written.

One pass; what grows with the run is a hash for each different combination of axis values.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from generator.dataset.coverage import AxisCoverage
from generator.dataset.diversity import UNIT, Sample, distinct
from generator.dataset.vendi import mean_cosine, ngram_vectors, vendi_score
from generator.encoders.base import Vectors
from generator.families import Axis
from generator.records import Record, content_id

SAMPLED_QUERIES = 10_000
SAMPLED_QUERIES_PER_FAMILY = 2_000
COMPARED = 1_000  # texts whose pairs are looked at

Json = dict[str, Any]
Values = Callable[[Record], Mapping[str, str]]
Encode = Callable[[Sequence[str]], Vectors]


class Diversity:
    """Counts over the records that were kept.

    `axes` maps axis name to family to axis, `values_of` gives a record's values; `encode` turns
    queries into vectors of length 1, and is called once, named `encoder`.
    """

    def __init__(
        self,
        axes: Mapping[str, Mapping[str, Axis]] | None = None,
        values_of: Values = lambda _: {},
        encode: Encode | None = None,
        encoder: str = "",
        compared: int = COMPARED,
    ) -> None:
        self._axes = {name: AxisCoverage(of) for name, of in (axes or {}).items()}
        self._values_of, self._encode, self._encoder = values_of, encode, encoder
        self._samples: dict[tuple[str, str], Sample] = {}
        self._compared = Sample(compared)
        self._combinations: set[int] = set()
        self._instructions: set[int] = set()
        self._records: Counter[str] = Counter()

    def add(self, record: Record) -> None:
        """One kept record."""
        values = {**self._values_of(record), "language": record.language}
        for name, coverage in self._axes.items():
            if values.get(name):
                coverage.add(record.family, values[name])
        self._combinations.add(
            _hash(record.family, *(f"{k}={v}" for k, v in sorted(values.items())))
        )
        self._instructions.add(_hash(record.task))
        self._records[record.family] += 1
        for key, size in (
            (("all", ""), SAMPLED_QUERIES),
            (("families", record.family), SAMPLED_QUERIES_PER_FAMILY),
            (("languages", record.language), SAMPLED_QUERIES_PER_FAMILY),
        ):
            self._samples.setdefault(key, Sample(size)).add(record.id, record.query)
        self._compared.add(record.id, record.query)

    def to_dict(self) -> Json:
        """distinct-n, coverage of the axes, likeness of the queries to each other."""
        total = self._records.total()
        found = {
            kind: {
                name: _distinct(s) for (of, name), s in sorted(self._samples.items()) if of == kind
            }
            for kind in ("families", "languages")
        }
        return {
            "unit": UNIT,
            "all": _distinct(self._samples.get(("all", ""), Sample(1))),
            **found,
            "instructions_per_1000": round(1000 * len(self._instructions) / total, 1)
            if total
            else None,
            "combinations": {"different": len(self._combinations), "records": total},
            "axes": {name: c.to_dict() for name, c in sorted(self._axes.items()) if c.is_choice},
            "queries": self._likeness(),
        }

    def _likeness(self) -> Json:
        texts = list(self._compared)
        if not texts:
            return {}
        found = {"sampled": len(texts), "ngrams": _measures(ngram_vectors(texts))}
        if self._encode is not None:
            found["encoder"] = {"name": self._encoder, **_measures(self._encode(texts))}
        return found


def _measures(vectors: Vectors) -> Json:
    return {
        "vendi": round(vendi_score(vectors), 2),
        "mean_cosine": None if len(vectors) < 2 else round(mean_cosine(vectors), 4),
    }


def _distinct(sample: Sample) -> Json:
    return {"sampled": len(sample)} | {f"distinct_{n}": distinct(sample, n) for n in (1, 2, 3)}


def _hash(*parts: str) -> int:
    return int(content_id(*parts)[:16], 16)
