"""Where every draw went: how many each step left, by family, language and model, and what it cost.

    drawn ─ answered ─ parsed ─ valid ─ unique ─ clean ─ within quota ─ consistent ─ asked for, kept

Counted back from what was kept: before a step there were as many more as it rejected.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from generator.attempts import Attempts, Group
from generator.reasons import explained
from generator.records import Record, Rejected

# Which step a stage's rejections are missing from, in the order of the flow.
STEP_AFTER: Mapping[str, str] = {
    "read": "read",
    "brainstorm": "answered",
    "llm": "answered",
    "generate": "answered",
    "parse": "parsed",
    "filter": "valid",
    "filters": "valid",
    "dedupe": "unique",
    "contamination": "clean",
    "quota": "within quota",
    "mine": "mined",
    "refine": "consistent",
    "keep": "asked for",
}
# These rows are in every yield table, though nothing was lost there.
ALWAYS = ("answered", "parsed", "valid", "unique")
DIMENSIONS = {"families": "family", "languages": "language", "models": "model"}
_MONEY = "cost_usd"

Json = dict[str, Any]


class Yields:
    """Counts what was kept and what was lost, item by item."""

    def __init__(self) -> None:
        self.kept: Counter[Group] = Counter()
        self._lost: Counter[tuple[str, str, Group]] = Counter()

    def keep(self, record: Record) -> None:
        """A record that the run ended with."""
        model = record.provenance.model or ""
        self.kept[Group(record.family, record.language, model)] += 1

    def lose(self, item: Rejected, model: str | None) -> None:
        """A draw that gave none; `model` is the one that was asked."""
        self._lost[item.stage, item.reason, Group(item.family, item.language, model or "")] += 1

    @property
    def lost(self) -> int:
        """How many draws gave no record."""
        return self._lost.total()

    def steps(self) -> list[tuple[str, Counter[Group]]]:
        """Each step with what was left after it, from `drawn` to `kept`."""
        lost: defaultdict[str, Counter[Group]] = defaultdict(Counter)
        for (stage, _, group), number in self._lost.items():
            lost[STEP_AFTER.get(stage, f"after {stage}")][group] += number
        order = dict.fromkeys(STEP_AFTER.values())
        known = [step for step in order if step in lost or step in ALWAYS]
        left = self.kept + sum(lost.values(), Counter[Group]())
        rows = [("drawn", left)]
        for step in (*known, *sorted(lost.keys() - order.keys())):
            left = left - lost[step]
            rows.append((step, left))
        return [*rows, ("kept", left)]

    def table(self) -> list[Json]:
        """The yield table: count, share of the draws, and count by family."""
        steps = self.steps()
        drawn = steps[0][1].total()
        return [
            {
                "step": step, "count": left.total(),
                "share": round(left.total() / drawn, 4) if drawn else None,
                "families": dict(sorted(_by(left, "family").items())),
            }
            for step, left in steps
        ]  # fmt: skip

    def rejections(self) -> Json:
        """Stage → reason → family → rejections."""
        table: Json = {}
        for (stage, reason, group), number in sorted(self._lost.items()):
            families = table.setdefault(stage, {}).setdefault(reason, {})
            families[group.family] = families.get(group.family, 0) + number
        return table

    def reasons(self) -> list[Json]:
        """Every reason with its meaning, the commonest first: by family, language and model."""
        found: defaultdict[tuple[str, str], Counter[Group]] = defaultdict(Counter)
        for (stage, reason, group), number in self._lost.items():
            found[stage, reason][group] += number
        ordered = sorted(found.items(), key=lambda item: (-item[1].total(), item[0]))
        return [
            {
                "stage": stage, "reason": reason, "count": groups.total(),
                "meaning": explained(stage, reason),
                **{name: dict(sorted(_by(groups, d).items())) for name, d in DIMENSIONS.items()},
            }
            for (stage, reason), groups in ordered
        ]  # fmt: skip

    def breakdown(self, asked: Attempts) -> Json:
        """By family, by language and by model: what each step left, attempts, tokens, cost."""
        return {name: self._by_dimension(asked, d) for name, d in DIMENSIONS.items()}

    def _by_dimension(self, asked: Attempts, dimension: str) -> Json:
        steps = [(step, _by(left, dimension)) for step, left in self.steps()]
        used: defaultdict[str, list[Mapping[str, float]]] = defaultdict(list)
        for group, row in asked.items():
            used[getattr(group, dimension)].append(row)
        return {
            key: per_record(
                total(used[key]), steps[-1][1][key], {s: left[key] for s, left in steps}
            )
            for key in sorted({*steps[0][1], *used})
        }


def _by(counts: Counter[Group], dimension: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for group, number in counts.items():
        found[getattr(group, dimension)] += number
    return found


def total(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The sum of rows of usage; without a cost where the price of one is not known."""
    found: Counter[str] = Counter()
    is_priced = True
    for row in rows:
        found.update(row)
        is_priced = is_priced and (_MONEY in row or not row.get("answers"))
    names = [name for name in found if found[name] and (name != _MONEY or is_priced)]
    return {name: found[name] for name in names}


def per_record(
    usage: Mapping[str, float], kept: int, before: Mapping[str, float] | None = None
) -> Json:
    """Usage in order of names behind what stands `before`, with tokens and cost a record kept."""
    result: Json = {**(before or {}), **dict(sorted(usage.items()))}
    if _MONEY in result:
        result[_MONEY] = round(result[_MONEY], 6)
    tokens = usage.get("prompt_tokens", 0) + usage.get("completion_tokens", 0)
    if kept and tokens:
        result["tokens_per_record"] = round(tokens / kept, 1)
    if kept and usage.get(_MONEY):
        result["cost_usd_per_1000_records"] = round(1000 * usage[_MONEY] / kept, 4)
    return result


def model_rows(
    breakdown: Json, usage: Mapping[str, Mapping[str, float]]
) -> Iterator[tuple[str, Json]]:
    """By model: draws, what parsed, what was kept, and its usage; in order of names."""
    rows = breakdown["models"]
    for model in sorted(({*rows, *usage}) - {""}):
        row = rows.get(model, {})
        used = usage.get(model, {})
        yield model, {
            "draws": row.get("drawn", 0), "parsed": row.get("parsed", 0),
            "kept": row.get("kept", 0), **per_record(used, row.get("kept", 0)),
        }  # fmt: skip
