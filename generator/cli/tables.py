"""Tables on stderr or stdout, through rich."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

_LINE_CHARS = 160
_NUMBER = re.compile(r"-?\$?[\d,]*\.?\d*( %)?")  # or nothing, or a dash


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[Any]], *, title: str = "", err: bool = False
) -> None:
    """Print a table; numbers, shares and money are set right, with thousands marks, None as -."""
    from rich.box import SIMPLE_HEAD  # noqa: PLC0415 - `--help` need not load it
    from rich.console import Console  # noqa: PLC0415
    from rich.markup import escape  # noqa: PLC0415
    from rich.table import Table  # noqa: PLC0415

    table = Table(
        title=escape(title) or None, box=SIMPLE_HEAD, title_justify="left", pad_edge=False
    )
    for index, name in enumerate(columns):
        numeric = bool(rows) and all(_NUMBER.fullmatch(_cell(row[index])) for row in rows)
        table.add_column(name, justify="right" if numeric else "left", overflow="fold")
    for row in rows:
        table.add_row(*(_cell(value) for value in row))
    Console(stderr=err, highlight=False, soft_wrap=False).print(table)


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
