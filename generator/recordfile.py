"""Files of records, one JSON a line: read as a stream or by index, written whole or not at all."""

from __future__ import annotations

import fcntl
import os
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from errno import ENOSPC, EROFS
from pathlib import Path
from shutil import copyfile
from typing import TextIO, overload

from pydantic import ValidationError

from generator.errors import InputError, RunError
from generator.records import Line, Record, Rejected, from_json

RECORDS = "records.jsonl"
_FIELDS = "docs/records.md has the fields; trine import makes records of your own pairs"


class RecordFile(Sequence[Record]):
    """The records of a file by index, read from disk at each access: 8 bytes of memory a record.

    Raises InputError where the file cannot be read, and at a line that is no record.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            self._file = path.open("rb")
        except OSError as exc:
            raise _unreadable(path, exc) from exc
        self._starts = array("q")
        at = 0
        for line in self._file:
            if line.strip():
                self._starts.append(at)
            at += len(line)

    def __len__(self) -> int:
        return len(self._starts)

    @overload
    def __getitem__(self, index: int) -> Record: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Record]: ...
    def __getitem__(self, index: int | slice) -> Record | Sequence[Record]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        try:
            return from_json(Record, self.line(index))
        except ValidationError as exc:
            number = range(len(self))[index] + 1
            raise InputError(
                f"{self.path}: item {number} is not a record: {_first_problem(exc)}", hint=_FIELDS
            ) from exc

    def line(self, index: int) -> bytes:
        """The line of a record as it stands in the file, without the newline."""
        self._file.seek(self._starts[index])
        return self._file.readline().rstrip(b"\r\n")

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def records_in(path: Path) -> Path:
    """The file of records that a path names: itself, or `records.jsonl` in a folder.

    Raises InputError for a folder without one.
    """
    if not path.is_dir():
        return path
    if not (path / RECORDS).is_file():
        raise InputError(
            f"{path}: no run here, and no {RECORDS}",
            hint="trine run -c quickstart makes one, trine import makes records of your own pairs",
        )
    return path / RECORDS


def read_lines(kind: type[Line], path: Path, start: int = 0) -> Iterator[Line]:
    """The items of a file that trine wrote, from a byte on. Raises InputError where one is none."""
    for number, line in _numbered(path, start):
        try:
            yield from_json(kind, line)
        except ValidationError as exc:
            raise InputError(
                f"{path}:{number}: not a {kind.__name__.lower()}: {_first_problem(exc)}",
                hint=_FIELDS,
            ) from exc


def read_records(path: Path) -> Iterator[Record | Rejected]:
    """The records of a user's file; a line that is none comes as a `Rejected`, in its place.

    Raises InputError behind the last where lines are there and none is a record.
    """
    found, problem = 0, ""
    for number, line in _numbered(path):
        try:
            yield from_json(Record, line)
            found += 1
        except ValidationError as exc:
            problem = problem or f"line {number}: {_first_problem(exc)}"
            yield Rejected(
                stage="read",
                reason="not_a_record",
                family="",
                language="",
                detail=f"{path.name}:{number}: {_first_problem(exc)}",
                text=line.decode("utf-8", "replace"),
            )
    if problem and not found:
        raise InputError(f"{path}: no record in it: {problem}", hint=_FIELDS)


@contextmanager
def write_whole(path: Path, *, extend: bool = False) -> Iterator[TextIO]:
    """A text file that appears under its name when the block ends well, and not at all otherwise.

    `extend`: it begins with what is there. Raises RunError where the disk is full or may not be
    written to.
    """
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if extend:
            copyfile(path, part)
        with part.open("a" if extend else "w", encoding="utf-8", newline="\n") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as exc:
        raise disk_error(exc, path) from exc
    finally:
        with suppress(OSError):  # the error above, if any, is the one to tell
            part.unlink()


@contextmanager
def alone_in(lock: Path) -> Iterator[None]:
    """One process at a time gets past this file, which is made where missing; another waits.

    Raises RunError where it cannot be written.
    """
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("a")
    except OSError as exc:
        raise disk_error(exc, lock) from exc
    with file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def disk_error(exc: OSError, path: Path) -> RunError:
    """What a failure to write means to the user."""
    if exc.errno == ENOSPC:
        hint = "free some space and run the same command: answers are kept"
    elif exc.errno == EROFS or isinstance(exc, PermissionError):
        hint = "choose a folder you may write to with -o"
    else:
        hint = "check the folder, or choose another with -o"
    return RunError(f"{path}: cannot be written: {exc.strerror or exc}", hint=hint)


def _numbered(path: Path, start: int = 0) -> Iterator[tuple[int, bytes]]:
    try:
        with path.open("rb") as file:
            file.seek(start)
            for number, line in enumerate(file, start=1):
                if line.strip():
                    yield number, line.rstrip(b"\r\n")
    except OSError as exc:
        raise _unreadable(path, exc) from exc


def _unreadable(path: Path, exc: OSError) -> InputError:
    return InputError(f"{path}: {exc.strerror or exc}", hint="check the path")


def _first_problem(exc: ValidationError) -> str:
    error = exc.errors(include_url=False)[0]
    place = ".".join(str(part) for part in error["loc"])
    return f"{place}: {error['msg']}" if place else str(error["msg"])
