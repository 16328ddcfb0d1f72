"""The texts of an mteb task: its evaluation splits, in all its subsets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from generator.contamination.fields import LAYOUTS, Kind, fields_of
from generator.errors import InputError

_PREFIX = "mteb:"
_SIDES: dict[str, Kind] = {"queries": "query", "corpus": "passage"}


def mteb_texts(source: str, *, passages: bool) -> Iterator[tuple[Kind, str, str]]:
    """Kind, id and text of all that the task is evaluated on.

    Raises InputError without mteb, and for a name that it does not know or cannot load.
    """
    name = source.removeprefix(_PREFIX)
    task = _task(name, source)
    try:
        task.load_data()
    except Exception as exc:  # whatever its loaders raise: no network, no such file, gated
        raise InputError(
            f"mteb task {name} cannot be loaded: {exc}", hint="check the network, or give a folder"
        ) from exc
    for kind, place, row in task_rows(task):
        if kind == "passage" and not passages:
            continue
        if kind is None:
            yield from ((k, f"{place} {field}", text) for k, field, text in fields_of(row))
        elif isinstance(row.get("text"), str):
            yield kind, str(row.get("id", place)), row["text"]


def task_rows(task: Any) -> Iterator[tuple[Kind | None, str, Mapping[str, Any]]]:
    """Kind (None: as its fields say), place and content of each row of the evaluated splits.

    mteb 2 holds retrieval as subset > split > {queries, corpus}, the others as a `DatasetDict`, or
    one by subset.
    """
    splits = set(task.metadata.eval_splits)
    for names, rows in _leaves(task.dataset, ()):
        if splits.isdisjoint(names):
            continue
        kind = next((_SIDES[name] for name in names if name in _SIDES), None)
        if kind is None and not splits & set(names[-1:]):
            continue  # judgements and the like, below a split
        for number, row in enumerate(rows):
            yield kind, "/".join((*names, str(number))), row


def _leaves(data: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """The data sets of a nested mapping, with the names that lead to them."""
    if isinstance(data, Mapping):
        for name, item in data.items():
            yield from _leaves(item, (*names, str(name)))
    elif data is not None and not isinstance(data, str | int | float):
        yield names, data


def _task(name: str, source: str) -> Any:
    try:
        import mteb  # noqa: PLC0415 - seconds to load
    except ImportError as exc:
        if source.startswith(_PREFIX):
            raise InputError("the package mteb is not installed", hint="pip install mteb") from exc
        raise InputError(
            f"{source}: no such file or folder", hint=f"an evaluation set is {LAYOUTS}"
        ) from exc
    try:
        return mteb.get_task(name)
    except KeyError as exc:
        raise InputError(
            f"{source}: no such file or folder, and no mteb task", hint=f"{exc}"[:200]
        ) from exc
