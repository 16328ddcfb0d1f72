"""Rows, tokenised once into a folder of memory-mapped arrays: what a run reads at random.

The folder's name is the hash of what went in (files, tokenizer, instruction template, lengths), so
a changed setting makes another. A text that stands in many rows is stored once.
"""

from __future__ import annotations

import json
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from generator.errors import InputError
from generator.recordfile import write_whole
from generator.records import Rejected, content_id, to_json
from generator.trainer.batch import ALL, NONE, SAME_TASK, Batch
from generator.trainer.config import TokenConfig
from generator.trainer.packing import Texts
from generator.trainer.rows import TrainRow, data_file, read_rows
from generator.trainer.tokens import Tokens, prompt_text, query_text

_VERSION = "3"
_POLICY = {"all": ALL, "same_task": SAME_TASK, "none": NONE}
_ARRAYS = (
    "offsets", "prompt_length", "identity", "query", "policy", "task", "group", "source",
    "positive", "positive_start", "positive_score", "negative", "negative_start", "negative_score",
)  # fmt: skip
_BLOCK = 8192  # texts tokenised in one call


@dataclass(frozen=True, eq=False, slots=True)
class Store:
    """R rows over N texts. `arrays` are memory-mapped: ragged lists as flat values and starts.

    `tokens` (all,) int32; `groups` and `sources` are names; `tasks` the instructions with how
    many rows have them; `rejected` counts rows left out, by reason.
    """

    tokens: npt.NDArray[np.int32]
    arrays: dict[str, npt.NDArray[Any]]
    groups: tuple[str, ...]
    sources: tuple[str, ...]
    tasks: dict[str, int]
    rejected: dict[str, int]

    def __len__(self) -> int:
        return len(self.arrays["query"])

    def text(self, index: int) -> npt.NDArray[np.int32]:
        """The ids of a text."""
        start, end = self.arrays["offsets"][index : index + 2]
        ids: npt.NDArray[np.int32] = self.tokens[start:end]
        return ids

    def texts(self, indices: npt.NDArray[np.int64]) -> Texts:
        """Some texts, as they are trained on."""
        ids = [np.asarray(self.text(i)) for i in indices.tolist()]
        return Texts(ids, np.asarray(self.arrays["prompt_length"][indices]))

    def side(self, name: str, row: int) -> npt.NDArray[np.int64]:
        """The texts of a row's `positive` or `negative` side."""
        start, end = self.arrays[f"{name}_start"][row : row + 2]
        texts: npt.NDArray[np.int64] = self.arrays[name][start:end]
        return texts

    def score(self, name: str, row: int) -> npt.NDArray[np.float32]:
        """The teacher's scores of these, NaN where there is none."""
        start, end = self.arrays[f"{name}_start"][row : row + 2]
        scores: npt.NDArray[np.float32] = self.arrays[f"{name}_score"][start:end]
        return scores

    @property
    def lengths(self) -> npt.NDArray[np.int64]:
        """Tokens of each text."""
        return np.diff(self.arrays["offsets"])


def build_store(
    paths: Sequence[Path], tokens: Tokens, config: TokenConfig, folder: Path, rejects: Path
) -> Store:
    """The store of some data, made in `folder` unless it is there; rejected rows in `rejects`.

    Raises InputError where no row is left.
    """
    key = _key(paths, tokens, config)
    place = folder / key
    if not (place / "meta.json").is_file():
        _write(paths, tokens, config, place, rejects)
    return open_store(place)


def open_store(place: Path) -> Store:
    """A store that was built."""
    meta = json.loads((place / "meta.json").read_text(encoding="utf-8"))
    arrays = {n: np.load(place / f"{n}.npy", mmap_mode="r", allow_pickle=False) for n in _ARRAYS}
    return Store(
        tokens=np.load(place / "tokens.npy", mmap_mode="r", allow_pickle=False),
        arrays=arrays,
        groups=tuple(meta["groups"]),
        sources=tuple(meta["sources"]),
        tasks=meta["tasks"],
        rejected=meta["rejected"],
    )


def batch_of(
    store: Store,
    rows: npt.NDArray[np.int64],
    positives: npt.NDArray[np.int64],
    max_negatives: int | None = None,
) -> Batch:
    """The batch of some rows; `positives` (B,) says which of a row's it is trained on."""
    query = store.arrays["query"][rows]
    chosen = [store.side("positive", r)[p] for r, p in zip(rows, positives, strict=True)]
    negatives = [store.side("negative", r)[:max_negatives] for r in rows]
    counts = [len(n) for n in negatives]
    flat = np.concatenate([query, chosen, *negatives]).astype(np.int64)
    distinct, place = np.unique(flat, return_inverse=True)
    b = len(rows)
    scores = [store.score("negative", r)[:max_negatives] for r in rows]
    return Batch(
        texts=store.texts(distinct),
        query=place[:b],
        positive=place[b : 2 * b],
        negative=place[2 * b :],
        negative_row=np.repeat(np.arange(b), counts),
        identity=np.asarray(store.arrays["identity"][distinct]),
        known=_known(store, rows),
        policy=np.asarray(store.arrays["policy"][rows]),
        task=np.asarray(store.arrays["task"][rows]),
        teacher_positive=np.asarray(
            [store.score("positive", r)[p] for r, p in zip(rows, positives, strict=True)],
            dtype=np.float32,
        ),
        teacher_negative=np.concatenate([*scores, np.zeros(0, np.float32)]).astype(np.float32),
        rows=np.asarray(rows),
    )


def _known(store: Store, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """(B, w) identities of all positives of each row, the last one repeated."""
    sides = [store.arrays["identity"][store.side("positive", r)] for r in rows]
    width = max(len(side) for side in sides)
    return np.stack([np.pad(side, (0, width - len(side)), mode="edge") for side in sides])


@dataclass(eq=False, slots=True)
class _Builder:
    """Rows as they come: distinct texts with their numbers, and the arrays so far."""

    config: TokenConfig
    texts: dict[tuple[str, str], int] = field(default_factory=dict)
    lists: dict[str, list[Any]] = field(default_factory=lambda: {n: [] for n in _ARRAYS})
    groups: dict[str, int] = field(default_factory=dict)
    tasks: Counter[str] = field(default_factory=Counter)

    def add(self, row: TrainRow, source: int) -> None:
        lists = self.lists
        lists["query"].append(self._text(row.task, row.query))
        task = row.task if row.symmetric and self.config.symmetric == "both" else ""
        for name, texts, scores in (
            ("positive", row.positives, row.positive_scores),
            ("negative", row.negatives, row.negative_scores),
        ):
            lists[f"{name}_start"].append(len(lists[name]))
            lists[name] += [self._text(task, text) for text in texts]
            lists[f"{name}_score"] += scores if len(scores) == len(texts) else [np.nan] * len(texts)
        lists["policy"].append(_POLICY[row.in_batch])
        lists["task"].append(_hash(row.task))
        lists["group"].append(self.groups.setdefault(row.group, len(self.groups)))
        lists["source"].append(source)
        self.tasks[row.task] += 1

    def _text(self, task: str, text: str) -> int:
        return self.texts.setdefault((task, text), len(self.texts))

    def prompted(self) -> Iterable[tuple[str, str]]:
        """Each text under its prompt, and the prompt."""
        template = self.config.template
        for task, text in self.texts:
            yield query_text(template, task, text), prompt_text(template, task)


def _write(
    paths: Sequence[Path], tokens: Tokens, config: TokenConfig, place: Path, rejects: Path
) -> None:
    builder, rejected = _Builder(config), Counter[str]()
    with write_whole(rejects) as file:
        for source, path in enumerate(paths):
            for row in read_rows(path):
                if isinstance(row, Rejected):
                    rejected[row.reason] += 1
                    file.write(to_json(row) + "\n")
                else:
                    builder.add(row, source)
    if not builder.lists["query"]:
        reasons = tuple(f"{reason}: {n:,}" for reason, n in rejected.most_common())
        raise InputError(f"{paths[0]}: no row to train on", hint=f"see {rejects}", problems=reasons)
    part = place.with_name(f"{place.name}.{os.getpid()}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    _write_arrays(builder, tokens, part)
    meta = {
        "groups": list(builder.groups),
        "sources": [path.stem for path in paths],
        "tasks": dict(builder.tasks.most_common(1000)),
        "rejected": dict(rejected),
    }
    (part / "meta.json").write_text(json.dumps(meta, ensure_ascii=False), encoding="utf-8")
    if not place.exists():
        part.replace(place)
    shutil.rmtree(part, ignore_errors=True)


def _write_arrays(builder: _Builder, tokens: Tokens, part: Path) -> None:
    ids: list[npt.NDArray[np.int32]] = []
    lists = builder.lists
    prompted = list(builder.prompted())
    for start in range(0, len(prompted), _BLOCK):
        block = prompted[start : start + _BLOCK]
        found = tokens.texts([text for text, _ in block], [prompt for _, prompt in block])
        ids += found.ids
        lists["prompt_length"] += found.prompt_lengths.tolist()
    lists["offsets"] = [0, *np.cumsum([len(one) for one in ids]).tolist()]
    lists["identity"] = [_hash(text) for _, text in builder.texts]
    for name in ("positive", "negative"):
        lists[f"{name}_start"].append(len(lists[name]))
    np.save(part / "tokens.npy", np.concatenate(ids))
    kinds = {"policy": np.int8, "positive_score": np.float32, "negative_score": np.float32}
    for name in _ARRAYS:
        np.save(part / f"{name}.npy", np.asarray(lists[name], dtype=kinds.get(name, np.int64)))


def _hash(text: str) -> int:
    """63 bits of a text's content id."""
    return int(content_id(text)[:16], 16) >> 1


def _key(paths: Sequence[Path], tokens: Tokens, config: TokenConfig) -> str:
    digest = blake2b(digest_size=12)
    backend = tokens.tokenizer.backend_tokenizer
    backend.no_truncation()  # `encode` sets it, and it would enter the text of the tokenizer
    settings = [_VERSION, config.model_dump_json(), str(tokens.bos), str(tokens.eos)]
    for part in (*settings, backend.to_str(), *(path.stem for path in paths)):
        digest.update(part.encode() + b"\0")
    for path in paths:
        with data_file(path).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
    return digest.hexdigest()
