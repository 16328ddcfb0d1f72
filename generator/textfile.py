"""Text and JSONL files of the user's own, line by line; every bad line is told, with its place."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from generator.errors import InputError
from generator.text import storable

MAX_PROBLEMS = 10
JSON_LINES = frozenset({".jsonl", ".ndjson", ".json"})  # suffixes; else a text a line


class Problems:
    """Everything that is wrong in some files, told at once; the first ten with their places."""

    def __init__(self, path: Path, hint: str) -> None:
        self._path, self._hint = path, hint
        self._found: list[str] = []

    def add(self, place: str, problem: str) -> None:
        """Note one problem; `place` is `file:line`."""
        self._found.append(f"{place}: {problem}")

    def check(self) -> None:
        """Raise InputError where there is any problem."""
        if self._found:
            more = len(self._found) - MAX_PROBLEMS
            listed = self._found[:MAX_PROBLEMS] + ([f"and {more:,} more"] if more > 0 else [])
            raise InputError(
                f"{self._path}: {len(self._found):,} bad lines",
                hint=self._hint,
                problems=tuple(listed),
            )


def json_lines(path: Path, problems: Problems) -> Iterator[tuple[str, dict[str, Any]]]:
    """Place (`file:line`) and object of each line; a line that holds no object is a problem."""
    for number, line in text_lines(path):
        if not line.strip():
            continue
        place = f"{path.name}:{number}"
        try:
            row = json_value(line)
        except ValueError as exc:
            problems.add(place, f"not JSON: {exc}")
            continue
        if isinstance(row, dict):
            yield place, row
        else:
            problems.add(place, "not a JSON object")


def json_value(text: str) -> Any:
    """The value of a JSON text; half a character, which no file takes, is U+FFFD in it.

    Raises ValueError where it is no JSON, or nested too deeply.
    """
    try:
        value = json.loads(text)
        if "\\ud" in text.lower():  # an escape that may be a lone surrogate
            value = json.loads(storable(json.dumps(value, ensure_ascii=False)))
    except RecursionError as exc:
        raise ValueError("nested too deeply") from exc
    return value


def text_lines(path: Path) -> Iterator[tuple[int, str]]:
    """Number, from 1, and content of each line. Raises InputError where it cannot be read."""
    try:
        with path.open(encoding="utf-8-sig") as file:
            for number, line in enumerate(file, start=1):
                yield number, line.rstrip("\n")
    except OSError as exc:
        raise InputError(f"{path}: {exc.strerror}", hint="check the path") from exc
    except UnicodeDecodeError as exc:
        raise InputError(f"{path}: not UTF-8: {exc}", hint=f"iconv -t utf-8 {path}") from exc


def text_field(row: Mapping[str, Any], *names: str) -> str | None:
    """The first of these fields that holds text; ids may be numbers too."""
    for name in names:
        value = row.get(name)
        if isinstance(value, str):
            return value
        if name.endswith("id") and isinstance(value, int) and not isinstance(value, bool):
            return str(value)
    return None
