"""The one pass that decides: in order, an item goes iff it duplicates an earlier item that stayed.

So what a prefix of the input gives is a prefix of what the input gives, and nothing is dropped for
resembling something that was itself dropped (no chains).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol

from generator.dedupe.result import Deduped, Dropped


class Match(NamedTuple):
    """A kept item and how similar it is, 0 to 1."""

    partner: int
    score: float


class Index(Protocol):
    """Knows the kept items and finds the one that an item duplicates.

    An index has seen every item before the pass begins; the pass tells it which are kept.
    """

    def find(self, item: int) -> Match | None:
        """The earliest kept item that this one duplicates."""
        ...

    def keep(self, item: int) -> None:
        """From now on later items may duplicate this one."""
        ...


def drop_duplicates(
    count: int, indexes: Mapping[str, Index], known: Sequence[bool] = ()
) -> Deduped:
    """Pass `count` items through the indexes; the first that finds a partner gives the reason.

    Of the first items it is `known` whether they are kept: the result is about the others.
    """
    kept: list[int] = []
    dropped: list[Dropped] = []
    for item, is_kept in enumerate(known):
        for index in indexes.values() if is_kept else ():
            index.keep(item)
    for item in range(len(known), count):
        drop = _first_match(item, indexes)
        if drop is not None:
            dropped.append(drop)
            continue
        kept.append(item)
        for index in indexes.values():
            index.keep(item)
    return Deduped(tuple(kept), tuple(dropped))


def _first_match(item: int, indexes: Mapping[str, Index]) -> Dropped | None:
    for reason, index in indexes.items():
        match = index.find(item)
        if match is not None:
            return Dropped(item, match.partner, reason, match.score)
    return None
