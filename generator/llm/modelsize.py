"""How many parameters a local model has: from its `config.json` or GGUF header, never its weights.

A decoder's shape tells it within a tenth or so (Qwen2.5 0.5B and 1.5B: +7 %, Llama 3.2 1B: +8 %),
whatever the weights are quantized to. The header of a GGUF file is read up to the vocabulary, a
few kB; the `gguf` package would take seconds, since it reads all of it.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO

# By value type of a GGUF file (ggml/docs/gguf.md): its `struct` format.
_SCALARS = dict(zip((0, 1, 2, 3, 4, 5, 6, 7, 10, 11, 12), "BbHhIif?Qqd", strict=True))
_STRING, _ARRAY = 8, 9
_VERSIONS = (2, 3)
_TOKENS = "tokenizer.ggml.tokens"
_LONGEST_KEY = 65_535
# What each is called in `config.json`, and in a GGUF file behind the architecture's name.
_LAYERS = ("num_hidden_layers", "block_count")
_WIDTH = ("hidden_size", "embedding_length")
_INNER = ("intermediate_size", "feed_forward_length")
_VOCABULARY = ("vocab_size", _TOKENS)
_EXPERTS = ("num_experts", "num_local_experts", "n_routed_experts", "expert_count")


def parameter_count(model: str) -> int | None:
    """Parameters of the model in a folder or a `.gguf` file; None where its files do not tell.

    layers x width x (4 width + 3 inner) + vocabulary x width: attention, a gated feed-forward
    layer, embeddings that input and output share. Mixtures of experts are not counted.
    """
    path = Path(model).expanduser()
    try:
        shape = _gguf(path) if path.suffix == ".gguf" else _folder(path)
    except (OSError, ValueError, OverflowError, struct.error):
        return None  # what is wrong with it is told where it is loaded
    if _first(shape, _EXPERTS):
        return None
    sizes = [_first(shape, names) for names in (_LAYERS, _WIDTH, _INNER)]
    if not all(sizes):
        return None
    layers, width, inner = sizes
    return layers * width * (4 * width + 3 * inner) + _first(shape, _VOCABULARY) * width


def _first(shape: Mapping[str, Any], names: tuple[str, ...]) -> int:
    """The value of the first name that has a whole number; 0 without one."""
    found = (shape.get(name) for name in names)
    return next((value for value in found if isinstance(value, int)), 0)


def _folder(path: Path) -> Mapping[str, Any]:
    config = json.loads((path / "config.json").read_text(encoding="utf-8"))
    text = config.get("text_config", config) if isinstance(config, dict) else {}
    return text if isinstance(text, dict) else {}


def _gguf(path: Path) -> Mapping[str, Any]:
    """The header's numbers up to the vocabulary, without the architecture's name; its length."""
    found: dict[str, Any] = {}
    with path.open("rb") as stream:
        magic, version, _, keys = _read(stream, "4sIQQ")
        if magic != b"GGUF" or version not in _VERSIONS:
            return found
        for _ in range(keys):
            key, (kind,) = _text(stream), _read(stream, "I")
            value = _value(stream, kind)
            if key == _TOKENS:
                return {**found, key: value}
            if kind in _SCALARS:
                found[key.partition(".")[2]] = value
    return found


def _value(stream: BinaryIO, kind: int) -> Any:
    """A number, or how many an array holds; the stream is behind it then."""
    if kind in _SCALARS:
        return _read(stream, _SCALARS[kind])[0]
    if kind == _STRING:
        stream.seek(_read(stream, "Q")[0], 1)
        return None
    if kind != _ARRAY:
        raise ValueError(kind)
    inner, count = _read(stream, "IQ")
    if inner in _SCALARS:
        stream.seek(count * struct.calcsize(_SCALARS[inner]), 1)
    else:
        for _ in range(count):
            _value(stream, inner)
    return count


def _text(stream: BinaryIO) -> str:
    (length,) = _read(stream, "Q")
    if length > _LONGEST_KEY:
        raise ValueError(length)
    return stream.read(length).decode()


def _read(stream: BinaryIO, form: str) -> tuple[Any, ...]:
    return struct.unpack(f"<{form}", stream.read(struct.calcsize(f"<{form}")))
