"""Draws → records: live against a model, or replayed from the journal.

`write` drives the steps of many draws at once against a pool; `replay` drives them one by one
against the journal, in draw order. So `records.jsonl` depends on nothing but the journal.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import Protocol, TypeVar

from generator.errors import RequestFailed
from generator.llm.journal import Journal
from generator.llm.pool import Pool, cancelled, each
from generator.plan import Plan
from generator.records import Completion, Draw, Prompt, Rejected, Task
from generator.writing import (
    Outcome,
    Steps,
    Tasks,
    brainstorm_of,
    brainstorm_steps,
    example_steps,
    pick_task,
)

T = TypeVar("T")
UNANSWERED = "unanswered"
# About 10 kB each. The draws of one call come close together: a few calls a language are in use.
_BRAINSTORMS_HELD = 1024


class OnOutcome(Protocol):
    """Called once per finished draw, in any order."""

    def __call__(self, draw: Draw, outcome: Outcome) -> None:
        """Note the outcome of a draw."""


async def write(plan: Plan, draws: Iterable[Draw], pool: Pool, on_outcome: OnOutcome) -> None:
    """Answer every request of the draws, keeping the pool full; results are in the journal.

    Raises LLMError as soon as the model cannot be used; what was answered stays.
    """
    tasks = _Brainstorms(plan, pool)

    async def one(draw: Draw) -> None:
        on_outcome(draw, await _example(plan, draw, tasks, pool))

    try:
        # Twice as many draws as slots: those that wait for a brainstorming call leave none idle.
        await each(draws, one, limit=2 * pool.concurrency)
    finally:
        await tasks.aclose()


def replay(
    plan: Plan, draws: Iterable[Draw], journal: Journal, on_task: Callable[[Task], None]
) -> Iterator[tuple[Draw, Outcome]]:
    """The outcome of every draw, in order, from the journal alone. Calls nothing.

    `on_task` gets each brainstormed task once, at the first draw that needs its call.
    """
    held: OrderedDict[str, Tasks] = OrderedDict()
    told: set[str] = set()
    for draw in draws:
        task: Task | Rejected | None = None
        if plan.form(draw).brainstorm:
            call = brainstorm_of(plan, draw)
            if call.id not in held:
                held[call.id] = _replayed(brainstorm_steps(plan, call), journal)
                if len(held) > _BRAINSTORMS_HELD:
                    held.popitem(last=False)
            tasks = held[call.id]
            if call.id not in told and not isinstance(tasks, Rejected):
                told.add(call.id)
                for each_task in tasks:
                    on_task(each_task)
            task = pick_task(plan, draw, tasks)
        if isinstance(task, Rejected):
            yield draw, task
        else:
            yield draw, _replayed(example_steps(plan, draw, task), journal)


async def _example(plan: Plan, draw: Draw, tasks: _Brainstorms, pool: Pool) -> Outcome:
    if not plan.form(draw).brainstorm:
        return await _drive(example_steps(plan, draw, None), pool.ask)
    task = pick_task(plan, draw, await tasks.of(draw))
    if isinstance(task, Rejected):
        return task
    return await _drive(example_steps(plan, draw, task), pool.ask)


class _Brainstorms:
    """Brainstorming calls, each made once however many draws wait for it."""

    def __init__(self, plan: Plan, pool: Pool) -> None:
        self._plan = plan
        self._pool = pool
        self._held: OrderedDict[str, asyncio.Task[Tasks]] = OrderedDict()

    async def of(self, draw: Draw) -> Tasks:
        call = brainstorm_of(self._plan, draw)
        if call.id not in self._held:
            steps = brainstorm_steps(self._plan, call)
            self._held[call.id] = asyncio.create_task(_drive(steps, self._pool.ask))
            self._shrink()
        return await asyncio.shield(self._held[call.id])

    def _shrink(self) -> None:
        # A call dropped too early is only looked up in the journal again, once it is answered.
        oldest = next(iter(self._held))
        if len(self._held) > _BRAINSTORMS_HELD and self._held[oldest].done():
            del self._held[oldest]

    async def aclose(self) -> None:
        """End the calls that nobody waits for any more."""
        await cancelled(self._held.values())


async def _drive(steps: Steps[T], ask: Callable[[Prompt], Awaitable[Completion]]) -> T:
    try:
        prompt = next(steps)
        while True:
            try:
                completion = await ask(prompt)
            except RequestFailed as exc:
                prompt = steps.throw(exc)
            else:
                prompt = steps.send(completion)
    except StopIteration as stop:
        result: T = stop.value
        return result


def _replayed(steps: Steps[T], journal: Journal) -> T:
    try:
        prompt = next(steps)
        while True:
            completion = journal.get(prompt.key)
            if completion is not None:
                prompt = steps.send(completion)
            else:
                reason, detail = journal.last_error(prompt.key) or (UNANSWERED, "")
                prompt = steps.throw(RequestFailed(reason, detail))
    except StopIteration as stop:
        result: T = stop.value
        return result
