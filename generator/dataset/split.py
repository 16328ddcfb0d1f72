"""Train and test without leakage: records that resemble each other go to the same side.

The side of a group follows from its smallest record id and the seed alone. More records change the
side of others only by joining their groups, so a test set stays one while a run grows.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import overload

from generator.dataset.layout import SplitName
from generator.dataset.source import Source, records_of
from generator.recordfile import RecordFile
from generator.records import Record, content_id
from generator.text import normalise
from generator.unionfind import Groups

SimilarPairs = Callable[[Sequence[str], float], Iterator[tuple[int, int, float]]]

# With fewer records than this a test side may stay empty.
MIN_RECORDS_FOR_TEST = 20
# Groups chain: boilerplate can take in much of a run. Above this size a group always trains.
MAX_TEST_GROUP = 100
# Enough to see a near-duplicate, and it bounds the time that long documents take.
MAX_NEAR_CHARS = 2_000


@dataclass(frozen=True, slots=True)
class Split:
    """The ids of the test records; all others train. `largest_group` counts records."""

    test: frozenset[str]
    groups: int = 0
    largest_group: int = 0

    def side(self, record: Record) -> SplitName:
        """Where the record goes."""
        return "test" if record.id in self.test else "train"


def split(
    source: Source,
    *,
    test_fraction: float = 0.05,
    seed: int = 0,
    near_threshold: float = 0.8,
    pairs: SimilarPairs | None = None,
) -> Split:
    """Choose the test records: `test_fraction` of the groups, and at least one record of 20.

    Records are of one group when they share a query or a positive (after normalisation; a label's
    text is no sign of leakage, so it does not count) or a passage that they were written from, or
    when query and positive together have a Jaccard similarity of `near_threshold` or more by
    `pairs` (default: MinHash). The fraction holds on average, not exactly: a quota would move
    records whenever others are added.
    """
    if test_fraction <= 0:
        return Split(frozenset())
    ids, groups = _exact_groups(source)
    with _texts(source) as texts:
        for left, right, _ in (pairs or _default_pairs())(texts, near_threshold):
            groups.join(left, right)
    roots = [groups.root(index) for index in range(len(ids))]
    return _choose(ids, roots, test_fraction, seed)


def _default_pairs() -> SimilarPairs:
    from generator.dedupe.near import similar_pairs  # noqa: PLC0415 - numpy, only to split

    return similar_pairs


@contextmanager
def _texts(source: Source) -> Iterator[Sequence[str]]:
    """The text of each record by index; of a file read again at each access, so none is held."""
    if not isinstance(source, Path):
        yield [_near_text(record) for record in records_of(source)]
        return
    with closing(RecordFile(source)) as records:
        yield _FileTexts(records)


class _FileTexts(Sequence[str]):
    def __init__(self, records: RecordFile) -> None:
        self._records = records

    def __len__(self) -> int:
        return len(self._records)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        if isinstance(index, slice):
            return [_near_text(record) for record in self._records[index]]
        return _near_text(self._records[index])


def _near_text(record: Record) -> str:
    return "\n".join(_counted_texts(record))[:MAX_NEAR_CHARS]


def _exact_groups(source: Source) -> tuple[list[str], Groups]:
    ids: list[str] = []
    groups = Groups()
    first_with: dict[int, int] = {}
    for index, record in enumerate(records_of(source)):
        ids.append(record.id)
        groups.add()
        for key in (*map(_key, _counted_texts(record)), *_passages(record)):
            groups.join(index, first_with.setdefault(key, index))
    return ids, groups


def _passages(record: Record) -> list[int]:
    """The passages that it was written from, with or without their titles."""
    found = record.provenance.passage
    return [int(content_id(one)[:16], 16) for one in found.split("+")] if found else []


def _counted_texts(record: Record) -> list[str]:
    """The texts that leak when both sides have them."""
    positives = [positive.text for positive in record.positives]
    return [record.query] if record.label is not None else [record.query, *positives]


def _key(text: str) -> int:
    # A text of punctuation alone has no normal form; it stands for itself.
    return int(
        content_id(normalise(text) or text)[:16], 16
    )  # 64 bits: a million keys share one with odds of 1e-7


def _choose(ids: Sequence[str], roots: Sequence[int], fraction: float, seed: int) -> Split:
    sizes = Counter(roots)
    smallest: dict[int, str] = {}
    for record_id, root in zip(ids, roots, strict=True):
        smallest[root] = min(record_id, smallest.get(root, record_id))
    place = {root: _place(record_id, seed) for root, record_id in smallest.items()}
    chosen = {root for root in sizes if place[root] < fraction and sizes[root] <= MAX_TEST_GROUP}
    if not chosen and len(ids) >= MIN_RECORDS_FOR_TEST and len(sizes) > 1:
        chosen = {min(sizes, key=lambda root: (sizes[root], place[root]))}
    test = frozenset(ids[index] for index, root in enumerate(roots) if root in chosen)
    return Split(test, len(sizes), max(sizes.values(), default=0))


def _place(record_id: str, seed: int) -> float:
    """A number in [0, 1) that follows from the id and the seed."""
    return int(content_id(str(seed), record_id)[:12], 16) / 16**12
