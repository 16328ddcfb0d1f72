"""What a refinement did, in numbers."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class Refined:
    """What refining did: records by fate, texts by `side|what|reason`, the judges' agreement, cost.

    `stopped` says why not all was judged (the budget), if so. `rejected` counts by
    `family|refine|reason`. `spent` holds for each judge its requests, tokens and, where its price
    is known, US dollars.
    """

    records: int = 0
    kept: int = 0
    texts: int = 0
    stopped: str = ""
    encoder: str = ""
    judges: tuple[str, ...] = ()
    rejected: Counter[str] = field(default_factory=Counter)
    decisions: Counter[str] = field(default_factory=Counter)
    agreement: dict[str, dict[str, Any]] = field(default_factory=dict)
    spent: dict[str, dict[str, Any]] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, values: dict[str, Any]) -> Refined:
        """The inverse of `to_dict`."""
        counters = {name: Counter(values[name]) for name in ("rejected", "decisions")}
        return cls(**{**values, **counters, "judges": tuple(values["judges"])})

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries: what `refining.json` holds."""
        found = asdict(self)
        counters = ("rejected", "decisions")
        return found | {name: dict(getattr(self, name).most_common()) for name in counters}
