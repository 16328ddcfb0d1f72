"""Families × languages × seed → draws, an endless stream whose every prefix is a run.

A draw's identity is `(family, version, form, language or pair, index)`. The order interleaves the
(family, language) keys by weight: key i's n-th draw is due at (n + phase_i) / weight_i, and draws
come by due time (stride scheduling, Waldspurger 1995; the phase, a hash of the key, spreads keys
of equal weight). So `count + 1` adds one draw. In any prefix a key whose share of the run is s, one
of n keys, has its due number of draws to within 1 + s * n (most are within 1; the n phases add up
in a heavy one). Everything is a pure function of its arguments.
"""

from __future__ import annotations

import heapq
import random
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from typing import NamedTuple

from generator.families import Axis, Family
from generator.records import Draw


@dataclass(frozen=True, slots=True)
class Quota:
    """A family in a run: its form and its weight among the others."""

    name: str
    family: Family
    form: str
    share: float


class Slot(NamedTuple):
    """One place in the order of a run: what a draw is before its axis values."""

    quota: Quota
    language: str
    number: int


def draws(quotas: Sequence[Quota], languages: Mapping[str, float], seed: int) -> Iterator[Draw]:
    """Example draws without end, in the run's order. `languages` maps codes to weights."""
    for quota, language, number in slots(quotas, languages):
        yield example_draw(quota.name, quota.family, quota.form, language, number, seed)


def slots(quotas: Sequence[Quota], languages: Mapping[str, float]) -> Iterator[Slot]:
    """The order of the draws alone, without end."""
    queue = []
    for quota in quotas:
        keys = language_keys(quota.family, languages)
        total = sum(keys.values())
        for language, weight in keys.items():
            rate = quota.share * weight / total
            phase = uniform("phase", quota.name, language)
            queue.append((phase / rate, quota.name, language, 0, phase, rate, quota))
    heapq.heapify(queue)
    while queue:
        _, name, language, index, phase, rate, quota = queue[0]
        following = ((index + 1 + phase) / rate, name, language, index + 1, phase, rate, quota)
        heapq.heapreplace(queue, following)
        yield Slot(quota, language, index)


def language_keys(family: Family, languages: Mapping[str, float]) -> dict[str, float]:
    """The languages (or "src-tgt" pairs) of a family among those of the run, with weights.

    A pair weighs the product of its two languages. Empty when none fits: a family of pairs needs
    two languages.
    """
    if isinstance(family.languages, tuple):
        return {code: w for code, w in languages.items() if code in family.languages}
    if family.languages == "one":
        return dict(languages)
    return {
        f"{source}-{target}": w_source * w_target
        for source, w_source in languages.items()
        for target, w_target in languages.items()
        if source != target
    }


def example_draw(
    name: str, family: Family, form: str, language: str, index: int, seed: int
) -> Draw:
    """One example draw with its axis values."""
    key = (name, family.version, form, language)
    values = axis_values(family.axes_of(form), (str(seed), *map(str, key)), index)
    return Draw(name, family.version, form, language, index, values=values)


def brainstorm_draw(draw: Draw, family: Family, seed: int) -> Draw:
    """The brainstorming call that gives an example draw its task; see `task_index`."""
    brainstorm = family.forms[draw.form].brainstorm
    if brainstorm is None:
        message = f"{draw.family}/{draw.form} has no brainstorming"
        raise ValueError(message)
    call = draw.index // brainstorm.tasks_per_call
    key = ("brainstorm", draw.family, draw.version, draw.form, draw.language)
    values = axis_values(brainstorm.axes, (str(seed), *map(str, key)), call)
    return Draw(
        draw.family, draw.version, draw.form, draw.language, call, kind="brainstorm", values=values
    )


def task_index(draw: Draw, family: Family, tasks: int) -> int:
    """Which of a brainstorming call's `tasks` an example draw uses; a short list wraps."""
    brainstorm = family.forms[draw.form].brainstorm
    return draw.index % (brainstorm.tasks_per_call if brainstorm else 1) % tasks


def request_seed(seed: int, draw: str, step: str, attempt: int) -> int:
    """The sampling seed of a request, 31 bits, from the run's seed and its identity."""
    return int(uniform("request", str(seed), draw, step, str(attempt)) * 2**31)


def uniform(*parts: str) -> float:
    """A number in [0, 1) that depends on the parts alone."""
    digest = blake2b("\x1f".join(parts).encode(), digest_size=8).digest()
    return (int.from_bytes(digest, "big") >> 11) / 2**53


def axis_values(axes: Mapping[str, Axis], key: tuple[str, ...], index: int) -> dict[str, str]:
    """One value per axis, in order, for the `index`-th draw of `key`."""
    values: dict[str, str] = {}
    for name, axis in axes.items():
        allowed = all(values[other] in options for other, options in axis.when.items())
        avoid = values.get(axis.distinct_from) if axis.distinct_from else None
        values[name] = _value(axis, (*key, name), index, avoid) if allowed else ""
    return values


def _value(axis: Axis, key: tuple[str, ...], index: int, avoid: str | None) -> str:
    if axis.order == "cycle":
        lap, place = divmod(index, len(axis.values))
        order = _shuffled(len(axis.values), (*key, str(lap)))
        value = axis.values[order[place]]
        # The next of the lap stands in: still a pure function, and seldom needed.
        return axis.values[order[(place + 1) % len(order)]] if value == avoid else value
    options = [i for i, value in enumerate(axis.values) if value != avoid]
    weights = [axis.weights[i] if axis.weights else 1.0 for i in options]
    sums = list(accumulate(weights))
    at = bisect(sums, uniform(*key, str(index)) * sums[-1])
    return axis.values[options[min(at, len(options) - 1)]]


@lru_cache(maxsize=4096)
def _shuffled(length: int, key: tuple[str, ...]) -> tuple[int, ...]:
    order = list(range(length))
    random.Random("\x1f".join(key)).shuffle(order)  # noqa: S311 - not for secrets
    return tuple(order)
