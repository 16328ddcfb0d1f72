"""Records, rejections and usage → the numbers of a run, as one dict of JSON values.

One pass; what grows with the run is a hash for each different query and instruction. Knows no file
and no format; the card and the report read the dict.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from generator.dataset.diversity import UNIT, Sample, distinct
from generator.modelyields import Yields, per_record
from generator.records import Record, Rejected, content_id

# Which step of the yield table a stage's rejections are missing from, in the order of the flow.
STEP_AFTER: Mapping[str, str] = {
    "read": "read",
    "brainstorm": "answered",
    "llm": "answered",
    "generate": "answered",
    "parse": "parsed",
    "filter": "after filters",
    "filters": "after filters",
    "dedupe": "after dedupe",
    "mine": "after mining",
    "refine": "after refining",
}
# These rows are in every yield table, though nothing was lost there.
ALWAYS = ("answered", "parsed", "after filters", "after dedupe")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
SAMPLED_QUERIES = 10_000
SAMPLED_QUERIES_PER_FAMILY = 2_000

Json = dict[str, Any]


def statistics(
    records: Iterable[Record],
    rejected: Iterable[Rejected] = (),
    usage: Mapping[str, float] | None = None,
    *,
    model_usage: Mapping[str, Mapping[str, float]] | None = None,
    writer_of: Callable[[str], str | None] = lambda _: None,
) -> Json:
    """The numbers of a run; lengths are characters, shares 0 to 1.

    `usage` is passed on (`prompt_tokens`, `completion_tokens`, `cost_usd`, …), with totals per
    record kept added; `model_usage` is the same by model. `writer_of` names the model that a draw
    without a record was for.
    """
    kept = _Kept()
    writers = Yields()
    for record in records:
        kept.add(record)
        writers.add(record.provenance.model)
    losses: Counter[tuple[str, str, str]] = Counter()
    for item in rejected:
        losses[item.stage, item.reason, item.family] += 1
        model = item.record.provenance.model if item.record else writer_of(item.draw)
        writers.add(model, STEP_AFTER.get(item.stage, "after"))
    return {
        "records": kept.families.total(),
        "rejected": losses.total(),
        "yield": _yield_table(kept.families, losses),
        **kept.to_dict(),
        "rejections": _rejections(losses),
        "usage": per_record(usage or {}, kept.families.total()),
        "models": writers.to_dict(model_usage or {}),
    }


class _Kept:
    """Counts over the records that were kept."""

    def __init__(self) -> None:
        self.families: Counter[str] = Counter()
        self._languages: Counter[str] = Counter()
        self._family_languages: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self._chars: defaultdict[str, Counter[int]] = defaultdict(Counter)
        self._negatives: Counter[int] = Counter()
        self._sources: Counter[str] = Counter()
        self._instructions: set[int] = set()
        self._queries: set[int] = set()
        self._sample = Sample(SAMPLED_QUERIES)
        self._samples: dict[str, Sample] = {}

    def add(self, record: Record) -> None:
        self.families[record.family] += 1
        self._languages[record.language] += 1
        self._family_languages[record.family][record.language] += 1
        self._chars["query"][len(record.query)] += 1
        self._chars["positive"].update(len(positive.text) for positive in record.positives)
        self._chars["negative"].update(len(negative.text) for negative in record.negatives)
        self._negatives[len(record.negatives)] += 1
        self._sources.update(negative.source for negative in record.negatives)
        self._instructions.add(_hash(record.task))
        self._queries.add(_hash(record.query))
        if record.family not in self._samples:
            self._samples[record.family] = Sample(SAMPLED_QUERIES_PER_FAMILY)
        for sample in (self._sample, self._samples[record.family]):
            sample.add(record.id, record.query)

    def to_dict(self) -> Json:
        return {
            "families": _sorted(self.families),
            "languages": _sorted(self._languages),
            "family_languages": {f: _sorted(n) for f, n in sorted(self._family_languages.items())},
            "chars": {name: _lengths(counts) for name, counts in sorted(self._chars.items())},
            "unique": {"instructions": len(self._instructions), "queries": len(self._queries)},
            "negatives": {
                "mean": _mean(self._negatives),
                "counts": {str(number): rows for number, rows in sorted(self._negatives.items())},
                "sources": _sorted(self._sources),
            },
            "diversity": {
                "unit": UNIT,
                "all": _diversity(self._sample),
                "families": {f: _diversity(s) for f, s in sorted(self._samples.items())},
            },
        }


def _yield_table(kept: Counter[str], losses: Counter[tuple[str, str, str]]) -> list[Json]:
    """Counted back from what was kept: before a step there were as many more as it rejected."""
    lost: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for (stage, _, family), number in losses.items():
        lost[STEP_AFTER.get(stage, f"after {stage}")][family] += number
    known = [step for step in dict.fromkeys(STEP_AFTER.values()) if step in lost or step in ALWAYS]
    remaining = kept + sum(lost.values(), Counter[str]())
    drawn = remaining.total()
    rows = [_yield_row("drawn", remaining, drawn)]
    for step in (*known, *sorted(lost.keys() - known)):
        remaining = remaining - lost[step]
        rows.append(_yield_row(step, remaining, drawn))
    return [*rows, _yield_row("kept", remaining, drawn)]


def _yield_row(step: str, families: Counter[str], drawn: int) -> Json:
    count = families.total()
    share = round(count / drawn, 4) if drawn else None
    return {"step": step, "count": count, "share": share, "families": _sorted(families)}


def _rejections(losses: Counter[tuple[str, str, str]]) -> Json:
    """Stage → reason → family → rejections."""
    table: Json = {}
    for (stage, reason, family), number in sorted(losses.items()):
        table.setdefault(stage, {}).setdefault(reason, {})[family] = number
    return table


def _lengths(counts: Counter[int]) -> Json:
    """Quantiles (nearest rank, so exact), mean and maximum of a histogram of lengths."""
    total, passed, result = counts.total(), 0, {}
    wanted = list(QUANTILES)
    for length, number in sorted(counts.items()):
        passed += number
        while wanted and passed >= wanted[0] * total:
            result[f"p{round(wanted.pop(0) * 100):02d}"] = length
    return result | {"max": max(counts, default=None), "mean": _mean(counts)}


def _mean(counts: Counter[int]) -> float | None:
    total = counts.total()
    return round(sum(n * rows for n, rows in counts.items()) / total, 2) if total else None


def _diversity(sample: Sample) -> Json:
    return {
        "sampled": len(sample),
        "distinct_1": distinct(sample, 1),
        "distinct_2": distinct(sample, 2),
    }


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _hash(text: str) -> int:
    return int(content_id(text)[:16], 16)
