"""Thresholds → what goes: a record goes iff it resembles an earlier one, stayed or gone, enough.

That an earlier one may have gone itself is what makes the rule hold together: whether a record goes
is one comparison of one number, so a higher threshold never drops more; it depends on earlier
records alone, so a prefix of the input gives a prefix of the result; and what stays holds no two
that resemble each other, so nothing more goes the second time. No rule that spares what resembles
only the dropped has all three (docs/decisions.md).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from generator.dedupe.compare import MEASURES, REASONS, Compared, Measure
from generator.dedupe.result import Deduped, Dropped
from generator.dedupe.similar import NOBODY, Places


@dataclass(frozen=True, slots=True, eq=False)
class Verdicts:
    """Of each item: why it goes (a place in `REASONS`, from 1; 0: it stays), for whom, the score.

    `stays` is the item that stays of those it was linked with, itself where it stays.
    """

    kinds: NDArray[np.uint8]
    partners: Places
    scores: NDArray[np.float64]
    stays: Places

    def drop(self, item: int) -> Dropped | None:
        """Why an item goes, None where it stays."""
        kind = int(self.kinds[item])
        if not kind:
            return None
        partner, score = int(self.partners[item]), float(self.scores[item])
        return Dropped(item, partner, REASONS[kind - 1], score, int(self.stays[item]))

    def clusters(self) -> Iterator[tuple[int, list[int]]]:
        """Each item that stays and for which others go, with those, in order of the first."""
        gone = np.flatnonzero(self.kinds)
        by_cluster = gone[np.argsort(self.stays[gone], kind="stable")]
        stays = self.stays[by_cluster]
        starts = np.flatnonzero(np.append(True, stays[1:] != stays[:-1])) if gone.size else gone
        for members in np.split(by_cluster, starts[1:]) if gone.size else []:
            yield int(self.stays[members[0]]), members.tolist()

    def deduped(self) -> Deduped:
        """The same as objects."""
        drops = (self.drop(int(item)) for item in np.flatnonzero(self.kinds))
        return Deduped(
            kept=tuple(np.flatnonzero(self.kinds == 0).tolist()),
            dropped=tuple(drop for drop in drops if drop is not None),
        )


def decide(compared: Compared, thresholds: Mapping[Measure, float]) -> Verdicts:
    """Apply thresholds, which must not be below the floors that the records were compared with."""
    kinds, partners = compared.kinds.copy(), compared.partners.copy()
    scores = (kinds > 0).astype(np.float64)
    for measure in MEASURES:
        if measure not in thresholds:
            continue
        similar = compared.similar[measure]
        reached = (similar.partners != NOBODY) & (similar.scores >= thresholds[measure])
        goes = reached & (kinds == 0)
        kinds[goes] = REASONS.index(f"{measure}_duplicate") + 1
        partners[goes], scores[goes] = similar.partners[goes], similar.scores[goes]
    return Verdicts(kinds, partners, scores, _stays(kinds, partners))


def _stays(kinds: NDArray[np.uint8], partners: Places) -> Places:
    """Partner of partner …, up to one that stays; each round doubles the steps."""
    stays = np.where(kinds > 0, partners, np.arange(len(kinds)))
    while True:
        further = stays[stays]
        if (further == stays).all():
            return stays
        stays = further
