"""Files, folders and data sets → documents, one after the other; what cannot be read is told.

A folder is walked whole, in the order of its names: a BEIR folder by its `corpus.jsonl` alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from generator.corpus import html, markdown, pdf, plain, rows
from generator.corpus.blocks import Block, Document, Skipped
from generator.corpus.decoding import SAMPLE_BYTES, decode, detect, is_broken
from generator.corpus.rows import HUB, Fields
from generator.errors import BadDocument, InputError
from generator.text import storable

Found = Iterator[Document | Skipped]
_CHARS_SNIFFED = 1000
# Never documents: hidden, of tools, or what describes the rest.
_LEFT_OUT = {"__pycache__", "node_modules", "qrels"}
_SAVED = ("dataset_dict.json", "state.json")  # what `save_to_disk` leaves


class Source(NamedTuple):
    """A file (or saved data set), and its name in `source` of its passages."""

    path: Path
    name: str


def documents(paths: Iterable[str], fields: Fields) -> Found:
    """The documents of all sources. Raises InputError where one does not exist."""
    for path in paths:
        if path.startswith(HUB):
            yield from rows.from_hub(path, fields)
            continue
        for source in files(path):
            yield from _read(source, fields)


def files(path: str) -> Iterator[Source]:
    """The files below a path, each with its name relative to it."""
    root = Path(path).expanduser()
    if not root.exists():
        raise InputError(
            f"corpus: no file or folder {path}", hint="a path, or hf:OWNER/NAME for a data set"
        )
    if not root.is_dir() or _is_saved(root):
        yield Source(root, root.name)
        return
    for found in _below(root, set()):
        yield Source(found, storable(found.relative_to(root).as_posix()))


def _below(folder: Path, seen: set[Path]) -> Iterator[Path]:
    """The files in a folder, each real folder once, wherever links lead.

    A folder that cannot be looked into comes itself: whoever reads it tells why.
    """
    seen.add(folder.resolve())
    if _holds(folder, "corpus.jsonl"):  # BEIR: its queries are no documents
        yield folder / "corpus.jsonl"
        return
    try:
        entries = sorted(folder.iterdir(), key=lambda entry: entry.name)
    except OSError:
        yield folder
        return
    for entry in entries:
        if entry.name.startswith(".") or entry.name in _LEFT_OUT:
            continue
        if not _is_folder(entry) or _is_saved(entry):
            yield entry
        elif not _is_run(entry) and entry.resolve() not in seen:
            yield from _below(entry, seen)


def _is_run(folder: Path) -> bool:
    """Whether trine itself wrote it: a run among the documents is none of them."""
    return _holds(folder, "run.yaml", "stages/passages.lock")


def _is_saved(folder: Path) -> bool:
    return _holds(folder, *_SAVED)


def _is_folder(entry: Path) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # not to be looked at
        return False


def _holds(folder: Path, *names: str) -> bool:
    try:
        return any((folder / name).is_file() for name in names)
    except OSError:
        return False


def _read(source: Source, fields: Fields) -> Found:
    path, name = source
    try:
        if path.is_dir():
            next(path.iterdir(), None)  # raises where it may not be looked into
            yield from rows.from_saved(path, name, fields)
        elif path.exists() and not path.is_file():
            yield Skipped(name, "unknown_kind", "no ordinary file")
        elif path.stat().st_size == 0:
            yield Skipped(name, "empty")
        elif (reader := _ROWS.get(path.suffix.lower())) is not None:
            yield from reader(path, name, fields)
        else:
            yield Document(name, *_READERS.get(path.suffix.lower(), _unknown)(path))
    except BadDocument as exc:
        yield Skipped(name, exc.reason, exc.detail)
    except OSError as exc:
        yield Skipped(name, "unreadable", exc.strerror or str(exc))


def _markdown(path: Path) -> tuple[str, Iterator[Block]]:
    return markdown.title_and_blocks(decode(path.read_bytes()))


def _html(path: Path) -> tuple[str, Iterator[Block]]:
    return html.title_and_blocks(decode(path.read_bytes()))


def _plain(path: Path) -> tuple[str, Iterator[Block]]:
    with path.open("rb") as file:
        sample = file.read(SAMPLE_BYTES)
    whole = path.stat().st_size <= SAMPLE_BYTES
    errors = "replace" if is_broken(sample, whole=whole) else "strict"
    return "", plain.blocks(_lines(path, detect(sample, whole=whole), errors))


def _lines(path: Path, encoding: str, errors: str) -> Iterator[str]:
    """Lines as they are needed: a file may be larger than memory."""
    try:
        with path.open(encoding=encoding, errors=errors) as file:
            yield from file
    except UnicodeDecodeError as exc:
        raise BadDocument("bad_encoding", f"{encoding} up to byte {exc.start}") from exc
    except OSError as exc:  # of a disk that fails, or a file that has gone
        raise BadDocument("unreadable", exc.strerror or str(exc)) from exc


def _unknown(path: Path) -> tuple[str, Iterator[Block]]:
    """A file without a suffix that is known, by how it begins."""
    with path.open("rb") as file:
        start = file.read(_CHARS_SNIFFED).lstrip()
    if start.startswith(b"%PDF-"):
        return pdf.title_and_blocks(path)
    if start[:15].lower().startswith((b"<!doctype html", b"<html")):
        return _html(path)
    if path.suffix and path.suffix.lower() not in _TEXT_LIKE:
        raise BadDocument("unknown_kind", path.suffix)
    return _plain(path)


Reader = Callable[[Path], tuple[str, Iterator[Block]]]
_READERS: dict[str, Reader] = {
    ".md": _markdown, ".markdown": _markdown, ".mdx": _markdown,
    ".html": _html, ".htm": _html, ".xhtml": _html,
    ".pdf": pdf.title_and_blocks,
    ".txt": _plain, ".text": _plain, ".rst": _plain, ".org": _plain, ".adoc": _plain,
}  # fmt: skip
_ROWS: dict[str, Callable[[Path, str, Fields], Found]] = {
    ".jsonl": rows.from_jsonl, ".ndjson": rows.from_jsonl, ".json": rows.from_json,
    ".parquet": rows.from_parquet, ".csv": rows.from_table, ".tsv": rows.from_table,
}  # fmt: skip
# A dot in a name is not always the beginning of a suffix (debian-reference.en).
_TEXT_LIKE = {f".{code}" for code in ("en", "ja", "de", "fr", "es", "zh", "ko", "1", "2", "log")}


def fingerprint(paths: Iterable[str]) -> list[tuple[str, int, int]]:
    """Name, size and time of every file: equal means that nothing has changed."""
    found = []
    for path in paths:
        if path.startswith(HUB):
            found.append((path, 0, 0))
            continue
        for source in files(path):
            with suppress(OSError):  # a link to nothing is told when it is read
                stat = source.path.stat()
                found.append((str(source.path), stat.st_size, stat.st_mtime_ns))
    return found
