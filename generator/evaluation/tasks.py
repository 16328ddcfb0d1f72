"""What a model is measured on: a folder of files, recognised by their names and fields.

    corpus.jsonl, queries.jsonl, qrels/test.tsv     retrieval, BEIR's layout
    test.jsonl {sentence1, sentence2, score}        STS: how alike two sentences are
    test.jsonl {sentence1, sentence2}               bitext: a sentence and its translation

Every line is checked before a model is loaded; all bad ones are told at once, with their places.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator.errors import InputError
from generator.search.passages import Passage, read_passages
from generator.textfile import Problems, json_lines, text_field, text_lines

LAYOUTS = (
    "a folder with corpus.jsonl, queries.jsonl and qrels/test.tsv (retrieval), "
    "or test.jsonl with sentence1, sentence2 and score (STS) or without score (bitext)"
)


@dataclass(frozen=True, slots=True)
class RetrievalTask:
    """Find the relevant passages of each query. Every query has at least one.

    `total` is how many such queries the folder holds; `queries` may be fewer (`limited`). `qrels`
    maps query id to passage id to grade.
    """

    name: str
    passages: tuple[Passage, ...]
    queries: tuple[Passage, ...]
    qrels: Mapping[str, Mapping[str, int]]
    total: int


@dataclass(frozen=True, slots=True)
class StsTask:
    """Pairs of sentences and how alike people found them (any scale)."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    scores: tuple[float, ...]
    total: int


@dataclass(frozen=True, slots=True)
class BitextTask:
    """Sentences and their translations; `asked` of them, from the first on, are looked for."""

    name: str
    first: tuple[str, ...]
    second: tuple[str, ...]
    asked: int
    total: int


EvalTask = RetrievalTask | StsTask | BitextTask


def load_task(folder: Path) -> EvalTask:
    """The task in a folder. Raises InputError where the layout is unknown, or for bad lines."""
    name = folder.resolve().name
    if (folder / "corpus.jsonl").is_file():
        return _retrieval(folder, name)
    if (folder / "test.jsonl").is_file():
        return _pairs(folder / "test.jsonl", name)
    found = ", ".join(sorted(path.name for path in folder.iterdir())) if folder.is_dir() else ""
    what = f"holds {found[:200] or 'nothing'}" if folder.is_dir() else "is no folder"
    raise InputError(f"{folder}: no task: it {what}", hint=f"a task is {LAYOUTS}")


def limited(
    task: EvalTask, *, first: int | None = None, only: Iterable[str] | None = None
) -> EvalTask:
    """The task with fewer queries: those with the ids `only`, of these the `first` ones.

    The corpus stays whole. For STS `first` counts pairs, for bitext the sentences looked for.
    Raises InputError where no query is left, or for `only` on a task without query ids.
    """
    if only is not None:
        if not isinstance(task, RetrievalTask):
            raise InputError(f"{task.name}: its pairs have no ids", hint="leave --queries out")
        wanted = set(only)
        task = replace(task, queries=tuple(q for q in task.queries if q.id in wanted))
        if not task.queries:
            raise InputError(f"{task.name}: none of these queries is in it", hint="give query ids")
    if first is None:
        return task
    if isinstance(task, RetrievalTask):
        return replace(task, queries=task.queries[:first])
    if isinstance(task, BitextTask):
        return replace(task, asked=min(first, task.asked))
    return replace(
        task, first=task.first[:first], second=task.second[:first], scores=task.scores[:first]
    )


def _retrieval(folder: Path, name: str) -> RetrievalTask:
    for part in ("queries.jsonl", "qrels/test.tsv"):
        if not (folder / part).is_file():
            raise InputError(
                f"{folder}: no {part} beside corpus.jsonl", hint=f"a task is {LAYOUTS}"
            )
    passages = read_passages(folder / "corpus.jsonl")
    queries = read_passages(folder / "queries.jsonl")
    qrels = _qrels(folder / "qrels/test.tsv", {q.id for q in queries}, {p.id for p in passages})
    # A query without a relevant passage says nothing about a model; BEIR's files hold the queries
    # of other splits too.
    asked = tuple(q for q in queries if any(grade > 0 for grade in qrels.get(q.id, {}).values()))
    if not asked:
        raise InputError(f"{folder}: no query has a relevant passage", hint="check qrels/test.tsv")
    return RetrievalTask(name, tuple(passages), asked, qrels, len(asked))


def _qrels(path: Path, queries: set[str], passages: set[str]) -> dict[str, dict[str, int]]:
    problems = Problems(path, "a line is: query id, tab, passage id, tab, whole number")
    found: dict[str, dict[str, int]] = {}
    for number, line in text_lines(path):
        parts = line.rstrip("\r").split("\t")
        if (number == 1 and parts[-1] == "score") or not line.strip():
            continue
        place = f"{path.name}:{number}"
        grade = _whole(parts[2]) if len(parts) == 3 else None
        if grade is None:
            problems.add(place, f"not three fields with a whole number: {line[:80]!r}")
        elif parts[0] not in queries:
            problems.add(place, f"no query {parts[0]} in queries.jsonl")
        elif parts[1] not in passages:
            problems.add(place, f"no passage {parts[1]} in corpus.jsonl")
        elif found.setdefault(parts[0], {}).setdefault(parts[1], grade) != grade:
            problems.add(place, f"{parts[0]} and {parts[1]} were judged before, differently")
    problems.check()
    return found


def _pairs(path: Path, name: str) -> StsTask | BitextTask:
    problems = Problems(path, f"a task is {LAYOUTS}")
    rows = list(json_lines(path, problems))
    problems.check()
    if not rows:
        raise InputError(f"{path}: empty", hint=f"a task is {LAYOUTS}")
    if "label" in rows[0][1]:
        raise InputError(
            f"{path}: classification and clustering are not measured yet",
            hint=f"a task is {LAYOUTS}",
        )
    scored = any("score" in row for _, row in rows)
    read = [(_pair(row, place, problems), _score(row, place, problems, scored=scored))
            for place, row in rows]  # fmt: skip
    problems.check()
    first = tuple(pair[0] for pair, _ in read)
    second = tuple(pair[1] for pair, _ in read)
    if scored:
        return StsTask(name, first, second, tuple(score for _, score in read), len(read))
    return BitextTask(name, first, second, len(read), len(read))


def _pair(row: Mapping[str, Any], place: str, problems: Problems) -> tuple[str, str]:
    first, second = text_field(row, "sentence1"), text_field(row, "sentence2")
    if first is None or second is None:
        problems.add(place, 'no "sentence1" or no "sentence2"')
    return first or "", second or ""


def _score(row: Mapping[str, Any], place: str, problems: Problems, *, scored: bool) -> float:
    value = row.get("score")
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if scored and not (is_number and math.isfinite(float(value or 0))):
        problems.add(place, f'"score" is not a number: {value!r}')
        return math.nan
    return float(value) if is_number and value is not None else math.nan


def _whole(text: str) -> int | None:
    try:
        return int(text)
    except ValueError:
        return None
