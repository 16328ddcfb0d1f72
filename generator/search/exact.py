"""Exact nearest neighbours by inner product, block by block, in bounded memory.

Two tiles of scores are at work at a time, whatever the size of the corpus: some 150 MB with their
keys, beside the queries and 8 bytes a query and hit. Vectors may be a memory-mapped file or
anything else that is read by slices; a corpus is read once for each 16,384 queries.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from generator.errors import InputError
from generator.search.hits import MAX_DOCUMENTS, Hits, Keys, hits, merged

QUERY_BLOCK = 1024
DOCUMENT_BLOCK = 4096
QUERIES_AT_ONCE = 16_384
_TILES = 2  # at work at once

Device = Literal["auto", "cpu", "cuda"]
Vectors = NDArray[np.floating]
Progress = Callable[[int, int], None]  # documents seen, of how many


class Rows(Protocol):
    """Vectors [rows, dim] that are read by slices."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Rows and dimensions."""
        ...

    def __getitem__(self, rows: slice, /) -> Vectors: ...


def exact_search(
    queries: Rows,
    documents: Rows,
    k: int,
    *,
    query_block: int = QUERY_BLOCK,
    document_block: int = DOCUMENT_BLOCK,
    device: Device = "cpu",
    progress: Progress | None = None,
) -> Hits:
    """The k documents [documents, dim] with the highest inner product, for each query [., dim].

    Products are float32. For normalised vectors they are cosines. k above the number of documents
    is that number. `device` "auto" is a GPU where PyTorch is loaded and has one. Raises ValueError
    on NaN or infinity, or on shapes that do not fit.
    """
    _check(queries, documents, k)
    best_of = _on_gpu if is_gpu(device) else _on_cpu
    rows = [
        best_of(
            _floats(queries[start : start + QUERIES_AT_ONCE]),
            documents, k, query_block, document_block, progress,
        )
        for start in range(0, queries.shape[0], QUERIES_AT_ONCE)
    ]  # fmt: skip
    width = min(k, documents.shape[0])
    return hits(np.concatenate(rows) if rows else np.empty((0, width), dtype=np.uint64))


def is_gpu(device: Device) -> bool:
    """Whether to search on a GPU. Raises InputError where there is none and one was asked for.

    "auto" does not import PyTorch: that costs more memory than a search.
    """
    if device == "cpu" or (device == "auto" and "torch" not in sys.modules):
        return False
    try:
        import torch  # noqa: PLC0415 - heavy
    except ImportError:
        found = False
    else:
        found = torch.cuda.is_available()
    if not found and device == "cuda":
        raise InputError("no GPU to search on", hint="--set mine.device=cpu, or refine.device=cpu")
    return found


def _check(queries: Rows, documents: Rows, k: int) -> None:
    asked, given = queries.shape, documents.shape
    if len(asked) != 2 or len(given) != 2 or asked[1] != given[1]:
        raise ValueError(f"shapes do not fit: {asked} and {given}")
    if k < 1:
        raise ValueError(f"k must be at least 1, not {k}")
    if given[0] > MAX_DOCUMENTS:
        raise ValueError(f"at most {MAX_DOCUMENTS:,} documents")


def _on_cpu(
    asked: NDArray[np.float32], documents: Rows, k: int, rows: int, columns: int,
    progress: Progress | None,
) -> Keys:  # fmt: skip
    """Keys [queries, k] of the best documents: the best so far against block after block."""
    parts = [asked[at : at + rows] for at in range(0, len(asked), rows)]
    best = [np.empty((len(part), 0), dtype=np.uint64) for part in parts]
    total = documents.shape[0]
    # One tile's best are sorted out while the product of the next one is computed.
    with ThreadPoolExecutor(_TILES) as pool:
        for start in range(0, total, columns):
            block = _floats(documents[start : start + columns]).T
            merge = partial(_merged, block=block, first=start, k=k)
            best = list(pool.map(merge, best, parts))
            if progress is not None:
                progress(min(start + columns, total), total)
    return np.concatenate(best)


def _merged(
    best: Keys, part: NDArray[np.float32], *, block: NDArray[np.float32], first: int, k: int
) -> Keys:
    return merged(best, part @ block, first, k)


def _on_gpu(
    asked: NDArray[np.float32], documents: Rows, k: int, rows: int, columns: int,
    progress: Progress | None,
) -> Keys:  # fmt: skip
    """The same on a GPU, with larger tiles; keys as signed integers, which sort alike."""
    import torch  # noqa: PLC0415 - heavy

    total, columns = documents.shape[0], columns * 4
    parts = torch.from_numpy(np.ascontiguousarray(asked)).cuda().split(rows * 4)
    best: list[Any] = [
        torch.empty((len(part), 0), dtype=torch.int64, device="cuda") for part in parts
    ]
    for start in range(0, total, columns):
        block = torch.from_numpy(np.ascontiguousarray(_floats(documents[start : start + columns])))
        block = block.cuda().T
        best = [_merged_on_gpu(b, p, block, start, k) for b, p in zip(best, parts, strict=True)]
        if progress is not None:
            progress(min(start + columns, total), total)
    found: NDArray[np.int64] = torch.cat(best).cpu().numpy()
    return found.view(np.uint64) ^ np.uint64(1 << 63)


def _merged_on_gpu(best: Any, queries: Any, block: Any, first: int, k: int) -> Any:
    import torch  # noqa: PLC0415 - heavy

    bits = (queries @ block + 0.0).view(torch.int32)
    # As `hits.keys` has it, one bit lower: the order of the floats, then the lower index first.
    ordered = torch.where(bits < 0, ~bits ^ -(2**31), bits).to(torch.int64) << 32
    index = torch.arange(first, first + block.shape[1], device="cuda")
    found = torch.cat([best, ordered | (MAX_DOCUMENTS - index)], dim=1)
    return found.topk(min(k, found.shape[1]), dim=1, sorted=False).values


def _floats(vectors: Vectors) -> NDArray[np.float32]:
    found = np.asarray(vectors, dtype=np.float32)
    if not np.isfinite(found).all():
        raise ValueError("a vector holds NaN or infinity")
    return found
