"""A model that answers from a function: for tests, and for trying a taxonomy without a model."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from random import Random
from typing import Any

from generator.records import Completion, Prompt

Script = Callable[[Prompt], str]

_WORDS = [
    "river",
    "garden",
    "teacher",
    "engine",
    "market",
    "village",
    "doctor",
    "bridge",
    "window",
    "library",
    "farmer",
    "mountain",
    "ticket",
    "kitchen",
    "harbor",
    "forest",
    "painter",
    "battery",
    "planet",
    "museum",
    "bakery",
    "island",
    "letter",
    "station",
    "repairs",
    "visits",
    "explains",
    "measures",
    "carries",
    "describes",
    "compares",
    "protects",
    "improves",
    "connects",
]


class ScriptedLLM:
    """Answers each prompt with `script(prompt)`, in an order of its own (seeded shuffling)."""

    def __init__(
        self, script: Script | None = None, *, concurrency: int = 8, jitter: int = 3
    ) -> None:
        self._script = script or plausible
        self.concurrency = concurrency
        self.asked: list[Prompt] = []
        self._random = Random(0)  # noqa: S311 - not for secrets
        self._jitter = jitter

    async def complete(self, prompt: Prompt) -> Completion:
        """The script's answer, after a few turns of the event loop."""
        self.asked.append(prompt)
        for _ in range(self._random.randint(0, self._jitter)):
            await asyncio.sleep(0)
        text = self._script(prompt)
        asked = sum(len(message.content) for message in prompt.messages)
        return Completion(text, "stop", asked // 4, len(text) // 4)

    async def aclose(self) -> None:
        """Nothing to give back."""


def plausible(prompt: Prompt) -> str:
    """A reply that fits the prompt's schema, in English sentences; the same for the same key."""
    random = Random(prompt.key)  # noqa: S311 - not for secrets
    return json.dumps(_fill(json.loads(prompt.schema), random))


def _fill(schema: dict[str, Any], random: Random) -> Any:
    if "enum" in schema:
        return random.choice(schema["enum"])
    if schema["type"] == "object":
        return {name: _fill(inner, random) for name, inner in schema["properties"].items()}
    if schema["type"] == "array":
        return [_fill(schema["items"], random) for _ in range(schema.get("maxItems", 3))]
    sentences = [" ".join(random.sample(_WORDS, 8)).capitalize() + "." for _ in range(8)]
    return " ".join(sentences)[: schema.get("maxLength")]
