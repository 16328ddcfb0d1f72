"""How refusals trim a window, and what a vLLM server's queue says."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from generator.llm.queuedepth import Depth, QueueDepth, read_depth
from generator.llm.window import Window

ENGINES = """# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="a"} 3.0
vllm:num_requests_running{engine="1",model_name="a"} 1e+01
vllm:num_requests_waiting{engine="0",model_name="a"} 1.0
vllm:num_requests_waiting_by_reason{reason="x"} 9
"""


def rounds(
    window: Window, count: int, refused: Callable[[int], bool], *, start: int = 0
) -> list[int]:
    """The size after each round trip of a second in which all of the window is sent at once."""
    sizes = []
    for turn in range(start, start + count):
        size = window.size
        for number in range(size):
            if refused(number):
                window.refused(float(turn), turn + 1.0)
            else:
                window.answered(float(turn), turn + 1.0, 0, 10)
        sizes.append(window.size)
    return sizes


def test_a_number_that_is_configured_stays() -> None:
    """Without refusals the window is the number, whatever the latency."""
    window = Window(100)
    for turn in range(1000):
        window.answered(turn, turn + 0.1 * turn, window.sent(), 10)
    assert window.size == 100


def test_random_refusals_hardly_trim() -> None:
    """Two in a hundred: 0.8 of the window or more stays."""
    random = Random(1)
    sizes = rounds(Window(256), 300, lambda _: random.random() < 0.02)
    assert sum(sizes) / len(sizes) >= 0.9 * 256
    assert min(sizes) >= 0.8 * 256


def test_one_trim_a_round_trip() -> None:
    """All that was sent before the trim counts no more: 256 refusals take half, not all."""
    window = Window(256)
    for _ in range(256):
        window.refused(0.0, 1.0)
    assert window.size == 128


def test_a_server_that_takes_so_many_at_a_time_gets_about_as_many() -> None:
    """It refuses what is above 64: the window settles there, and comes back when it may."""
    window = Window(512)
    sizes = rounds(window, 60, lambda number: number >= 64)
    assert all(60 <= size <= 80 for size in sizes[20:])
    assert rounds(window, 60, lambda _: False, start=60)[-1] == 512


def test_a_window_never_closes() -> None:
    """One is left, and it grows again."""
    window = Window(64)
    assert rounds(window, 40, lambda _: True)[-1] == 1
    assert rounds(window, 60, lambda _: False, start=60)[-1] == 64


@pytest.mark.parametrize(
    ("text", "depth"),
    [
        (None, None),
        ("", None),
        ("python_info 1\n", None),
        ("vllm:num_requests_running 3.0\nvllm:num_requests_waiting 4.0\n", Depth(3, 4)),
        (
            ENGINES,
            Depth(13, 1),
        ),
    ],
)
def test_the_metrics_of_vllm_are_read(text: str | None, depth: Depth | None) -> None:
    """Over all engines; a page without them is none."""
    assert read_depth(text) == depth


def looks(depth: QueueDepth, count: int, capacity: int, demand: int = 10_000) -> list[int]:
    """The sizes over looks at a server that runs `capacity` of what is in flight."""
    sizes = []
    for _ in range(count):
        in_flight = min(depth.size, demand)
        running = min(in_flight, capacity)
        depth.note(running, in_flight - running, in_flight, depth.size)
        sizes.append(depth.size)
    return sizes


@pytest.mark.parametrize("capacity", [1, 3, 64, 256, 700])
def test_a_few_wait_at_a_vllm_server(capacity: int) -> None:
    """The number settles above what runs, by an eighth of it or two."""
    sizes = looks(QueueDepth(1024), 60, capacity)
    assert all(capacity < size <= capacity + max(2, capacity // 8) for size in sizes[30:])


def test_what_others_send_makes_room_for_them() -> None:
    """Where others fill the queue, ours becomes small and stays above zero."""
    depth = QueueDepth(1024)
    for _ in range(60):
        depth.note(64, 100, depth.size, depth.size)
    assert depth.size == 1


def test_without_demand_the_number_does_not_grow() -> None:
    """An idle server is no reason for more."""
    assert looks(QueueDepth(1024), 60, 64, demand=5)[-1] == QueueDepth(1024).size


def test_the_queue_goes_before_the_latency_as_long_as_it_is_known() -> None:
    """A server that stops to tell is judged by its latency again."""
    window = Window()
    first = window.size
    window.in_flight = first
    window.depth(first, 0)
    assert window.size == 2 * first
    window.depth_unknown()
    assert window.size == first
