"""A GGUF file as a folder of safetensors, for engines that read no GGUF (vLLM since 0.30).

Converted once, dequantized to bfloat16, and kept in the cache: 269 MB and 10 s for the embedded
model.
"""

from __future__ import annotations

import shutil
import tempfile
from hashlib import blake2b
from pathlib import Path

from generator.llm.weights import Weights, load, quiet


def as_folder(weights: Weights, cache: Path) -> str:
    """The folder or Hub id to load; a GGUF file's converted copy in `cache`. Raises LLMError."""
    if weights.gguf is None:
        return weights.source
    file = Path(weights.source, weights.gguf)
    place = cache / f"{file.stem}-{_mark(file)}"
    if not place.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache) as work:
            part = Path(work, "model")
            _convert(weights, part)
            _move(part, place)
    return str(place)


def _mark(file: Path) -> str:
    """Tells a file from another of the same name, without reading all of it."""
    found = file.stat()
    with file.open("rb") as stream:
        head = stream.read(1 << 20)
    digest = blake2b(head, digest_size=6)
    digest.update(f"{found.st_size} {found.st_mtime_ns}".encode())
    return digest.hexdigest()


def _convert(weights: Weights, folder: Path) -> None:
    import torch  # noqa: PLC0415

    model, tokenizer = load(weights, device="cpu", attention="sdpa")
    with quiet():
        model.to(torch.bfloat16).save_pretrained(folder)
        tokenizer.save_pretrained(folder)


def _move(part: Path, place: Path) -> None:
    """Put a folder in its place, whole; another process may have been faster."""
    try:
        part.replace(place)
    except OSError:
        if not place.is_dir():
            raise
        shutil.rmtree(part)
