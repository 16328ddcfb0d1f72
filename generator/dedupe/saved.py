"""What was compared, in a file: a row an item, so that a longer input only adds rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

from generator.dedupe.compare import MEASURES, Compared, Measure
from generator.dedupe.similar import Similar
from generator.recordfile import disk_error

ROW = np.dtype(
    [
        ("kind", "u1"),
        ("partner", "<i4"),
        *(
            (f"{measure}_{name}", kind)
            for measure in MEASURES
            for name, kind in (("partner", "<i4"), ("score", "<f8"))
        ),
    ]
)
_AT_ONCE = 1 << 18


def save(compared: Compared, path: Path) -> None:
    """Write the file, whole or not at all. Raises RunError where the disk is full."""
    part = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            for rows in _blocks(compared):
                rows.tofile(file)
        part.replace(path)
    except OSError as exc:
        raise disk_error(exc, path) from exc
    finally:
        with suppress(OSError):
            part.unlink()


def load(path: Path, measures: Iterable[Measure]) -> Compared:
    """The inverse, of those measures."""
    rows = np.fromfile(path, dtype=ROW)
    similar = {
        measure: Similar(
            rows[f"{measure}_partner"].astype(np.int64), rows[f"{measure}_score"].copy()
        )
        for measure in measures
    }
    return Compared(rows["kind"].copy(), rows["partner"].astype(np.int64), similar)


def cut(path: Path, items: int) -> None:
    """Leave the first rows alone."""
    with path.open("r+b") as file:
        file.truncate(items * ROW.itemsize)


def _blocks(compared: Compared) -> Iterator[np.ndarray]:
    for start in range(0, len(compared), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        rows = np.zeros(len(compared.kinds[part]), dtype=ROW)
        rows["kind"], rows["partner"] = compared.kinds[part], compared.partners[part]
        for measure in MEASURES:
            rows[f"{measure}_partner"] = -1
            if measure in compared.similar:
                similar = compared.similar[measure]
                rows[f"{measure}_partner"] = similar.partners[part]
                rows[f"{measure}_score"] = similar.scores[part]
        yield rows
