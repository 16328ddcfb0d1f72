"""The number in flight that is found without a word from the server, in simulated time."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from generator.llm.climb import Climb
from tests.simulated import Fixed, Queueing, Server, Sharing, run

Lengths = Callable[[Random], int]
BY_HAND = (4, 8, 16, 32, 48, 64, 80, 100, 128, 256, 512, 1024)


def same(_: Random) -> int:
    """Replies of one length."""
    return 400


def scattered(random: Random) -> int:
    """Replies of many lengths: log-normal, sigma 0.6."""
    return max(1, round(400 * random.lognormvariate(0, 0.6)))


def half_a_second(_: int) -> float:
    return 0.5


def with_stragglers() -> Callable[[int], float]:
    random = Random(5)
    return lambda _: 3.0 if random.random() < 0.01 else 0.5


def hidden_lengths() -> Callable[[int], float]:
    """Seconds that no count of tokens explains."""
    random = Random(6)
    return lambda _: 0.5 * random.lognormvariate(0, 0.6)


def best_by_hand(server: Callable[[], Server], lengths: Lengths) -> float:
    """The rate of the best number set by hand."""
    return max(run(Fixed(size), server(), 4000, lengths).settled()[1] for size in BY_HAND)


@pytest.mark.parametrize(
    ("server", "lengths"),
    [
        (lambda: Queueing(64, half_a_second), same),
        (lambda: Queueing(64, lambda tokens: tokens / 800), scattered),
        (lambda: Queueing(64, hidden_lengths()), same),
        (lambda: Queueing(64, with_stragglers()), same),
    ],
    ids=["same", "lengths", "hidden", "stragglers"],
)
def test_a_server_that_takes_64_at_a_time_gets_about_64(
    server: Callable[[], Server], lengths: Lengths
) -> None:
    """The median is 56 to 80, at 0.9 of the best rate or more."""
    middle, rate = run(Climb(1024), server(), 8000, lengths).settled()
    assert 56 <= middle <= 80
    assert rate >= 0.9 * best_by_hand(server, lengths)


@pytest.mark.parametrize("knee", [20, 100, 400])
@pytest.mark.parametrize("lengths", [same, scattered])
def test_a_server_that_grows_slower_with_its_load_is_not_taken_for_a_full_one(
    knee: int, lengths: Lengths
) -> None:
    """Latency doubles at `knee` in flight: the rate is 0.8 of the best or more, not a half."""

    def server() -> Server:
        return Sharing(0.01, 0.01 / knee)

    middle, rate = run(Climb(1024), server(), 12_000, lengths).settled()
    assert middle > knee
    assert rate >= 0.8 * best_by_hand(server, lengths)


@pytest.mark.parametrize(("capacity", "most"), [(1, 2), (5, 10)])
def test_a_small_server_is_left_alone(capacity: int, most: int) -> None:
    """It comes down from where it begins."""
    middle, _ = run(Climb(1024), Queueing(capacity, half_a_second), 6000, same).settled()
    assert capacity <= middle <= most


def test_a_server_that_grows_gets_more() -> None:
    """From 40 to 160 places at a time: the number follows, up and down again."""
    control, server = Climb(1024), Queueing(40, half_a_second)
    assert 34 <= run(control, server, 6000, same).settled()[0] <= 50
    server = Queueing(160, half_a_second)
    assert 134 <= run(control, server, 20_000, same).settled()[0] <= 210
    server = Queueing(40, half_a_second)
    assert 34 <= run(control, server, 20_000, same).settled()[0] <= 60


def test_no_more_than_the_most() -> None:
    """A limit is kept, and reached where it pays."""
    seen = run(Climb(100), Queueing(1000, half_a_second), 8000, same)
    assert max(seen.in_flight) == 100
    assert seen.settled()[0] == 100


def test_an_idle_window_teaches_nothing() -> None:
    """Answers to requests that did not fill the window change no size."""
    control = Climb(1024)
    for _ in range(5000):
        control.add(0.5, 100, 0)
    assert control.size == Climb(1024).size
