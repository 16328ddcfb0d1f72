"""Passages to search in: a BEIR corpus, JSONL, plain text, or a run's own texts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from generator.errors import InputError
from generator.textfile import JSON_LINES, Problems, json_lines, text_field, text_lines

# A line of these is no passage. MS MARCO's collection.tsv would be searched with its ids.
_NO_LINES = frozenset(".csv .tsv .parquet .gz .bz2 .xz .zst .zip .pdf .html .htm .xlsx".split())
_HINT = "give a corpus.jsonl, a .txt file with a passage a line, or outputs/<run>"


@dataclass(frozen=True, slots=True)
class Passage:
    """A text to find. `title` may be empty."""

    id: str
    text: str
    title: str = ""

    @property
    def full(self) -> str:
        """Title and text, as they are indexed and embedded (BEIR's convention)."""
        return f"{self.title} {self.text}".strip()


def read_passages(source: Path) -> list[Passage]:
    """The passages of a corpus: a BEIR folder or file, JSONL with `text`, lines, or a run's folder.

    Raises InputError with every bad line.
    """
    path = passages_file(source)
    if path.suffix.lower() in JSON_LINES:
        return _from_jsonl(path)
    return _some(list(stream_passages(path)), path)


def stream_passages(source: Path) -> Iterator[Passage]:
    """The passages of a corpus one by one: nothing is held, and ids may stand twice.

    Raises InputError with every bad line, after the last one.
    """
    path = passages_file(source)
    if path.suffix.lower() not in JSON_LINES:
        yield from (Passage(str(n), line) for n, line in text_lines(path) if line.strip())
        return
    problems = _problems(path)
    for _, passage in _placed(path, problems):
        yield passage
    problems.check()


def passages_file(source: Path) -> Path:
    """The file that holds the passages of a corpus. Raises InputError."""
    if not source.exists():
        raise InputError(f"{source}: no such file or folder", hint="check the path")
    if not source.is_dir():
        if source.suffix.lower() in _NO_LINES:
            raise InputError(
                f"{source}: neither JSONL nor a text with a passage a line", hint=_HINT
            )
        return source
    for name in ("corpus.jsonl", "records.jsonl"):
        if (source / name).is_file():
            return source / name
    raise InputError(
        f"{source}: neither a BEIR folder nor a run (no corpus.jsonl, no records.jsonl)",
        hint=_HINT,
    )


def _from_jsonl(path: Path) -> list[Passage]:
    problems = _problems(path)
    found: dict[str, Passage] = {}
    for place, passage in _placed(path, problems):
        known = found.setdefault(passage.id, passage)
        if known != passage:
            problems.add(place, f"the id {passage.id} stands twice")
    problems.check()
    return _some(list(found.values()), path)


def _problems(path: Path) -> Problems:
    return Problems(path, 'a line is {"_id": …, "text": …}; "title" is optional')


def _placed(path: Path, problems: Problems) -> Iterator[tuple[str, Passage]]:
    for place, row in json_lines(path, problems):
        read = _from_record if isinstance(row.get("positives"), list) else _from_row
        for passage in read(row, place, problems):
            yield place, passage


def _from_row(row: Mapping[str, Any], place: str, problems: Problems) -> Iterator[Passage]:
    text = text_field(row, "text")
    if text is None:
        problems.add(place, 'no "text"')
        return
    line = place.rpartition(":")[2]
    yield Passage(text_field(row, "_id", "id") or line, text, text_field(row, "title") or "")


def _from_record(row: Mapping[str, Any], place: str, problems: Problems) -> Iterator[Passage]:
    for item in [*row["positives"], *(row.get("negatives") or [])]:
        text = text_field(item, "text") if isinstance(item, dict) else None
        name = text_field(item, "id") if isinstance(item, dict) else None
        if text is None or name is None:
            problems.add(place, "a positive or negative without id and text")
        else:
            yield Passage(name, text)


def _some(found: list[Passage], path: Path) -> list[Passage]:
    if not found:
        raise InputError(f"{path}: no passages", hint="a passage a line")
    return found
