"""Evaluation sets → their texts, as a stream: folders, files, tasks of mteb.

corpus.jsonl, queries.jsonl, qrels/test.tsv   BEIR: the test queries, and the passages
test.jsonl                                    STS, bitext, classification: every field of text
FILE.jsonl, FILE.txt                          every field of text; every line
mteb:NAME, or a name that is no path          a task of mteb, where mteb is installed
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

from generator.contamination.fields import LAYOUTS, Kind, fields_of
from generator.errors import InputError
from generator.records import content_id
from generator.textfile import Problems, json_lines, text_field, text_lines

Told = Callable[[str, int], None]  # the set that is read, and how many of its texts

_FILES = ("queries.jsonl", "corpus.jsonl", "qrels/test.tsv", "test.jsonl")
_TELL_EVERY = 10_000


class EvalText(NamedTuple):
    """A text of an evaluation set; `id` is its own there, or `file:line field`."""

    set: str
    kind: Kind
    id: str
    text: str


def eval_texts(
    sets: Iterable[str], *, passages: bool = True, tell: Told | None = None
) -> Iterator[EvalText]:
    """The texts of all sets, one after the other; those of `passages` only where asked for.

    Raises InputError where a set cannot be read.
    """
    seen: set[str] = set()
    for source in sets:
        name = Path(source).name if Path(source).name not in seen else source
        seen.add(name)
        number = 0
        for number, (kind, text_id, text) in enumerate(_texts(source, passages=passages), start=1):
            yield EvalText(name, kind, text_id, text)
            if tell is not None and number % _TELL_EVERY == 0:
                tell(name, number)
        if not number:
            raise InputError(f"{source}: holds no text", hint=f"an evaluation set is {LAYOUTS}")


def sets_key(sets: Iterable[str]) -> str:
    """A hash of the sets' names and files."""
    parts = []
    for source in sets:
        path = Path(source)
        files = [path, *(path / name for name in _FILES)]
        parts += [source, *(_file_hash(file) for file in files if file.is_file())]
    return content_id(*parts)


def _file_hash(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()


def _texts(source: str, *, passages: bool) -> Iterator[tuple[Kind, str, str]]:
    path = Path(source)
    if source.startswith("mteb:") or not path.exists():
        from generator.contamination.mtebsets import mteb_texts  # noqa: PLC0415 - loads mteb

        yield from mteb_texts(source, passages=passages)
    elif (path / "queries.jsonl").is_file() or (path / "corpus.jsonl").is_file():
        yield from _beir(path, passages=passages)
    elif path.is_dir() and (path / "test.jsonl").is_file():
        yield from _fields(path / "test.jsonl")
    elif path.is_dir():
        found = ", ".join(sorted(item.name for item in path.iterdir()))[:200]
        raise InputError(
            f"{path}: no evaluation set: it holds {found or 'nothing'}",
            hint=f"an evaluation set is {LAYOUTS}",
        )
    elif path.suffix in {".jsonl", ".json"}:
        yield from _fields(path)
    else:
        yield from (("text", f"{path.name}:{n}", line) for n, line in text_lines(path) if line)


def _beir(folder: Path, *, passages: bool) -> Iterator[tuple[Kind, str, str]]:
    if (folder / "queries.jsonl").is_file():
        judged = _judged(folder / "qrels" / "test.tsv")
        for name, text in _rows(folder / "queries.jsonl"):
            if judged is None or name in judged:  # the file holds those of other splits too
                yield "query", name, text
    if passages and (folder / "corpus.jsonl").is_file():
        yield from (("passage", name, text) for name, text in _rows(folder / "corpus.jsonl"))


def _judged(path: Path) -> set[str] | None:
    if not path.is_file():
        return None
    return {line.split("\t")[0] for _, line in text_lines(path)}


def _rows(path: Path) -> Iterator[tuple[str, str]]:
    problems = Problems(path, 'a line is {"_id": …, "text": …}')
    for place, row in json_lines(path, problems):
        text = text_field(row, "text")
        if text is None:
            problems.add(place, 'no "text"')
        else:
            yield text_field(row, "_id", "id") or place, text
    problems.check()


def _fields(path: Path) -> Iterator[tuple[Kind, str, str]]:
    problems = Problems(path, "a JSON object a line")
    for place, row in json_lines(path, problems):
        for kind, field, text in fields_of(row):
            yield kind, f"{place} {field}", text
    problems.check()
