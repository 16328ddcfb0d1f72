"""What each model was asked for, what came of it, and what it cost for every record kept."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

_NOT_ASKED = frozenset({"read"})


class Yields:
    """Counts by model: draws that it answered, those that parsed, those that were kept."""

    def __init__(self) -> None:
        self._draws: Counter[str] = Counter()
        self._parsed: Counter[str] = Counter()
        self._kept: Counter[str] = Counter()

    def add(self, model: str | None, lost: str = "") -> None:
        """Count a draw: kept, or lost before the step of that name in the yield table."""
        if model is None or lost in _NOT_ASKED:
            return
        self._draws[model] += 1
        self._parsed[model] += lost not in {"answered", "parsed"}
        self._kept[model] += not lost

    def to_dict(self, usage: Mapping[str, Mapping[str, float]]) -> dict[str, dict[str, Any]]:
        """By model, with its usage; one that only brainstormed has no draws."""
        return {
            model: {
                "draws": self._draws[model],
                "parsed": self._parsed[model],
                "kept": self._kept[model],
                **per_record(usage.get(model, {}), self._kept[model]),
            }
            for model in sorted({*self._draws, *usage})
        }


def per_record(usage: Mapping[str, float], kept: int) -> dict[str, Any]:
    """Usage in order of names, with tokens and cost for every record kept."""
    result: dict[str, Any] = dict(sorted(usage.items()))
    tokens = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    if kept and tokens:
        result["tokens_per_record"] = round(tokens / kept, 1)
    if kept and usage.get("cost_usd"):
        result["cost_usd_per_1000_records"] = round(1000 * usage["cost_usd"] / kept, 4)
    return result
