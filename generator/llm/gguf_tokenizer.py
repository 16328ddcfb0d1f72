"""The tokenizer of a GGUF file as the file itself describes it.

transformers 5.17 gives byte-level ones (`gpt2` in the file) SentencePiece's decoder, and takes the
beginning of a turn for its end: a grammar made from such a tokenizer refuses what the model says.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

_SPECIAL = {"eos_token": "eos", "bos_token": "bos", "pad_token": "padding"}


def put_right(tokenizer: Any, file: Path) -> None:
    """Give the tokenizer the decoder and the special tokens that the file names."""
    import gguf  # noqa: PLC0415
    from tokenizers import decoders  # noqa: PLC0415

    fields = gguf.GGUFReader(str(file)).fields  # as transformers asks: read once (`weights.quiet`)
    if (kind := fields.get("tokenizer.ggml.model")) is not None and kind.contents() == "gpt2":
        tokenizer.backend_tokenizer.decoder = decoders.ByteLevel()
    for name, said in _SPECIAL.items():
        field = fields.get(f"tokenizer.ggml.{said}_token_id")
        if field is not None:
            setattr(tokenizer, name, tokenizer.convert_ids_to_tokens(int(field.contents())))
