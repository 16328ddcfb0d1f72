"""The number of threads follows what the machine can give."""

import time

import pytest

from generator.llm.threads import ThreadChooser

Made = tuple[int, list[int]]


def steps_with(clock: pytest.MonkeyPatch, slow: int, count: int) -> Made:
    """The setting after some steps that are slow with `slow` threads, and all settings made."""
    made: list[int] = []
    chooser = ThreadChooser(4, made.append)
    now = [0.0]

    def step() -> None:
        now[0] += 0.004 if chooser.threads == slow else 0.001

    with clock.context() as patch:
        patch.setattr(time, "perf_counter", lambda: now[0])
        for _ in range(count):
            chooser.run(step)
    return chooser.threads, made


def test_one_thread_is_taken_where_four_stand_still(monkeypatch: pytest.MonkeyPatch) -> None:
    """The slower setting is left after a trial of both."""
    assert steps_with(monkeypatch, slow=4, count=12)[0] == 1


def test_four_threads_are_kept_where_they_help(monkeypatch: pytest.MonkeyPatch) -> None:
    """One thread is tried, and left again."""
    threads, made = steps_with(monkeypatch, slow=1, count=12)
    assert threads == 4
    assert made == [1, 4]


def test_a_single_core_has_nothing_to_choose() -> None:
    """Nothing is ever set."""
    made: list[int] = []
    chooser = ThreadChooser(1, made.append)
    for _ in range(50):
        chooser.run(lambda: None)
    assert made == []
