"""Duplicates among plain texts, such as a corpus's passages: exact ones, then near ones."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from generator.dedupe.exact import ExactIndex, first_with
from generator.dedupe.near import NearIndex
from generator.dedupe.similar import NOBODY


class Match(NamedTuple):
    """Why a text goes (`duplicate` or `near_duplicate`), for which earlier one, the similarity."""

    reason: str
    partner: int
    score: float


class TextDuplicates:
    """Texts that are added one after another, and then looked through in any order.

    `text_of` reads a text again; `near_threshold` None looks for exact duplicates alone.
    """

    def __init__(self, text_of: Callable[[int], str], near_threshold: float | None) -> None:
        self._exact = ExactIndex()
        self._near = None if near_threshold is None else NearIndex(text_of, near_threshold)

    def add(self, text: str) -> None:
        """The next text."""
        self._exact.add(text)
        if self._near is not None:
            self._near.add(text)

    def matches(self, order: Sequence[int]) -> dict[int, Match]:
        """The texts of `order` that go: those that duplicate one before them there."""
        places = np.array(order, dtype=np.int64)
        kinds, partners = first_with([self._exact], places)
        found = {
            item: Match("duplicate", int(partners[item]), 1.0)
            for item in np.flatnonzero(kinds).tolist()
        }
        if self._near is not None:
            stay = places[kinds[places] == 0]
            near = self._near.nearest(stay).of_items(stay, len(kinds))
            for item in np.flatnonzero(near.partners != NOBODY).tolist():
                score = float(near.scores[item])
                found[item] = Match("near_duplicate", int(near.partners[item]), score)
        return found
