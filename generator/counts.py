"""How many items a stage got and passed on, and why it rejected the others."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from generator.records import Record, Rejected

_NAMES = ("seen", "passed", "rejected")


@dataclass
class Counts:
    """How many items a stage got and passed on, and why it rejected the others, by family.

    `stopped` says why it did not get all of them, if so; `texts` is how many texts each evaluation
    set has that the stage compared with.
    """

    seen: Counter[str] = field(default_factory=Counter)
    passed: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    stopped: str = ""
    texts: dict[str, int] = field(default_factory=dict)

    def add(self, item: Record | Rejected, times: int = 1) -> None:
        """Count one item that came out of the stage (`times` -1: take it out again)."""
        self.tally(label_of(item), times)

    def tally(self, label: str, times: int) -> None:
        """Count items by what `label_of` says of them."""
        family, _, why = label.partition("|")
        self.seen[family] += times
        (self.rejected if why else self.passed)[label] += times

    def __iadd__(self, other: Counts) -> Self:
        for name in _NAMES:
            getattr(self, name).update(getattr(other, name))
        return self

    def rejected_by(self, stage: str) -> int:
        """How many items were rejected for a reason of that stage's own."""
        return sum(n for name, n in self.rejected.items() if name.split("|")[1] == stage)

    def to_dict(self) -> dict[str, Any]:
        """As plain dictionaries, for a marker."""
        more = {"texts": self.texts} if self.texts else {}
        return {name: dict(+getattr(self, name)) for name in _NAMES} | more

    @classmethod
    def from_dict(cls, counts: dict[str, Any]) -> Counts:
        """The inverse of `to_dict`."""
        seen, passed, rejected = (Counter(counts[name]) for name in _NAMES)
        return cls(seen, passed, rejected, texts=counts.get("texts", {}))


def label_of(item: Record | Rejected) -> str:
    """What an item counts as: `family`, or `family|stage|reason`."""
    if isinstance(item, Record):
        return item.family
    return f"{item.family}|{item.stage}|{item.reason}"
