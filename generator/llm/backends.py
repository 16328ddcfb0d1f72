"""The back ends by name; each is imported only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from generator.config import api_key
from generator.errors import MissingExtra
from generator.llm.addresses import addresses
from generator.llm.base import LLM
from generator.llm.writers import Writers
from generator.modelconfig import LLMConfig, ModelConfig


def open_models(config: LLMConfig, folder: Path) -> LLM:
    """All models of a run as one; its journal lies in the run's `folder`.

    Raises LLMError, or MissingExtra where packages are missing.
    """
    places = {writer.model: writer for writer in config.everyone}
    found = {name: open_llm(writer, folder / "journal.sqlite") for name, writer in places.items()}
    return Writers(found) if len(found) > 1 else next(iter(found.values()))


def open_llm(config: ModelConfig, journal: Path) -> LLM:
    """One model, whose answers go to a journal; what it must find again lies beside that.

    Raises LLMError, or MissingExtra where its packages are missing.
    """
    if config.backend == "batch":
        return _batch(config, journal)
    return _BACKENDS[config.backend](config)


def _batch(config: ModelConfig, journal: Path) -> LLM:
    from generator.llm.batch import open_batches  # noqa: PLC0415 - as `_openai`

    return open_batches(config, api_key(name=config.api_key_env), journal)


def _openai(config: ModelConfig) -> LLM:
    from generator.llm.openai import OpenAILLM  # noqa: PLC0415 - loads a second of packages

    return OpenAILLM(
        addresses=addresses(config),
        timeout_s=config.timeout_s,
        max_retries=config.max_retries,
        structured=config.structured,
    )


def _transformers(config: ModelConfig) -> LLM:
    for package in ("torch", "transformers", "xgrammar"):
        try:
            import_module(package)
        except ImportError as exc:
            raise MissingExtra(package, "local") from exc
    from generator.llm.transformers import TransformersLLM  # noqa: PLC0415 - loads torch

    return TransformersLLM(config.model, batch_size=config.batch_size)


def _vllm(config: ModelConfig) -> LLM:
    from generator.llm.vllm import VllmLLM  # noqa: PLC0415 - as the others

    return VllmLLM(
        config.model,
        config.vllm,
        structured=config.structured,
        concurrency=config.concurrency,
    )


def _scripted(config: ModelConfig) -> LLM:
    from generator.llm.scripted import ScriptedLLM  # noqa: PLC0415 - as the others

    return ScriptedLLM(concurrency=config.concurrency or 8)


_BACKENDS: dict[str, Callable[[ModelConfig], LLM]] = {
    "openai": _openai,
    "transformers": _transformers,
    "vllm": _vllm,
    "scripted": _scripted,
}
