"""Where records come from: a JSONL file, or anything that can be iterated over more than once."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from pydantic import ValidationError

from generator.errors import InputError
from generator.records import Record, from_json

# Two passes are made over the records (one to split, one to write), so a bare iterator will not do.
Source = Path | Callable[[], Iterable[Record]]


def records_of(source: Source) -> Iterator[Record]:
    """The records, one at a time. Raises `InputError`, with file and line, for any other line."""
    if isinstance(source, Path):
        return _read(source)
    return iter(source())


def _read(path: Path) -> Iterator[Record]:
    try:
        with path.open("rb") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield _record(line, path, number)
    except OSError as exc:
        raise InputError(
            f"{path}: cannot be read ({exc.strerror})", hint="give a JSONL file of records"
        ) from exc


def _record(line: bytes, path: Path, number: int) -> Record:
    try:
        return from_json(Record, line)
    except ValidationError as exc:
        problems = tuple(
            f"{'.'.join(map(str, error['loc'])) or 'line'}: {error['msg']}"
            for error in exc.errors(include_url=False)
        )
        raise InputError(
            f"{path}:{number}: not a record",
            hint="one record a line, as in a run's records.jsonl; trine import makes some of pairs",
            problems=problems,
        ) from exc
