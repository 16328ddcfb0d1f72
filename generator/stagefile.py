"""The files of a stage: what it passed on, what it rejected, and the order of the two.

    stages/NAME.jsonl, NAME.rejected.jsonl, NAME.order        "1" or "0" for each item it was given

Every stage goes through its items in order and its verdict on one depends on those before it alone.
So a longer input extends the files, and the first items of an input have the first lines of each.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from types import TracebackType
from typing import Self

from generator.counts import Counts
from generator.recordfile import write_whole
from generator.records import Record, Rejected, from_json, to_json_bytes
from generator.runs import RunFolder

PASSED, REJECTED = b"1", b"0"


class Output:
    """Writes a stage's files, whole or not at all; `extend` puts more behind what is there."""

    def __init__(self, run: RunFolder, stage: str, *, extend: bool = False) -> None:
        self._stack = ExitStack()
        self._paths = (run.stage(stage), run.stage_rejected(stage), run.stage_order(stage))
        self._extend = extend

    def __enter__(self) -> Self:
        with ExitStack() as opened:
            self._passed, self._rejected, self._order = (
                opened.enter_context(write_whole(path, extend=self._extend)).buffer
                for path in self._paths
            )
            self._stack = opened.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, tb: TracebackType | None
    ) -> None:
        self._stack.__exit__(kind, exc, tb)

    def add(self, item: Record | Rejected) -> None:
        """The next item."""
        line = to_json_bytes(item)
        if isinstance(item, Record):
            self.add_passed(line)
        else:
            self.add_rejected(line)

    def add_passed(self, line: bytes) -> None:
        """The next item, a record's line of JSON."""
        self._passed.write(line + b"\n")
        self._order.write(PASSED)

    def add_rejected(self, line: bytes) -> None:
        """The next item, a rejection's line of JSON."""
        self._rejected.write(line + b"\n")
        self._order.write(REJECTED)


def verdicts(run: RunFolder, stage: str) -> bytes:
    """Of each item that a stage was given, in order: whether it was passed on."""
    path = run.stage_order(stage)
    return path.read_bytes() if path.is_file() else b""


def place_of(verdict: bytes, passed: int) -> int:
    """How many items it takes until so many are passed on."""
    place = 0
    for _ in range(passed):
        place = verdict.index(PASSED, place) + 1
    return place


def cut(run: RunFolder, stage: str, items: int, counts: Counts) -> int:
    """Keep the first items of a stage alone; returns how many of them are passed on.

    The stage must not be marked as finished. What goes is taken out of `counts`.
    """
    order = verdicts(run, stage)
    passed = order[:items].count(PASSED)
    for line in _shortened(run.stage(stage), passed):
        counts.add(from_json(Record, line), times=-1)
    for line in _shortened(run.stage_rejected(stage), items - passed):
        counts.add(from_json(Rejected, line), times=-1)
    with write_whole(run.stage_order(stage)) as file:
        file.buffer.write(order[:items])
    return passed


def _shortened(path: Path, lines: int) -> Iterator[bytes]:
    """Keep the first lines of a file; yields the others."""
    with path.open("rb") as source:
        end = sum(map(len, islice(source, lines)))
        source.seek(end)
        yield from source
        source.seek(0)
        with write_whole(path) as part:
            shutil.copyfileobj(source, part.buffer)
            part.buffer.flush()
            part.buffer.truncate(end)
