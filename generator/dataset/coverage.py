"""How much of an axis's possible values a set of records has, and how evenly."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from math import log
from typing import Any

from generator.families import Axis

_MOST, _FEWEST_RECORDS = 5, 3


class AxisCoverage:
    """Counts of the values of one axis; families may have different ones under its name."""

    def __init__(self, families: Mapping[str, Axis]) -> None:
        """`families`: the axis of each."""
        self._families = families
        self._counts: Counter[tuple[str, str]] = Counter()
        self.records = 0

    def add(self, family: str, value: str) -> None:
        """The value of one record."""
        self._counts[family, value] += 1
        self.records += 1

    @property
    def is_choice(self) -> bool:
        """Whether there was a record, and more than one value for it."""
        return self.records > 0 and len(self._possible()) > 1

    def to_dict(self) -> dict[str, Any]:
        """Coverage, evenness and what stands out.

        `coverage` is the share of the possible values that were seen, `reachable` the highest that
        so few records could have. `evenness` is the entropy of the values over the highest that it
        could be, 1 where all are as frequent. `most`: the values that are most above their weight,
        with count and how many times the expected one.
        """
        possible = self._possible()
        seen: Counter[str] = Counter()
        for (_, value), number in self._counts.items():
            seen[value] += number
        most = min(len(possible), self.records)
        return {
            "values": len(possible),
            "seen": len(seen),
            "coverage": round(len(seen) / len(possible), 4),
            "reachable": round(most / len(possible), 4),
            "evenness": round(_entropy(seen) / log(most), 4) if most > 1 else None,
            "most": self._above(seen),
        }

    def _possible(self) -> set[str]:
        known = {value for axis in self._families.values() for value in axis.values}
        return known | {value for _, value in self._counts}  # of an older taxonomy

    def _expected(self) -> Counter[str]:
        """How many records of each value there would be by the weights alone."""
        expected: Counter[str] = Counter()
        records: Counter[str] = Counter()
        for (family, _), number in self._counts.items():
            records[family] += number
        for family, number in records.items():
            axis = self._families.get(family)
            weights = (axis.weights or (1.0,) * len(axis.values)) if axis else ()
            for value, weight in zip(axis.values if axis else (), weights, strict=True):
                expected[value] += number * weight / sum(weights)  # type: ignore[assignment]
        return expected

    def _above(self, seen: Counter[str]) -> list[dict[str, Any]]:
        expected = self._expected()
        times = {
            value: number / expected[value]
            for value, number in seen.items()
            if number >= _FEWEST_RECORDS and number > expected[value] > 0
        }
        order = sorted(times, key=lambda value: (-times[value], value))[:_MOST]
        return [
            {"value": value, "records": seen[value], "times": round(times[value], 2)}
            for value in order
        ]


def _entropy(counts: Counter[str]) -> float:
    total = counts.total()
    return -sum(n / total * log(n / total) for n in counts.values())
