"""Lines of draws as they finish, in any order, and then in the order of the run.

What is written waits on disk, in a file without a name that goes with the process; in memory a
draw takes 8 bytes. So a request that hangs for a minute holds up nothing and fills no memory.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import Self

from generator.recordfile import disk_error

_MISSING = 0
_LENGTH_BYTES = 8
_BUFFER_BYTES = 1 << 18


class Spool:
    """A context manager over a temporary file in `folder`. Raises RunError on a full disk."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stack = ExitStack()
        self._places = array("q")  # of each number: where its lines begin
        self._end = _LENGTH_BYTES  # so that no place is 0

    def __enter__(self) -> Self:
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            file = TemporaryFile(dir=self._folder, buffering=_BUFFER_BYTES)
            self._file = self._stack.enter_context(file)
            self._file.write(bytes(_LENGTH_BYTES))
        except OSError as exc:
            raise disk_error(exc, self._folder) from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            self._stack.close()
        except OSError as error:  # what was not yet written has nowhere to go
            if kind is None:
                raise disk_error(error, self._folder) from error

    def __contains__(self, number: int) -> bool:
        return number < len(self._places) and self._places[number] != _MISSING

    def add(self, number: int, lines: Sequence[bytes]) -> None:
        """The lines of a number, 0 or more; none of them may hold a newline."""
        entry = b"\n".join(lines)
        if number >= len(self._places):
            self._places.frombytes(bytes(8 * (number + 1 - len(self._places))))
        try:
            self._file.write(len(entry).to_bytes(_LENGTH_BYTES, "little"))
            self._file.write(entry)
        except OSError as exc:
            raise disk_error(exc, self._folder) from exc
        self._places[number] = self._end
        self._end += _LENGTH_BYTES + len(entry)

    def lines(self, count: int) -> Iterator[bytes]:
        """All lines of the numbers below `count`, in order of the numbers; all must be there."""
        try:
            self._file.flush()
        except OSError as exc:
            raise disk_error(exc, self._folder) from exc
        file = self._file.fileno()
        for place in self._places[:count]:
            size = int.from_bytes(os.pread(file, _LENGTH_BYTES, place), "little")
            if size:
                yield from os.pread(file, size, place + _LENGTH_BYTES).split(b"\n")
