"""The back ends by name; each is imported only when it is used."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from generator.config import Backend, LLMConfig, api_key
from generator.errors import MissingExtra
from generator.llm.base import LLM


def open_llm(config: LLMConfig) -> LLM:
    """The configured model. Raises LLMError, or MissingExtra where its packages are missing."""
    return _BACKENDS[config.backend](config)


def _openai(config: LLMConfig) -> LLM:
    from generator.llm.openai import OpenAILLM  # noqa: PLC0415 - loads a second of packages

    return OpenAILLM(
        api_key=api_key(),
        base_url=config.base_url,
        concurrency=config.concurrency or 64,
        timeout_s=config.timeout_s,
        max_retries=config.max_retries,
        structured=config.structured,
    )


def _transformers(config: LLMConfig) -> LLM:
    for package in ("torch", "transformers", "xgrammar"):
        try:
            import_module(package)
        except ImportError as exc:
            raise MissingExtra(package, "local") from exc
    from generator.llm.transformers import TransformersLLM  # noqa: PLC0415 - loads torch

    return TransformersLLM(config.model, batch_size=config.batch_size)


def _scripted(config: LLMConfig) -> LLM:
    from generator.llm.scripted import ScriptedLLM  # noqa: PLC0415 - as the others

    return ScriptedLLM(concurrency=config.concurrency or 8)


_BACKENDS: dict[Backend, Callable[[LLMConfig], LLM]] = {
    "openai": _openai,
    "transformers": _transformers,
    "scripted": _scripted,
}
