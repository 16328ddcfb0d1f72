"""Which rows make which batch: a pure function of the rows, the configuration and the epoch.

Nothing here depends on workers, processes or time, so a run that stopped finds its place by
counting steps.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from generator.errors import ConfigError
from generator.trainer.config import TrainConfig
from generator.trainer.store import Store

Rows = npt.NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Plan:
    """The batches of an epoch. `skipped` rows found no batch without a copy of their texts."""

    batches: list[Rows]
    positives: npt.NDArray[np.int64]
    skipped: int


def plan_epoch(store: Store, config: TrainConfig, epoch: int, usable: Rows) -> Plan:
    """The batches of one epoch over the `usable` rows, in order."""
    rng = np.random.default_rng([config.seed, epoch, 1])
    rows = _drawn(store, config, epoch, usable)
    counts = np.diff(store.arrays["positive_start"])
    # One positive of each row an epoch; the others are known, and masked.
    positives = (rng.random(len(store)) * counts).astype(np.int64)
    groups = np.asarray(store.arrays["group"])[rows]
    parts = [rows]
    if config.batching == "homogeneous":
        parts = [rows[groups == group] for group in np.unique(groups)]
    batches: list[Rows] = []
    skipped = 0
    for part in parts:
        full, small = _without_copies(store, part, positives, config.batch_size)
        batches += full
        keep = [b for b in small if len(b) >= max(2, config.batch_size // 4) or not batches]
        batches += keep
        skipped += sum(map(len, small)) - sum(map(len, keep))
    order = rng.permutation(len(batches)) if config.batching == "homogeneous" else None
    ordered = batches if order is None else [batches[i] for i in order]
    return Plan(ordered, positives, skipped)


def _drawn(store: Store, config: TrainConfig, epoch: int, usable: Rows) -> Rows:
    """The rows of an epoch, shuffled: each source in its ratio, going round its own permutation."""
    source = np.asarray(store.arrays["source"])[usable]
    sizes = {name: int((source == i).sum()) for i, name in enumerate(store.sources)}
    weights = _weights(config.ratios, sizes)
    parts = []
    for i, name in enumerate(store.sources):
        rows, count = usable[source == i], round(len(usable) * weights[name])
        parts.append(_round(rows, config.seed, i, epoch * count, count))
    drawn = np.concatenate(parts)
    return drawn[np.random.default_rng([config.seed, epoch, 0]).permutation(len(drawn))]


def _weights(ratios: Mapping[str, float] | None, sizes: Mapping[str, int]) -> dict[str, float]:
    """The share of each source: as configured, else by size."""
    if ratios and (unknown := set(ratios) - set(sizes)):
        raise ConfigError(
            f"ratios: no source {', '.join(sorted(unknown))}", hint=f"sources: {', '.join(sizes)}"
        )
    raw = {name: (ratios or sizes).get(name, 0.0) for name in sizes}
    total = sum(raw.values())
    if not total:
        raise ConfigError("ratios: all are zero", hint="give one source a weight above 0")
    return {name: weight / total for name, weight in raw.items()}


def _round(rows: Rows, seed: int, source: int, start: int, count: int) -> Rows:
    """`count` rows from place `start` of an endless line of permutations."""
    if not len(rows) or not count:
        return rows[:0]
    first, last = start // len(rows), (start + count - 1) // len(rows)
    laps = [
        rows[np.random.default_rng([seed, source, lap, 2]).permutation(len(rows))]
        for lap in range(first, last + 1)
    ]
    begin = start - first * len(rows)
    return np.concatenate(laps)[begin : begin + count]


def _without_copies(
    store: Store, rows: Rows, positives: npt.NDArray[np.int64], size: int
) -> tuple[list[Rows], list[Rows]]:
    """Batches in which no query or positive stands twice: full ones, and those that stayed short.

    A row whose text is there already waits for the next batch.
    """
    full: list[Rows] = []
    small: list[Rows] = []
    waiting: deque[int] = deque()
    fresh = iter(rows.tolist())
    while True:
        batch, waiting = _one_batch(store, waiting, fresh, positives, size)
        if not batch:
            return full, small
        (full if len(batch) == size else small).append(np.asarray(batch, dtype=np.int64))


def _one_batch(
    store: Store,
    waiting: deque[int],
    fresh: Iterator[int],
    positives: npt.NDArray[np.int64],
    size: int,
) -> tuple[list[int], deque[int]]:
    seen: set[int] = set()
    batch: list[int] = []
    later: deque[int] = deque()
    while len(batch) < size:
        row = waiting.popleft() if waiting else next(fresh, None)
        if row is None:
            break
        texts = _texts(store, row, positives)
        if seen.isdisjoint(texts):
            seen |= texts
            batch.append(row)
        else:
            later.append(row)
    return batch, later + waiting


def _texts(store: Store, row: int, positives: npt.NDArray[np.int64]) -> set[int]:
    """The identities of a row's query and chosen positive."""
    identity = store.arrays["identity"]
    start = store.arrays["positive_start"][row]
    positive = store.arrays["positive"][start + positives[row]]
    return {int(identity[store.arrays["query"][row]]), int(identity[positive])}
