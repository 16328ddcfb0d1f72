"""Quotation marks of a table that open a field and do not close it: what stands behind is rows."""

from __future__ import annotations

import csv
import re
from bisect import bisect_right
from collections import deque
from collections.abc import Iterable
from functools import cache
from itertools import accumulate, chain
from typing import Self

# From a mark to before the next one that is not doubled, or to the end.
_QUOTED = r'"(?:[^"]++|"")*+'


class TableLines:
    """The lines of a table for a `csv.reader`, which can give those of the last row again."""

    def __init__(self, lines: Iterable[str]) -> None:
        self._lines, self._again = iter(lines), deque[str]()
        self.number, self.ended = 0, False
        self.row: list[str] = []

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else next(self._lines, None)
        self.ended = line is None
        if line is None:
            raise StopIteration
        self.row.append(line)
        self.number += 1
        return line

    def give_again(self, kept: int) -> str:
        """All lines of the row but the first `kept`, which are returned, come once more."""
        self._again.extendleft(reversed(self.row[kept:]))
        self.number -= len(self.row) - kept
        del self.row[kept:]
        return "".join(self.row)

    def next_row(self) -> None:
        """Call it when a row is done."""
        self.row.clear()


def open_quote(lines: TableLines, delimiter: str, width: int) -> int | None:
    """Which line of the row, from 0, opens a mark that takes other rows into its field.

    None where all is sound. The next mark closes no field if text follows it and it begins a field
    itself, or with its line a row of `width` fields (0: unknown) begins. In another line it is one
    of the marks that nobody doubled in a text of several lines, which `csv` reads as well.
    """
    found = _opening(delimiter).match("".join(lines.row))
    if found is None or found["open"] is None:
        return None
    starts = list(accumulate(map(len, lines.row), initial=0))
    closing = found.end("open")
    if width and closing < starts[-1] and found["open"][-1] != delimiter:
        at = bisect_right(starts, closing) - 1
        if width != _fields_from(lines, at, delimiter):
            return None
    return bisect_right(starts, found.start("open")) - 1


def _fields_from(lines: TableLines, at: int, delimiter: str) -> int:
    """How many fields the row has that begins with a line of this one, and may go on behind it."""
    count = len(lines.row)
    row = next(csv.reader(chain(lines.row[at:], lines), delimiter=delimiter))
    lines.give_again(count)
    return len(row)


@cache
def _opening(delimiter: str) -> re.Pattern[str]:
    """Sound fields, and in group "open" the first that is not: it has no end, or text behind it."""
    sound = rf'{_QUOTED}"[ ]*+(?=[{delimiter}\r\n]|\Z)'
    in_one_line = rf'"(?:[^"\r\n]++|"")*+"[^{delimiter}\r\n]*+'
    bare = rf'(?!")[^{delimiter}\r\n]*+'
    return re.compile(
        rf"(?:(?:{sound}|{in_one_line}|{bare}){delimiter})*+"
        rf"(?:{sound}|{in_one_line}|(?P<open>{_QUOTED})|{bare})"
    )
