"""Other processes end with this one, however it ends: SIGKILL runs no clean-up here.

A watcher waits for the end of a pipe that only this process holds open, then kills the processes
that it was told of. It has a session of its own, so that Ctrl-C at a terminal does not reach it.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable

_WATCH = """
import os, signal, sys
sys.stdin.read()
for process in map(int, sys.argv[1:]):
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        pass
"""


class Lifeline:
    """Kills the processes of these ids once this process is gone, until it is cut."""

    def __init__(self, processes: Iterable[int]) -> None:
        command = [sys.executable, "-I", "-S", "-c", _WATCH, *map(str, processes)]
        self._watcher = subprocess.Popen(  # noqa: S603 - this interpreter, and numbers
            command, stdin=subprocess.PIPE, start_new_session=True
        )

    def cut(self) -> None:
        """Let the processes be: they have ended by themselves."""
        self._watcher.kill()
        self._watcher.wait()
        if self._watcher.stdin is not None:
            self._watcher.stdin.close()
