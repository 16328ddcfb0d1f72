"""Records → kept, dropped (with partner and score): exact duplicates, then near ones.

    result = deduplicate(records)
    kept = [records[i] for i in result.kept]

`compare` finds for each record the most similar one before it, and `decide` applies thresholds:
a record goes iff an earlier one is at least so similar, whether that one stayed or not.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from typing import get_args

from generator.dedupe.compare import Compared, Field, Index, Measure, Measures, compare
from generator.dedupe.decide import Verdicts, decide
from generator.dedupe.near import similar_pairs
from generator.dedupe.result import Deduped, Dropped
from generator.records import Record
from generator.shingles import Unit

__all__ = [
    "NEAR_THRESHOLD",
    "Compared",
    "Deduped",
    "Dropped",
    "Field",
    "Index",
    "Measure",
    "Measures",
    "Verdicts",
    "compare",
    "decide",
    "deduplicate",
    "similar_pairs",
]

# Jaccard similarity of character 5-grams: about one word in ten changed.
NEAR_THRESHOLD = 0.8
# From where on similarities are looked for, so that thresholds above it see the same ones.
FLOOR = 0.7


def deduplicate(
    records: Sequence[Record],
    *,
    fields: Collection[Field] = ("query", "record"),
    near_threshold: float | None = NEAR_THRESHOLD,
    query_near_threshold: float | None = None,
    unit: Unit = "characters",
    rank: Callable[[Record], float] | None = None,
) -> Deduped:
    """Which records to keep, and why the others go.

    Reasons, in the order in which they are looked for: `query_duplicate` and `positive_duplicate`
    (of the first positive; not by default), the same text in the same family and language;
    `record_duplicate` and `record_near_duplicate`, query and first positive together, in any
    family; `query_near_duplicate`. A threshold of `None` looks for no near-duplicates.

    Of a record with a label, or of a passage that was given, the query alone is looked at: labels
    and such passages repeat by design.

    With a `rank` the records of the highest rank come first, and stay. `records` may be backed by a
    file: it is iterated once, then read by position to verify.
    """
    unknown = set(fields) - set(get_args(Field))
    if unknown:
        raise ValueError(f"fields are query, positive, record; not {', '.join(sorted(unknown))}")
    wanted: dict[Measure, float | None] = {
        "record_near": near_threshold,
        "query_near": query_near_threshold,
    }
    thresholds = {name: value for name, value in wanted.items() if value is not None}
    floors = {name: min(value, FLOOR) for name, value in thresholds.items()}
    compared = compare(records, Measures(fields, floors, unit, rank))
    return decide(compared, thresholds).deduped()
