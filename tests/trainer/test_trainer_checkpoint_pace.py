"""When checkpoints are due: by steps, or by the clock, whatever a step and a save take."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest

from generator.trainer.checkpoint import Pace


def saved_at(step_s: float, save_s: float, steps: int, every: int | None = None) -> Sequence[int]:
    """After which steps a run saves whose steps and saves take so long."""
    now, found = 0.0, []
    pace = Pace(every, clock=lambda: now)
    for step in range(1, steps + 1):
        now += step_s
        if pace.due(step):
            found.append(step)
            with pace.saving():
                now += save_s
    return found


def test_steps_that_are_named_are_kept_to() -> None:
    assert saved_at(0.001, 100.0, 12, every=5) == [5, 10]


@pytest.mark.parametrize(
    ("step_s", "save_s", "first", "then"),
    [
        (20.0, 1.0, 3, 3),  # a laptop: each minute
        (0.125, 3.0, 480, 480),  # a GPU, a model of 135M
        (1.0, 60.0, 60, 1200),  # a model of 7B, all weights: a twentieth of the time
        (90.0, 1.0, 1, 1),  # no more can be lost than a step
    ],
)
def test_by_the_clock_a_minute_is_lost_at_most_or_a_twentieth_of_the_time_is_spent(
    step_s: float, save_s: float, first: int, then: int
) -> None:
    found = saved_at(step_s, save_s, first + 3 * then)
    assert found[0] == first
    assert {b - a for a, b in itertools.pairwise(found)} == {then}
