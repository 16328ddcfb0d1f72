"""Pairs of query and text, graded by an LLM through a journal: no pair is paid for twice."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from pathlib import Path

from generator.llm.base import LLM
from generator.llm.budget import Budget, Metered
from generator.llm.journal import Journal
from generator.llm.pool import Pool, each
from generator.mine.judge import grade
from generator.modelconfig import ModelConfig
from generator.records import Params

_MAX_TOKENS = 256  # a small model may think aloud before its grade


class Judge:
    """Grades pairs from 0 to 3; `journal` is the file that keeps the answers."""

    def __init__(
        self, config: ModelConfig, open_model: Callable[[], LLM], journal: Path,
        budget: Budget | None = None,
    ) -> None:  # fmt: skip
        self._budget = budget or Budget(lambda *_: None)
        self.name = f"llm:{config.model}"
        self._config, self._open, self._journal = config, open_model, journal

    def score_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        """The grade of each (query, text), NaN where there is none.

        Raises LLMError, and BudgetReached where the next request might go over the cap.
        """
        return asyncio.run(self._grades(pairs))

    async def _grades(self, pairs: Sequence[tuple[str, str]]) -> list[float]:
        grades = [float("nan")] * len(pairs)
        params = Params(temperature=0.0, max_tokens=_MAX_TOKENS, stop=self._config.stop)
        llm = self._open()
        with Journal(self._journal) as journal:
            pool = Pool(Metered(llm, self._budget), journal)

            async def one(item: tuple[int, tuple[str, str]]) -> None:
                place, (query, text) = item
                grades[place] = await grade(pool.ask, self._config.model, query, text, params)
                await asyncio.sleep(0)  # what the journal answers lets the others go on too

            try:
                await each(enumerate(pairs), one, limit=pool.concurrency)
            finally:
                await llm.aclose()
        return grades
