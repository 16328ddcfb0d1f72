"""The number of threads follows what the machine can give."""

import time

from generator.llm.threads import ThreadChooser


def steps_with(slow: int, count: int) -> tuple[int, list[int]]:
    """The setting after some steps that are slow with `slow` threads, and all settings made."""
    made: list[int] = []
    chooser = ThreadChooser(4, made.append)
    for _ in range(count):
        chooser.run(lambda: time.sleep(0.004 if chooser.threads == slow else 0.0))
    return chooser.threads, made


def test_one_thread_is_taken_where_four_stand_still() -> None:
    """The slower setting is left after a trial of both."""
    assert steps_with(slow=4, count=12)[0] == 1


def test_four_threads_are_kept_where_they_help() -> None:
    """One thread is tried, and left again."""
    threads, made = steps_with(slow=1, count=12)
    assert threads == 4
    assert made == [1, 4]


def test_a_single_core_has_nothing_to_choose() -> None:
    """Nothing is ever set."""
    made: list[int] = []
    chooser = ThreadChooser(1, made.append)
    for _ in range(50):
        chooser.run(lambda: None)
    assert made == []
