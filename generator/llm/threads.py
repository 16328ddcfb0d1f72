"""How many threads a model on the CPU computes with: as many as help at the moment.

Threads that wait for each other stand still when another program takes one of the cores: a step of
two threads was seen to take thirty times that of one. So now and then a few steps are timed with
all threads and with one, and the faster setting is kept until the next time.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

_TRIAL_STEPS = 6
_STEPS_BETWEEN_TRIALS = 200


class ThreadChooser:
    """Runs steps, and sets the number of threads for those to come through `set_threads`."""

    def __init__(self, most: int, set_threads: Callable[[int], None]) -> None:
        self._settings = sorted({1, most}, reverse=True)
        self._set = set_threads
        self._times: dict[int, list[float]] = {}
        self._steps_left = 0
        self.threads = most

    def run(self, step: Callable[[], None]) -> None:
        """Run one step; time it where a trial is under way."""
        if len(self._settings) == 1:
            step()
            return
        if self._steps_left > 0:
            self._steps_left -= 1
            step()
            return
        start = time.perf_counter()
        step()
        self._note(time.perf_counter() - start)

    def close(self) -> None:
        """Give all threads back: what computes next in this process may want them."""
        self._set(self._settings[0])

    def _note(self, seconds: float) -> None:
        times = self._times.setdefault(self.threads, [])
        times.append(seconds)
        if len(times) < _TRIAL_STEPS:
            return
        untried = [threads for threads in self._settings if threads not in self._times]
        if untried:
            self._use(untried[0])
            return
        self._use(min(self._times, key=lambda threads: median(self._times[threads])))
        self._times = {}
        self._steps_left = _STEPS_BETWEEN_TRIALS

    def _use(self, threads: int) -> None:
        self.threads = threads
        self._set(threads)
