"""Many texts → vectors: in memory, or from a file into a file."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from generator.encoders.base import Encoder, Kind, Vectors
from generator.errors import InputError, LLMError
from generator.recordfile import disk_error
from generator.textfile import JSON_LINES, Problems, json_lines, text_lines

ENCODED_AT_ONCE = 512  # what progress is told by, and what goes to disk at once: a minute of a CPU
Progress = Callable[[str, int, int], None]  # what is encoded, how many are done, of how many


def embed(
    encoder: Encoder,
    texts: Sequence[str],
    kind: Kind,
    instruction: str | None = None,
    progress: Progress | None = None,
) -> Vectors:
    """The vectors of the texts [texts, dim]; `progress` is told after every 512 texts.

    Raises LLMError where a vector holds NaN or infinity.
    """
    parts = []
    for start in range(0, len(texts), ENCODED_AT_ONCE):
        batch = texts[start : start + ENCODED_AT_ONCE]
        part = encoder.encode(batch, kind=kind, task=instruction)
        if not np.isfinite(part).all():
            raise LLMError(
                f"{encoder.name}: a vector holds NaN or infinity",
                hint="the model has diverged or its weights are broken: use another checkpoint",
            )
        parts.append(part)
        if progress is not None:
            progress("queries" if kind == "query" else "passages", start + len(batch), len(texts))
    return np.concatenate(parts)


class TextFile:
    """The texts of a file: a line each in .txt, a field of each line in .jsonl.

    Read twice and never whole: once here, to check and count, once to encode. An empty line of
    a .txt file is an empty text, so that row i of the embeddings is line i. Raises InputError
    with every bad line, or where there is no text.
    """

    def __init__(self, path: Path, field: str = "text") -> None:
        self.path = path
        self._field = field
        self._problems = Problems(path, f'a line is {{"{field}": …}}; --field names another field')
        self._count = sum(1 for _ in self)
        self._problems.check()
        if not self._count:
            raise InputError(f"{path}: no texts", hint="a text a line")

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[str]:
        if self.path.suffix.lower() not in JSON_LINES:
            yield from (line for _, line in text_lines(self.path))
            return
        for place, row in json_lines(self.path, self._problems):
            value = row.get(self._field)
            if isinstance(value, str):
                yield value
            else:
                self._problems.add(place, f"no text in {self._field!r}")


def embed_file(
    encoder: Encoder,
    texts: TextFile,
    output: Path,
    *,
    kind: Kind = "document",
    instruction: str | None = None,
    progress: Progress | None = None,
) -> tuple[int, int]:
    """Write the embeddings as .npy, float32 [texts, dim]; the shape is returned.

    Vectors go to disk batch by batch; the file appears under its name when it is whole. Raises
    RunError where it cannot be written.
    """
    part = output.with_name(output.name + ".part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        shape = _stream(encoder, texts, part, kind, instruction, progress)
        with part.open("rb") as file:
            os.fsync(file.fileno())
        part.replace(output)
    except OSError as exc:
        raise disk_error(exc, output) from exc
    finally:
        with suppress(OSError):  # the error above, if any, is the one to tell
            part.unlink()
    return shape


def _stream(
    encoder: Encoder,
    texts: TextFile,
    path: Path,
    kind: Kind,
    instruction: str | None,
    progress: Progress | None,
) -> tuple[int, int]:
    shape, done = (len(texts), 0), 0
    with path.open("wb") as file:  # mapped, a disk that is full would kill the process
        for batch in _batches(texts, ENCODED_AT_ONCE):
            vectors = np.asarray(embed(encoder, batch, kind, instruction), dtype="<f4")
            if not done:  # the width is known once the model has answered
                shape = (len(texts), vectors.shape[1])
                header = {"descr": "<f4", "fortran_order": False, "shape": shape}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(vectors.tobytes())
            done += len(batch)
            if progress is not None:
                progress("texts", done, len(texts))
    return shape


def _batches(texts: TextFile, size: int) -> Iterator[Sequence[str]]:
    batch: list[str] = []
    for text in texts:
        batch.append(text)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch
