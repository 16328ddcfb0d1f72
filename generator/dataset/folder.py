"""A folder that appears whole or not at all."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from generator.errors import InputError

# Lists the files that trine wrote to the folder, one a line: those it may replace.
MARKER = ".trine"


@contextmanager
def replacing(folder: Path) -> Iterator[Path]:
    """A new sibling folder to write to, which takes the place of `folder` when the block ends well.

    Raises `InputError` when `folder` holds any file that trine did not write: a slip of `-o` must
    not delete somebody's files.
    """
    _check(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    partial, old = (folder.with_name(f".{folder.name}.{mark}") for mark in ("partial", "old"))
    for leftover in (partial, old):  # of a run that was killed here
        shutil.rmtree(leftover, ignore_errors=True)
    partial.mkdir()
    try:
        yield partial
        (partial / MARKER).write_text("".join(f"{name}\n" for name in files_in(partial)))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    # A folder that is not empty cannot be replaced in one call, so the old one steps aside.
    if folder.exists():
        folder.replace(old)
    partial.replace(folder)
    shutil.rmtree(old, ignore_errors=True)


def files_in(folder: Path) -> list[str]:
    """The files below the folder but for hidden ones, relative, with `/`, sorted."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return sorted(p.as_posix() for p in paths if not any(part[0] == "." for part in p.parts))


def _check(folder: Path) -> None:
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"{folder}: a file, not a folder", hint="choose another folder with -o")
    marker = folder / MARKER
    ours = set(marker.read_text().splitlines()) if marker.is_file() else set()
    strangers = [name for name in files_in(folder) if name not in ours]
    if strangers:
        raise InputError(
            f"{folder}: holds files that trine did not write, so it is not replaced",
            hint="choose an empty or a new folder with -o",
            problems=tuple(strangers[:5]),
        )
