"""Tables on stderr or stdout, through rich."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Sequence
from typing import Any

_LINE_CHARS = 160
_NAME = re.compile(r"\S{0,40}")
_FRAME = 3  # characters between two columns
_LEAST = 8  # of a column of text
_NUMBER = re.compile(r"-?\$?[\d,]*\.?\d*( %)?")  # or nothing, or a dash


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "", err: bool = False
) -> None:
    """Print a table; numbers, shares and money are set right, with thousands marks, None as -.

    Where the terminal is narrow, columns of text are wrapped before names and numbers are broken.
    """
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - `--help` need not load it
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        title=escape(title) or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False
    )
    console = Console(stderr=err, highlight=False, soft_wrap=False)
    cells = [[_cell(row[index]) for row in rows] for index in range(len(columns))]
    heads = _whole(columns, cells, console.width)
    for name, head, column in zip(columns, heads, cells, strict=True):
        right = bool(column) and all(map(_NUMBER.fullmatch, column))
        table.add_column(
            head or name, justify="right" if right else "left", overflow="fold",
            no_wrap=head is not None,
        )  # fmt: skip
    for row in zip(*cells, strict=True):
        table.add_row(*row)
    console.print(table)


def _whole(names: Sequence[str], cells: Sequence[Sequence[str]], width: int) -> list[str | None]:
    """Of columns that need not be broken the head, on several lines if need be; None of others."""
    from rich.cells import cell_len  # noqa: PLC0415

    heads: list[str | None] = [None] * len(names)
    taken = 0
    for index, (name, column) in enumerate(zip(names, cells, strict=True)):
        if all(_NUMBER.fullmatch(cell) or _NAME.fullmatch(cell) for cell in column):
            words = max(map(cell_len, (*column, *name.split())), default=0)
            heads[index] = "\n".join(textwrap.wrap(name, max(words, 1)))
            taken += words
    columns = zip(names, cells, strict=True)
    wanted = sum(max(map(cell_len, (*column, name))) for name, column in columns)
    room = width - _FRAME * len(names)
    if wanted <= room or taken + _LEAST * heads.count(None) > room:
        return [None] * len(names)
    return heads


def _cell(value: Any) -> str:
    from rich.markup import escape  # noqa: PLC0415

    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:,.3f}".rstrip("0").rstrip(".")
    return f"{value:,}" if isinstance(value, int) else escape(str(value))


def one_line(text: str) -> str:
    """A text's beginning as one line that a terminal may show."""
    # It may hold anything: control characters would reach the terminal.
    line = "".join(char if char.isprintable() else " " for char in text)
    line = " ".join(line.split())
    return line if len(line) <= _LINE_CHARS else line[: _LINE_CHARS - 1] + "…"
