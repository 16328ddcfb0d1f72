"""Records → kept, dropped (with partner and score): exact duplicates, then near ones.

    result = deduplicate(records)
    kept = [records[i] for i in result.kept]

In one pass in order, whatever the kind: a record goes iff it duplicates an earlier one that stayed.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import Literal, get_args

from generator.dedupe.exact import ExactIndex
from generator.dedupe.greedy import Index, drop_duplicates
from generator.dedupe.near import NearIndex, similar_pairs
from generator.dedupe.result import Deduped, Dropped
from generator.records import Record

__all__ = ["NEAR_THRESHOLD", "Deduped", "Dropped", "Field", "deduplicate", "similar_pairs"]

Field = Literal["query", "positive", "record"]

# Jaccard similarity of character 5-grams: about one word in ten changed.
NEAR_THRESHOLD = 0.8


def deduplicate(
    records: Sequence[Record],
    *,
    fields: Collection[Field] = ("query", "record"),
    near_threshold: float | None = NEAR_THRESHOLD,
    query_near_threshold: float | None = None,
    known: Sequence[bool] = (),
) -> Deduped:
    """Which records to keep, and why the others go.

    Reasons, in the order in which they are looked for: `query_duplicate` and `positive_duplicate`
    (of the first positive; not by default), the same text in the same family and language;
    `record_duplicate` and `record_near_duplicate`, query and first positive together, in any
    family; `query_near_duplicate`. A threshold of `None` looks for no near-duplicates.

    Of a record with a label, or of a passage that was given, the query alone is looked at: labels
    and such passages repeat by design.

    `known` says of the first records, from an earlier pass, whether they are kept: the result is
    about the others. `records` may be backed by a file: it is iterated once, then read by position
    to verify.
    """
    unknown = set(fields) - set(get_args(Field))
    if unknown:
        raise ValueError(f"fields are query, positive, record; not {', '.join(sorted(unknown))}")
    exact = {name: ExactIndex() for name in get_args(Field) if name in fields}
    near = _near_indexes(records, near_threshold, query_near_threshold)
    for record in records:
        for name, index in exact.items():
            scope = () if name == "record" else (record.family, record.language)
            index.add(_TEXTS[name](record), *scope)
        for name, near_index in near.items():
            near_index.add(_TEXTS[name](record))
    indexes: dict[str, Index] = {f"{name}_duplicate": index for name, index in exact.items()}
    indexes |= {f"{name}_near_duplicate": index for name, index in near.items()}
    return drop_duplicates(len(records), indexes, known)


def _near_indexes(
    records: Sequence[Record], record_threshold: float | None, query_threshold: float | None
) -> dict[str, NearIndex]:
    thresholds = {"record": record_threshold, "query": query_threshold}
    return {
        name: NearIndex(_reader(records, _TEXTS[name]), threshold)
        for name, threshold in thresholds.items()
        if threshold is not None
    }


def _reader(
    records: Sequence[Record], text: Callable[[Record], str | None]
) -> Callable[[int], str | None]:
    return lambda item: text(records[item])


def _query(record: Record) -> str | None:
    return record.query


def _positive(record: Record) -> str | None:
    return record.positives[0].text if record.positives and record.label is None else None


def _record(record: Record) -> str | None:
    is_given = record.provenance.passage is not None
    positive = None if is_given else _positive(record)
    return record.query if positive is None else f"{record.query}\n{positive}"


_TEXTS: dict[str, Callable[[Record], str | None]] = {
    "query": _query,
    "positive": _positive,
    "record": _record,
}
