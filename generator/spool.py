"""Lines of draws as they finish, in any order, and then in the order of the run.

What is written waits on disk; in memory a draw takes 8 bytes. So a request that hangs for a minute
holds up nothing and fills no memory. The file outlives the process: a killed run goes on behind
what it had written, up to the first entry that is not whole.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from struct import Struct
from types import TracebackType
from typing import Self
from zlib import crc32

from generator.recordfile import disk_error

_MISSING = 0
_BUFFER_BYTES = 1 << 18
# Before the lines of a number: a checksum of all the rest, their bytes, the number, the mark.
_HEAD = Struct("<IIQq")
_SUMMED = 4  # where what is checked begins
NEVER = -1
"""The mark of an entry for this process alone; of a source from which nothing may be taken over."""


class Spool:
    """A context manager over a file that belongs to `key`. Raises RunError on a full disk.

    An entry's `mark` is how far its source had come (answers in the journal); it never falls. Of
    an earlier process's entries those up to the `mark` given here are taken over.
    """

    def __init__(self, path: Path, key: str, mark: int = NEVER) -> None:
        self._path, self._mark = path, mark
        self._title = key.encode() + b"\n"
        self._stack = ExitStack()
        self._places = array("q")  # of each number: where its entry begins
        self._end = len(self._title)

    def __enter__(self) -> Self:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._path.touch()
            self._file = self._stack.enter_context(self._path.open("r+b", buffering=_BUFFER_BYTES))
            self._take_over()
        except OSError as exc:
            raise disk_error(exc, self._path) from exc
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        try:
            self._stack.close()
        except OSError as error:  # what was not yet written has nowhere to go
            if kind is None:
                raise disk_error(error, self._path) from error

    def __contains__(self, number: int) -> bool:
        return number < len(self._places) and self._places[number] != _MISSING

    def __len__(self) -> int:
        return len(self._places) - self._places.count(_MISSING)

    def add(self, number: int, lines: Sequence[bytes], mark: int = NEVER) -> None:
        """The lines of a number, 0 or more; none of them may hold a newline."""
        entry = b"\n".join(lines)
        head = _HEAD.pack(0, len(entry), number, mark)[_SUMMED:]
        try:
            self._file.write(crc32(entry, crc32(head)).to_bytes(_SUMMED, "little") + head)
            self._file.write(entry)
        except OSError as exc:
            raise disk_error(exc, self._path) from exc
        self._place(number, len(entry))

    def lines(self, count: int) -> Iterator[bytes]:
        """All lines of the numbers below `count`, in order of the numbers; all must be there."""
        try:
            self._file.flush()
        except OSError as exc:
            raise disk_error(exc, self._path) from exc
        file = self._file.fileno()
        for place in self._places[:count]:
            _, size, _, _ = _HEAD.unpack(os.pread(file, _HEAD.size, place))
            if size:
                yield from os.pread(file, size, place + _HEAD.size).split(b"\n")

    def remove(self) -> None:
        """Take the file away: all is written that it was for."""
        self._path.unlink(missing_ok=True)

    def _take_over(self) -> None:
        if self._file.read(len(self._title)) == self._title:
            while (head := self._whole()) and head[3] <= self._mark:
                _, size, number, mark = head
                self._place(number, size, known=mark != NEVER)
        else:
            self._file.seek(0)
            self._file.write(self._title)
        self._file.seek(self._end)
        self._file.truncate()

    def _whole(self) -> tuple[int, ...] | None:
        """The head of the next entry, where the entry is as it was written."""
        head = self._file.read(_HEAD.size)
        if len(head) < _HEAD.size:
            return None
        found = _HEAD.unpack(head)
        entry = self._file.read(found[1])
        return found if found[0] == crc32(entry, crc32(head[_SUMMED:])) else None

    def _place(self, number: int, size: int, *, known: bool = True) -> None:
        if number >= len(self._places):
            self._places.frombytes(bytes(8 * (number + 1 - len(self._places))))
        if known:
            self._places[number] = self._end
        self._end += _HEAD.size + size
