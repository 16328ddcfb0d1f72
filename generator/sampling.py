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
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from hashlib import blake2b
from itertools import islice
from math import log
from typing import NamedTuple

from generator.families import Axis, Family, ShareBy
from generator.records import Draw

Rounds = Sequence[Mapping[str, int]]  # each: how many draws more a share gets


@dataclass(frozen=True, slots=True)
class Quota:
    """A family in a run: its form and its weight among the others.

    `grounds` are what a grounded family's examples are written from, one a draw and in this order;
    None for the others, which go on without end.
    """

    name: str
    family: Family
    form: str
    share: float
    grounds: Sequence[Ground] | None = None


class Ground(NamedTuple):
    """The `number`-th example of a family for one passage (its id; "a+b" for two)."""

    passage: str
    language: str
    number: int


class Slot(NamedTuple):
    """One place in the order of a run: what a draw is before its axis values."""

    quota: Quota
    language: str
    number: int
    passage: str = ""


def draws(
    quotas: Sequence[Quota],
    languages: Mapping[str, float],
    seed: int,
    start: int = 0,
    stop: int | None = None,
) -> Iterator[Draw]:
    """Example draws in the run's order, without end where there is no `stop`.

    `languages` maps codes to weights.
    """
    for slot in islice(slots(quotas, languages), start, stop):
        yield slot_draw(slot, seed)


def slots(
    quotas: Sequence[Quota],
    languages: Mapping[str, float],
    rounds: Rounds = (),
    by: ShareBy | None = None,
) -> Iterator[Slot]:
    """The order of the draws alone; it ends where all families are grounded.

    A grounded family is one key of the order, whatever the languages of its passages. With
    `rounds`, each gives every share (`by`) so many more draws, in the order that they have among
    each other, and the order ends with the last: one round more changes nothing before it.
    """
    queue = _queue(quotas, languages)
    if by is None:
        while queue:
            yield _next(queue)
        return
    for limits in rounds:
        left = Counter(limits)
        held: list[_Due] = []
        while queue and left.total():
            due = queue[0]
            share = share_of(by, due.name, due.language)
            if left[share] > 0:
                left[share] -= 1
                yield _next(queue)
            else:
                held.append(heapq.heappop(queue))
        for due in held:
            heapq.heappush(queue, due)


def share_of(by: ShareBy, family: str, language: str) -> str:
    """Which share of a run a draw or a record belongs to."""
    return {"family": family, "language": language}.get(by, f"{family}/{language}")


class _Due(NamedTuple):
    """When the next draw of a key is due."""

    at: float
    name: str
    language: str
    number: int
    phase: float
    rate: float
    quota: Quota


def _queue(quotas: Sequence[Quota], languages: Mapping[str, float]) -> list[_Due]:
    queue = []
    for quota in quotas:
        keys = {"": 1.0} if quota.grounds else language_keys(quota.family, languages)
        total = sum(keys.values())
        for language, weight in keys.items():
            rate = quota.share * weight / total
            phase = uniform("phase", quota.name, language)
            queue.append(_Due(phase / rate, quota.name, language, 0, phase, rate, quota))
    heapq.heapify(queue)
    return queue


def _next(queue: list[_Due]) -> Slot:
    """The draw that is due; its key goes back into the queue, unless it is through."""
    _, name, language, index, phase, rate, quota = queue[0]
    following = _Due((index + 1 + phase) / rate, name, language, index + 1, phase, rate, quota)
    if quota.grounds is None:
        heapq.heapreplace(queue, following)
        return Slot(quota, language, index)
    if index + 1 < len(quota.grounds):
        heapq.heapreplace(queue, following)
    else:
        heapq.heappop(queue)
    ground = quota.grounds[index]
    return Slot(quota, ground.language, ground.number, ground.passage)


def slot_draw(slot: Slot, seed: int) -> Draw:
    """The draw of a place in the order, with its axis values."""
    quota, language, number, passage = slot
    return example_draw(quota.name, quota.family, quota.form, language, number, seed, passage)


def call_id(slot: Slot) -> str | None:
    """The id of the brainstorming call that a place's draw needs; None where it needs none."""
    quota, language, number, passage = slot
    step = quota.family.forms[quota.form].brainstorm
    if step is None:
        return None
    call = number // step.tasks_per_call
    version = quota.family.version
    return Draw(
        quota.name, version, quota.form, language, call, kind="brainstorm", passage=passage
    ).id


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
    name: str,
    family: Family,
    form: str,
    language: str,
    index: int,
    seed: int,
    passage: str = "",
) -> Draw:
    """One example draw with its axis values; those of one passage go through a cycle together."""
    key = (name, family.version, form, language, *([passage] if passage else []))
    values = axis_values(family.axes_of(form), (str(seed), *map(str, key)), index)
    return Draw(name, family.version, form, language, index, values=values, passage=passage)


def brainstorm_draw(draw: Draw, family: Family, seed: int) -> Draw:
    """The brainstorming call that gives an example draw its task; see `task_index`."""
    brainstorm = family.forms[draw.form].brainstorm
    if brainstorm is None:
        message = f"{draw.family}/{draw.form} has no brainstorming"
        raise ValueError(message)
    call = draw.index // brainstorm.tasks_per_call
    passage = [draw.passage] if draw.passage else []
    key = ("brainstorm", draw.family, draw.version, draw.form, draw.language, *passage)
    values = axis_values(brainstorm.axes, (str(seed), *map(str, key)), call)
    return replace(draw, index=call, kind="brainstorm", values=values)


def task_index(draw: Draw, family: Family, tasks: int) -> int:
    """Which of a brainstorming call's `tasks` an example draw uses; a short list wraps."""
    brainstorm = family.forms[draw.form].brainstorm
    return draw.index % (brainstorm.tasks_per_call if brainstorm else 1) % tasks


def request_seed(seed: int, draw: str, step: str, attempt: int) -> int:
    """The sampling seed of a request, 31 bits, from the run's seed and its identity."""
    return int(uniform("request", str(seed), draw, step, str(attempt)) * 2**31)


def choose(weights: Mapping[str, float], *key: str) -> str:
    """One of the names, by weight and `key` alone.

    Weighted rendezvous hashing: another name takes draws from all, and moves none between them.
    """
    if len(weights) == 1:
        return next(iter(weights))
    # Half a step up: the logarithm of 0 has no value.
    return max(weights, key=lambda name: weights[name] / -log(uniform(*key, name) + 2**-54))


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
    options, sums = axis.choices(avoid)
    at = bisect(sums, uniform(*key, str(index)) * sums[-1])
    return options[min(at, len(options) - 1)]


@lru_cache(maxsize=4096)
def _shuffled(length: int, key: tuple[str, ...]) -> tuple[int, ...]:
    order = list(range(length))
    random.Random("\x1f".join(key)).shuffle(order)  # noqa: S311 - not for secrets
    return tuple(order)
