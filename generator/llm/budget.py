"""A cap on what a run spends, and an LLM that keeps to it.

    spent + what is in flight, with a margin of its spread + the dearest answer so far  <=  cap

Else a request waits for others to come back; when none is in flight the run is over its budget. So
it ends within one request's price of the cap, without sending the last hundreds one by one.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass
from math import sqrt

from generator.errors import BudgetReached
from generator.llm.base import LLM, Flow
from generator.llm.expected import counted
from generator.llm.prospects import NOTHING, Amount, PriceOf, Prospect, Prospects
from generator.records import Completion, Prompt

_DEVIATIONS = 3.0
_DRAWS_HELD = 65_536
_NONE = Prospect(NOTHING, NOTHING)


@dataclass(slots=True)
class _Waiting:
    prompt: Prompt
    admitted: asyncio.Future[Prospect]


class Budget:
    """What was spent, what is in flight, and what may be spent; one for all models of a run."""

    def __init__(
        self,
        price_of: PriceOf,
        *,
        spent: Amount = NOTHING,
        max_cost_usd: float | None = None,
        max_tokens: int | None = None,
        batched: Callable[[str], bool] = lambda _: False,
    ) -> None:
        self._caps = (max_cost_usd, max_tokens)
        self.is_capped = self._caps != (None, None)
        self.spent = spent
        self._prospects = Prospects(price_of, batched)
        self._in_flight = 0
        self._reserved = _NONE
        self._waiting: deque[_Waiting] = deque()
        self._begun: OrderedDict[str, None] = OrderedDict()
        self._is_over = False

    async def admit(self, prompt: Prompt) -> Prospect:
        """Wait for room; returns what to give to `settle`. Raises BudgetReached."""
        if not self.is_capped:
            return _NONE
        if self._is_over:
            raise self._reached()
        if not self._waiting and self._has_room(prompt):
            return self._reserve(prompt)
        waiting = _Waiting(prompt, asyncio.get_running_loop().create_future())
        # What is left is for draws that are begun: half of one is worth nothing.
        put = self._waiting.appendleft if prompt.draw in self._begun else self._waiting.append
        put(waiting)
        self._wake()
        try:
            return await waiting.admitted
        except asyncio.CancelledError:
            if waiting.admitted.done() and not waiting.admitted.cancelled():
                self.settle(waiting.admitted.result())
            raise

    def count(self, prompt: Prompt, answer: Completion) -> None:
        """Count an answer."""
        self.spent += self._prospects.cost(prompt, answer)
        if self.is_capped:
            self._prospects.learn(prompt, answer)
            self._begun[prompt.draw] = None
            if len(self._begun) > _DRAWS_HELD:
                self._begun.popitem(last=False)

    def settle(self, reserved: Prospect) -> None:
        """Take a request out of what is in flight."""
        if not self.is_capped:
            return
        self._in_flight -= 1
        mean, variance = self._reserved
        self._reserved = (
            Prospect(mean + reserved.mean.times(-1), variance + reserved.variance.times(-1))
            if self._in_flight
            else _NONE  # no rounding errors add up
        )
        self._wake()

    def _wake(self) -> None:
        """Let in those that wait, in their order, while there is room."""
        while self._waiting:
            first = self._waiting[0]
            if first.admitted.done():  # cancelled
                self._waiting.popleft()
            elif not self._is_over and self._has_room(first.prompt):
                self._waiting.popleft()
                first.admitted.set_result(self._reserve(first.prompt))
            elif self._in_flight:
                return
            else:  # for all that wait: nothing may be in flight when the run stops
                self._is_over = True
                self._waiting.popleft()
                first.admitted.set_exception(self._reached())

    def _reserve(self, prompt: Prompt) -> Prospect:
        taken = self._prospects.of(prompt, self._in_flight)
        mean, variance = self._reserved
        self._reserved = Prospect(mean + taken.mean, variance + taken.variance)
        self._in_flight += 1
        return taken

    def _has_room(self, prompt: Prompt) -> bool:
        mean, variance = self._reserved
        needed = self.spent + mean + self._prospects.dearest(prompt)
        max_usd, max_tokens = self._caps
        usd = (needed.usd or 0.0) + _margin(variance.usd or 0.0)
        tokens = needed.tokens + _margin(variance.tokens)
        return (max_usd is None or usd <= max_usd) and (max_tokens is None or tokens <= max_tokens)

    def _reached(self) -> BudgetReached:
        usd, tokens = self.spent
        spent = f"{tokens:,} tokens" if usd is None else f"${usd:,.4f} ({tokens:,} tokens)"
        caps = [f"${self._caps[0]:,.4f}"] if self._caps[0] is not None else []
        caps += [f"{self._caps[1]:,} tokens"] if self._caps[1] is not None else []
        return BudgetReached(f"spent {spent} of {' and '.join(caps)}; the next might not fit")


class Metered:
    """An LLM whose requests count against a budget; the same to all that use it."""

    def __init__(self, llm: LLM, budget: Budget) -> None:
        self._llm = llm
        self._budget = budget

    @property
    def concurrency(self) -> int:
        """As the model's."""
        return self._llm.concurrency

    @property
    def flow(self) -> Flow | None:
        """As the model's, where it has one."""
        return getattr(self._llm, "flow", None)

    async def complete(self, prompt: Prompt) -> Completion:
        """As the model's; raises BudgetReached too."""
        reserved = await self._budget.admit(prompt)
        try:
            answer = await self._llm.complete(prompt)
            if self._budget.is_capped:  # else what is not known stays unknown
                answer = counted(prompt, answer)
            self._budget.count(prompt, answer)
        finally:
            self._budget.settle(reserved)
        return answer

    async def aclose(self) -> None:
        """Close the model."""
        await self._llm.aclose()


def _margin(variance: float) -> float:
    """How far a sum of so much variance may well be off; rounding may have left less than none."""
    return _DEVIATIONS * sqrt(max(variance, 0.0))
