"""Several models as one: each request goes to the model that it names.

Which model that is the draw has decided; no request moves to another because one is slow. Each
model has at most its own `concurrency` in flight.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import AsyncExitStack

from generator.llm.base import LLM, Flow
from generator.records import Completion, Prompt


class Writers:
    """The models by name."""

    def __init__(self, models: Mapping[str, LLM]) -> None:
        self._models = dict(models)
        self._slots = {
            name: asyncio.Semaphore(model.concurrency) for name, model in self._models.items()
        }
        self.concurrency = sum(model.concurrency for model in self._models.values())

    @property
    def flow(self) -> Flow | None:
        """The sums over those models that have one."""
        flows = [getattr(model, "flow", None) for model in self._models.values()]
        known = [flow for flow in flows if flow is not None]
        return Flow(*map(sum, zip(*known, strict=True))) if known else None

    async def complete(self, prompt: Prompt) -> Completion:
        """The answer of the model that the prompt names."""
        async with self._slots[prompt.model]:
            return await self._models[prompt.model].complete(prompt)

    async def aclose(self) -> None:
        """Close them all, whatever the first ones say."""
        async with AsyncExitStack() as stack:
            for model in self._models.values():
                stack.push_async_callback(model.aclose)
