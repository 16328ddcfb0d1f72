"""One engine for all tests that can share one: it takes half a minute to start."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from generator.llm.vllm import VllmLLM
from generator.modelconfig import VllmConfig
from generator.records import Completion, Prompt

CONTEXT = 1024


class Session:
    """One engine and one event loop."""

    def __init__(self) -> None:
        self.runner = asyncio.Runner()
        options = {"max_model_len": CONTEXT, "max_num_seqs": 8, "kv_cache_memory_bytes": 1 << 29}
        self.llm = VllmLLM(options=VllmConfig.model_validate(options))

    def ask(self, *prompts: Prompt) -> list[Completion]:
        """The answers to prompts that are asked together."""

        async def together() -> list[Completion]:
            return await asyncio.gather(*(self.llm.complete(p) for p in prompts))

        return self.runner.run(together())

    def close(self) -> None:
        """End the engine."""
        self.runner.run(self.llm.aclose())
        self.runner.close()


@pytest.fixture(scope="session")
def session() -> Iterator[Session]:
    """An engine with the embedded model."""
    session = Session()
    yield session
    session.close()
