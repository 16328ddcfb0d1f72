"""Training rows out of files: trine's records, pairs, triplets, FlagEmbedding's and tevatron's.

A row is a query, at least one positive, any number of negatives. What cannot be one is a
`Rejected` with its reason and place; nothing is trained on in a form that the file does not say.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from generator.errors import InputError
from generator.records import InBatch, Rejected

_QUERY = ("query", "anchor", "question", "sentence1")
_POSITIVE = ("positives", "positive", "pos", "document", "passage", "answer", "sentence2")
_NEGATIVE = ("negatives", "negative", "neg")
_POLICIES = ("all", "same_task", "none")


@dataclass(frozen=True, slots=True)
class TrainRow:
    """One row. `group` is what homogeneous batches keep apart; scores are a teacher's, or empty."""

    query: str
    positives: tuple[str, ...]
    negatives: tuple[str, ...] = ()
    task: str = ""
    group: str = ""
    symmetric: bool = False
    in_batch: InBatch = "all"
    positive_scores: tuple[float, ...] = ()
    negative_scores: tuple[float, ...] = ()


def read_rows(path: Path) -> Iterator[TrainRow | Rejected]:
    """The rows of a run's folder, or of a JSONL or Parquet file. Raises InputError."""
    file = data_file(path)
    lines = _parquet(file) if file.suffix == ".parquet" else _jsonl(file)
    for number, value in lines:
        place = f"{file.name}:{number}"
        if isinstance(value, Rejected):
            yield replace(value, detail=f"{place}: {value.detail}")
        else:
            yield from _row(value, place, path.stem)


def data_file(path: Path) -> Path:
    """The file that holds the rows of `path`; of a run, those that it does not keep to test on."""
    if path.is_file() and path.suffix in {".jsonl", ".json", ".parquet"}:
        return path
    for name in ("dataset/train.jsonl", "records.jsonl", "train.jsonl", "train.parquet"):
        if (path / name).is_file():
            return path / name
    raise InputError(
        f"{path}: no rows to train on",
        hint="give a run's folder, or a .jsonl or .parquet file with query and positive",
    )


def _jsonl(file: Path) -> Iterator[tuple[int, Any]]:
    with file.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    yield number, json.loads(line)
                except ValueError as exc:
                    yield number, _rejected("not_json", str(exc))


def _parquet(file: Path) -> Iterator[tuple[int, Any]]:
    from pyarrow import parquet  # noqa: PLC0415 - slow to import

    number = 0
    for batch in parquet.ParquetFile(file).iter_batches():
        for row in batch.to_pylist():
            number += 1
            yield number, row


def _row(value: Any, place: str, source: str) -> Iterator[TrainRow | Rejected]:
    """The row of a JSON object, after what had to be left out of it."""
    if not isinstance(value, Mapping):
        yield _rejected("not_a_row", f"{place}: not an object")
        return
    try:
        row = _parsed(value, source)
    except (TypeError, ValueError, KeyError, IndexError) as exc:
        yield _rejected("not_a_row", f"{place}: {type(exc).__name__}: {exc}")
        return
    reason = _reason(row)
    if reason:
        yield _rejected(reason, place, row.query)
        return
    copies = {text for text in row.negatives if text in row.positives or text == row.query}
    if copies:
        yield _rejected("negative_equals_positive", f"{place}: left out of its row", row.query)
        keep = [i for i, text in enumerate(row.negatives) if text not in copies]
        scores = row.negative_scores and tuple(row.negative_scores[i] for i in keep)
        negatives = tuple(row.negatives[i] for i in keep)
        row = replace(row, negatives=negatives, negative_scores=scores)
    yield row


def _reason(row: TrainRow) -> str:
    if not row.query.strip():
        return "empty_query"
    if not row.positives or any(not text.strip() for text in row.positives):
        return "empty_positive"
    if any(not text.strip() for text in row.negatives):
        return "empty_negative"
    if row.query in row.positives:
        return "positive_equals_query"
    return ""


def _parsed(value: Mapping[str, Any], source: str) -> TrainRow:
    positives, positive_scores = _texts(value, _POSITIVE)
    negatives, negative_scores = _texts(value, _NEGATIVE)
    query = next((value[key] for key in _QUERY if isinstance(value.get(key), str)), "")
    policy = value.get("in_batch")
    return TrainRow(
        query=query,
        positives=positives,
        negatives=negatives,
        task=_text(value, "task") or _text(value, "prompt") or _text(value, "instruction"),
        group=f"{source}/{_text(value, 'family') or _text(value, 'type')}",
        symmetric=bool(value.get("symmetric")),
        in_batch=policy if policy in _POLICIES else "all",
        positive_scores=_numbers(value.get("pos_scores")) or positive_scores,
        negative_scores=_numbers(value.get("neg_scores")) or negative_scores,
    )


def _texts(
    value: Mapping[str, Any], keys: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """The texts of a side and their scores; `negative_1`, `negative_2` … count as well."""
    items: list[Any] = []
    for key in keys:
        found = value.get(key)
        items += found if isinstance(found, list) else [] if found is None else [found]
        items += [value[k] for k in sorted(value) if k.startswith(f"{key}_") and _is_text(value[k])]
        if items:
            break
    pairs = [(item.get("text"), item.get("scores")) if isinstance(item, Mapping) else (item, None)
             for item in items]  # fmt: skip
    texts = tuple(text if isinstance(text, str) else "" for text, _ in pairs)
    scores = [given[0]["value"] for _, given in pairs if given]
    return texts, _numbers(scores) if len(scores) == len(texts) else ()


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _text(value: Mapping[str, Any], key: str) -> str:
    found = value.get(key)
    return found.strip() if isinstance(found, str) else ""


def _numbers(value: Any) -> tuple[float, ...]:
    return tuple(map(_number, value)) if isinstance(value, list) else ()


def _number(value: Any) -> float:
    """A teacher's score; NaN where it gave none, or none that a softmax can take."""
    number = math.nan if value is None else float(value)
    return number if math.isfinite(number) else math.nan


def _rejected(reason: str, detail: str, query: str | None = None) -> Rejected:
    return Rejected("train", reason, family="", language="", detail=detail, text=query)
