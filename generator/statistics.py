"""Records, rejections and usage → the numbers of a run, as one dict of JSON values.

One pass; what grows with the run is a hash for each different query and instruction. Knows no file
and no format; the card and the report read the dict.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from generator.attempts import Attempts
from generator.diversity import Diversity
from generator.records import Record, Rejected, content_id
from generator.yields import Yields, model_rows, per_record

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)

Json = dict[str, Any]


def statistics(
    records: Iterable[Record],
    rejected: Iterable[Rejected] = (),
    usage: Mapping[str, float] | None = None,
    *,
    model_usage: Mapping[str, Mapping[str, float]] | None = None,
    judge_usage: Mapping[str, Mapping[str, float]] | None = None,
    asked: Attempts | None = None,
    writer_of: Callable[[str], str | None] = lambda _: None,
    drawn: int | None = None,
    diversity: Diversity | None = None,
) -> Json:
    """The numbers of a run; lengths are characters, shares 0 to 1.

    `usage` is passed on (`prompt_tokens`, `completion_tokens`, `cost_usd`, …), with totals per
    record kept added; `model_usage` is the same by model that writes, `judge_usage` by model that
    grades, `asked` by family, language and model.
    `writer_of` names the model that a draw without a record was for. `drawn`: how many draws were
    made, to be compared with what became of them. `diversity` knows the axes of the run.
    """
    kept, yields, spread = _Kept(), Yields(), diversity or Diversity()
    for record in records:
        kept.add(record)
        yields.keep(record)
        spread.add(record)
    for item in rejected:
        model = item.record.provenance.model if item.record else writer_of(item.draw)
        yields.lose(item, model)
    breakdown = yields.breakdown(asked or {})
    number = kept.families.total()
    return {
        "records": number,
        "rejected": yields.lost,
        "unaccounted": 0 if drawn is None else drawn - number - yields.lost,
        "yield": yields.table(),
        **kept.to_dict(),
        "diversity": spread.to_dict(),
        "rejections": yields.rejections(),
        "reasons": yields.reasons(),
        "by": breakdown,
        "usage": per_record(usage or {}, number),
        "models": dict(model_rows(breakdown, model_usage or {})),
        "judges": {m: per_record(row, number) for m, row in sorted((judge_usage or {}).items())},
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
        }


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


def _sorted(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items()))


def _hash(text: str) -> int:
    return int(content_id(text)[:16], 16)
